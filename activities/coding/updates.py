"""The step that judges a lock file that a tool wrote anew: both files are read here, and no tool is believed."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from activities.coding.contracts import (
    JUDGE_UPDATE,
    MOST_MOVED,
    GateRefusal,
    JudgeUpdateRequest,
    PackageMoved,
    UpdateJudged,
)
from activities.step import implements
from connectors.artifacts import ArtifactStore
from hitl.hidden import visible
from sandbox.gate.change import PatchUnreadable, read_patch
from sandbox.gate.kinds import Kind
from sandbox.gate.locks import Lock, LockUnreadable, read_lock, sums_of
from sandbox.gate.updated import Move, judge_update, moves
from sandbox.tools.rules import SessionRules, ToolRules, refusal_of_path

_MOST_BYTES: Final = 8 * 1024 * 1024
_SHOWN: Final = 120
_ANYWHERE: Final = ToolRules(unprotected=("**/*.lock", "**/package-lock.json", "**/go.sum"))


class UpdateGate:
    """The step.

    Args:
        artifacts: Where the files lie.
    """

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts

    @implements(JUDGE_UPDATE)
    async def judge_update(self, request: JudgeUpdateRequest) -> UpdateJudged:
        """Judge an update by the gate's rules. What does not pass is an answer, and no failure.

        Raises:
            NotFound: An artifact is gone.
            Unavailable: The artifact store cannot be read.
        """
        if (why := _of_file(request)) is not None:
            return UpdateJudged(refusals=(GateRefusal(rule="lock", at=visible(request.lock[:_SHOWN]), says=why),))
        patch = await self._artifacts.get(request.patch)
        named = [(request.before, request.every, request.file.content or "")]
        if (sums := request.sums) is not None:
            named.append((sums.before, sums.every, sums.file.content or ""))
        found = [[await self._artifacts.get(one) for one in names] for names in named]
        return await asyncio.to_thread(_judged, request, [*zip(*found, strict=True)], patch)


def _of_file(request: JudgeUpdateRequest) -> str | None:
    """Why it is not one changed lock file where one may be written; None where it is."""
    file, rules = request.file, SessionRules(write=request.write or ("**",))
    if request.kind is not Kind.DEPS or file.path != request.lock or file.change != "changed" or not file.content:
        return "an update changes one lock file that is there, and nothing else"
    sums = request.sums.file if request.sums is not None else None
    if (sums.path if sums is not None else None) != sums_of(request.lock):
        return "its digests do not lie where they belong"
    for one in (file, sums):
        if one is not None and one.size > _MOST_BYTES:
            return f"it has more than {_MOST_BYTES} bytes"
    if request.patch_size > 2 * _MOST_BYTES:
        return f"its patch has more than {2 * _MOST_BYTES} bytes"
    if sums is not None and (sums.change != "changed" or not sums.content):
        return "an update changes a file of digests that is there"
    return refusal_of_path(file.path) or _ANYWHERE.refusal_to_write(file.path, rules)


def _judged(request: JudgeUpdateRequest, contents: Sequence[tuple[bytes, ...]], patch: bytes) -> UpdateJudged:
    """Judge them.

    Args:
        request: What was asked.
        contents: The lock file, and its digests where they lie beside it: before, with all that can move, and now.
        patch: Git's.
    """
    at = visible(request.lock[:_SHOWN])
    named = {request.lock, sums_of(request.lock) or request.lock}
    try:
        touched = read_patch(patch.decode())
        old, most, new = (read_lock(request.lock, *one) for one in contents)
    except (PatchUnreadable, LockUnreadable, UnicodeDecodeError) as error:
        return UpdateJudged(refusals=(GateRefusal(rule="lock", at=at, says=f"{error}"),))
    if not touched.keys() or not touched.keys() <= named or any(one.modes for one in touched.values()):
        says = "the patch changes other files, or what kind of file it is"
        return UpdateJudged(refusals=(GateRefusal(rule="lock", at=at, says=says),))
    found = judge_update(old, new, hosts=request.hosts)
    moved = [_told(one, request.links) for one in moves(old, new)]
    return UpdateJudged(
        refusals=tuple(GateRefusal(rule=one.rule, at=one.at or at, says=one.says[:500]) for one in found),
        moved=tuple(moved[:MOST_MOVED]),
        beside=tuple(_beside(old, new, most)[:MOST_MOVED]),
        hashed=new.hashed,
    )


def _beside(old: Lock, new: Lock, most: Lock) -> list[PackageMoved]:
    """What would be otherwise if all that can move did; what is here would be there anyhow."""
    now = new.versions()
    return [_told(one, {}) for one in moves(old, most) if one.before and now.get(one.name, ()) != one.after]


def _told(one: Move, links: Mapping[str, str]) -> PackageMoved:
    return PackageMoved(
        name=visible(one.name[:_SHOWN]),
        before=visible(", ".join(one.before)[:_SHOWN]),
        after=visible(", ".join(one.after)[:_SHOWN]),
        like=visible(one.like[:_SHOWN]),
        link=visible(links.get(one.name, ""))[:300] if links.get(one.name, "").startswith("https://") else "",
    )
