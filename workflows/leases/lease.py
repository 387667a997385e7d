"""One lease: it holds what has an end, and ends it, whatever becomes of the goal that took it.

It is a child of that goal, which takes it before it creates anything. When the goal's run closes, however it closes,
the server asks the lease to cancel, and it ends what it holds (decision 0024). Ended means that the provider was asked
and says that the thing is gone: what Vault or a provider gave up on is tried again for ever, and people are told.
"""

import asyncio
import contextlib
from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.exceptions import TimeoutError as TimedOut
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType, application_error
    from activities.leases.contracts import (
        LEASE_MEMO,
        LEASE_WORKFLOW,
        GivenRequest,
        LeaseRequest,
        LeaseStanding,
        Nothing,
        Owner,
        StepCall,
    )
    from activities.leases.views import LeaseState, LeaseView
    from activities.presets import pause_of_parked
    from hitl.hidden import unhidden_lines, visible
    from workflows.contracts import STATE_ATTRIBUTE, State
    from workflows.execute import Response, execute
    from workflows.leases.contracts import (
        LEASE_NOTICE,
        LEASE_SAID,
        EndLease,
        ExtendLease,
        HandOverLease,
        LeaseResult,
        LeaseSaid,
        LeaseTaken,
        OwnerChanged,
        OwnerGone,
        TellLease,
    )
    from workflows.one_input import OneInput

_ONE_TRY: Final = timedelta(minutes=10)
"""All attempts at one step together; then the lease says what is wrong, and goes on trying."""
_SHORTEST_TRY: Final = timedelta(minutes=1)
_FIRST_LOOKS: Final = (timedelta(seconds=2), timedelta(seconds=5), timedelta(seconds=15), timedelta(seconds=30))
"""Pauses before the provider is asked again at first: most things are gone within seconds. Then they grow to hours."""
_MOST_TOLD: Final = 2000
_TELLS_ITS_OWNER: Final = "an-ended-lease-tells-its-owner"
"""The patch: leases that began without it told nobody but their parent."""
_LONGEST_TIMER: Final = timedelta(days=30)
"""A lease may be asked to live longer than a timer of Temporal's can be."""
_STATES: Final = {
    LeaseState.HELD: State.RUNNING,
    LeaseState.ENDING: State.RUNNING,
    LeaseState.STUCK: State.PARKED,
    LeaseState.ENDED: State.COMPLETED,
}


@workflow.defn(name=LEASE_WORKFLOW)
class LeaseWorkflow(OneInput):
    """Holds one thing until its time, its owner or a person ends it."""

    @workflow.init
    def __init__(self, lease: LeaseRequest) -> None:
        self._lease = lease.model_copy(update={"taken_at": lease.taken_at or workflow.now()})
        self._state = LeaseState.ENDING if lease.ending else LeaseState.HELD
        self._asked_until: datetime | None = None
        self._refused = self._problem = ""
        self._again = False
        self._to_answer: list[LeaseTaken] = []
        self._stuck: workflow.ChildWorkflowHandle[object, object] | None = None

    @workflow.query
    def view(self) -> LeaseView:
        """How it stands."""
        return LeaseView(
            state=self._state,
            lease=self._lease,
            asked_until=self._asked_until,
            refused=self._refused,
            problem=self._problem,
        )

    @workflow.signal
    def taken(self, by: LeaseTaken) -> None:
        """A goal that adopts what an earlier run had made holds it from now on; it hears whether it may."""
        if not self._lease.ending:
            self._change(owner=by.owner, handed_over=True)
            until = min(by.ends_at, self._lease.at_most)
            if until > self._lease.ends_at:
                self._asked_until = until
        self._to_answer.append(by)

    @workflow.signal
    def owner_gone(self, gone: OwnerGone) -> None:
        """End it, unless it is somebody else's by now."""
        if gone.owner == self._lease.owner:
            self._begin_to_end(gone.why)

    @workflow.signal
    def owner_changed(self, to: OwnerChanged) -> None:
        """From its owner: it goes on without."""
        if to.before == self._lease.owner:
            self._change(owner=to.now, handed_over=True)

    @workflow.update
    def extend(self, request: ExtendLease) -> LeaseView:
        """Let it live longer, or less long. What costs more is asked at the provider first; the view tells how."""
        workflow.logger.info("a person extends a lease", extra={"note": request.note})
        self._asked_until, self._refused = request.ends_at, ""
        return self.view()

    @extend.validator
    def _may_extend(self, request: ExtendLease) -> None:
        self._require_held("extended")
        if request.ends_at > self._lease.at_most:
            raise _refused(f"this lease may live until {_utc(self._lease.at_most)} at most: choose an earlier end")
        if request.ends_at <= workflow.now():
            raise _refused(f"{_utc(request.ends_at)} is over: end the lease instead")

    @workflow.update
    def end(self, request: EndLease) -> LeaseView:
        """End it now."""
        workflow.logger.info("a person ends a lease", extra={"note": request.note})
        self._begin_to_end("a person ended it" + (f": {visible(request.note)}" if request.note else ""))
        self._again = True
        return self.view()

    @workflow.update
    def hand_over(self, request: HandOverLease) -> LeaseView:
        """Let it end with another goal, or with its time alone."""
        workflow.logger.info("a person hands a lease over", extra={"note": request.note})
        owner = Owner(workflow_id=request.owner) if request.owner is not None else None
        self._change(owner=owner, handed_over=True)
        return self.view()

    @hand_over.validator
    def _may_hand_over(self, request: HandOverLease) -> None:
        del request
        self._require_held("handed over")

    @workflow.run
    async def run(self, lease: LeaseRequest) -> LeaseResult:
        """Hold it, then end it and see that it is gone."""
        del lease
        self._show()
        answering = asyncio.create_task(self._answer())
        living = asyncio.create_task(self._live())
        while True:
            try:
                result = await asyncio.shield(living)
                break
            except asyncio.CancelledError:
                if living.done():  # the worker ends, and not the goal
                    raise
                self._parent_is_gone()
        answering.cancel()
        if result is not None:
            await self._tell_owner()
        await workflow.wait_condition(workflow.all_handlers_finished)
        if result is None:
            workflow.continue_as_new(self._lease)
        return result

    async def _tell_owner(self) -> None:
        """A parent hears how its child ended; who took it over does not."""
        owner = self._lease.owner
        if not self._lease.handed_over or owner is None or not workflow.patched(_TELLS_ITS_OWNER):
            return
        said = LeaseSaid(lease=self._lease.id, taken=False)
        with contextlib.suppress(ApplicationError):  # it is over, too
            # Let go, never cancelled: a signal that is cancelled in the task that sends it wedges the workflow.
            await asyncio.shield(workflow.get_external_workflow_handle(owner.workflow_id).signal(LEASE_SAID, said))

    def _parent_is_gone(self) -> None:
        """The server cancels it when the run of the goal that started it closes; so may a person."""
        if not self._lease.handed_over:
            self._begin_to_end("the goal that held it is over")

    async def _live(self) -> LeaseResult | None:
        """Until it has ended; None where its history has become long."""
        while not self._lease.ending:
            left = self._lease.ends_at - workflow.now()
            if left <= timedelta():
                self._begin_to_end("its time was over")
                break
            with contextlib.suppress(asyncio.TimeoutError):
                await workflow.wait_condition(
                    lambda: bool(self._asked_until or self._lease.ending), timeout=min(left, _LONGEST_TIMER)
                )
            if self._asked_until is not None and not self._lease.ending:
                await self._prolong(self._asked_until)
            if workflow.info().is_continue_as_new_suggested() and not self._lease.ending:
                return None
        return await self._until_gone()

    async def _prolong(self, until: datetime) -> None:
        """At the provider first, where it knows an end; a refusal by the guard or the provider changes nothing."""
        try:
            if self._lease.extend is not None:
                asked = self._lease.extend.asking(self._lease.step_request(until))
                await _call(asked, Nothing, summary=f"Extend {self._name} until {_utc(until)}")
        except ActivityError as error:
            self._asked_until, self._refused = None, why_failed(error)
            self._show()
            return
        self._asked_until, self._refused = None, ""
        self._change(ends_at=until)

    async def _until_gone(self) -> LeaseResult:
        """End it, as often as it takes."""
        began, tries = workflow.now(), 0
        while (why := await self._end_once()) is not None:
            self._problem, refused_for_good = why
            tries += 1
            if refused_for_good or workflow.now() - began >= self._lease.patience:
                await self._tell()
            else:
                self._show()
            pauses = len(_FIRST_LOOKS)
            pause = _FIRST_LOOKS[tries - 1] if tries <= pauses else pause_of_parked(tries - pauses - 1)
            with contextlib.suppress(asyncio.TimeoutError):
                await workflow.wait_condition(lambda: self._again, timeout=pause)
            self._again = False
        self._state, self._problem = LeaseState.ENDED, ""
        self._show()
        return LeaseResult(why=self._lease.ending, ended_at=workflow.now(), tries=tries + 1)

    async def _end_once(self) -> tuple[str, bool] | None:
        """None when the provider says that it is gone; else why it is not, and whether no other try may help."""
        problem, for_good = "", self._lease.end is None
        place = self._lease.step_request()
        # Both steps together within its patience: people are told in time also of a provider that is silent.
        within = min(_ONE_TRY, max(_SHORTEST_TRY, self._lease.patience / 2))
        if self._lease.end is not None:
            try:
                await _call(self._lease.end.asking(place), Nothing, summary=f"End {self._name}", within=within)
            except ActivityError as error:
                problem, for_good = why_failed(error), _for_good(error)
        try:
            look = self._lease.check.asking(place)
            found = await _call(look, LeaseStanding, summary=f"See whether {self._name} is gone", within=within)
        except ActivityError as error:
            return problem or why_failed(error), for_good or _for_good(error)
        if not found.there:
            return None
        return problem or found.told or "it is still there", for_good

    async def _tell(self) -> None:
        """Once, by a workflow that lives as long as this one and says then that it is over."""
        self._state = LeaseState.STUCK
        self._show()
        if self._stuck is not None and not self._stuck.done():
            return
        self._stuck = await workflow.start_child_workflow(
            LEASE_NOTICE,
            TellLease(why=self._problem[:_MOST_TOLD]),
            id=f"lease-notice/{workflow.uuid4()}",
            cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
            parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
            static_summary="Announce a lease that cannot be ended",
        )
        self._stuck.add_done_callback(heard)

    async def _answer(self) -> None:
        """Tell goals that want to take it over whether they may."""
        while True:
            await workflow.wait_condition(lambda: bool(self._to_answer))
            by = self._to_answer.pop(0)
            said = LeaseSaid(lease=self._lease.id, taken=not self._lease.ending)
            handle = workflow.get_external_workflow_handle(by.owner.workflow_id, run_id=by.answer_to)
            with contextlib.suppress(ApplicationError):  # it is over; the sweep finds what nobody holds
                # Let go, never cancelled: a signal that is cancelled in the task that sends it wedges the workflow.
                await asyncio.shield(handle.signal(LEASE_SAID, said))

    def _begin_to_end(self, why: str) -> None:
        if not self._lease.ending:
            self._state = LeaseState.ENDING
            self._change(ending=why)

    def _change(self, **changes: object) -> None:
        self._lease = self._lease.model_copy(update=changes)
        self._show()

    def _require_held(self, done: str) -> None:
        if self._lease.ending:
            raise _refused(f"this lease is being ended ({self._lease.ending}) and cannot be {done}")

    def _show(self) -> None:
        workflow.upsert_search_attributes([STATE_ATTRIBUTE.value_set(_STATES[self._state].value)])
        workflow.upsert_memo({LEASE_MEMO: self.view().model_dump(mode="json")})
        workflow.set_current_details(unhidden_lines(self._details()))

    def _details(self) -> str:
        lease = self._lease
        holder = f"held by {visible(lease.owner.workflow_id)}" if lease.owner else "held by nobody"
        match self._state:
            case LeaseState.HELD:
                return f"**{self._name}**, {holder}, until {_utc(lease.ends_at)}"
            case LeaseState.STUCK:
                return (
                    f"**{self._name} cannot be ended:** {self._problem}\n\n`banksman leases show {visible(lease.id)}`"
                )
            case LeaseState.ENDED:
                return f"**{self._name}** is gone: {lease.ending}"
            case _:
                return f"**{self._name}** is being ended: {lease.ending}. {self._problem}"

    @property
    def _name(self) -> str:
        return visible(f"{self._lease.title} {self._lease.leased.name}")


async def _call(call: StepCall, response: type[Response], *, summary: str, within: timedelta = _ONE_TRY) -> Response:
    step = call.declared(response)
    return await execute(step, GivenRequest(call.request), summary=summary, preset=step.preset.within(within))


def why_failed(error: ActivityError) -> str:
    """What a step said, or what it waited for."""
    cause = error.cause
    if isinstance(cause, TimedOut):
        last = cause.cause
        return f"{error.activity_type} got no answer in time" + (f": {last}" if last else "")
    return cause.message if isinstance(cause, ApplicationError) else str(cause or error)


def _for_good(error: ActivityError) -> bool:
    return isinstance(error.cause, ApplicationError) and error.cause.non_retryable


def _refused(text: str) -> ApplicationError:
    return application_error(ErrorType.INVALID_REQUEST, text)


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def heard(notice: "asyncio.Task[object]") -> None:
    """However a child ended, nobody waits for it."""
    if not notice.cancelled():
        notice.exception()
