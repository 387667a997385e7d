"""What the twin's pages show of a repository's history: branches, commits and diffs, read by git."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from connectors.github.git import git

MOST_COMMITS: Final = 50
MOST_LINES: Final = 2_000
"""Of one diff; the page says when there is more."""
_LONGEST: Final = 2_000
# What is larger counts as binary, so that no diff is larger than what a page can show.
_DIFF: Final = ("-c", "core.bigFileThreshold=1m", "-c", "core.quotePath=false")
_PLAIN: Final = ("--no-color", "--no-ext-diff", "--no-textconv", "--find-renames")

Kind = Literal["added", "removed", "hunk", "same"]


@dataclass(frozen=True)
class Branch:
    """A branch and its newest commit."""

    name: str
    sha: str
    when: datetime
    subject: str


@dataclass(frozen=True)
class Logged:
    """A commit of a list."""

    sha: str
    when: datetime
    author: str
    subject: str


@dataclass
class FileDiff:
    """One file's part of a diff: each line with what it is."""

    name: str
    lines: list[tuple[Kind, str]] = field(default_factory=list[tuple[Kind, str]])
    added: int = 0
    removed: int = 0


@dataclass(frozen=True)
class Diff:
    """A diff, file by file; `cut` when there is more than is shown."""

    files: list[FileDiff]
    cut: bool

    @property
    def added(self) -> int:
        """Lines that came."""
        return sum(file.added for file in self.files)

    @property
    def removed(self) -> int:
        """Lines that went."""
        return sum(file.removed for file in self.files)


async def branches(repository: Path) -> list[Branch]:
    """All branches, those that changed last first."""
    form = "--format=%(objectname) %(committerdate:unix) %(refname:strip=2) %(contents:subject)"
    out = await git("for-each-ref", form, "--sort=-committerdate", "refs/heads", at=repository)
    parts = (line.split(" ", 3) for line in out.decode(errors="replace").splitlines())
    return [Branch(name, sha, _moment(seconds), subject) for sha, seconds, name, subject in parts]


async def commits(repository: Path, sha: str, *, without: str | None = None) -> list[Logged]:
    """The newest commits that lead to this one, `MOST_COMMITS` at most; without those that lead to another, if any.

    Raises:
        GitError: There is no such commit.
    """
    form, most = "--format=%H %ct %an%x00%s%x00", f"--max-count={MOST_COMMITS}"
    held = (f"^{without}",) if without else ()
    out = await git("log", form, most, sha, *held, "--", at=repository)
    found = out.decode(errors="replace").split("\0")
    listed: list[Logged] = []
    for head, subject in zip(found[::2], found[1::2], strict=False):
        one, seconds, author = head.lstrip("\n").split(" ", 2)
        listed.append(Logged(one, _moment(seconds), author, subject))
    return listed


async def diff_of(repository: Path, sha: str) -> Diff:
    """What a commit changed, against its first parent.

    Raises:
        GitError: There is no such commit.
    """
    words = ("diff-tree", "-p", "--root", "--no-commit-id", "--diff-merges=first-parent", *_PLAIN, sha, "--")
    return _parsed(await git(*_DIFF, *words, at=repository))


async def diff_between(repository: Path, base: str, head: str) -> Diff:
    """What a branch changed since it left another.

    Raises:
        GitError: They have nothing in common.
    """
    return _parsed(await git(*_DIFF, "diff", *_PLAIN, f"{base}...{head}", "--", at=repository))


def _moment(seconds: str) -> datetime:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):  # a stranger's commit says any time
        return datetime.fromtimestamp(0, UTC)


def _parsed(raw: bytes) -> Diff:
    lines = raw.decode(errors="replace").split("\n")
    files: list[FileDiff] = []
    within = False
    for line in lines[:MOST_LINES]:
        if line.startswith("diff --git "):
            files.append(FileDiff(_name(line)))
            within = False
        elif files and line:
            within = within or line.startswith("@@")
            _take(files[-1], line[:_LONGEST], within=within)
    return Diff(files, cut=len(lines) > MOST_LINES)


def _name(line: str) -> str:
    return line.removeprefix("diff --git ").rpartition(" b/")[2]


def _take(file: FileDiff, line: str, *, within: bool) -> None:
    if not within:
        told = ("new file", "deleted file", "rename ", "old mode", "new mode", "Binary files")
        if line.startswith(told):
            file.lines.append(("hunk", line))
    elif line.startswith("@@"):
        file.lines.append(("hunk", line))
    elif line.startswith("+"):
        file.added += 1
        file.lines.append(("added", line))
    elif line.startswith("-"):
        file.removed += 1
        file.lines.append(("removed", line))
    else:
        file.lines.append(("same", line))
