"""A group that did not run all its tests to their end has failed, whatever those that ran came to."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.suite import report
from tests.suite.project import Project
from tests.suite.results import RESULTS, Group, Outcome, Test

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

FINE = "def test_fine():\n    pass\n"
WAITING = '''\
"""A test that waits, and a fixture that must be ended."""

import threading
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def server():
    yield
    Path("ended").touch()


def test_waits(server):
    Path("waiting").touch()
    threading.Event().wait(50)
'''


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("import no_such_module\n", "cannot be collected: test_it.py"),
        ("import os\n\n\ndef test_it():\n    os.abort()\n", "died by signal 6 during test_it.py::test_it"),
        ("import os\n\n\ndef test_it():\n    os._exit(0)\n", "ended with exit code 0 during test_it.py::test_it"),
        ("import pytest\n\n\ndef test_it():\n    pytest.exit('enough', 0)\n", "exit code 0 during test_it.py::test_it"),
        ("def test_it():\n    raise KeyboardInterrupt\n", "ended with exit code 2 during test_it.py::test_it"),
        ("", "has no tests"),
    ],
)
def test_a_group_that_dies_has_failed_and_is_not_tried_again(project: Project, text: str, problem: str) -> None:
    project.write("test_it.py", text)
    assert problem in project.run("one").problem
    assert "once more" not in project.log("one")
    done = project.report("one")
    assert done.returncode == 1
    assert problem in done.stdout
    assert str(RESULTS / "one.log") in done.stdout


def test_a_group_that_stops_at_the_first_failure_has_not_run_its_tests(project: Project) -> None:
    project.write("test_it.py", "def test_it(once):\n    assert not once('it')\n\n\n" + FINE)
    assert project.run("one", PYTEST_ADDOPTS="-x").problem == "ran 1 of 2 tests"


def test_a_run_that_fails_without_a_failed_test_has_failed(project: Project) -> None:
    project.write("test_it.py", FINE)
    plugin = "def pytest_sessionfinish(session):\n    session.exitstatus = 1\n"
    (project.folder / "plugin.py").write_text(plugin)
    assert project.run("one", "-p", "plugin").problem == "ended with exit code 1"


def test_a_group_without_a_result_has_failed(project: Project) -> None:
    project.write("test_it.py", FINE)
    project.run("one")
    done = project.report("one", "two")
    assert done.returncode == 1
    assert "two: the group ended without a result" in done.stdout


def _eventually(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 40
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("number", "send"), [(signal.SIGINT, os.killpg), (signal.SIGTERM, os.kill)], ids=["ctrl-c", "terminated"]
)
def test_what_ends_a_group_lets_its_fixtures_end(
    project: Project, number: signal.Signals, send: Callable[[int, int], None]
) -> None:
    project.write("test_it.py", WAITING)
    with subprocess.Popen(
        project.command("one"), cwd=project.folder, env=project.environment(ci=True), start_new_session=True
    ) as group:
        _eventually((project.folder / "waiting").exists)
        send(group.pid, number)
        assert group.wait(timeout=40) == -signal.SIGINT
    assert (project.folder / "ended").exists()
    assert not (project.folder / RESULTS / "one.json").exists()
    assert "once more" not in project.log("one")


def test_two_clones_do_not_meet(tmp_path: Path) -> None:
    one, two = Project(tmp_path / "one"), Project(tmp_path / "two")
    for project, count in ((one, 1), (two, 2)):
        project.folder.mkdir()
        tests = (f"def test_{n}(once):\n    assert not once('{n}')\n" for n in range(count))
        project.write("test_it.py", "\n".join(tests))
    running = [
        subprocess.Popen(project.command("group"), cwd=project.folder, env=project.environment(ci=True))
        for project in (one, two)
    ]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    assert (one.report("group").returncode, two.report("group").returncode) == (0, 0)
    assert (len(one.flaky()), len(two.flaky())) == (1, 2)


def test_the_table_counts_groups_reasons_and_the_slowest() -> None:
    def tests(outcome: Outcome, count: int, reason: str = "") -> list[Test]:
        return [
            Test(name=f"t.py::{outcome}[{n}]", outcome=outcome, seconds=100 * (reason == "late") + n, reason=reason)
            for n in range(count)
        ]

    first = Group(
        name="first",
        seconds=61,
        processor=42.4,
        tests=(*tests(Outcome.PASSED, 12), *tests(Outcome.SKIPPED, 3, "only root")),
    )
    second = Group(name="second", seconds=5, tests=(*tests(Outcome.SKIPPED, 1, "late"), *tests(Outcome.FAILED, 1)))
    told = report.table([first, second]).splitlines()
    assert told[0].split() == ["group", "tests", "time", "processor", "passed", "xfailed", "skipped", "flaky", "failed"]
    assert told[1].split() == ["first", "15", "1:01", "0:42", "12", "·", "3", "·", "·"]
    assert told[2].split() == ["second", "2", "0:05", "0:00", "·", "·", "1", "·", "1"]
    assert told[3].split() == ["all", "17", "1:06", "0:42", "12", "·", "4", "·", "1"]
    assert "      3  only root" in told
    slowest = told[told.index("the 10 slowest:") + 1 :][:11]
    assert slowest[0].split() == ["100.0", "s", "t.py::skipped[0]"]
    assert slowest[1].split() == ["11.0", "s", "t.py::passed[11]"]
    assert slowest[10] == ""
    assert f"  second: t.py::failed[0] ({RESULTS}/second.log)" in told


def test_nothing_in_the_table_steers_a_terminal() -> None:
    bad = Test(name="t.py::a\x1b[2J\r\n\u202eb", outcome=Outcome.FAILED, reason="\x07")
    skipped = Test(name="t.py::b", outcome=Outcome.SKIPPED, reason="\x1b[2J\x07")
    told = report.table([Group(name="one", seconds=0, tests=(bad, skipped), problem="died at \x1b]0;x\x07")])
    assert all(line.isprintable() for line in told.splitlines())
    assert r"t.py::a\x1b[2J\r\n\u202eb" in told
