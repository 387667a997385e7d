"""Recorded answers: the same request the same answer, another one another, and never where work is done."""

import contextlib
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.errors import InvalidRequest, NotFound, Unavailable
from connectors.models.deployment import ModelRef
from connectors.models.messages import Answer, OutputSchema, Prompt, Text, Tool
from connectors.models.recorded import RecordingClient, digest
from tests.connectors.models.compatible import Compatible, refuses, says
from tests.connectors.models.deployed import LAMP, asks, deployed, written
from tests.connectors.serving import served
from workers.process import CannotStart
from workers.roles.models import client_of
from workers.settings import Settings

KEY = {"key": SecretStr("sk-canary")}


@pytest.fixture
def server() -> Compatible:
    return Compatible()


@pytest.fixture
def url(server: Compatible) -> Iterator[str]:
    with served(server.app()) as found:
        yield found


def recording(folder: Path, url: str, **more: Any) -> RecordingClient:
    return RecordingClient(deployed(folder, url), folder / "answers", **more)


async def test_what_was_asked_before_is_answered_the_same_and_nobody_is_asked(
    server: Compatible, url: str, tmp_path: Path
) -> None:
    server.answers.append(says(None, calls=[("look", "{}")], ended="tool_calls"))
    first = await recording(tmp_path, url).ask(LAMP, asks(), KEY)
    again = await recording(tmp_path, url, only=True).ask(LAMP, asks(), {})
    assert (first.recorded, again.recorded, len(server.asked)) == (False, True, 1)
    assert again == first.model_copy(update={"recorded": True})
    [file] = (tmp_path / "answers").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "sk-canary" not in file.read_text()


@pytest.mark.parametrize(
    ("ref", "prompt"),
    [
        (ModelRef("attic", "lamp-1"), asks()),
        (ModelRef("lab", "lamp-2"), asks()),
        (LAMP, asks("Is the lamp lit!")),
        (LAMP, asks().model_copy(update={"temperature": 0.5})),
        (LAMP, asks().model_copy(update={"max_tokens": 7})),
        (LAMP, asks().model_copy(update={"instructions": Text(text="Be brief.")})),
        (LAMP, asks().model_copy(update={"tools": (Tool(name="look", parameters={}),)})),
        (LAMP, asks().model_copy(update={"output": OutputSchema(name="lit", json_schema={})})),
        (LAMP, Prompt(messages=(*asks().messages, *asks().messages))),
    ],
)
def test_whatever_is_different_is_another_request(ref: ModelRef, prompt: Prompt) -> None:
    assert digest(ref, prompt) != digest(LAMP, asks())


async def test_a_run_of_recordings_refuses_what_was_never_asked(server: Compatible, url: str, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="record it first"):
        await recording(tmp_path, url, only=True).ask(LAMP, asks(), KEY)
    assert server.asked == []


@pytest.mark.parametrize("answer", [refuses(529), refuses(400, code="context_length_exceeded")])
async def test_what_says_something_of_the_backend_is_not_recorded(
    server: Compatible, url: str, tmp_path: Path, answer: Any
) -> None:
    server.answers += [answer, says("lit")]
    client = recording(tmp_path, url)
    with contextlib.suppress(Unavailable):
        await client.ask(LAMP, asks(), KEY)
    assert (await client.ask(LAMP, asks(), KEY)).parts == (Text(text="lit"),)


async def test_what_is_no_answer_is_said_to_be_none(server: Compatible, url: str, tmp_path: Path) -> None:
    client = recording(tmp_path, url)
    (tmp_path / "answers").mkdir()
    file = tmp_path / "answers" / f"{digest(LAMP, asks())}.json"
    file.write_text(Answer.model_construct().model_dump_json(warnings=False)[:-1])
    with pytest.raises(InvalidRequest, match="delete it"):
        await client.ask(LAMP, asks(), KEY)
    file.unlink()
    file.mkdir()
    with pytest.raises(Unavailable, match="cannot be read"):
        await client.ask(LAMP, asks(), KEY)


def settings(tmp_path: Path, **more: Any) -> Settings:
    return Settings(models=written(tmp_path), **more)


@pytest.mark.parametrize("allowed", [{"development": True}, {"rehearsal": True}])
def test_a_worker_that_does_nothing_real_takes_recordings(tmp_path: Path, allowed: dict[str, bool]) -> None:
    assert isinstance(client_of(settings(tmp_path, model_answers=tmp_path, **allowed)), RecordingClient)
    assert not isinstance(client_of(settings(tmp_path, **allowed)), RecordingClient)


@pytest.mark.parametrize(
    ("more", "way_out"),
    [
        ({"model_answers": Path("answers")}, "remove it"),
        ({"model_answers": Path("answers"), "model_answers_only": True}, "remove it"),
        ({"model_answers_only": True, "development": True}, "set BANKSMAN_MODEL_ANSWERS"),
    ],
)
def test_a_worker_where_work_is_done_does_not_start_with_them(
    tmp_path: Path, more: dict[str, Any], way_out: str
) -> None:
    with pytest.raises(CannotStart, match=way_out):
        client_of(settings(tmp_path, **more))
