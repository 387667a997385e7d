"""A stack as goals have it: its project at a commit, the turn at it, and looks with credentials for one look each."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final, Protocol, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.github.contracts import FETCH_REPOSITORY, FetchRepositoryRequest, RepositoryFetched
    from activities.guard.error_types import ErrorType, application_error
    from activities.pulumi.contracts import (
        PREPARE_STACK,
        SEAL_CREDENTIALS,
        PreparedStack,
        PrepareStackRequest,
        SealCredentialsRequest,
        StackLook,
    )
    from activities.pulumi.place import StackPlace
    from activities.sandbox.contracts import Source
    from activities.step import Step
    from workflows.goal import Goal, StepWaits
    from workflows.parking import Parking
    from workflows.pulumi.goals import StackAsked
    from workflows.pulumi.lock import StackQueueing

Response = TypeVar("Response")
Look = TypeVar("Look", bound=StackLook)
Look_co = TypeVar("Look_co", bound=StackLook, covariant=True)

_TRIES: Final = 3
_AGAIN: Final = timedelta(seconds=10)
_PREPARING: Final = timedelta(minutes=15)


class MakeLook(Protocol[Look_co]):
    """Makes what a look is asked, anew for each try: sealed credentials open once."""

    def __call__(self, *, place: StackPlace, prepared: PreparedStack, secrets: str) -> Look_co:
        """The request, with these credentials."""
        ...


class StackAccess:
    """One stack, for one goal.

    Args:
        goal: Takes the steps.
        asked: Which stack, at which commit.
        queueing: The goal's place in the lines of locks.
    """

    def __init__(self, goal: Goal, asked: StackAsked, *, queueing: StackQueueing) -> None:
        self._goal: Goal = goal
        self._queueing: StackQueueing = queueing
        self._prepared: PreparedStack | None = None
        self.asked = asked

    @property
    def place(self) -> StackPlace:
        """Where its program is, and what it is called."""
        return self.asked.place

    @property
    def prepared(self) -> PreparedStack:
        """The project, once it was taken apart."""
        if self._prepared is None:
            raise RuntimeError("the project was used before it was prepared")
        return self._prepared

    @property
    def name(self) -> str:
        """As PROJECT/STACK, once it was taken apart."""
        return f"{self.prepared.project}/{self.place.stack}"

    @property
    def known(self) -> PreparedStack | None:
        """The project; None before it was taken apart."""
        return self._prepared

    async def prepare(self) -> PreparedStack:
        """Have the project ready to be run, at the commit that is asked for now.

        Raises:
            ApplicationError: There is no such commit or project, or it cannot be run here.
        """
        fetched = await self._fetch()
        source = Source(repository=self.place.repository, commit=fetched.commit, pack=fetched.pack)
        self._prepared = await self._goal.run_command(
            PREPARE_STACK,
            PrepareStackRequest(place=self.place, source=source),
            command=_PREPARING,
            summary=f"Prepare {self.place.folder} at {fetched.commit[:12]}",
        )
        return self._prepared

    def holding(self) -> AbstractAsyncContextManager[None]:
        """Have the stack alone."""
        return self._holding()

    def holding_unchanged(self) -> AbstractAsyncContextManager[None]:
        """Have the stack alone, while what is asked for is still the commit that was prepared.

        Entering it raises `ApplicationError` of type `Conflict` where it is another one.
        """
        commit = self.prepared.commit
        return self._holding(first=lambda: self._require_commit(commit))

    async def inspect(self, step: Step[Look, Response], request: MakeLook[Look], *, summary: str) -> Response:
        """Look at the stack, in the sandbox.

        Args:
            step: Which one.
            request: Makes what it is asked.
            summary: What people see of it.

        Raises:
            StepDenied: The guard refused it.
            ApplicationError: It failed for good.
        """
        place, prepared = self.place, self.prepared
        tries = 0
        with Parking() as parking:
            while True:
                sealed = await self._goal.step(
                    SEAL_CREDENTIALS,
                    SealCredentialsRequest(place=place),
                    summary="Issue read credentials",
                )
                try:
                    self._goal.begin(summary)
                    return await self._goal.attempt(
                        step,
                        request(place=place, prepared=prepared, secrets=sealed.secrets),
                        summary=summary,
                    )
                except (StepWaits, ApplicationError) as error:
                    tries += 1
                    await self._before_another_look(error, tries, parking)

    def _holding(self, *, first: Callable[[], Awaitable[None]] | None = None) -> AbstractAsyncContextManager[None]:
        return self._queueing.holding(self.prepared.project, self.place.stack, first=first)

    async def _fetch(self) -> RepositoryFetched:
        """The commit, in the artifact store."""
        repository, ref = self.place.repository, self.asked.ref
        return await self._goal.step(
            FETCH_REPOSITORY,
            FetchRepositoryRequest(repository=repository, ref=ref),
            summary=f"Fetch {repository}" + (f" at {ref}" if ref else ""),
        )

    async def _require_commit(self, commit: str) -> None:
        if self.asked.moves and (now := (await self._fetch()).commit) != commit:
            raise application_error(
                ErrorType.CONFLICT,
                f"{self.asked.ref or 'the default branch'} of {self.place.repository!r} moved from {commit[:12]} to "
                f"{now[:12]} meanwhile: what was approved is not applied, and is planned again",
            )

    async def _before_another_look(self, error: StepWaits | ApplicationError, tries: int, parking: Parking) -> None:
        """A while of waiting, then parked; raises what another try cannot mend."""
        if isinstance(error, ApplicationError) and (error.type != ErrorType.CONFLICT or tries >= _TRIES):
            raise error
        if isinstance(error, StepWaits) and tries % _TRIES == 0:
            await self._goal.park(error, parking)
        else:
            await workflow.sleep(_AGAIN * tries)
