"""The schedules of repositories, as Temporal keeps them: made, changed, taken away and paused.

What people set stays: one that an operator paused is paused whatever the file says. One that was paused here says so in
its note, and goes on when its reason is gone.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import timedelta
from typing import Final

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleHandle,
    ScheduleListDescription,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from activities.queues import TaskQueue
from hitl.gateway.server import quoted
from hitl.github.events import InstallationEvent, InstallationRepositoriesEvent
from hitl.github.scheduling import NotPlanned, Planned
from hitl.hidden import visible
from workflows.contracts import REPOSITORY_ATTRIBUTE
from workflows.github.scheduled_contracts import SCHEDULED_WORKFLOW, ScheduledInput, read_schedule_id, schedule_id

JITTER: Final = timedelta(minutes=2)
"""Runs of one minute are spread over so long: everybody writes `0 3 * * *`."""
CATCH_UP: Final = timedelta(minutes=10)
"""What was missed for longer, while Temporal was away, is left out."""
OURS: Final = "Paused by Banksman: "
_LONGEST: Final = timedelta(hours=1)
_NAME: Final = REPOSITORY_ATTRIBUTE.name


class Schedules:
    """Those of one namespace."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def keep(self, repository: str, wanted: Sequence[Planned | NotPlanned]) -> tuple[str, ...]:
        """Have exactly the planned ones. A line on each.

        Raises:
            RPCError: The server cannot be reached.
        """
        said: list[str] = []
        plans = [one for one in wanted if isinstance(one, Planned)]
        said += [f"{one.name}: not scheduled. {one.why}" for one in wanted if isinstance(one, NotPlanned)]
        gone = {one.name for one in wanted} | {name async for name in self._names(repository)}
        for name in sorted(gone - {one.name for one in plans}):
            if await self._delete(repository, name) and name not in {one.name for one in wanted}:
                said.append(f"{name}: scheduled no longer.")
        return (*[await self._put(repository, one) for one in plans], *said)

    async def remove(self, repository: str, name: str) -> None:
        """Take one away, if it is there.

        Raises:
            RPCError: The server cannot be reached.
        """
        await self._delete(repository, name)

    async def pause(self, repositories: Iterable[str], why: str, *, owner: str | None = None) -> None:
        """Have these begin nothing until further notice; those that somebody paused stay theirs.

        Args:
            repositories: Whose.
            why: For the note.
            owner: All repositories of this account as well.

        Raises:
            RPCError: The server cannot be reached.
        """
        async for one in self._of(repositories, owner):
            state = one.schedule.state if one.schedule is not None else None
            if state is not None and not state.paused:
                await self._client.get_schedule_handle(one.id).pause(note=f"{OURS}{why}")

    async def go_on(self, repositories: Iterable[str], *, owner: str | None = None) -> None:
        """Let those go on that were paused here.

        Raises:
            RPCError: The server cannot be reached.
        """
        async for one in self._of(repositories, owner):
            state = one.schedule.state if one.schedule is not None else None
            if state is not None and state.paused and (state.note or "").startswith(OURS):
                await self._client.get_schedule_handle(one.id).unpause()

    async def follow(self, event: InstallationEvent | InstallationRepositoriesEvent) -> None:
        """Pause where the App is not any more, or not now; go on where it is again.

        Raises:
            RPCError: The server cannot be reached.
        """
        owner = event.installation.account.login
        match event.event, event.action:
            case "installation", "deleted":
                await self.pause([], "the App was uninstalled", owner=owner)
            case "installation", "suspend":
                await self.pause([], "the App is suspended there", owner=owner)
            case "installation", "created" | "unsuspend":
                await self.go_on([], owner=owner)
            case "installation_repositories", _ if isinstance(event, InstallationRepositoriesEvent):
                gone = [one.full_name for one in event.repositories_removed]
                await self.pause(gone, "the App has this repository no longer")
                await self.go_on([one.full_name for one in event.repositories_added])
            case _:
                pass

    async def having(self) -> set[str]:
        """The repositories that have any.

        Raises:
            RPCError: The server cannot be reached.
        """
        found = [read_schedule_id(one.id) async for one in await self._client.list_schedules()]
        return {one[0] for one in found if one is not None}

    async def _names(self, repository: str) -> AsyncIterator[str]:
        async for one in self._of([repository], None):
            if (found := read_schedule_id(one.id)) is not None and found[0] == repository:
                yield found[1]

    async def _of(self, repositories: Iterable[str], owner: str | None) -> AsyncIterator[ScheduleListDescription]:
        asked = [f"{_NAME} = {quoted(one)}" for one in repositories]
        asked += [f"{_NAME} STARTS_WITH {quoted(f'{owner}/')}"] if owner is not None else []
        for query in asked:
            async for one in await self._client.list_schedules(query):
                if read_schedule_id(one.id) is not None:
                    yield one

    async def _put(self, repository: str, plan: Planned) -> str:
        where = schedule_id(repository, plan.name)
        made = _schedule(repository, plan)
        try:
            try:
                await self._client.create_schedule(
                    where,
                    made,
                    search_attributes=TypedSearchAttributes([SearchAttributePair(REPOSITORY_ATTRIBUTE, repository)]),
                )
            except ScheduleAlreadyRunningError:
                await self._change(self._client.get_schedule_handle(where), made)
        except RPCError as error:
            if error.status is not RPCStatusCode.INVALID_ARGUMENT:
                raise
            return f"{plan.name}: not scheduled. Temporal does not take it: {visible(error.message)}"
        return f"{plan.name}: {plan.task} at {visible(plan.written)} ({visible(plan.time_zone)})."

    async def _change(self, handle: ScheduleHandle, made: Schedule) -> None:
        def changed(found: ScheduleUpdateInput) -> ScheduleUpdate:
            state = found.description.schedule.state
            ours = state.paused and (state.note or "").startswith(OURS)
            return ScheduleUpdate(
                schedule=Schedule(
                    action=made.action,
                    spec=made.spec,
                    policy=made.policy,
                    state=ScheduleState(paused=False) if ours else state,
                )
            )

        await handle.update(changed)

    async def _delete(self, repository: str, name: str) -> bool:
        try:
            await self._client.get_schedule_handle(schedule_id(repository, name)).delete()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return True


def _schedule(repository: str, plan: Planned) -> Schedule:
    cron = plan.cron
    when = ScheduleCalendarSpec(
        minute=_ranges(cron.minutes),
        hour=_ranges(cron.hours),
        day_of_month=_ranges(cron.days),
        month=_ranges(cron.months),
        day_of_week=_ranges(cron.weekdays),
        comment=f"{plan.task}: {plan.written}",
    )
    return Schedule(
        action=ScheduleActionStartWorkflow(
            SCHEDULED_WORKFLOW,
            ScheduledInput(repository=repository, schedule=plan.name),
            id=f"github-scheduled/{repository}/{plan.name}",
            task_queue=TaskQueue.GOALS,
            execution_timeout=_LONGEST,
            typed_search_attributes=TypedSearchAttributes([SearchAttributePair(REPOSITORY_ATTRIBUTE, repository)]),
        ),
        spec=ScheduleSpec(calendars=[when], jitter=JITTER, time_zone_name=plan.time_zone),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
    )


def _ranges(values: tuple[int, ...]) -> list[ScheduleRange]:
    """The same as few ranges as there are."""
    found: list[ScheduleRange] = []
    for one in values:
        if found and one == found[-1].end + 1:
            found[-1] = ScheduleRange(found[-1].start, one)
        else:
            found.append(ScheduleRange(one, one))
    return found
