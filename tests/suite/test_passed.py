"""A commit counts as passed only if the run saw it, and nothing else, from beginning to end."""

import subprocess
from pathlib import Path

import pytest

from tests.suite.passed import has_passed, leave
from tests.suite.report import TABLE_FILE


def _git(*arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.test")
    return subprocess.run(["git", *identity, *arguments], capture_output=True, text=True, check=True).stdout.strip()


def _begun() -> str:
    return _git("rev-parse", "HEAD") + _git("status", "--porcelain")


@pytest.fixture
def passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone after a run, and the folder of notes."""
    monkeypatch.chdir(tmp_path)
    _git("init", "-q", ".")
    Path(".gitignore").write_text(".ci/\nnotes/\n")
    _git("add", ".gitignore")
    _git("commit", "-qm", "first")
    TABLE_FILE.parent.mkdir()
    TABLE_FILE.write_text("the table\n")
    return tmp_path / "notes"


def test_a_commit_that_passed_is_told_with_its_table(passed: Path) -> None:
    assert not has_passed(passed=passed)[0]
    leave(_begun(), passed=passed)
    good, line = has_passed(passed=passed)
    assert good
    assert Path(line.rpartition(" ")[2]).read_text() == "the table\n"


def test_the_next_commit_has_not_passed(passed: Path) -> None:
    leave(_begun(), passed=passed)
    _git("commit", "-q", "--allow-empty", "-m", "second")
    assert not has_passed(passed=passed)[0]


@pytest.mark.parametrize("when", ["before", "after", "always"])
def test_a_tree_with_changes_is_noted_of_no_commit(passed: Path, when: str) -> None:
    change = Path("change")
    if when != "after":
        change.touch()
    begun = _begun()
    change.unlink() if when == "before" else change.touch()
    assert "of no commit" in leave(begun, passed=passed)
    assert not passed.exists()


def test_a_head_that_moved_is_noted_of_no_commit(passed: Path) -> None:
    begun = _begun()
    _git("commit", "-q", "--allow-empty", "-m", "second")
    assert "of no commit" in leave(begun, passed=passed)
    assert not passed.exists()
