"""`python -m tests.suite.passed` tells whether HEAD has passed `.ci/run`, which ends with `leave BEGUN`."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from deploy.local.tools import CACHE
from tests.suite.report import TABLE_FILE

PASSED: Final = CACHE / "ci-passed"
"""One file for each commit that passed: the table of that run."""


def leave(begun: str, *, passed: Path = PASSED) -> str:
    """Note that HEAD has passed, and say so.

    Args:
        begun: HEAD and `git status --porcelain`, together, when the run began.
        passed: The folder of notes.
    """
    if not begun == _git("rev-parse", "HEAD") + _git("status", "--porcelain") == _git("rev-parse", "HEAD"):
        return "passed, but this is noted of no commit: the tree has changes, or had some, or HEAD has moved"
    passed.mkdir(parents=True, exist_ok=True)
    unfinished = passed / f"{begun}.part"
    unfinished.write_bytes(TABLE_FILE.read_bytes())
    unfinished.rename(passed / begun)
    return f"{begun} has passed: {passed / begun}"


def has_passed(*, passed: Path = PASSED) -> tuple[bool, str]:
    """Whether HEAD has passed here, and a line that says so."""
    head = _git("rev-parse", "HEAD")
    if (passed / head).is_file():
        return True, f"{head} has passed: {passed / head}"
    return False, f"{head} has not passed .ci/run on this machine"


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout.strip()


def main(*arguments: str) -> int:
    """Note, or tell."""
    if arguments:
        line, good = leave(arguments[1]), True
    else:
        good, line = has_passed()
    sys.stdout.write(line + "\n")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
