"""The goal `MapDependencies`: the manifests of many repositories, read some at a time and joined."""

import asyncio
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.dependencies.contracts import (
        FIND_USERS,
        MOST_REPOSITORIES,
        READ_MANIFESTS,
        FindUsersRequest,
        ManifestsRead,
        OfRepository,
        ReadManifestsRequest,
    )
    from activities.github.name_contracts import FIND_REPOSITORIES, FindRepositoriesRequest
    from activities.guard.error_types import ErrorType, application_error
    from workflows.contracts import State
    from workflows.dependencies.goals import (
        MAP_DEPENDENCIES,
        MapDependenciesInput,
        MapDependenciesResult,
        Unread,
    )
    from workflows.goal import Goal, StepDenied
    from workflows.goal_type import goal

_AT_ONCE: Final = 4
_MOST_NAMES: Final = 500
_OF_ITS_OWN: Final = frozenset(
    {ErrorType.NOT_FOUND, ErrorType.AUTH_DENIED, ErrorType.INVALID_REQUEST, ErrorType.CONFLICT}
)
"""What is wrong with one repository, and with no other."""
_NAMED: Final = 5


@goal(MAP_DEPENDENCIES)
class MapDependenciesWorkflow(Goal):
    """Find the repositories, read the manifests of each, join them."""

    @workflow.init
    def __init__(self, request: MapDependenciesInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._read: list[OfRepository] = []
        self._unread: list[Unread] = []
        self._denied: list[StepDenied] = []

    @workflow.run
    async def run(self, request: MapDependenciesInput) -> MapDependenciesResult:
        """Map; a repository that cannot be read is told, and the others are mapped."""
        return await self.run_goal(
            self._map(),
            denied=lambda reason: MapDependenciesResult(
                outcome=State.DENIED, reason=reason, repositories=request.repositories, package=request.package
            ),
        )

    async def _map(self) -> MapDependenciesResult:
        names = await self._names()
        some = names[:MOST_REPOSITORIES]
        for first in range(0, len(some), _AT_ONCE):
            batch = [
                self._read_one(one, f"{first + n} of {len(some)}") for n, one in enumerate(some[first:][:_AT_ONCE], 1)
            ]
            ended = await asyncio.gather(*batch, return_exceptions=True)
            if (failed := next((one for one in ended if one is not None), None)) is not None:
                raise failed
        self._require_some(len(some))
        return await self._joined(left_out=len(names) - len(some))

    async def _names(self) -> list[str]:
        """Those that match.

        Raises:
            ApplicationError: There is none.
        """
        asked = FindRepositoriesRequest(most=_MOST_NAMES)
        found = await self.step(FIND_REPOSITORIES, asked, summary="List the repositories")
        names = [one for one in found.repositories if self._wanted.covers(one)]
        if not names:
            covered = ", ".join(found.repositories[:_NAMED])
            more = f" and {len(found.repositories) - _NAMED} more" if len(found.repositories) > _NAMED else ""
            raise application_error(
                ErrorType.NOT_FOUND,
                f"the GitHub App is installed on no repository that {self._wanted.repositories!r} matches; "
                f"it is on {covered or 'none'}{more}",
            )
        return names

    async def _read_one(self, repository: str, place: str) -> None:
        summary = f"Read the manifests of {repository} ({place})"
        try:
            found = await self.step(READ_MANIFESTS, ReadManifestsRequest(repository=repository), summary=summary)
        except StepDenied as refusal:
            self._denied.append(refusal)
            self._unread.append(Unread(repository=repository, why=str(refusal)))
        except ApplicationError as error:
            if error.type not in _OF_ITS_OWN:
                raise
            self._unread.append(Unread(repository=repository, why=error.message))
        else:
            self._read.append(_of(repository, found))

    def _require_some(self, asked: int) -> None:
        """Go on where something was read.

        Raises:
            StepDenied: Nothing may be.
            ApplicationError: Nothing can be.
        """
        if self._read:
            return
        if len(self._denied) == asked:
            raise self._denied[0]
        first = min(self._unread, key=lambda one: one.repository)
        raise application_error(
            ErrorType.NOT_FOUND, f"none of {asked} repositories can be read; {first.repository}: {first.why}"
        )

    async def _joined(self, *, left_out: int) -> MapDependenciesResult:
        wanted = self._wanted
        read = tuple(sorted(self._read, key=lambda one: one.repository))
        asked = FindUsersRequest(read=read, package=wanted.package, ecosystem=wanted.ecosystem)
        found = await self.step(FIND_USERS, asked, summary=f"Join the manifests of {len(read)} repositories")
        nobody = wanted.package is not None and not found.used_by and not found.made_by
        return MapDependenciesResult(
            reason=f"nobody uses or makes {wanted.package}, as far as manifests say" if nobody else None,
            repositories=wanted.repositories,
            package=wanted.package,
            unread=tuple(sorted(self._unread, key=lambda one: one.repository)),
            left_out=left_out,
            artifact=found.artifact,
            counts=found.counts,
            circles=found.circles,
            mistakes=found.mistakes,
            made_by=found.made_by,
            users=found.users,
            order=found.order,
            used_by=found.used_by,
        )


def _of(repository: str, found: ManifestsRead) -> OfRepository:
    return OfRepository(repository=repository, commit=found.commit, artifact=found.artifact)
