"""The steps of a session: open it, use its tools, keep what has changed, close it.

What a request asks is judged by the rules before the container hears of it. What a container answers is bounded and
read as a stranger's word. The change that leaves a session is judged once more, file by file, because a command may
have written what no tool would.
"""

import asyncio
import json
import uuid
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel, JsonValue
from temporalio import activity

from activities.sandbox.session_contracts import (
    CLOSE_SESSION,
    KEEP_CHANGES,
    LIST_FILES,
    MOST_CALLS,
    MOST_CONTENT,
    OPEN_SESSION,
    READ_TEXT,
    RUN_PROGRAM,
    SEARCH_FILES,
    TRIES,
    WRITE_FILE,
    ChangedFile,
    ChangesKept,
    CloseSessionRequest,
    FilesListed,
    FilesSearched,
    FileWritten,
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
    ToolAnswer,
    WriteFileRequest,
)
from activities.sandbox.sessions import Held, HeldSessions, Owner
from activities.sandbox.source import (
    APPLY,
    CHECK_OUT,
    FOUND_BY,
    LIBRARIES,
    MARK,
    PACK,
    PATCH,
    TREE,
    UNPACK,
    checked_out,
)
from activities.step import implements
from connectors.errors import InvalidRequest
from hitl.hidden import visible
from observability.redaction import redact
from sandbox.errors import SandboxError, SandboxUnavailable
from sandbox.protocol import Sessions
from sandbox.result import RunResult
from sandbox.spec import InputArtifact, Limits
from sandbox.tools.calls import MOST_CHANGED, Place, answer_of
from sandbox.tools.rules import ToolRules, refusal_of_path

_OPENING: Final = 120.0
_PLAIN: Final = {"100644", "100755"}
_Answer = TypeVar("_Answer", bound=ToolAnswer)
_Said = TypeVar("_Said", bound=BaseModel)


class _Changes(BaseModel):
    changes: tuple[tuple[str, str, str], ...]
    more: bool


class _Kept(BaseModel):
    lines: tuple[tuple[str, str, str], ...]
    head: str


class _Listed(BaseModel):
    entries: tuple[tuple[str, str, int], ...]
    more: bool


class _Hits(BaseModel):
    hits: tuple[tuple[str, int, str], ...]
    more: bool


class SessionActivities:
    """The steps of one worker, on one engine.

    Args:
        sandbox: Opens sessions.
        held: Those that are open.
        image: What they run in, by digest.
        limits: What each may use.
        rules: The deployment's, of what tools may write and run.
        updates: The image of sessions with packages, by digest; the same as of others where None.
    """

    def __init__(  # noqa: PLR0913 - each is a part of the worker
        self,
        sandbox: Sessions,
        held: HeldSessions,
        *,
        image: str,
        limits: Limits,
        rules: ToolRules,
        updates: str | None = None,
    ) -> None:
        self._sandbox, self._held, self._rules = sandbox, held, rules
        self._image, self._limits, self._updates = image, limits, updates or image
        self._worker = uuid.uuid4().hex[:12]

    @implements(OPEN_SESSION)
    async def open_session(self, request: OpenSessionRequest) -> SessionOpened:
        """Open a session on a commit. Another try in this worker finds the one that is there.

        Raises:
            SandboxError: As the tree in `sandbox/errors.py` says; the guard maps it.
            ConnectorError: The artifact store failed, or the commit could not be checked out.
        """
        info = activity.info()
        name = f"{self._worker}-{info.workflow_run_id}-{info.activity_id}"
        seconds = float(request.seconds)
        held = await self._held.open(name, lambda: self._make(name, _owner(info), request), seconds=seconds)
        return SessionOpened(session=held.name)

    async def _make(self, name: str, owner: Owner, request: OpenSessionRequest) -> Held:
        source = request.source
        image, around = (self._updates, FOUND_BY) if request.libraries else (self._image, {})
        run = f"session-{uuid.uuid4().hex[:12]}"
        place = Place(run_id=run, image=image, limits=self._limits, environment=around)
        script = CHECK_OUT + (APPLY if request.patch else "") + (UNPACK if request.libraries else "")
        argv = ("sh", "-euc", script, "sh", source.commit)
        spec = place.command(argv, directory=None, seconds=_OPENING).model_copy(
            update={"inputs": _inputs(request), "artifacts": (MARK,)}
        )
        session, result = await self._sandbox.open_session(spec, seconds=request.seconds)
        if not checked_out(result) or result.exit_code != 0:
            await session.close()
            said = redact.tail(result.stderr.text, 300)
            what = f"{source.repository!r} at {source.commit}" + (" with its change" if request.patch else "")
            raise InvalidRequest(f"{what} could not be checked out: {said!r}")
        return Held(name=name, owner=owner, source=source, rules=request.rules, place=place, session=session)

    @implements(LIST_FILES)
    async def list_files(self, request: ListFilesRequest) -> FilesListed:
        """Tell what lies in a folder."""
        if request.path and (refusal := refusal_of_path(request.path)) is not None:
            return FilesListed(refused=refusal)
        asked: dict[str, JsonValue] = {"tool": "list", **request.model_dump(include={"path", "depth", "most"})}

        async def work(held: Held) -> FilesListed:
            said = await _ask(held, asked, _Listed)
            if isinstance(said, str):
                return FilesListed(refused=said)
            entries = [{"path": visible(path), "kind": kind, "size": size} for path, kind, size in said.entries]
            return FilesListed.model_validate({"entries": entries, "more": said.more})

        return await self._call(request, FilesListed, work)

    @implements(READ_TEXT)
    async def read_text(self, request: ReadTextRequest) -> TextRead:
        """Read lines of a text."""
        if (refusal := refusal_of_path(request.path)) is not None:
            return TextRead(refused=refusal)
        asked: dict[str, JsonValue] = {"tool": "read", **request.model_dump(include={"path", "first", "lines"})}

        async def work(held: Held) -> TextRead:
            said = await _ask(held, asked, TextRead)
            return TextRead(refused=said) if isinstance(said, str) else said

        return await self._call(request, TextRead, work)

    @implements(SEARCH_FILES)
    async def search_files(self, request: SearchFilesRequest) -> FilesSearched:
        """Find lines that match."""
        asked: dict[str, JsonValue] = {
            "tool": "search",
            **request.model_dump(include={"pattern", "fixed", "any_case", "most"}),
            "paths": list(request.paths),
        }

        async def work(held: Held) -> FilesSearched:
            said = await _ask(held, asked, _Hits)
            if isinstance(said, str):
                return FilesSearched(refused=said)
            hits = [{"path": visible(path), "line": line, "text": text} for path, line, text in said.hits]
            return FilesSearched.model_validate({"hits": hits, "more": said.more})

        return await self._call(request, FilesSearched, work)

    @implements(WRITE_FILE)
    async def write_file(self, request: WriteFileRequest) -> FileWritten:
        """Change one file, whole or not at all."""
        given = _given(request)
        if given is not None and len(given) > MOST_CONTENT:
            return FileWritten(refused=f"{len(given)} bytes are more than {MOST_CONTENT}: replace pieces of the file")

        async def work(held: Held) -> FileWritten:
            if (refusal := self._rules.refusal_to_write(request.path, held.rules)) is not None:
                return FileWritten(refused=refusal)
            asked: dict[str, JsonValue] = {
                "tool": "write",
                **request.model_dump(include={"path", "delete", "executable", "expects"}),
                "replace": bool(request.replace),
            }
            said = await _ask(held, asked, FileWritten, given=given)
            return FileWritten(refused=said) if isinstance(said, str) else said

        return await self._call(request, FileWritten, work)

    @implements(RUN_PROGRAM)
    async def run_program(self, request: RunProgramRequest) -> ProgramRun:
        """Run one command of the list. Another try waits for the first one's end, and runs nothing again."""

        async def work(held: Held) -> ProgramRun:
            if (refusal := self._rules.refusal_to_run(request.command, held.rules)) is not None:
                return ProgramRun(refused=refusal)
            spec = held.place.command(request.command, directory=TREE, seconds=request.seconds)
            return _ended(await held.session.run(spec))

        return await self._call(request, ProgramRun, work)

    @implements(KEEP_CHANGES)
    async def keep_changes(self, request: KeepChangesRequest) -> ChangesKept:
        """Keep what differs from the commit: a patch, and each file; nothing that the rules do not let be written."""
        return await self._call(request, ChangesKept, self._keep)

    @implements(CLOSE_SESSION)
    async def close_session(self, request: CloseSessionRequest) -> SessionClosed:
        """Remove the session with all that is in it."""
        found = self._held.find(request.session)
        if isinstance(found, str):
            return SessionClosed() if self._mine(request.session) else self._elsewhere(request.session, SessionClosed)
        if found.owner != _owner(activity.info()):
            return SessionClosed(refused=f"the session {request.session!r} is another goal's")
        await self._held.close(found, "its goal closed it")
        return SessionClosed()

    async def _keep(self, held: Held) -> ChangesKept:
        source = held.source
        asked: dict[str, JsonValue] = {"tool": "look", "commit": source.commit, "most": MOST_CHANGED}
        seen = await _ask(held, asked, _Changes, pack=source.pack)
        if isinstance(seen, str):
            return ChangesKept(refused=seen)
        if seen.more:
            return ChangesKept(refused=f"more than {MOST_CHANGED} files differ from the commit: change fewer")
        wanted, left_out = self._judged(held, seen.changes)
        if not wanted:
            return ChangesKept(left_out=left_out)
        asked = {"tool": "keep", "commit": source.commit}
        names = json.dumps([path for path, _, _ in wanted]).encode()
        spec = held.place.tool(asked, given=names, pack=source.pack)
        result = await held.session.run(spec)
        said = answer_of(result, _Kept)
        if isinstance(said, str):
            return ChangesKept(refused=said)
        return _kept(wanted, said, result).model_copy(update={"left_out": left_out})

    def _judged(
        self, held: Held, changes: Sequence[tuple[str, str, str]]
    ) -> tuple[list[tuple[str, str, str]], tuple[str, ...]]:
        wanted: list[tuple[str, str, str]] = []
        left_out: list[str] = []
        for path, change, mode in changes:
            refusal = self._rules.refusal_to_write(path, held.rules)
            if refusal is None and mode not in _PLAIN:
                refusal = f"{visible(path)!r} is {'a link' if mode == '120000' else 'a repository of its own'}"
            if refusal is None:
                wanted.append((path, change, mode))
            else:
                left_out.append(refusal)
        return wanted, tuple(left_out)

    async def _call(
        self, request: SessionRequest, kind: type[_Answer], work: Callable[[Held], Coroutine[Any, Any, _Answer]]
    ) -> _Answer:
        """One call in its session; a result also where there is none."""
        info = activity.info()
        held = self._held.find(request.session)
        if isinstance(held, str):
            return self._elsewhere(request.session, kind)
        if held.owner != _owner(info):
            return kind(refused=f"the session {request.session!r} is another goal's")
        if held.source.repository != request.repository:
            return kind(refused=f"the session is on {held.source.repository!r}, not on {request.repository[:80]!r}")
        if held.count >= MOST_CALLS:
            return kind(refused=f"a session takes {MOST_CALLS} calls, and these are made: open another")
        try:
            return await held.once(info.activity_id, lambda: work(held))
        except SandboxError as error:
            if not held.session.lost:
                raise
            await self._held.close(held, str(error))
            return self._elsewhere(request.session, kind)
        except asyncio.CancelledError:
            if _unwanted():
                await asyncio.shield(self._held.close(held, "its goal was cancelled"))
            raise

    def _mine(self, name: str) -> bool:
        return name.startswith(f"{self._worker}-")

    def _elsewhere(self, name: str, kind: type[_Answer]) -> _Answer:
        """What is said of a session that is not here.

        Raises:
            SandboxUnavailable: Another worker may have it; the next try may reach that one.
        """
        if not self._mine(name) and activity.info().attempt < TRIES:
            raise SandboxUnavailable("another worker holds this session, or did: the next try may reach it")
        found = self._held.find(name)
        why = found if isinstance(found, str) and found else "its worker ended, or is not reached"
        return kind(refused=f"the session is lost: {why}; open another and begin again", lost=True)


async def _ask(
    held: Held, asked: dict[str, JsonValue], kind: type[_Said], *, given: bytes | None = None, pack: str | None = None
) -> _Said | str:
    return answer_of(await held.session.run(held.place.tool(asked, given=given, pack=pack)), kind)


def _inputs(request: OpenSessionRequest) -> tuple[InputArtifact, ...]:
    named = ((PACK, request.source.pack), (PATCH, request.patch), (LIBRARIES, request.libraries))
    return tuple(InputArtifact(reference=reference, path=path) for path, reference in named if reference)


def _owner(info: activity.Info) -> Owner:
    return Owner(workflow_id=info.workflow_id or "", run_id=info.workflow_run_id or "")


def _unwanted() -> bool:
    """Whether nobody wants the call any more, and it is not only this try of it that ends."""
    details = activity.cancellation_details()
    return details is not None and (details.cancel_requested or details.not_found)


def _given(request: WriteFileRequest) -> bytes | None:
    if request.replace:
        return json.dumps([[one.old, one.new] for one in request.replace]).encode()
    return request.content.encode(errors="replace") if request.content is not None else None


def _ended(result: RunResult) -> ProgramRun:
    return ProgramRun(
        exit_code=result.exit_code,
        ended=result.ended,
        oom_seen=result.oom_seen,
        stdout=result.stdout.text,
        stderr=result.stderr.text,
        truncated=result.stdout.truncated or result.stderr.truncated,
        seconds=result.usage.run_seconds,
    )


def _kept(wanted: Sequence[tuple[str, str, str]], said: _Kept, result: RunResult) -> ChangesKept:
    stored = {one.path.rpartition("/")[2]: one for one in result.artifacts}
    lines = {path: (added, removed) for added, removed, path in said.lines}
    if "patch" not in stored or result.refused:
        return ChangesKept(refused="the change is larger than 16 MiB: change less")
    if beside := sorted(lines.keys() ^ {path for path, _, _ in wanted}):
        # A file in the place of a folder, or the reverse: git takes all of it, or none.
        return ChangesKept(refused=f"{visible(beside[0])!r} may not be changed, and goes with what may: leave both")
    files: list[ChangedFile] = []
    for number, (path, change, mode) in enumerate(wanted):
        now = stored.get(str(number))
        added, removed = lines.get(path, ("-", "-"))
        files.append(
            ChangedFile.model_validate(
                {
                    "path": path,
                    "change": change,
                    "executable": mode == "100755",
                    "added": int(added) if added.isdigit() else None,
                    "removed": int(removed) if removed.isdigit() else None,
                    "size": now.size if now else 0,
                    "content": now.reference if now else None,
                }
            )
        )
    patch = stored["patch"]
    return ChangesKept(files=tuple(files), patch=patch.reference, patch_size=patch.size, head=said.head)
