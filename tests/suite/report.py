"""`python -m tests.suite.report GROUPS` tells at the end of a run how all its groups went, and whether that will do."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from tests.suite.results import RESULTS, Group, Outcome, Test

FLAKY_ALLOWED: Final = 2
"""So many tests of a run may pass at the second attempt only; more are a failure."""
FLAKY_FILE: Final = RESULTS.parent / "flaky.txt"
TABLE_FILE: Final = RESULTS.parent / "table.txt"
_SLOWEST: Final = 10
_COLUMNS: Final = (Outcome.PASSED, Outcome.XFAILED, Outcome.SKIPPED, Outcome.FLAKY, Outcome.FAILED)


def read(name: str) -> Group:
    """The result that a group left; a group that left none has failed."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return Group(name=name, seconds=0, problem="ended without a result")
    return Group.model_validate_json(path.read_text(encoding="utf-8"))


def flaky(groups: Iterable[Group]) -> list[str]:
    """The tests that passed at their second attempt only."""
    return [plain(test.name) for group in groups for test in group.ended(Outcome.FLAKY)]


def problems(groups: Sequence[Group]) -> list[str]:
    """Why the run has failed, one line each; none if it passed."""
    found = [f"{group.name}: the group {plain(group.problem)} ({log(group)})" for group in groups if group.problem]
    for group in groups:
        found += [f"{group.name}: {plain(test.name)} ({log(group)})" for test in group.ended(Outcome.FAILED)]
    if len(names := flaky(groups)) > FLAKY_ALLOWED:
        found.append(f"{len(names)} flaky tests are too many: {FLAKY_ALLOWED} are allowed in a run")
    return found


def table(groups: Sequence[Group]) -> str:
    """Everything that people read at the end, as text."""
    tests = [test for group in groups for test in group.tests]
    return "\n".join(
        [
            *_counts(groups),
            *_section("skipped", _skipped(tests)),
            *_section(f"the {_SLOWEST} slowest", _slowest(tests)),
            *(f"flaky: {name}" for name in flaky(groups)),
            *_section("failed", problems(groups)),
        ]
    )


def log(group: Group) -> Path:
    """Where everything stands that the group's processes wrote."""
    return RESULTS / f"{group.name}.log"


def plain(text: str) -> str:
    """Text on one line without anything that a terminal would obey."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def _counts(groups: Sequence[Group]) -> list[str]:
    rows = [("group", "tests", "time", "processor", *(str(outcome) for outcome in _COLUMNS))]
    rows += [_row(group.name, group.seconds, group.processor, group.tests) for group in groups]
    everything = [test for group in groups for test in group.tests]
    both = sum(group.seconds for group in groups), sum(group.processor for group in groups)
    rows.append(_row("all", *both, everything))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        row[0].ljust(widths[0]) + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]


def _row(name: str, seconds: float, processor: float, tests: Sequence[Test]) -> tuple[str, ...]:
    ended = Counter(test.outcome for test in tests)
    times = (_minutes(seconds), _minutes(processor))
    return (name, str(len(tests)), *times, *(str(ended[outcome] or "·") for outcome in _COLUMNS))


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def _skipped(tests: Iterable[Test]) -> list[str]:
    reasons = Counter(plain(test.reason) for test in tests if test.outcome is Outcome.SKIPPED)
    return [f"{count:5}  {reason}" for reason, count in reasons.most_common()]


def _slowest(tests: Iterable[Test]) -> list[str]:
    slowest = sorted(tests, key=lambda test: test.seconds, reverse=True)[:_SLOWEST]
    return [f"{test.seconds:7.1f} s  {plain(test.name)}" for test in slowest]


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"{title}:", *(f"  {line}" for line in lines)] if lines else []


def main(*names: str) -> int:
    """Print the table, leave it and the names of the flaky tests in files, and judge."""
    groups = [read(name) for name in names]
    RESULTS.mkdir(parents=True, exist_ok=True)
    FLAKY_FILE.write_text("".join(f"{name}\n" for name in flaky(groups)), encoding="utf-8")
    TABLE_FILE.write_text(table(groups) + "\n", encoding="utf-8")
    sys.stdout.write("\n" + TABLE_FILE.read_text(encoding="utf-8"))
    return int(bool(problems(groups)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
