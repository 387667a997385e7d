"""What each kind of job may change. The deployment's rules and those of the job come on top, and only narrow it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sandbox.tools.rules import PROTECTED, SessionRules


class Kind(StrEnum):
    """What a coding job is for."""

    REFACTOR = "refactor"
    TESTS = "tests"
    DOCS = "docs"
    QUALITY = "quality"
    DEPS = "deps"
    REVIEW = "review"


OURS: Final = ("**/.banksman*", "**/.banksman/**", "**/.banksman*/**")
"""What says how this very agent behaves in a repository."""
DECIDES: Final = (
    *OURS, ".pre-commit-config.yaml", "**/.npmrc", "**/.yarnrc*", "**/pip.conf", "**/.pypirc", "**/.netrc",
    "**/.gitconfig", "**/.husky/**", "**/.devcontainer/**", "**/.vscode/**", "**/.envrc",
)  # fmt: skip
"""What runs by itself on people's machines, or says where code comes from."""
SETS_TESTS: Final = (
    "**/pytest.ini", "**/tox.ini", "**/setup.cfg", "**/noxfile.py", "**/.coveragerc", "**/jest.config.*",
    "**/vitest.config.*", "**/Makefile", "**/GNUmakefile",
)  # fmt: skip
"""What says which tests there are: who may write it makes any change green."""
DEPENDS: Final = (
    "**/pyproject.toml", "**/setup.py", "**/requirements*.txt", "**/constraints*.txt", "**/package.json", "**/go.mod",
    "**/Cargo.toml", "**/Gemfile", "**/pom.xml", "**/build.gradle*", "**/Dockerfile*",
)  # fmt: skip
"""What brings other people's code in."""
TESTS: Final = (
    "**/tests/**", "**/test/**", "**/__tests__/**", "**/test_*.py", "**/*_test.py", "**/conftest.py", "**/*_test.go",
    "**/*.test.*", "**/*.spec.*",
)  # fmt: skip
LEFT_BY_PROGRAMS: Final = (
    "**/__pycache__/**", "**/*.pyc", "**/.pytest_cache/**", "**/.mypy_cache/**", "**/.ruff_cache/**", "**/.coverage",
    "**/node_modules/**", "**/.venv/**", "**/*.egg-info/**",
)  # fmt: skip
"""What running the tests leaves behind. It is no part of a change, and is left out of it without a word."""
_DOCS: Final = ("**/*.md", "**/*.rst", "**/*.adoc", "docs/**/*.txt")
_NEVER: Final = (*PROTECTED, *DECIDES, *SETS_TESTS, *DEPENDS, *LEFT_BY_PROGRAMS)


@dataclass(frozen=True, kw_only=True)
class KindRules:
    """What one kind may.

    Attributes:
        write: Paths that it may write.
        deny: Paths that it may not, whatever `write` says.
        tested: Whether it is refused where nobody says how to run the tests.
        files: So many at most.
        lines: So many that come or go at most.
    """

    write: tuple[str, ...] = ("**",)
    deny: tuple[str, ...] = _NEVER
    tested: bool = True
    files: int = 40
    lines: int = 2000

    def session(self, write: tuple[str, ...]) -> SessionRules:
        """What a session of such a job may write: what the job says, within what the kind may."""
        return SessionRules(write=write or self.write, deny=self.deny)


KINDS: Final[Mapping[Kind, KindRules]] = {
    Kind.REFACTOR: KindRules(),
    Kind.QUALITY: KindRules(),
    Kind.TESTS: KindRules(write=TESTS),
    Kind.DOCS: KindRules(write=_DOCS, tested=False),
}
"""The kinds that change files and can be had. The gate asks the kind's own `write` again, whatever the job says."""
