"""The goal `ServeModel`: a machine by `LeaseGpu`, a model that answers through the tunnel, and its place in its tier.

The name is claimed before anything is paid for, and given up before the machine goes. Where this goal is ended in
whatever way, the server cancels the goal that holds the machine, and its place in the tier lapses within a minute and
a half by itself.
"""

import asyncio
import contextlib
from datetime import datetime, timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError, ChildWorkflowError, WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowCancellationType, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.models.serving_contracts import (
        CLAIM_SERVED,
        FIND_SERVED,
        LONGEST_WATCH,
        WATCH_SERVED,
        WITHDRAW_SERVED,
        ClaimServed,
        FindServed,
        ServedSeen,
        WatchServed,
        WithdrawServed,
    )
    from hitl.hidden import visible
    from workflows.contracts import Outcome, State
    from workflows.goal import Goal, StepDenied, StepWaits
    from workflows.goal_type import goal
    from workflows.lambdalabs.goals import LEASE_GPU, LeaseGpuInput, LeaseGpuResult
    from workflows.leases.lease import heard
    from workflows.serving.goals import SERVE_MODEL, ServeModelInput, ServeModelResult

_PEOPLE_TAKE: Final = timedelta(hours=24)
"""So long nobody else gets the name while people are asked about the machine; later it is claimed again."""
_BACK_WITHIN: Final = timedelta(minutes=20)
"""A machine that serves nobody for so long is not paid for any longer."""
_FIRST_PAUSE: Final = timedelta(seconds=5)
_LONGEST_PAUSE: Final = timedelta(minutes=5)
_BEFORE_ITS_END: Final = timedelta(minutes=2)
"""It is out of its tier that long before its machine goes, so that what was asked by then can be answered."""
_WITHDRAWS_WITHIN: Final = timedelta(minutes=2)
"""All attempts together. Where none succeeds, its place lapses by itself."""

_Machine = workflow.ChildWorkflowHandle[Any, LeaseGpuResult]


class _Ended(Exception):
    """It is served no longer, and this is how the goal ends."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome: Outcome = outcome


@goal(SERVE_MODEL)
class ServeModelWorkflow(Goal):
    """Claim the name, have a machine, watch it, and end both."""

    @workflow.init
    def __init__(self, request: ServeModelInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._gpu: LeaseGpuResult | None = None
        self._result = ServeModelResult(backend=request.backend)
        self._withdrawn = False
        self._away = 0

    @workflow.signal
    def gpu_said(self, said: LeaseGpuResult) -> None:
        """From the goal that holds the machine, once that is up."""
        self._gpu = said

    @workflow.query
    def served(self) -> ServeModelResult:
        """How it is served, as far as it is known."""
        return self._result

    @workflow.run
    async def run(self, request: ServeModelInput) -> ServeModelResult:
        """Serve it; a refusal is a result, whoever refuses."""
        del request
        return await self.run_goal(
            self._serve(),
            denied=lambda reason: self._result.model_copy(update={"outcome": State.DENIED, "reason": reason}),
        )

    async def _serve(self) -> ServeModelResult:
        try:
            await self._find()
            await self._claim(self._longest())
            try:
                await self._with_machine(await self._started())
            except (asyncio.CancelledError, _Ended, StepDenied, ApplicationError):
                await self._withdraw()
                raise
        except _Ended as ended:
            self._told(outcome=ended.outcome, reason=visible(str(ended)))
        return self._result

    def _told(self, **more: object) -> None:
        self._result = self._result.model_copy(update=more)

    # Its name.

    async def _find(self) -> None:
        backend = self._wanted.backend
        found = await self.step(FIND_SERVED, FindServed(backend=backend), summary=f"Look what may serve {backend}")
        if found.boot is None:
            raise _Ended(State.REFUSED, found.why)
        self._told(models=found.models, data=found.data)

    def _longest(self) -> datetime:
        """For as long as a machine has to be waited for, and people."""
        return workflow.now() + timedelta(hours=self._wanted.wait_hours) + _PEOPLE_TAKE

    async def _claim(self, until: datetime, ticket: str = "") -> None:
        backend = self._wanted.backend
        asked = ClaimServed(backend=backend, until=until, ticket=ticket)
        claimed = await self.step(CLAIM_SERVED, asked, summary=f"Claim the backend {backend}")
        if not claimed.claimed:
            raise _Ended(State.REFUSED, claimed.why)

    async def _withdraw(self) -> None:
        """Take it out of its tier, once. What goes wrong is left to its end, which is near."""
        if self._withdrawn:
            return
        backend, self._withdrawn = self._wanted.backend, True
        self._told(answers=False)
        with contextlib.suppress(StepWaits, StepDenied, ApplicationError):
            await self.attempt(
                WITHDRAW_SERVED,
                WithdrawServed(backend=backend),
                summary=f"Take {backend} out of its tier",
                preset=WITHDRAW_SERVED.preset.within(_WITHDRAWS_WITHIN),
            )

    # Its machine.

    async def _with_machine(self, machine: _Machine) -> None:
        """From its start to its end, whichever that is; out of its tier first."""
        try:
            self.begin(f"Wait for a machine for {self._wanted.backend}: {machine.id} says what it waits for")
            await workflow.wait_condition(lambda: self._gpu is not None or machine.done())
            if self._gpu is not None and not machine.done():
                await self._serve_on(machine, self._gpu)
        except asyncio.CancelledError:
            await self._withdraw()
            await self._cancel(machine)
            raise
        except (_Ended, StepDenied, ApplicationError):
            await self._withdraw()
            await self._give_back(machine)
            raise
        await self._withdraw()
        await self._over(machine)

    async def _started(self) -> _Machine:
        wanted = self._wanted
        asked = LeaseGpuInput(
            name=f"serve-{wanted.backend}",
            types=wanted.types,
            regions=wanted.regions,
            hours=wanted.hours,
            most_usd=wanted.most_usd,
            wait_hours=wanted.wait_hours,
            break_glass=wanted.break_glass,
            serves=wanted.backend,
        )
        machine_id = f"{workflow.info().workflow_id}/gpu"
        try:
            machine: _Machine = await workflow.start_child_workflow(
                LEASE_GPU.name,
                asked,
                id=machine_id,
                result_type=LeaseGpuResult,
                # This goal ends it by itself, after its place in the tier; the server does where this one cannot.
                cancellation_type=ChildWorkflowCancellationType.ABANDON,
                parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
                static_summary=visible(asked.summary()),
            )
        except WorkflowAlreadyStartedError as error:
            why = f"an earlier machine of this goal is still held by {machine_id}: end its lease, and ask again"
            raise _Ended(State.REFUSED, why) from error
        machine.add_done_callback(heard)
        self._told(machine=machine_id)
        return machine

    async def _over(self, machine: _Machine) -> None:
        """How its machine ended by itself: its lease's time, a person, or it never came."""
        try:
            ended = await asyncio.shield(machine)
        except ChildWorkflowError as error:
            cause = error.cause or error
            why = f"the goal that held its machine broke off ({cause}); its lease ends whatever is left"
            raise _Ended(State.PARTIALLY_APPLIED, why) from error
        self._told(outcome=ended.outcome, reason=ended.reason, usd_cents=ended.usd_cents)

    async def _cancel(self, machine: _Machine) -> None:
        with contextlib.suppress(ApplicationError):
            await asyncio.shield(workflow.get_external_workflow_handle(machine.id).cancel())
        with contextlib.suppress(ChildWorkflowError):
            await asyncio.shield(machine)

    async def _give_back(self, machine: _Machine) -> None:
        """The machine goes, and what it cost is told."""
        self.begin(f"End the machine of {self._wanted.backend}")
        with contextlib.suppress(ApplicationError):
            await asyncio.shield(machine.signal("give_back"))
        with contextlib.suppress(ChildWorkflowError):
            ended = await asyncio.shield(machine)
            self._told(usd_cents=ended.usd_cents)

    # While it is served.

    async def _serve_on(self, machine: _Machine, gpu: LeaseGpuResult) -> None:
        """Until its machine is over, or it is of no use any more.

        Raises:
            _Ended: It is idle, or does not answer, or its time is up.
        """
        ends_at = gpu.ends_at or workflow.now()
        self._told(
            instance=gpu.instance,
            type=gpu.type,
            region=gpu.region,
            ends_at=ends_at,
            cents_per_hour=gpu.cents_per_hour,
        )
        await self._claim(ends_at, gpu.ticket)
        away_since, patience = workflow.now(), timedelta(minutes=self._wanted.comes_within_minutes)
        while not machine.done():
            left = ends_at - _BEFORE_ITS_END - workflow.now()
            if left <= timedelta():
                raise _Ended(State.COMPLETED, "its time is up")
            answered = self._result.answers
            if not answered:
                left = min(left, away_since + patience - workflow.now())
            seen = await self._watch(machine, left)
            if seen is None:
                return
            if answered and not seen.answers:
                away_since, patience = workflow.now(), _BACK_WITHIN
                self._told(lost=self._result.lost + 1)
            self._told(answers=seen.answers, asked=seen.asked)
            self._require_of_use(seen, away_since + patience)
            await self._pause(machine, seen)

    async def _watch(self, machine: _Machine, left: timedelta) -> ServedSeen | None:
        """How it is after a while, or as soon as it changes; None where its machine is over."""
        wanted, answered = self._wanted, self._result.answers
        self._show_whether(answered)
        asked = WatchServed(
            backend=wanted.backend,
            seconds=max(0, int(min(left, LONGEST_WATCH).total_seconds())),
            answered=answered,
            idle_seconds=None if wanted.idle_minutes is None else 60 * wanted.idle_minutes,
        )
        watching = asyncio.create_task(self.step(WATCH_SERVED, asked, summary=self._step or f"Watch {wanted.backend}"))
        watching.add_done_callback(heard)
        try:
            await workflow.wait_condition(lambda: watching.done() or machine.done())
        finally:
            watching.cancel()
        return watching.result() if watching.done() and not watching.cancelled() else None

    def _show_whether(self, answered: bool) -> None:
        backend, price = self._wanted.backend, (self._result.cents_per_hour or 0) / 100
        if answered:
            self.begin(f"Serve {backend}: it is in its tier, at ${price:.2f} an hour")
        else:
            self.begin(f"Wait until {backend} answers: it is in no tier meanwhile, at ${price:.2f} an hour")

    def _require_of_use(self, seen: ServedSeen, until: datetime) -> None:
        """Raises `_Ended` for what is not worth its price any more."""
        if not seen.held:
            raise _Ended(State.PARTIALLY_APPLIED, f"the backend {self._wanted.backend} was claimed by another goal")
        if seen.idle:
            raise _Ended(State.COMPLETED, f"nobody asked it for {self._wanted.idle_minutes} min")
        if not seen.answers and workflow.now() >= until:
            raise _Ended(State.PARTIALLY_APPLIED, f"it does not answer: {seen.why}; its machine was ended")

    async def _pause(self, machine: _Machine, seen: ServedSeen) -> None:
        """Where it is away, longer each time, so that one that comes and goes is not watched each second."""
        self._away = 0 if seen.answers else self._away + 1
        if not seen.answers:
            pause = min(_FIRST_PAUSE * 2 ** min(self._away + self._result.lost - 1, 10), _LONGEST_PAUSE)
            with contextlib.suppress(asyncio.TimeoutError):
                await workflow.wait_condition(machine.done, timeout=pause)
