"""A small project of tests in a folder of its own, whose groups are run as `make test` runs ours."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.suite import report
from tests.suite.results import RESULTS, Group, Outcome

ROOT: Final = Path(__file__).parents[2]

INI: Final = """\
[pytest]
addopts = -ra --import-mode=importlib
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
timeout = 30
filterwarnings = error
"""
ONCE: Final = '''\
"""What the tests share."""

from pathlib import Path

import pytest


def first(name):
    """Whether this is the first attempt at something."""
    mark = Path(__file__).with_name(f"{name}.tried")
    before = mark.exists()
    mark.touch()
    return not before


@pytest.fixture(scope="session")
def once():
    return first
'''


@dataclass(frozen=True)
class Project:
    """The folder, and what its runs left there."""

    folder: Path

    def write(self, name: str, text: str) -> None:
        """A file of tests."""
        (self.folder / "pytest.ini").write_text(INI)
        (self.folder / "conftest.py").write_text(ONCE)
        (self.folder / name).write_text(text)

    def environment(self, *, ci: bool, **more: str) -> dict[str, str]:
        """What a group's process is given."""
        kept = {name: value for name, value in os.environ.items() if name not in {"CI", "PYTEST_ADDOPTS"}}
        return kept | {"PYTHONPATH": str(ROOT)} | ({"CI": "true"} if ci else {}) | more

    def command(self, group: str, *arguments: str) -> list[str]:
        """Runs a group."""
        return [sys.executable, "-m", "tests.suite.group", group, *arguments]

    def run(self, group: str, *arguments: str, ci: bool = True, **environment: str) -> Group:
        """Run a group to its end."""
        done = subprocess.run(
            self.command(group, *arguments),
            cwd=self.folder,
            env=self.environment(ci=ci, **environment),
            capture_output=True,
            text=True,
            check=False,
        )
        result = self.result(group)
        assert done.returncode == int(result.failed), done.stderr
        return result

    def result(self, group: str) -> Group:
        """What a group left."""
        return Group.model_validate_json((self.folder / RESULTS / f"{group}.json").read_text())

    def log(self, group: str) -> str:
        """What its processes wrote."""
        return (self.folder / RESULTS / f"{group}.log").read_text()

    def report(self, *groups: str) -> subprocess.CompletedProcess[str]:
        """The end of a run of these groups."""
        command = [sys.executable, "-m", "tests.suite.report", *groups]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment(ci=True), capture_output=True, text=True, check=False
        )

    def flaky(self) -> list[str]:
        """What the run's output names."""
        return (self.folder / report.FLAKY_FILE).read_text().splitlines()


def outcomes(group: Group) -> dict[str, Outcome]:
    """How each test ended, by its name without its file."""
    return {test.name.partition("::")[2]: test.outcome for test in group.tests}
