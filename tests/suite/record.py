"""A pytest plugin that writes down how each test ends, at once, so that a process that dies leaves what it knew.

`-p tests.suite.record --record FILE` writes one JSON object per line. `--only FILE` runs the tests of a JSON list.
"""

import json
from pathlib import Path
from typing import Final

import pytest
from pydantic import BaseModel

RECORD: Final = "--record"
ONLY: Final = "--only"
COLLECTING: Final = "collect"


class Line(BaseModel, frozen=True):
    """One fact of a run: a test's phase, how many tests were selected, or the test that is under way."""

    test: str = ""
    phase: str = ""
    outcome: str = ""
    seconds: float = 0
    reason: str = ""
    selected: int | None = None
    under_way: str | None = None


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("record")
    group.addoption(RECORD, type=Path, help="write how each test ends to this file")
    group.addoption(ONLY, type=Path, help="run the tests of this JSON list and no others")


def pytest_configure(config: pytest.Config) -> None:
    path: Path | None = config.getoption(RECORD)
    if path is not None:
        config.pluginmanager.register(_Recorder(path))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    path: Path | None = config.getoption(ONLY)
    if path is None:
        return
    wanted = set(json.loads(path.read_text(encoding="utf-8")))
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in wanted])
    items[:] = [item for item in items if item.nodeid in wanted]


class _Recorder:
    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", buffering=1)

    def _write(self, line: Line) -> None:
        self._file.write(line.model_dump_json(exclude_defaults=True) + "\n")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if not report.passed:
            reason = _reason(report)
            self._write(Line(test=report.nodeid, phase=COLLECTING, outcome=report.outcome, reason=reason))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._write(Line(selected=len(session.items)))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._write(Line(under_way=nodeid))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome = "xfailed" if report.skipped and hasattr(report, "wasxfail") else report.outcome
        reason = _reason(report) if outcome == "skipped" else ""
        line = Line(test=report.nodeid, phase=report.when, outcome=outcome, seconds=report.duration, reason=reason)
        self._write(line)

    def pytest_runtest_logfinish(self) -> None:
        self._write(Line(under_way=""))


def _reason(report: pytest.CollectReport | pytest.TestReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    return str(text).removeprefix("Skipped: ").encode(errors="backslashreplace").decode()
