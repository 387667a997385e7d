"""Any order of steps, repeats, kills, foreign grants, giving up: the approved steps run, each once, in order."""

import asyncio
import tempfile
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from temporalio.exceptions import ApplicationError

from activities.guard.error_types import denial_of
from activities.step_end import Way
from hitl.approval.decision import SignedDecision
from hitl.protocol import RefusalReason
from tests.activities.guard.attempts import Records
from tests.activities.guard.stepping import Killed, Steps

NAMES = ("one", "two", "three")
Whose = Literal["mine", "another approval", "another run", "another plan", "too few", "a forged one"]
FOREIGN: tuple[Whose, ...] = ("another approval", "another run", "another plan", "too few", "a forged one")


@dataclass(frozen=True)
class Try:
    """One attempt at a step."""

    position: int
    whose: Whose = "mine"
    again: bool = False
    """The same execution as the last one at this position, rather than a new one."""
    dies: Literal["", "before", "after"] = ""
    ends: Way = "completed"


@dataclass(frozen=True)
class GiveUp:
    """Of what is left."""


@dataclass
class Book:
    """What is to be true, said in another way than the guard does: who holds each step, and how it ended."""

    held: dict[int, object] = field(default_factory=dict[int, object])
    ended: dict[int, Way] = field(default_factory=dict[int, Way])

    def give_up(self) -> None:
        free = [position for position in (1, 2, 3) if position not in self.held]
        if free and None not in self.held.values():
            self.held[free[0]] = None

    def may(self, position: int, execution: object) -> bool:
        before = all(
            self.held.get(one) is not None and self.ended.get(one) == "completed" for one in range(1, position)
        )
        return before and self.held.setdefault(position, execution) == execution if before else False


tries = st.builds(
    Try,
    position=st.integers(1, 3),
    whose=st.sampled_from(
        ["mine"] * 8 + ["another approval", "another run", "another plan", "too few", "a forged one"]
    ),
    again=st.booleans(),
    dies=st.sampled_from(["", "", "", "before", "after"]),
    ends=st.sampled_from(["completed"] * 6 + ["refused", "unknown"]),
)
forwards = st.lists(st.builds(Try, position=st.integers(1, 3), again=st.booleans()), min_size=3, max_size=9)


def grants(steps: Steps) -> dict[Whose, tuple[SignedDecision, ...]]:
    """One of each: signing reads the policy each time."""
    mine = steps.grant()
    return {
        "mine": mine,
        "another approval": steps.grant(approval_id="approval/x/2"),
        "another run": steps.grant(run_id="run-2"),
        "another plan": steps.grant(plan_digest=f"sha256:{'0' * 64}"),
        "too few": steps.grant("alice", "bob"),
        "a forged one": (mine[0].model_copy(update={"signature": mine[1].signature}), mine[1]),
    }


@dataclass
class Trying:
    """One worker, all grants, and the book that is kept beside."""

    steps: Steps
    grants: dict[Whose, tuple[SignedDecision, ...]]
    book: Book = field(default_factory=Book)
    executions: dict[int, dict[str, object]] = field(default_factory=dict[int, dict[str, object]])

    async def attempt(self, one: Try) -> None:
        if not one.again or one.position not in self.executions:
            self.executions[one.position] = self.steps.execution(one.position)
        if (one.whose, one.position) == ("another approval", 1):
            return  # that one is good for itself, and is tried elsewhere
        info, before = self.executions[one.position], list(self.steps.destroyer.done)
        self.steps.destroyer.dies, self.steps.destroyer.ends = one.dies, one.ends
        may = one.whose == "mine" and self.book.may(one.position, info["scheduled_time"])
        found = await refused(self.steps.run(self.steps.request(one.position, self.grants[one.whose]), **info))
        assert (found is None) is may
        if may and not one.dies:
            self.book.ended.setdefault(one.position, one.ends)
        if not may:
            assert self.steps.destroyer.done == before

    async def give_up(self) -> None:
        await self.steps.give_up(self.grants["mine"])
        self.book.give_up()


async def refused(running: Awaitable[object]) -> RefusalReason | None:
    try:
        await running
    except ApplicationError as error:
        denial = denial_of(error)
        return denial.reason if denial else None
    except Killed:
        return None
    return None


async def all_of_it(folder: Path, what: list[Try | GiveUp]) -> tuple[Steps, Book]:
    async with Steps.at_work(folder, Records()) as steps:
        trying = Trying(steps, grants(steps))
        for one in what:
            await (trying.give_up() if isinstance(one, GiveUp) else trying.attempt(one))
            assert tuple(steps.destroyer.done) == NAMES[: len(steps.destroyer.done)]
    return steps, trying.book


@pytest.mark.parametrize("kind", ["anything", "forwards"])
def test_exactly_the_approved_steps_run_each_at_most_once_and_in_order(kind: str) -> None:
    whatever = st.lists(tries | st.just(GiveUp()), max_size=14)

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
    @given(what=whatever if kind == "anything" else forwards)
    def check(what: list[Try | GiveUp]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            steps, book = asyncio.run(all_of_it(Path(folder), what))
            done = len(steps.destroyer.done)
            assert all(book.ended.get(position) == "completed" for position in range(1, done))

    check()


def test_the_honest_order_runs_to_its_end(tmp_path: Path) -> None:
    steps, _ = asyncio.run(all_of_it(tmp_path, [Try(1), Try(2, dies="after"), Try(2, again=True), Try(3), GiveUp()]))
    assert tuple(steps.destroyer.done) == NAMES
