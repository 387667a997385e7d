"""A test that fails is tried once more under CI, from fresh fixtures of every scope; if it passes then, it is flaky."""

import pytest

from tests.suite.group import MANY
from tests.suite.project import Project, outcomes
from tests.suite.results import Outcome

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

MIXED = '''\
"""Tests of each kind."""

import os
import time

import pytest
import pytest_asyncio


@pytest.fixture
def breaks_at_first(once):
    assert not once("setup")


@pytest.fixture
def leaves_badly_at_first(once):
    yield
    assert not once("teardown")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared():
    yield []


@pytest.fixture(scope="module")
def module_wide():
    return []


@pytest.fixture(scope="session")
def ends_badly_at_first(once):
    yield
    assert not once("session")


def test_passes():
    pass


def test_fails_once(once):
    assert not once("call")


def test_fails_twice():
    assert os.getpid() == 0


def test_setup(breaks_at_first):
    pass


def test_teardown(leaves_badly_at_first):
    pass


@pytest.mark.timeout(1)
def test_hangs_once(once):
    while once("hang"):
        time.sleep(60)


@pytest.mark.asyncio(loop_scope="session")
async def test_fixtures_are_fresh(once, shared, module_wide, tmp_path):
    assert shared == module_wide == list(tmp_path.iterdir()) == []
    shared.append("used")
    module_wide.append("used")
    (tmp_path / "used").touch()
    assert not once("fresh")


def test_is_skipped_at_the_second_attempt(once):
    if once("skip"):
        pytest.fail("at first")
    pytest.skip("no more")


def test_is_skipped():
    pytest.skip("not here")


@pytest.mark.xfail(strict=True)
def test_known():
    raise AssertionError


@pytest.mark.parametrize("name", ["\\x1b[31mred\\n", "a::b[c]"])
def test_of_a_strange_name(once, name):
    assert not once(f"strange-{len(name)}")


def test_the_last_of_a_session(ends_badly_at_first):
    pass
'''

FLAKY = {
    "test_fails_once",
    "test_setup",
    "test_teardown",
    "test_hangs_once",
    "test_fixtures_are_fresh",
    "test_of_a_strange_name[\\x1b[31mred\\n]",
    "test_of_a_strange_name[a::b[c]]",
    "test_the_last_of_a_session",
}
FAILED = {"test_fails_twice", "test_is_skipped_at_the_second_attempt"}


def test_each_kind_of_failure_is_tried_once_more(project: Project) -> None:
    project.write("test_mixed.py", MIXED)
    ended = outcomes(project.run("mixed"))
    assert {name for name, outcome in ended.items() if outcome is Outcome.FLAKY} == FLAKY
    assert {name for name, outcome in ended.items() if outcome is Outcome.FAILED} == FAILED
    assert ended["test_passes"] is Outcome.PASSED
    assert ended["test_is_skipped"] is Outcome.SKIPPED
    assert ended["test_known"] is Outcome.XFAILED


def test_without_ci_a_failing_test_fails(project: Project) -> None:
    project.write("test_mixed.py", MIXED)
    ended = outcomes(project.run("mixed", ci=False))
    assert {name for name, outcome in ended.items() if outcome is Outcome.FAILED} == FLAKY | FAILED
    assert Outcome.FLAKY not in ended.values()
    assert "once more" not in project.log("mixed")


def test_what_was_told_of_the_first_attempt_stays(project: Project) -> None:
    project.write("test_it.py", "def test_it(once):\n    assert not once('it'), 'the cause'\n")
    project.run("one")
    assert "the cause" in project.log("one")


def _write_flaky(project: Project, count: int, *, file: str) -> None:
    tests = (f"def test_{number}(once):\n    assert not once('{file}-{number}')\n" for number in range(count))
    project.write(f"test_{file}.py", "\n".join(tests))


def test_two_flaky_tests_pass_and_are_named(project: Project) -> None:
    for file in ("a", "b"):
        _write_flaky(project, 1, file=file)
        project.run(file, f"test_{file}.py")
    done = project.report("a", "b")
    assert done.returncode == 0
    assert project.flaky() == ["test_a.py::test_0", "test_b.py::test_0"]
    for name in project.flaky():
        assert f"flaky: {name}\n" in done.stdout


def test_three_flaky_tests_over_all_groups_fail_the_run(project: Project) -> None:
    for file, count in (("a", 1), ("b", 2)):
        _write_flaky(project, count, file=file)
        assert not project.run(file, f"test_{file}.py").failed
    done = project.report("a", "b")
    assert done.returncode == 1
    assert "3 flaky tests are too many" in done.stdout
    assert len(project.flaky()) == 3


def test_many_failures_are_no_chance(project: Project) -> None:
    _write_flaky(project, MANY + 1, file="many")
    assert set(outcomes(project.run("many")).values()) == {Outcome.FAILED}


def test_a_test_that_is_not_found_again_has_failed(project: Project) -> None:
    project.write(
        "test_it.py",
        "import os, pytest\n\n\n@pytest.mark.parametrize('n', [str(os.getpid())])\ndef test_it(n):\n    assert not n\n",
    )
    group = project.run("one")
    assert [test.outcome for test in group.tests] == [Outcome.FAILED]
    assert group.problem
