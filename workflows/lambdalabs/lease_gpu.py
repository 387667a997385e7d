"""The goal `LeaseGpu`: a machine at a known price, really ready, held for its hours, and ended whatever happens.

The lease is taken before anything is made: the key, then the machine. Where this goal is ended in whatever way, the
server cancels the lease, which ends what carries the goal's mark, and asks Lambda whether it is gone.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Generator
from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType, application_error
    from activities.lambdalabs.contracts import (
        ADD_SSH_KEY,
        BUY_INSTANCE,
        CHECK_INSTANCE,
        CHECK_READY,
        GPU,
        LAUNCH_INSTANCE,
        LOOK_AT_TYPES,
        RENAME_INSTANCE,
        RESTART_INSTANCE,
        BuyGpuParameters,
        GpuLaunched,
        GpuReadiness,
        GpuStanding,
        LaunchRequest,
        LeasedGpu,
        LookAtTypesRequest,
        RenameRequest,
        RestartRequest,
    )
    from connectors.creation import mark
    from hitl.approval.plan import Change, Cost, Plan, Resource, Risk
    from hitl.hidden import visible
    from workflows.approval.approved_step import PEOPLE_MAY_ALLOW, ApprovingGoal
    from workflows.contracts import Outcome, State
    from workflows.goal import StepDenied, StepWaits
    from workflows.goal_type import goal
    from workflows.lambdalabs.goals import LEASE_GPU, LeaseGpuInput, LeaseGpuResult, RenameGpu, RestartGpu
    from workflows.lambdalabs.market import Market, TooExpensive, market
    from workflows.lambdalabs.serving import ServingGoal
    from workflows.leases.contracts import LeaseResult
    from workflows.leases.leasing import LeasingGoal

_FIRST_WAIT: Final = timedelta(minutes=1)
_LONGEST_WAIT: Final = timedelta(minutes=15)
_FIRST_LOOK: Final = timedelta(seconds=5)
_LONGEST_LOOK: Final = timedelta(minutes=1)
_BOOTS_WITHIN: Final = timedelta(minutes=40)
"""Large machines take twenty minutes until Lambda calls them active, and their GPUs answer after that."""
_CHANGES_WITHIN: Final = timedelta(minutes=10)
"""All attempts at one change together; then whoever asked for it is told."""
_GOES_DOWN_WITHIN: Final = timedelta(minutes=1)
"""For so long a machine that is to restart may still answer as before."""
_LOOK_EVERY: Final = timedelta(minutes=30)
_MINUTE: Final = timedelta(minutes=1)
_SHOWS_WITHIN: Final = 9
"""So many looks may not show yet what was launched."""
_ENDING: Final = frozenset({"terminating", "terminated"})
_BROKEN: Final = frozenset({"unhealthy", "preempted"})
_GONE: Final = "the machine is gone, and not by its lease: somebody ended it, or Lambda Labs did"


class _Ended(Exception):
    """The goal ends, and not as it was asked for."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome


class _Broken(Exception):
    """There is a machine, and it is of no use."""


_Over = asyncio.Task[LeaseResult | None]
"""Done when the lease has ended."""


class _Prepared(contextlib.AbstractAsyncContextManager[None]):
    """Lease and key, made after people approved and before the machine is launched. They stay."""

    def __init__(self, prepare: Callable[[], Awaitable[None]]) -> None:
        self._prepare = prepare

    async def __aenter__(self) -> None:
        await self._prepare()

    async def __aexit__(self, *_: object) -> None:
        """The lease ends them."""


@goal(LEASE_GPU)
class LeaseGpuWorkflow(LeasingGoal, ApprovingGoal, ServingGoal):
    """Find capacity, take the lease, launch (where the policy lets no goal, once people approved), hold, and end."""

    @workflow.init
    def __init__(self, request: LeaseGpuInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._mark = mark(workflow.info().workflow_id)
        self._market = Market(choices=(), available=(), cents_per_hour=0)
        self._asks_people = False
        self._began: datetime | None = None
        self._result = LeaseGpuResult(name=request.name)
        self._over: _Over | None = None
        self._changing = ""

    @workflow.signal
    async def give_back(self) -> None:
        """From the goal that has it held: it is needed no longer."""
        if self._is_held and (lease := self._result.lease) is not None:
            await self.end_lease(lease)

    @workflow.query
    def gpu(self) -> LeaseGpuResult:
        """The machine, as far as it is known."""
        return self._result

    @workflow.update(unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def restart(self, request: RestartGpu) -> LeaseGpuResult:
        """Restart the machine, and wait until it is ready again. Its lease goes on meanwhile."""
        workflow.logger.info("a person restarts a machine", extra={"note": request.note})
        with self._change("Restart"):
            asked = RestartRequest(**self._place.model_dump(), instance=self._result.instance or "")
            preset = RESTART_INSTANCE.preset.within(_CHANGES_WITHIN)
            await self.attempt(RESTART_INSTANCE, asked, summary=f"Restart {self._wanted.name}", preset=preset)
            await self._until_ready_again()
        return self._result

    @restart.validator
    def _may_restart(self, request: RestartGpu) -> None:
        del request
        self._require_held()

    @workflow.update(unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def rename(self, request: RenameGpu) -> LeaseGpuResult:
        """Have Lambda call the machine something else."""
        workflow.logger.info("a person renames a machine", extra={"note": request.note})
        with self._change("Rename"):
            instance = self._result.instance or ""
            asked = RenameRequest(**self._place.model_dump(), instance=instance, called=request.name)
            preset = RENAME_INSTANCE.preset.within(_CHANGES_WITHIN)
            await self.attempt(RENAME_INSTANCE, asked, summary=f"Rename {self._wanted.name}", preset=preset)
            self._told(called=request.name)
        return self._result

    @rename.validator
    def _may_rename(self, request: RenameGpu) -> None:
        del request
        self._require_held()

    @workflow.run
    async def run(self, request: LeaseGpuInput) -> LeaseGpuResult:
        """Lease it; a refusal is a result, whoever refuses."""
        del request
        return await self.run_goal(
            self._lease_gpu(),
            denied=lambda reason: self._result.model_copy(update={"outcome": State.DENIED, "reason": reason}),
        )

    async def _lease_gpu(self) -> LeaseGpuResult:
        try:
            launched = await self._launched()
            self._told(
                instance=launched.id,
                type=launched.type,
                region=launched.region,
                cents_per_hour=launched.cents_per_hour,
                tried=launched.tried,
                ticket=launched.ticket,
            )
            self._over = over = asyncio.create_task(self.lease_over(self._result.lease or ""))
            if await self._is_ready_before(over):
                await self.tell_who_serves(self._result)
                await self._hold(over)
            self._is_over(over.result())
        except (_Ended, TooExpensive) as problem:
            outcome = problem.outcome if isinstance(problem, _Ended) else State.REFUSED
            self._told(outcome=outcome, reason=str(problem))
        except _Broken as problem:
            self._is_over(await self._give_back(f"End it: {problem}"))
            self._told(outcome=State.PARTIALLY_APPLIED, reason=f"{problem}. It was ended; what it cost is told.")
        return self._result

    def _told(self, **more: object) -> None:
        self._result = self._result.model_copy(update=more)

    # Until it is launched.

    async def _launched(self) -> GpuLaunched:
        """A machine, as soon as there is capacity for one.

        Raises:
            _Ended: There was none for as long as it was to be waited; or nothing says what it is to serve.
            TooExpensive: It costs more than it may.
        """
        if why := await self.find_what_it_serves(self._wanted.serves):
            raise _Ended(State.REFUSED, why)
        until, pause = workflow.now() + timedelta(hours=self._wanted.wait_hours), _FIRST_WAIT
        while True:
            await self._look_at_market()
            tried = tuple(map(str, self._market.choices)) or self._wanted.types
            if self._market.available:
                made = await self._attempt()
                if made.id:
                    return made
                tried = made.tried or tried
                await self._give_back("Give the lease back: nothing was launched")
            left = until - workflow.now()
            self._told(tried=tuple(map(visible, tried)))
            if left <= timedelta():
                raise _Ended(State.REFUSED, f"Lambda Labs has no capacity for {_listed(tried)}: nothing was launched")
            pause = min(pause, left)
            self.begin(
                f"Wait for capacity: none for {_listed(tried)}; looked for again at {_utc(workflow.now() + pause)}, "
                f"until {_utc(until)}"
            )
            await workflow.sleep(pause)
            pause = min(2 * pause, _LONGEST_WAIT)

    async def _look_at_market(self) -> None:
        wanted = self._wanted
        request = LookAtTypesRequest(names=wanted.types)
        seen = await self.step(
            LOOK_AT_TYPES, request, summary=f"Look at prices and capacity of {_listed(wanted.types)}"
        )
        self._market = market(wanted, seen)

    async def _attempt(self) -> GpuLaunched:
        """One launch; an answer without an id says that there was no capacity after all."""
        summary = self._wanted.summary()
        if not self._asks_people:
            await self._prepare()
            request = LaunchRequest(
                name=self._wanted.name,
                choices=self._market.choices,
                hours=self._wanted.hours,
                cents_per_hour=self._market.cents_per_hour,
                boot=self._serving.boot,
            )
            try:
                made = await self.step(
                    LAUNCH_INSTANCE, request, summary=summary, preset=LAUNCH_INSTANCE.preset.ending_first()
                )
            except StepDenied as refusal:
                if refusal.reason not in PEOPLE_MAY_ALLOW:
                    raise
                self._asks_people = True
                await self._give_back("Give the lease back, and ask people")
            else:
                self.end_if_cancelled()
                return made
        made = await self.approved_step(
            BUY_INSTANCE,
            self._plan,
            summary=summary,
            under=lambda: _Prepared(self._prepare),
            confirm=self._confirm_bought,
            replans=1,
        )
        self.end_if_cancelled()
        return made

    async def _prepare(self) -> None:
        """The lease, whose hours begin now, and then the key."""
        await self._give_back("Give the earlier lease back")
        self._began = now = workflow.now()
        ends_at = now + timedelta(hours=self._wanted.hours)
        leased = GPU.leased(self._place, mark=self._mark, name=self._wanted.name)
        lease = await self.take_lease(GPU.lease(leased, now=now, ends_at=ends_at))
        self._told(lease=lease, ends_at=ends_at)
        key = await self.step(ADD_SSH_KEY, self._place, summary=f"Make the SSH key of {self._wanted.name}")
        self._told(secret=key.secret)

    @property
    def _place(self) -> LeasedGpu:
        return LeasedGpu(mark=self._mark, name=self._wanted.name, cents_per_hour=self._market.cents_per_hour)

    async def _give_back(self, why: str) -> LeaseResult | None:
        """End the lease, where there is one, and wait until what it holds is gone."""
        if (lease := self._result.lease) is None:
            return None
        self.begin(why)
        ended = await self.end_lease(lease)
        self._told(lease=None, secret=None, address=None, ends_at=None)
        return ended

    async def _plan(self) -> Plan:
        wanted = self._wanted
        if self._asked:
            before = self._market
            await self._look_at_market()
            if not self._market.choices:  # nowhere by now, which the step that launches says
                self._market = before
        cents = wanted.hours * self._market.cents_per_hour
        costs = f"${self._market.cents_per_hour / 100:.2f} an hour at most, ${cents / 100:.2f} in all"
        parameters = BuyGpuParameters(
            resource=wanted.name,
            choices=self._market.choices,
            hours=wanted.hours,
            cents_per_hour=self._market.cents_per_hour,
            boot=self._serving.boot,
        )
        # Without what it does not serve, a plan is the same to the byte as in earlier releases, which people approved.
        return Plan(
            action=BUY_INSTANCE.name,
            parameters=parameters.model_dump(mode="json", exclude_none=True),
            resources=(Resource(kind="GPU machine", name=wanted.name, change=Change.CREATE),),
            summary=(
                f"Launch the GPU machine {wanted.name} at Lambda Labs, the first that there is capacity for of:",
                *(visible(str(one)) for one in self._market.choices),
                *self.says_what_it_serves(),
                f"It costs {costs}: after {wanted.hours} hours it is ended, with all that is on it",
            ),
            risk=Risk.LOW,
            cost=Cost(usd_cents=cents, per="once"),
        )

    async def _confirm_bought(self, plan: Plan, made: GpuLaunched) -> None:
        """Look, with another credential, whether what is said to be launched is what was approved."""
        approved = plan.parameters_as(BuyGpuParameters)
        seen = await self._standing()
        for _ in range(_SHOWS_WITHIN if made.id else 0):
            if seen.there:
                break
            await workflow.sleep(_FIRST_LOOK)
            seen = await self._standing()
        is_so = not seen.there or seen.status in _ENDING
        if made.id:
            choices = {(one.type, one.region) for one in approved.choices}
            is_so = (seen.id, True, True) == (
                made.id,
                (seen.type, seen.region) in choices,
                seen.cents_per_hour <= approved.cents_per_hour,
            )
        if not is_so:
            said, is_there = "launched" if made.id else "not launched", seen.told or "nothing is there"
            raise application_error(
                ErrorType.OUTCOME_UNKNOWN,
                f"{approved.resource!r} is said to be {said}, and Lambda Labs says otherwise ({is_there}): look at "
                "what happened",
            )

    async def _standing(self) -> GpuStanding:
        return await self.step(CHECK_INSTANCE, self._place, summary=f"Look what runs as {self._wanted.name}")

    # From its launch on.

    async def _is_ready_before(self, over: _Over) -> bool:
        """Whether the machine says so itself, before its lease has ended.

        Raises:
            _Broken: It is not healthy, or does not answer in time.
        """
        until, pause = workflow.now() + _BOOTS_WITHIN, _FIRST_LOOK
        while not over.done():
            seen = await self.step(CHECK_READY, self._place, summary=f"Ask {self._wanted.name} whether it is ready")
            if self._is_ready(seen):
                self._told(address=seen.address, gpus=seen.gpus)
                return True
            if seen.status in _BROKEN:
                raise _Broken(f"the machine {self._result.instance} is {seen.status}")
            if workflow.now() >= until:
                raise _Broken(f"the machine {self._result.instance} is not ready after 40 minutes: {_unready(seen)}")
            await _pause(over, pause)
            pause = min(2 * pause, _LONGEST_LOOK)
        return False

    def _is_ready(self, seen: GpuReadiness) -> bool:
        if self.serves:  # whoever has it serve asks the model itself, by the line that it dials
            return seen.status == "active"
        if seen.status != "active" or not seen.answers:
            return False
        return self._wanted.ready == "ssh" or (seen.gpus is not None and seen.gpus >= max(seen.wanted, 1))

    async def _hold(self, over: _Over) -> None:
        """Until its lease has ended: by its time, or by a person.

        Raises:
            _Broken: It is gone, or of no use any more.
        """
        while True:
            self._show_held()
            await _pause(over, _LOOK_EVERY)
            if over.done():
                return
            seen = await self._standing()
            if seen.status in _BROKEN and not self._changing:
                raise _Broken(f"the machine {self._result.instance} is {seen.status}")
            if not seen.there or seen.status in _ENDING:
                await _pause(over, _LONGEST_LOOK)  # its lease may be about to say why
                if not over.done():
                    raise _Broken(_GONE)

    # What people change meanwhile.

    @property
    def _is_held(self) -> bool:
        return self._result.address is not None and self._over is not None and not self._over.done()

    def _require_held(self) -> None:
        if not self._is_held:
            raise application_error(
                ErrorType.INVALID_REQUEST, "this goal holds no machine that is ready: its status says what it waits for"
            )
        if self._changing:
            raise application_error(ErrorType.INVALID_REQUEST, f"{self._changing} is under way: ask once it is done")

    @contextlib.contextmanager
    def _change(self, what: str) -> Generator[None]:
        """One at a time. Whoever asked hears of a refusal; the goal goes on."""
        self._changing = visible(f"{what} {self._wanted.name}")
        self.begin(self._changing)
        try:
            yield
        except StepDenied as refusal:
            raise application_error(ErrorType.POLICY_DENIED, str(refusal)) from refusal
        except StepWaits as waits:
            raise application_error(ErrorType.UNAVAILABLE, f"it was given up: {waits}") from waits
        finally:
            self._changing = ""
            if self._is_held:
                self._show_held()

    async def _until_ready_again(self) -> None:
        """After a restart. A machine that does not come back is left to people: what is on its disk may be of worth."""
        asked_at, pause, was_down = workflow.now(), _FIRST_LOOK, False
        while self._is_held:
            asked = f"Ask {self._wanted.name} whether it is ready again"
            seen = await self.attempt(
                CHECK_READY, self._place, summary=asked, preset=CHECK_READY.preset.within(_CHANGES_WITHIN)
            )
            ready, waited = self._is_ready(seen), workflow.now() - asked_at
            was_down = was_down or not ready
            if ready and (was_down or waited >= _GOES_DOWN_WITHIN):
                self._told(address=seen.address, gpus=seen.gpus)
                return
            if waited >= _BOOTS_WITHIN:
                raise application_error(
                    ErrorType.UNAVAILABLE,
                    f"the machine was restarted, and is not ready after 40 minutes: {_unready(seen)}. It is held on; "
                    "restart it again, or end its lease",
                )
            with contextlib.suppress(asyncio.TimeoutError):
                await workflow.wait_condition(lambda: not self._is_held, timeout=pause)
            pause = min(2 * pause, _LONGEST_LOOK)
        raise application_error(ErrorType.NOT_FOUND, "its lease ended while it was restarted")

    def _show_held(self) -> None:
        held = self._result
        self._step = visible(
            f"Hold the machine at {held.address} until {_utc(held.ends_at)}, unless its lease is extended or ended; "
            f"its key is in Vault at {held.secret}"
        )
        workflow.set_current_details(
            f"**Ready.** {self._step}.\n\n`banksman leases extend {visible(held.lease or '')} --hours N`"
        )

    def _is_over(self, ended: LeaseResult | None) -> None:
        """What it cost, by the minute, and why it ended."""
        at = ended.ended_at if ended is not None else workflow.now()
        minutes = -(-(at - (self._began or at)) // _MINUTE)
        price = self._result.cents_per_hour or 0
        why = ended.why if ended is not None else "its lease has ended"
        self._told(ended_at=at, usd_cents=-(-minutes * price // 60), reason=visible(why))


async def _pause(over: _Over, longest: timedelta) -> None:
    """Wait, and no longer than the lease lasts."""
    with contextlib.suppress(asyncio.TimeoutError):
        await workflow.wait_condition(over.done, timeout=longest)


def _unready(seen: GpuReadiness) -> str:
    if not seen.answers:
        return f"it is {seen.status or 'not shown'}, and SSH does not answer"
    return f"SSH answers, and {seen.gpus if seen.gpus is not None else 'nothing is said of'} of {seen.wanted} GPUs"


def _listed(names: tuple[str, ...]) -> str:
    return visible(", ".join(names)[:500])


def _utc(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment is not None else "its end"
