"""The twin as an environment prepares it, and as a process of its own."""

from collections.abc import Callable
from pathlib import Path

from connectors.models.twin.app import TwinConfig, create_twin
from connectors.models.twin.conversation import WireName
from connectors.models.twin.seed import prepare
from connectors.twins import PreparedTwin, TwinPlace
from tests.connectors.models.twin.callers import Message, OpenAICaller, Question
from tests.connectors.serving import served_twin


def _keeping(folder: Path) -> Callable[[str, bytes], Path]:
    def keep(name: str, content: bytes) -> Path:
        (folder / "twins").mkdir(exist_ok=True)
        (folder / "twins" / name).write_bytes(content)
        return folder / "twins" / name

    return keep


async def prepared(folder: Path, listen: str) -> tuple[PreparedTwin, TwinConfig]:
    place = TwinPlace(root=folder, listen=listen, repositories={}, keep=_keeping(folder))
    made = await prepare(place)
    return made, TwinConfig.model_validate_json(made.configuration.read_bytes())


async def test_what_is_prepared_is_kept_from_one_start_to_the_next(tmp_path: Path) -> None:
    first, config = await prepared(tmp_path, "127.0.0.1:1")
    changed = config.model_copy(update={"score": config.score.model_copy(update={"cues": ()})})
    first.configuration.write_bytes(changed.model_dump_json().encode())
    second, again = await prepared(tmp_path, "127.0.0.1:2")
    assert again == changed.model_copy(update={"listen": "127.0.0.1:2"})
    assert second.secrets == first.secrets
    assert {*second.secrets} == {"models/twin-openai", "models/twin-anthropic", "models/twin-bedrock"}


async def test_what_is_torn_is_made_anew(tmp_path: Path) -> None:
    first, _ = await prepared(tmp_path, "127.0.0.1:1")
    first.configuration.write_text("{")
    second, _ = await prepared(tmp_path, "127.0.0.1:1")
    assert second.secrets != first.secrets


async def test_what_is_prepared_answers_with_the_key_that_vault_is_given(tmp_path: Path) -> None:
    made, config = await prepared(tmp_path, "127.0.0.1:1")
    key = made.secrets["models/twin-openai"]["key"].get_secret_value()
    with served_twin(create_twin(config)) as twin:
        caller = OpenAICaller(f"{twin.url}/openai", key, WireName.OPENAI)
        answer = caller.ask(Question(messages=(Message(role="user", text="who are you?"),)), stream=True)
        caller.client.close()
    assert answer.text.startswith("This is the twin")
