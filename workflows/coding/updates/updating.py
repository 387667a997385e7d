"""An update of dependencies, from its lock file to its audit: tools write, rules judge, and no model is asked.

Nothing outside changes here. Each refusal says what stands in the way, and ends the job.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.coding.contracts import JUDGE_UPDATE, JudgeUpdateRequest, PackageMoved
    from activities.sandbox.contracts import Source
    from activities.sandbox.session_contracts import ChangedFile
    from activities.sandbox.update_contracts import (
        AUDIT_DEPENDENCIES,
        UPDATE_DEPENDENCIES,
        AuditDependenciesRequest,
        DependenciesUpdated,
        UpdateDependenciesRequest,
    )
    from workflows.coding.calling import JobRefused, TakesStep
    from workflows.coding.goals import FileChanged
    from workflows.coding.job.goals import CodingJobInput

_NOTHING: Final = "Nothing was changed"
_SHORT: Final = 1_000


@dataclass(frozen=True)
class Update:
    """An update that the rules and the audit take.

    Attributes:
        files: The lock file, and that of its digests where it has one.
        patch: The artifact of git's patch.
        libraries: The artifact of what its tests need; None where that is nothing.
    """

    files: tuple[ChangedFile, ...]
    patch: str
    libraries: str | None


@dataclass(frozen=True)
class Updating:
    """One update.

    Attributes:
        step: Takes a step.
        wanted: What was asked.
        note: Takes what the result is to tell.
    """

    step: TakesStep
    wanted: CodingJobInput
    note: Callable[..., None]

    async def made(self, source: Source) -> Update | None:
        """The update; None where everything that was asked for is as new as it may be.

        Raises:
            JobRefused: It cannot be made, or the rules or the audit refuse it.
        """
        wanted = self.wanted
        asked = UpdateDependenciesRequest(
            source=source, ecosystem=wanted.ecosystem, packages=wanted.packages, write=wanted.write
        )
        written = await self.step(UPDATE_DEPENDENCIES, asked, summary="Have the lock file written anew")
        if written.refused is not None:
            raise JobRefused(f"the update was not made: {written.refused[:_SHORT]}. {_NOTHING}.")
        if written.file is None or written.patch is None:
            return None
        if not await self._judged(written, written.file, written.patch):
            return None
        await self._audited(source, written.patch, written.lock)
        return Update(_files(written, written.file), written.patch, written.libraries)

    async def _judged(self, written: DependenciesUpdated, file: ChangedFile, patch: str) -> bool:
        """Whether anything moves in what the rules take; a tool may have written the same in another way."""
        wanted = self.wanted
        judged = await self.step(
            JUDGE_UPDATE,
            JudgeUpdateRequest(
                repository=wanted.repository,
                kind=wanted.of_kind,
                lock=written.lock,
                write=wanted.write,
                before=written.before,
                every=written.every,
                file=file,
                sums=written.sums,
                patch=patch,
                patch_size=written.patch_size,
                hosts=written.hosts,
                links=written.links,
            ),
            summary="Judge the update by the rules",
        )
        self.note(
            rounds=1,
            refusals=judged.refusals,
            patch=patch,
            files=tuple(FileChanged(path=one.path, change=one.change) for one in _files(written, file)),
            updates=judged.moved,
            beside=judged.beside,
            hashed=judged.hashed,
        )
        if judged.refusals:
            more = len(judged.refusals) - 1
            first = judged.refusals[0].line() + (f" (and {more} more)" if more else "")
            raise JobRefused(f"the rules refused it: {first[:_SHORT]}. {_NOTHING}; it is kept in 'patch'.")
        return bool(judged.moved)

    async def _audited(self, source: Source, patch: str, lock: str) -> None:
        """Fails closed: an update that nobody could audit is not proposed."""
        asked = AuditDependenciesRequest(source=source, patch=patch, lock=lock)
        audited = await self.step(AUDIT_DEPENDENCIES, asked, summary="Ask what is known against the new versions")
        self.note(audit=audited)
        if audited.refused is not None:
            raise JobRefused(f"it was not audited: {audited.refused[:_SHORT]}. {_NOTHING}; it is kept in 'patch'.")
        if audited.brought:
            first, more = audited.brought[0], len(audited.brought) - 1
            told = f"{first.package}, {first.id}" + (f" (and {more} more)" if more else "")
            raise JobRefused(f"it would bring what is known to be vulnerable: {told}. {_NOTHING}; name other packages.")


def _files(written: DependenciesUpdated, file: ChangedFile) -> tuple[ChangedFile, ...]:
    return (file, written.sums.file) if written.sums is not None else (file,)


def title_of(moved: tuple[PackageMoved, ...], lock: str) -> str:
    """Of the commit and its pull request: names that would call somebody stay out."""
    asked = [one for one in moved if one.before and one.after]
    if len(asked) == 1 and len(moved) == 1 and asked[0].name.replace("-", "").replace("_", "").isalnum():
        return f"Update {asked[0].name} from {asked[0].before} to {asked[0].after}"[:100]
    return f"Update {len(moved)} {'package' if len(moved) == 1 else 'packages'} in {lock}"[:100]
