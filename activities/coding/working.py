"""The steps around a coding model: what it is told, what its answer holds, and whether its change passes the gate."""

import asyncio
import base64
from collections.abc import Sequence

from activities.coding.contracts import (
    BRIEF_CODER,
    JUDGE_CHANGE,
    LOAD_CHANGE,
    READ_CHANGE,
    READ_REVIEW,
    BriefCoderRequest,
    ChangeJudged,
    ChangeLoaded,
    ChangeRead,
    CoderBriefed,
    GateRefusal,
    JudgeChangeRequest,
    LoadChangeRequest,
    ReadChangeRequest,
    ReadReviewRequest,
    ReviewRead,
)
from activities.coding.prompt import coders_instructions, coders_task
from activities.coding.reading import read_change, read_review
from activities.github.asked_contracts import Diff
from activities.github.contracts import FileToCommit
from activities.sandbox.session_contracts import ChangedFile
from activities.step import implements
from connectors.artifacts import ArtifactStore
from connectors.errors import InvalidRequest
from sandbox.gate.change import Changed, PatchUnreadable, read_patch
from sandbox.gate.judged import MOST_BYTES, judge
from sandbox.gate.kinds import KINDS

_MOST_PATCH = 4 * MOST_BYTES
"""Bytes of a patch that is read; a larger one has more lines than any kind may."""


class CodingActivities:
    """The steps.

    Args:
        artifacts: Where what a model is told and says lies, and what a session kept.
    """

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts

    @implements(BRIEF_CODER)
    async def brief_coder(self, request: BriefCoderRequest) -> CoderBriefed:
        """Write down what a model is told.

        Raises:
            NotFound: The diff is gone.
            Unavailable: The artifact store cannot be read or written.
        """
        diff = None if request.diff is None else _as_text(await self._diff(request.diff))
        rules = coders_instructions(request.kind, revises=request.revises).encode()
        told = coders_task(request, diff).encode("utf-8", "replace")
        return CoderBriefed(
            instructions=await self._artifacts.put(rules),
            told=await self._artifacts.put(told),
            size=len(rules) + len(told),
        )

    @implements(READ_CHANGE)
    async def read_change(self, request: ReadChangeRequest) -> ChangeRead:
        """Look at what a model says of its change.

        Raises:
            NotFound: The answer is gone.
            Unavailable: The artifact store cannot be read.
        """
        return read_change(await self._artifacts.get(request.answer), request.threads)

    @implements(READ_REVIEW)
    async def read_review(self, request: ReadReviewRequest) -> ReviewRead:
        """Look at what a model says of a diff.

        Raises:
            NotFound: An artifact is gone.
            Unavailable: The artifact store cannot be read.
        """
        diff = await self._diff(request.diff)
        return read_review(await self._artifacts.get(request.answer), diff, most=request.most)

    @implements(JUDGE_CHANGE)
    async def judge_change(self, request: JudgeChangeRequest) -> ChangeJudged:
        """Judge a change by the gate's rules. What does not pass is an answer, and no failure.

        Raises:
            InvalidRequest: A job of this kind changes no files.
            NotFound: An artifact is gone.
            Unavailable: The artifact store cannot be read.
        """
        if request.kind not in KINDS:
            raise InvalidRequest(f"a job of the kind {request.kind.value!r} changes no files")
        if request.patch_size > _MOST_PATCH or sum(one.size for one in request.files) > _MOST_PATCH:
            says = f"the change has more than {_MOST_PATCH} bytes: do a part of it"
            return ChangeJudged(refusals=(GateRefusal(rule="size", says=says),))
        files = await self._files(request)
        if isinstance(files, GateRefusal):
            return ChangeJudged(refusals=(files,))
        found = await asyncio.to_thread(judge, request.kind, files, write=request.write)
        return ChangeJudged(refusals=tuple(GateRefusal(rule=one.rule, at=one.at, says=one.says[:500]) for one in found))

    @implements(LOAD_CHANGE)
    async def load_change(self, request: LoadChangeRequest) -> ChangeLoaded:
        """The files of a change as a commit takes them.

        Raises:
            InvalidRequest: They are larger than a commit's files may be.
            NotFound: An artifact is gone.
            Unavailable: The artifact store cannot be read.
        """
        if (size := sum(one.size for one in request.files)) > MOST_BYTES:
            raise InvalidRequest(f"the change has {size} bytes, and {MOST_BYTES} are the most: do a part of it")
        return ChangeLoaded(files=tuple([await self._to_commit(one) for one in request.files]))

    async def _files(self, request: JudgeChangeRequest) -> Sequence[Changed] | GateRefusal:
        try:
            lines = read_patch((await self._artifacts.get(request.patch)).decode())
        except (PatchUnreadable, UnicodeDecodeError):
            return GateRefusal(rule="files", says="the change holds what is no text in UTF-8: take that back")
        known = {one.path for one in request.files}
        if beside := sorted(lines.keys() - known):
            return GateRefusal(rule="files", says=f"the patch has {len(beside)} files that the change does not have")
        return [
            Changed(
                path=one.path,
                change=one.change,
                size=one.size,
                lines=lines.get(one.path),
                content=await self._artifacts.get(one.content) if one.content else None,
            )
            for one in request.files
        ]

    async def _to_commit(self, file: ChangedFile) -> FileToCommit:
        content = await self._artifacts.get(file.content) if file.content else None
        encoded = base64.b64encode(content).decode() if content is not None else None
        return FileToCommit(path=file.path, content_base64=encoded, executable=file.executable)

    async def _diff(self, reference: str) -> Diff:
        return Diff.model_validate_json(await self._artifacts.get(reference))


def _as_text(diff: Diff) -> str:
    """As a model reads it: each file's name, what became of it, and its lines."""
    return "\n".join(f"=== {one.path} ({one.status})\n{one.patch or '[its lines are not told]'}" for one in diff.files)
