"""Answers piece by piece, on every wire: the same answer, how far it is, and no half of one."""

from pathlib import Path

import pytest

from connectors.errors import ConnectorError, OutcomeUnknown, RateLimited
from connectors.models.client import ModelClient
from connectors.models.deployment import ModelRef
from connectors.models.messages import Answer, Ended, Prompt, Text, ToolCall
from connectors.models.progress import Progress
from tests.connectors.models.deployed import deployed
from tests.connectors.models.twin.conftest import bills, plant
from tests.connectors.models.twin.test_client import ASKED, FILE, GREET, KEYS, TOOLS
from tests.connectors.serving import ServedTwin

PIECES = FILE.replace("seconds: 5}}", "seconds: 5, stream: true}}")
WELCOME = "Good morning, and welcome."


@pytest.fixture(params=KEYS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def asked(
    twin: ServedTwin, folder: Path, backend: str, prompt: Prompt, file: str = PIECES
) -> tuple[Answer, list[Progress]]:
    """The answer, and what was told of it until then."""
    told: list[Progress] = []
    client = ModelClient(deployed(folder, twin.url, file))
    found = await client.ask(ModelRef(backend, "scripted:1"), prompt, KEYS[backend], tell=told.append)
    return found, told


async def test_an_answer_in_pieces_is_the_same_and_is_counted_the_same(
    twin: ServedTwin, tmp_path: Path, backend: str
) -> None:
    pieces, told = await asked(twin, tmp_path, backend, GREET)
    whole, none = await asked(twin, tmp_path, backend, GREET, FILE)
    assert (pieces.parts, pieces.ended, pieces.tokens) == (whole.parts, whole.ended, whole.tokens)
    assert (pieces.parts, pieces.tokens is not None, none) == ((Text(text=WELCOME),), True, [])
    so_far = [one.characters for one in told]
    assert so_far == sorted(so_far)
    assert (len(so_far) > 1, so_far[-1]) == (True, len(WELCOME))
    assert len({one.first_after for one in told}) == 1
    assert told[0].first_after is not None
    assert WELCOME[:4] not in repr(told)


async def test_a_call_of_a_tool_comes_in_pieces_too(twin: ServedTwin, tmp_path: Path, backend: str) -> None:
    prompt = Prompt(instructions=Text(text="You answer from files only."), messages=(ASKED,), tools=TOOLS)
    found, told = await asked(twin, tmp_path, backend, prompt)
    [call] = [one for one in found.parts if isinstance(one, ToolCall)]
    assert (call.tool, call.well_formed, found.ended) == ("read_file", True, Ended.TOOL_CALL)
    assert told


@pytest.mark.parametrize(
    ("fault", "expected", "billed"),
    [
        ({"kind": "rate_limited", "retry_after": 7}, RateLimited, 0),
        ({"kind": "cut"}, OutcomeUnknown, 1),
        ({"kind": "cut", "politely": True}, OutcomeUnknown, 1),
    ],
    ids=["slow-down", "cut", "politely-cut"],
)
async def test_half_an_answer_is_none(
    twin: ServedTwin,
    tmp_path: Path,
    backend: str,
    fault: dict[str, object],
    expected: type[ConnectorError],
    billed: int,
) -> None:
    says = {"say": WELCOME} if billed else {}
    plant(twin, {"when": {"last": "greet"}, **says, "fault": fault, "times": 1})
    with pytest.raises(ConnectorError) as caught:
        await asked(twin, tmp_path, backend, GREET)
    assert type(caught.value) is expected
    assert bills(twin)["requests"] == billed
    assert WELCOME[:4] not in str(caught.value)
