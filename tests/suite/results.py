"""What a group of tests came to: read from the records of its first attempt and of the second, if there was one."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from tests.suite.record import COLLECTING, Line

RESULTS: Final = Path(".ci/groups")
"""Where the groups leave what they came to, in the clone that they run in."""


class Outcome(StrEnum):
    """How a test ended, worst first."""

    FAILED = "failed"
    FLAKY = "flaky"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    PASSED = "passed"


class Test(BaseModel, frozen=True):
    """One test, all its phases together."""

    __test__ = False

    name: str
    outcome: Outcome
    seconds: float = 0
    reason: str = ""


class Group(BaseModel, frozen=True):
    """One group.

    Attributes:
        seconds: How long it took, second attempts included.
        processor: Seconds of it on a processor, of all its processes but those in containers and those that others end.
        tests: Each that ran.
        problem: What is wrong with the group as a whole, such as that its process died; empty if nothing is.
    """

    name: str
    seconds: float
    processor: float = 0
    tests: tuple[Test, ...] = ()
    problem: str = ""

    def ended(self, outcome: Outcome) -> list[Test]:
        """The tests that ended so."""
        return [test for test in self.tests if test.outcome is outcome]

    @property
    def failed(self) -> bool:
        return bool(self.problem or self.ended(Outcome.FAILED))


class Attempt(BaseModel, frozen=True):
    """What one pytest process recorded, and its exit code."""

    tests: Mapping[str, Test]
    problem: str


def read_attempt(record: Path, exit_code: int) -> Attempt:
    """Take a record for what it is worth: one that stops short tells so in `problem`."""
    lines = list(_lines(record))
    tests: dict[str, Test] = {}
    for line in lines:
        if line.test:
            tests[line.test] = _with(tests.get(line.test), line)
    return Attempt(tests=tests, problem=_problem(lines, exit_code))


def _lines(record: Path) -> Iterable[Line]:
    if record.exists():
        for text in record.read_text(encoding="utf-8").splitlines(keepends=True):
            if text.endswith("\n"):  # one that was cut off by the end of its process is no line
                yield Line.model_validate_json(text)


def _with(before: Test | None, line: Line) -> Test:
    """A test is as bad as the worst of its phases."""
    earlier = before or Test(name=line.test, outcome=Outcome.PASSED)
    worst = min(earlier.outcome, Outcome(line.outcome), key=list(Outcome).index)
    return Test(
        name=line.test, outcome=worst, seconds=earlier.seconds + line.seconds, reason=earlier.reason or line.reason
    )


def _problem(lines: list[Line], exit_code: int) -> str:
    selected = next((line.selected for line in lines if line.selected is not None), 0)
    ran = sum(line.phase == "teardown" for line in lines)
    failed = any(line.outcome == "failed" for line in lines)
    under_way = next((line.under_way for line in reversed(lines) if line.under_way is not None), "")
    died = f"died by signal {-exit_code}" if exit_code < 0 else f"ended with exit code {exit_code}"
    if under_way:
        return f"{died} during {under_way}"
    if uncollected := [line.test for line in lines if line.phase == COLLECTING and line.outcome == "failed"]:
        return f"cannot be collected: {', '.join(uncollected)}"
    if exit_code not in {0, 1}:
        return "has no tests" if exit_code == 5 else died
    if ran != selected:
        return f"ran {ran} of {selected} tests"
    return "" if failed is (exit_code == 1) else died


def merge(name: str, seconds: float, first: Attempt, again: Attempt | None) -> Group:
    """The group: a test that failed and then passed is flaky, and one that did not pass then has failed."""
    tests = [_merged(test, again) for test in first.tests.values()]
    problem = first.problem or (f"the second attempt {again.problem}" if again and again.problem else "")
    return Group(name=name, seconds=seconds, tests=tuple(tests), problem=problem)


def _merged(first: Test, again: Attempt | None) -> Test:
    if first.outcome is not Outcome.FAILED or again is None:
        return first
    second = again.tests.get(first.name)
    passed = second is not None and second.outcome is Outcome.PASSED
    seconds = first.seconds + (second.seconds if second else 0)
    return first.model_copy(update={"outcome": Outcome.FLAKY if passed else Outcome.FAILED, "seconds": seconds})
