"""How far the parts are that come after an environment is ready, or never."""

from deploy.local.processes.parts import LEFT_OUT, SANDBOX, STACKS, Parts
from deploy.local.state import PartState


def told(*, wanted: bool = True) -> tuple[Parts, list[str]]:
    changes: list[str] = []
    return Parts(wanted=wanted, changed=lambda: changes.append("changed")), changes


def test_what_comes_says_what_it_waits_for_and_what_is_there_says_nothing() -> None:
    parts, changes = told()
    assert {one.state for one in parts.all().values()} == {PartState.COMING}
    assert "the first time takes minutes" in parts.all()[STACKS].why
    parts.ready(SANDBOX)
    assert (parts.all()[SANDBOX].state, parts.all()[SANDBOX].why) == (PartState.READY, "")
    assert (parts.all()[STACKS].state, changes) == (PartState.COMING, ["changed"])


def test_the_first_cause_of_what_is_missing_stays_whatever_comes_after() -> None:
    parts, _ = told()
    parts.missing(STACKS, why=ValueError("no PostgreSQL\nand a second line"))
    parts.missing(STACKS, why="another")
    parts.ready(STACKS)
    assert (parts.all()[STACKS].state, parts.all()[STACKS].why) == (PartState.MISSING, "no PostgreSQL")


def test_what_was_left_out_is_missing_for_that() -> None:
    parts, _ = told(wanted=False)
    assert {(one.state, one.why) for one in parts.all().values()} == {(PartState.MISSING, LEFT_OUT)}
