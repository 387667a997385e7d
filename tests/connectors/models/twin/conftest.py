"""The twin of language models behind a real server, and every way to ask it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from connectors.models.twin.app import TwinConfig, create_twin
from connectors.models.twin.score import read_score
from connectors.models.twin.stage import Model
from connectors.models.twin.wires.bedrock import AwsKey
from tests.connectors.models.twin.callers import PATIENCE, WIRES, Caller, caller
from tests.connectors.serving import ServedTwin, served_twin

SCORE = r"""
cues:
  - when: {by: user, last: 'read (?P<path>\S+)', tools: [read_file], system: "files only"}
    say: Let me look into ${path}.
    call: [{tool: read_file, arguments: {path: "${path}", lines: [1, 40]}}]
  - when: {by: tool, last: '# (?P<title>\w+)'}
    answer: {title: "${title}", lines: 1}
  - when: {by: user, last: greet}
    say: Good morning, and welcome.
"""
CONFIG = TwinConfig(
    openai="openai-key-canary-11a2",
    anthropic="anthropic-key-canary-22b3",
    bedrock=AwsKey(
        access_key="AKIACANARY33C4", secret_key="bedrock-secret-canary-33c4", token="bedrock-token-canary-44d5"
    ),
    models=(
        Model(id="scripted:1", cache_from=8),
        Model(id="arn:aws:bedrock:eu-central-1::inference-profile/scripted", context=40),
        Model(id="closed:1", forbidden=True),
    ),
    score=read_score(SCORE),
)

Asking = Callable[..., Caller]


@pytest.fixture(scope="module")
def running() -> Iterator[ServedTwin]:
    with served_twin(create_twin(CONFIG)) as twin:
        yield twin


@pytest.fixture
def twin(running: ServedTwin) -> ServedTwin:
    """As it was at its start, but for its clock, its cache and the numbers of its bills."""
    for forgotten in ("bills", "cues", "faults", "requests"):
        running.http.delete(f"/_twin/{forgotten}").raise_for_status()
    running.http.put("/_twin/score", content=SCORE).raise_for_status()
    return running


@pytest.fixture
def asking(twin: ServedTwin) -> Iterator[Asking]:
    """A caller of a way; its client is closed at the end."""
    with ExitStack() as opened:
        yield lambda way, timeout=PATIENCE: caller(way, twin.url, CONFIG, opened, timeout=timeout)


@pytest.fixture(params=WIRES)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ask(asking: Asking, way: str) -> Caller:
    return asking(way)


def bills(twin: ServedTwin) -> Any:
    return twin.http.get("/_twin/bills").json()


def plant(twin: ServedTwin, cue: dict[str, Any]) -> None:
    twin.http.post("/_twin/cues", json=cue).raise_for_status()
