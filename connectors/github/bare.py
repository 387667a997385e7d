"""Reading a bare repository with git itself, in as few processes as a question needs: each costs some milliseconds."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from connectors.github.git import GitError, git

OBJECT_ID: Final = re.compile(r"[0-9a-fA-F]{40}")
_SHORT_ID: Final = re.compile(r"[0-9a-fA-F]{4,39}")
# What git allows in no name of a ref; so neither `main~1` nor an option nor a second line can be smuggled in.
_NO_NAME: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^/|/$|^$")
_SIGNATURE: Final = re.compile(r"(?P<name>.*?) ?<(?P<email>[^>]*)> (?P<seconds>-?\d+) [+-]\d{4}")


@dataclass(frozen=True)
class TreeItem:
    """A line of `git ls-tree --long`."""

    mode: str
    type: str
    sha: str
    size: int | None
    path: str


@dataclass(frozen=True)
class Person:
    """Who made a commit, and when."""

    name: str
    email: str
    date: str


@dataclass(frozen=True)
class CommitObject:
    """A commit, as git stores it."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    committer: Person
    message: str


class BareRepository:
    """One bare repository on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def resolve(self, ref: str, *, kind: str = "commit") -> str | None:
        """The object that a branch, a tag or an id names; None when there is none. Branches go before tags.

        Args:
            ref: Short or full name, full or short id, or HEAD.
            kind: `commit`, or `tree` for the tree of a commit or of an id.
        """
        names = _names(ref)
        if not names:
            return None
        asked = "".join(f"{name}^{{{kind}}}\n" for name in names).encode()
        out = (await git("cat-file", "--batch-check", at=self.path, stdin=asked)).decode(errors="replace")
        found = (line.split(" ")[0] for line in out.splitlines() if not line.endswith((" missing", " ambiguous")))
        return next(found, None)

    def default_branch(self) -> str:
        """The branch that HEAD names."""
        head = (self.path / "HEAD").read_text(encoding="utf-8").strip()
        return head.removeprefix("ref: refs/heads/")

    async def commit_object(self, sha: str) -> CommitObject:
        """What that commit says."""
        return _commit(sha, await git("cat-file", "commit", sha, at=self.path))

    async def branches(self) -> list[tuple[str, str]]:
        """Every branch and the commit that it names, by name."""
        found = await git("for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads", at=self.path)
        lines = (line.partition(" ") for line in found.decode(errors="replace").splitlines())
        return [(name, sha) for sha, _, name in lines]

    async def item(self, commit: str, path: str) -> TreeItem | None:
        """What lies at that path in that commit.

        Raises:
            GitError: There is no such commit.
        """
        items = await self._list("--full-tree", f"{commit}^{{commit}}", "--", f":(literal){path}")
        return next((item for item in items if item.path == path), None)

    async def tree(self, tree: str, *, recursive: bool) -> list[TreeItem]:
        """Everything in that tree; folders too."""
        return await self._list("--full-tree", *(("-r", "-t") if recursive else ()), tree)

    async def folder(self, commit: str, path: str) -> list[TreeItem]:
        """What lies directly in that folder."""
        return await self._list("--full-tree", f"{commit}:{path}" if path else commit)

    async def blob(self, sha: str) -> bytes | None:
        """The bytes of a blob; None when there is no such blob."""
        if not OBJECT_ID.fullmatch(sha):
            return None
        try:
            return await git("cat-file", "blob", sha, at=self.path)
        except GitError:
            return None

    async def submodule_url(self, commit: str, path: str) -> str | None:
        """Where `.gitmodules` says that the submodule at this path comes from."""
        try:
            out = await git("config", "--blob", f"{commit}:.gitmodules", "--null", "--list", at=self.path)
        except GitError:
            return None
        pairs = (entry.partition("\n") for entry in out.decode(errors="replace").split("\0") if entry)
        told = {key: value for key, _, value in pairs}
        ours = (key.removesuffix(".path") for key, value in told.items() if key.endswith(".path") and value == path)
        return next((told[f"{key}.url"] for key in ours if f"{key}.url" in told), None)

    async def _list(self, *arguments: str) -> list[TreeItem]:
        out = await git("ls-tree", "-z", "--long", *arguments, at=self.path)
        return [_item(line) for line in out.split(b"\0") if line]


def _names(ref: str) -> list[str]:
    """The names under which git may know it."""
    if ref == "HEAD" or OBJECT_ID.fullmatch(ref):
        return [ref]
    if _NO_NAME.search(ref):
        return []
    full = [ref] if ref.startswith("refs/") else []
    partly = [f"refs/{ref}"] if ref.startswith(("heads/", "tags/")) else []
    short = [ref] if _SHORT_ID.fullmatch(ref) else []
    return [f"refs/heads/{ref}", f"refs/tags/{ref}", *partly, *full, *short]


def _item(line: bytes) -> TreeItem:
    head, _, path = line.partition(b"\t")
    mode, kind, sha, size = head.decode().split()
    return TreeItem(mode, kind, sha, None if size == "-" else int(size), path.decode(errors="replace"))


def _commit(sha: str, raw: bytes) -> CommitObject:
    head, _, message = raw.decode(errors="replace").partition("\n\n")
    # A line that begins with a blank goes on with the header before it: a signature, which nobody asks for here.
    parts = [line.partition(" ") for line in head.split("\n") if not line.startswith(" ")]
    headers = [(name, value) for name, _, value in parts]
    one = dict(headers)
    return CommitObject(
        sha=sha,
        tree=one["tree"],
        parents=tuple(value for name, value in headers if name == "parent"),
        author=_person(one["author"]),
        committer=_person(one["committer"]),
        message=message.rstrip("\n"),
    )


def _person(line: str) -> Person:
    found = _SIGNATURE.match(line)
    if found is None:
        return Person(line, "", iso(0))
    return Person(found["name"], found["email"], iso(int(found["seconds"])))


def iso(seconds: float) -> str:
    """A time as GitHub writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
