"""Whether there is what goals on stacks need, told from what the stack says of itself."""

import pytest

from deploy.local.process import ChildReport, ChildState
from deploy.local.sandbox_state import NO_PULUMI, NO_SANDBOX, NO_STATE, PULUMI_READY, SandboxState, sandbox_state

ENGINE = (ChildReport(name="container-engine", state=ChildState.STARTING),)


@pytest.mark.parametrize("note", [f"{NO_SANDBOX}: no engine", f"{NO_STATE}: no PostgreSQL", f"{NO_PULUMI}: no Go"])
def test_what_will_not_come_is_missing_for_its_reason(note: str) -> None:
    assert sandbox_state(ENGINE, ("the sandbox is ready", note)) == (SandboxState.MISSING, note)


def test_an_engine_that_is_looked_for_is_coming_until_pulumi_is_ready() -> None:
    assert sandbox_state(ENGINE, ())[0] is SandboxState.COMING
    assert sandbox_state(ENGINE, ("the sandbox is ready", PULUMI_READY))[0] is SandboxState.READY


def test_without_an_engine_there_is_none() -> None:
    assert sandbox_state((), ()) == (
        SandboxState.MISSING,
        "the stack was started without a sandbox (`--no-sandbox`)",
    )
