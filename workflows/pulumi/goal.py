"""What all goals on Pulumi stacks do: take a commit apart, hold the stack, look at it with credentials for one look."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final, TypeVar

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
        StackProgress,
    )
    from activities.pulumi.place import StackPlace
    from activities.sandbox.contracts import Source
    from activities.step import Step
    from hitl.hidden import unhidden_lines
    from workflows.contracts import GoalInput, State
    from workflows.goal import Goal, StepWaits
    from workflows.parking import Parking
    from workflows.pulumi.goals import StackAsked
    from workflows.pulumi.lock import STACK_TURN, StackQueueing, StackTurn

Response = TypeVar("Response")
Look = TypeVar("Look", bound=StackLook)

_TRIES: Final = 3
_AGAIN: Final = timedelta(seconds=10)
_PREPARING: Final = timedelta(minutes=15)
_SHOWN: Final = 15


class StackGoal(Goal):
    """The part that goals on stacks share. Not a workflow by itself."""

    def __init__(self, request: GoalInput) -> None:
        super().__init__(request)
        self._queueing = StackQueueing(self._wait_for)

    @workflow.signal(name=STACK_TURN)
    def stack_turn(self, turn: StackTurn) -> None:
        """From a stack's lock: where this goal stands in its line. That it arrives says that the goal is there."""
        self._queueing.take_turn(turn)

    @workflow.signal
    def stack_progress(self, progress: StackProgress) -> None:
        """From a step: resource by resource, how far it is."""
        newest = progress.lines[-_SHOWN:]
        failed = f", {progress.failed} failed" if progress.failed else ""
        details = f"**Now:** {self._step}: {progress.done} done{failed}\n\n" + "\n\n".join(newest)
        workflow.set_current_details(unhidden_lines(details))
        self.progressed(f"{progress.done} done{failed}" + (f"; {newest[-1]}" if newest else ""))

    def progressed(self, line: str) -> None:
        """How far a step is, in one line; for goals that tell people elsewhere."""
        del line

    def holding(
        self, prepared: PreparedStack, place: StackPlace, *, first: Callable[[], Awaitable[None]] | None = None
    ) -> AbstractAsyncContextManager[None]:
        """Have the stack alone; what is done `first` may raise, and gives it back by that."""
        return self._queueing.holding(prepared.project, place.stack, first=first)

    async def prepare(self, asked: StackAsked) -> PreparedStack:
        """The project at the commit that is asked for, ready to be run.

        Raises:
            ApplicationError: There is no such commit or project, or it cannot be run here.
        """
        fetched = await self.fetch(asked)
        source = Source(repository=asked.place.repository, commit=fetched.commit, pack=fetched.pack)
        return await self.run_command(
            PREPARE_STACK,
            PrepareStackRequest(place=asked.place, source=source),
            command=_PREPARING,
            summary=f"Prepare {asked.place.folder} at {fetched.commit[:12]}",
        )

    async def fetch(self, asked: StackAsked) -> RepositoryFetched:
        """The commit, in the artifact store."""
        return await self.step(
            FETCH_REPOSITORY,
            FetchRepositoryRequest(repository=asked.place.repository, ref=asked.ref),
            summary=f"Fetch {asked.place.repository}" + (f" at {asked.ref}" if asked.ref else ""),
        )

    async def require_commit(self, asked: StackAsked, commit: str) -> None:
        """Look whether what is asked for is still this commit.

        Raises:
            ApplicationError: `Conflict`: it is another one by now.
        """
        if asked.moves and (now := (await self.fetch(asked)).commit) != commit:
            raise application_error(
                ErrorType.CONFLICT,
                f"{asked.ref or 'the default branch'} of {asked.place.repository!r} moved from {commit[:12]} to "
                f"{now[:12]} meanwhile: what was approved is not applied, and is planned again",
            )

    async def inspect(
        self,
        step: Step[Look, Response],
        request: Callable[[str], Look],
        *,
        place: StackPlace,
        summary: str,
    ) -> Response:
        """Look at the stack, in the sandbox. Another try has other credentials: they open once.

        Args:
            step: Which one.
            request: Makes what it is asked, with the sealed credentials.
            place: The stack.
            summary: What people see of it.

        Raises:
            StepDenied: The guard refused it.
            ApplicationError: It failed for good.
        """
        tries = 0
        with Parking() as parking:
            while True:
                sealed = await self.step(
                    SEAL_CREDENTIALS,
                    SealCredentialsRequest(place=place),
                    summary="Issue read credentials",
                )
                try:
                    self.begin(summary)
                    return await self.attempt(
                        step,
                        request(sealed.secrets),
                        summary=summary,
                    )
                except (StepWaits, ApplicationError) as error:
                    tries += 1
                    await self._before_another_look(error, tries, parking)

    async def _before_another_look(self, error: StepWaits | ApplicationError, tries: int, parking: Parking) -> None:
        """A while of waiting, then parked; raises what another try cannot mend."""
        if isinstance(error, ApplicationError) and (error.type != ErrorType.CONFLICT or tries >= _TRIES):
            raise error
        if isinstance(error, StepWaits) and tries % _TRIES == 0:
            await self.park(error, parking)
        else:
            await workflow.sleep(_AGAIN * tries)

    def _wait_for(self, what: str | None) -> None:
        self._waiting_for = what
        self._show(State.RUNNING, f"**Waiting** for {what}" if what else f"**Now:** {self._step}")
