"""The sandbox of a coding job as its tests have it: trees of git's on this machine, in which no program runs."""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from activities.sandbox.session_contracts import (
    CLOSE_SESSION,
    KEEP_CHANGES,
    LIST_FILES,
    OPEN_SESSION,
    READ_TEXT,
    RUN_PROGRAM,
    SEARCH_FILES,
    WRITE_FILE,
    ChangedFile,
    ChangesKept,
    CloseSessionRequest,
    Entry,
    FilesListed,
    FilesSearched,
    FileWritten,
    Hit,
    KeepChangesRequest,
    ListFilesRequest,
    OpenSessionRequest,
    ProgramRun,
    ReadTextRequest,
    RunProgramRequest,
    SearchFilesRequest,
    SessionClosed,
    SessionOpened,
    SessionRequest,
    TextRead,
    WriteFileRequest,
)
from activities.sandbox.update_contracts import (
    AUDIT_DEPENDENCIES,
    UPDATE_DEPENDENCIES,
    AuditDependenciesRequest,
    DependenciesAudited,
    DependenciesUpdated,
    UpdateDependenciesRequest,
)
from activities.step import implements
from connectors.artifacts import ArtifactStore
from sandbox.tools.rules import SessionRules, ToolRules
from tests.sandbox.updates.registries import HOSTS
from tests.sandbox.updates.working import AFTER, BEFORE, lock

REPOSITORY: Final = "acme/shop"
TESTS: Final = ("python3", "-m", "unittest")
TESTED: Final = (
    "from basket import total\n\n\ndef test_it():\n    assert total([1, 2]) == 3\n\n\n"
    "def test_nothing():\n    assert total([]) == 0\n"
)
FILES: Final[Mapping[str, str]] = {
    "README.md": "# Shop\n",
    "src/basket.py": "def total(prices):\n    return sum(prices)\n",
    "tests/test_basket.py": TESTED,
    ".github/workflows/ci.yml": "on: push\n",
    "uv.lock": lock(*BEFORE),
}
LOST: Final = "the session is lost: its container ended; open another and begin again"
Runs = Callable[[Path], tuple[int, str]]
"""What a program does in a tree: its exit status, and what it writes."""


def git(folder: Path, *arguments: str) -> str:
    argv = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(folder), *arguments]
    return subprocess.run(argv, capture_output=True, check=True).stdout.decode()


def passes(tree: Path) -> tuple[int, str]:
    """Tests that pass."""
    del tree
    return 0, "2 passed\n"


@dataclass
class Session:
    """A tree of git's, and what it may do."""

    tree: Path
    rules: SessionRules


@dataclass
class Sandbox:
    """The sandbox worker's steps over trees of git's on this machine. No program runs: a test says what one does.

    Attributes:
        runs: What every program does.
        loses: How many calls are made before a session is lost; None for never.
        writes: What a program leaves behind in the tree, by path.
        locked: The lock file as its tool writes it.
        updated: What else an update answers.
        audited: What an audit answers.
    """

    folder: Path
    artifacts: ArtifactStore
    runs: Runs = passes
    loses: list[int] = field(default_factory=list[int])
    sessions: dict[str, Session] = field(default_factory=dict[str, Session])
    opened: list[OpenSessionRequest] = field(default_factory=list[OpenSessionRequest])
    ran: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    locked: str = lock(*AFTER)
    updated: dict[str, Any] = field(default_factory=dict[str, Any])
    audited: DependenciesAudited = field(default_factory=lambda: DependenciesAudited(tool="uv audit"))
    asked: list[UpdateDependenciesRequest] = field(default_factory=list[UpdateDependenciesRequest])

    def __post_init__(self) -> None:
        self.origin = self.folder / "origin"
        for path, text in FILES.items():
            (self.origin / path).parent.mkdir(parents=True, exist_ok=True)
            (self.origin / path).write_text(text)
        git(self.origin, "init", "--quiet", "--initial-branch=main")
        git(self.origin, "add", "--all")
        git(self.origin, "commit", "--quiet", "--message", "The shop")

    @property
    def commit(self) -> str:
        return git(self.origin, "rev-parse", "HEAD").strip()

    @implements(OPEN_SESSION)
    async def open_session(self, request: OpenSessionRequest) -> SessionOpened:
        name = f"s-{len(self.opened) + 1}"
        self.opened.append(request)
        tree = self.folder / name
        git(self.folder, "clone", "--quiet", str(self.origin), str(tree))
        if request.patch is not None:
            patch = self.folder / f"{name}.patch"
            patch.write_bytes(await self.artifacts.get(request.patch))
            git(tree, "apply", str(patch))
        self.sessions[name] = Session(tree, request.rules)
        return SessionOpened(session=name)

    @implements(CLOSE_SESSION)
    async def close_session(self, request: CloseSessionRequest) -> SessionClosed:
        self.sessions.pop(request.session, None)
        return SessionClosed()

    @implements(LIST_FILES)
    async def list_files(self, request: ListFilesRequest) -> FilesListed:
        if (session := self._of(request)) is None:
            return FilesListed(refused=LOST, lost=True)
        found = sorted(one for one in (session.tree / request.path).iterdir() if one.name != ".git")
        kinds = [(one, "folder" if one.is_dir() else "file") for one in found]
        entries = [{"path": str(one.relative_to(session.tree)), "kind": kind} for one, kind in kinds]
        return FilesListed(entries=tuple(Entry.model_validate(one) for one in entries))

    @implements(READ_TEXT)
    async def read_text(self, request: ReadTextRequest) -> TextRead:
        if (session := self._of(request)) is None:
            return TextRead(refused=LOST, lost=True)
        file = session.tree / request.path
        if not file.is_file():
            return TextRead(refused=f"there is no file {request.path!r}")
        return TextRead(text=file.read_text(), lines=1)

    @implements(SEARCH_FILES)
    async def search_files(self, request: SearchFilesRequest) -> FilesSearched:
        if (session := self._of(request)) is None:
            return FilesSearched(refused=LOST, lost=True)
        hits = [
            Hit(path=str(file.relative_to(session.tree)), line=number, text=line)
            for file in sorted(session.tree.rglob("*.*"))
            if file.is_file() and ".git/" not in str(file)
            for number, line in enumerate(file.read_text().splitlines(), 1)
            if request.pattern in line
        ]
        return FilesSearched(hits=tuple(hits))

    @implements(WRITE_FILE)
    async def write_file(self, request: WriteFileRequest) -> FileWritten:
        if (session := self._of(request)) is None:
            return FileWritten(refused=LOST, lost=True)
        if refusal := ToolRules().refusal_to_write(request.path, session.rules):
            return FileWritten(refused=refusal)
        file = session.tree / request.path
        file.parent.mkdir(parents=True, exist_ok=True)
        if request.delete:
            file.unlink()
            return FileWritten(made="deleted")
        text = request.content if request.content is not None else file.read_text()
        for one in request.replace:
            text = text.replace(one.old, one.new)
        file.write_text(text)
        return FileWritten(made="changed", size=len(text))

    @implements(RUN_PROGRAM)
    async def run_program(self, request: RunProgramRequest) -> ProgramRun:
        if (session := self._of(request)) is None:
            return ProgramRun(refused=LOST, lost=True)
        if refusal := ToolRules().refusal_to_run(request.command, session.rules):
            return ProgramRun(refused=refusal)
        self.ran.append(request.command)
        code, wrote = self.runs(session.tree)
        return ProgramRun(exit_code=code, ended="exit", stdout=wrote)

    @implements(UPDATE_DEPENDENCIES)
    async def update_dependencies(self, request: UpdateDependenciesRequest) -> DependenciesUpdated:
        self.asked.append(request)
        if self.updated.get("refused") or self.updated.get("file"):
            return DependenciesUpdated.model_validate(self.updated)
        tree, text = self.folder / "update", self.locked.encode()
        git(self.folder, "clone", "--quiet", str(self.origin), str(tree))
        before = (tree / "uv.lock").read_bytes()
        (tree / "uv.lock").write_bytes(text)
        patch = git(tree, "diff", "--binary", "--full-index", "--no-renames", "HEAD").encode()
        shutil.rmtree(tree)
        kept = [await self.artifacts.put(one) for one in (before, text, text, patch, b"packages")]
        file = ChangedFile(path="uv.lock", change="changed", size=len(text), content=kept[1])
        said = {"lock": "uv.lock", "ecosystem": "python", "before": kept[0], "every": kept[2], "hosts": HOSTS}
        said |= {"file": file, "patch": kept[3], "patch_size": len(patch), "libraries": kept[4]} if patch else {}
        return DependenciesUpdated.model_validate({**said, **self.updated})

    async def wrote(self, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        """Have an update answer with these files: a lock file, and that of its digests where there is a second one."""
        for tree in (before, after):
            for path, text in tree.items():
                (self.origin / path).write_text(text)
            if tree is before:
                git(self.origin, "add", "--all")
                git(self.origin, "commit", "--quiet", "--message", "Pinned")
        patch = git(self.origin, "diff", "--binary", "--full-index", "--no-renames", "HEAD").encode()
        git(self.origin, "checkout", "--quiet", "HEAD", "--", ".")
        kept = {path: [await self.artifacts.put(one[path].encode()) for one in (before, after)] for path in after}
        told = [
            {"before": was, "every": now, "file": ChangedFile(path=path, change="changed", size=9, content=now)}
            for path, (was, now) in kept.items()
        ]
        self.updated = {**told[0], "lock": next(iter(after)), "sums": told[1] if len(told) > 1 else None}
        self.updated |= {"hosts": HOSTS, "patch": await self.artifacts.put(patch), "patch_size": len(patch)}

    @implements(AUDIT_DEPENDENCIES)
    async def audit_dependencies(self, request: AuditDependenciesRequest) -> DependenciesAudited:
        assert (request.lock, request.source.commit) == (self.updated.get("lock", "uv.lock"), self.commit)
        return self.audited

    @implements(KEEP_CHANGES)
    async def keep_changes(self, request: KeepChangesRequest) -> ChangesKept:
        session = self._of(request)
        if session is None:
            return ChangesKept(refused=LOST, lost=True)
        tree = session.tree
        git(tree, "add", "--all", "--force")
        named = git(tree, "diff", "--cached", "--no-renames", "--name-status", "-z", "HEAD").split("\0")
        wanted, left_out = list[tuple[str, str]](), list[str]()
        for status, path in zip(named[::2], named[1::2], strict=False):
            refusal = ToolRules().refusal_to_write(path, session.rules)
            if refusal is None and (tree / path).is_symlink():
                refusal = f"{path!r} is a link"
            wanted += [] if refusal else [(status, path)]
            left_out += [refusal] if refusal else []
        if not wanted:
            return ChangesKept(left_out=tuple(left_out))
        paths = [path for _, path in wanted]
        patch = git(tree, "diff", "--cached", "--binary", "--full-index", "--no-renames", "HEAD", "--", *paths)
        return ChangesKept(
            files=tuple([await self._changed(tree, status, path) for status, path in wanted]),
            patch=await self.artifacts.put(patch.encode()),
            patch_size=len(patch),
            left_out=tuple(left_out),
        )

    async def _changed(self, tree: Path, status: str, path: str) -> ChangedFile:
        content = None if status == "D" else (tree / path).read_bytes()
        change = {"A": "added", "D": "deleted"}.get(status, "changed")
        kept = None if content is None else await self.artifacts.put(content)
        return ChangedFile.model_validate(
            {"path": path, "change": change, "added": 1, "removed": 0, "size": len(content or b""), "content": kept}
        )

    def _of(self, request: SessionRequest) -> Session | None:
        if self.loses and (self.loses[0] or self.loses.pop(0)) == 0:
            self.sessions.pop(request.session, None)
        elif self.loses:
            self.loses[0] -= 1
        return self.sessions.get(request.session)
