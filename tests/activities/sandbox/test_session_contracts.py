"""What the steps of a session say to the policy, and what their requests cannot say."""

from typing import Any

import pytest
from pydantic import ValidationError

from activities.queues import TaskQueue
from activities.sandbox.contracts import Source
from activities.sandbox.session_contracts import (
    CLOSE_SESSION,
    KEEP_CHANGES,
    LIST_FILES,
    OPEN_SESSION,
    READ_TEXT,
    RUN_PROGRAM,
    SEARCH_FILES,
    WRITE_FILE,
    OpenSessionRequest,
    ReadTextRequest,
    RunProgramRequest,
    SearchFilesRequest,
    SessionRequest,
    WriteFileRequest,
)
from activities.step import Step
from hitl.protocol import Effect

LOOKS = (OPEN_SESSION, LIST_FILES, READ_TEXT, SEARCH_FILES, KEEP_CHANGES, CLOSE_SESSION)
CHANGES = (WRITE_FILE, RUN_PROGRAM)


@pytest.mark.parametrize("step", [*LOOKS, *CHANGES], ids=lambda step: step.name)
def test_what_denies_the_sandbox_denies_its_sessions(step: Step[Any, Any]) -> None:
    assert step.name.startswith("sandbox.")
    assert (step.queue, step.credential) == (TaskQueue.SANDBOX, None)
    assert step.effect is (Effect.WRITE if step in CHANGES else Effect.READ)


@pytest.mark.parametrize(
    ("request_", "resource"),
    [
        (ReadTextRequest(session="s", repository="acme/shop", path="docs/a.md"), "docs/a.md"),
        (WriteFileRequest(session="s", repository="acme/shop", path="a.md", content="the words"), "a.md"),
        (RunProgramRequest(session="s", repository="acme/shop", command=("make", "test")), "make test"),
        (SearchFilesRequest(session="s", repository="acme/shop", pattern="secret words"), None),
        (RunProgramRequest(session="s", repository="acme/shop", command=("make", "x" * 300)), "make " + "x" * 195),
    ],
)
def test_a_rule_can_match_the_path_and_the_command_and_no_content(
    request_: SessionRequest, resource: str | None
) -> None:
    said = request_.policy_context()
    assert (said.repository_owner, said.repository_name, said.resource) == ("acme", "shop", resource)


def test_a_session_is_opened_on_a_repository_that_a_rule_can_match() -> None:
    source = Source(repository="acme/shop", commit="c" * 40, pack=f"sha256:{'2' * 64}")
    assert OpenSessionRequest(source=source).policy_context().repository_name == "shop"
    with pytest.raises(ValidationError):
        OpenSessionRequest(source=source, seconds=86_400)


@pytest.mark.parametrize(
    "asked",
    [
        {"path": "a"},
        {"path": "a", "content": "x", "delete": True},
        {"path": "a", "content": "x", "replace": [{"old": "a", "new": "b"}]},
        {"path": "a", "replace": [{"old": "", "new": "b"}]},
    ],
)
def test_a_write_says_one_thing(asked: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WriteFileRequest.model_validate({"session": "s", "repository": "acme/shop", **asked})


@pytest.mark.parametrize("pattern", ["", "a\nb", "a\0b", "x" * 501])
def test_a_pattern_is_one_line(pattern: str) -> None:
    with pytest.raises(ValidationError):
        SearchFilesRequest(session="s", repository="acme/shop", pattern=pattern)
