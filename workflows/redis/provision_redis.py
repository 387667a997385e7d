"""The goal `ProvisionRedis`: priced, made once, ready, and with users that can do what they should and nothing else."""

from datetime import timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType, application_error
    from activities.redis.contracts import (
        CheckAccessRequest,
        DatabaseMade,
        DatabasePriced,
        DatabaseRequest,
        DatabaseSeen,
        GrantAccessRequest,
        LookAtDatabaseRequest,
        PurchaseDatabaseParameters,
    )
    from hitl.approval.plan import Change, Cost, Plan, Resource, Risk
    from workflows.approval.approved_step import PEOPLE_MAY_ALLOW, ApprovingGoal
    from workflows.contracts import State
    from workflows.goal import StepDenied
    from workflows.goal_type import goal
    from workflows.redis.goals import (
        PROVISION_REDIS,
        Consumer,
        ConsumerGranted,
        ProvisionRedisInput,
        ProvisionRedisResult,
    )
    from workflows.redis.sellers import SELLERS

_READY: Final = "active"
_BROKEN: Final = frozenset({"error", "suspended", "passive", "deleting"})
_LOOKS: Final = 90
_BETWEEN_LOOKS: Final = timedelta(seconds=2)
_LONGEST_BETWEEN: Final = timedelta(seconds=60)


@goal(PROVISION_REDIS)
class ProvisionRedisWorkflow(ApprovingGoal):
    """Make a database, where the policy lets it by itself, and otherwise once people approved it at its price."""

    @workflow.init
    def __init__(self, request: ProvisionRedisInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._steps = SELLERS[request.provider]
        self._existed: bool | None = None
        self._priced = DatabasePriced(name=request.name, usd_cents=0)

    @workflow.run
    async def run(self, request: ProvisionRedisInput) -> ProvisionRedisResult:
        """Price, make, wait, grant, check; a refusal is a result, whoever refuses."""
        return await self.run_goal(
            self._provision(),
            denied=lambda reason: ProvisionRedisResult(
                outcome=State.DENIED, reason=reason, provider=request.provider, name=request.name
            ),
        )

    async def _provision(self) -> ProvisionRedisResult:
        wanted = self._wanted
        await self._price()
        if self._priced.usd_cents > 100 * wanted.most_usd:
            costs, may = f"{self._priced.usd_cents / 100:.2f}", wanted.most_usd
            return ProvisionRedisResult(
                outcome=State.REFUSED,
                reason=f"It would cost {costs} USD in a month, and may cost {may}: nothing was made. Ask for less, or "
                "let it cost more.",
                provider=wanted.provider,
                name=wanted.name,
                usd_cents=self._priced.usd_cents,
            )
        seen = await self._ready(await self._made())
        consumers = [await self._grant(seen, one) for one in wanted.consumers]
        return ProvisionRedisResult(
            provider=wanted.provider,
            name=seen.name,
            id=seen.id,
            endpoint=seen.endpoint,
            port=seen.port,
            tls=seen.tls,
            usd_cents=self._priced.usd_cents,
            existed=self._existed,
            consumers=tuple(consumers),
        )

    async def _price(self) -> None:
        request = self._request_for(self._wanted.most_usd)
        self._priced = await self.step(self._steps.price, request, summary=f"Price {self._wanted.name}")

    async def _made(self) -> str:
        """Its id."""
        summary = f"Create {self._priced.name}"
        try:
            made = await self.step(self._steps.create, self._request_for(self._most_usd), summary=summary)
        except StepDenied as refusal:
            if refusal.reason not in PEOPLE_MAY_ALLOW:
                raise
        else:
            self._existed = made.adopted
            return made.id
        await self.approved_step(self._steps.purchase, self._plan, summary=summary, confirm=self._confirm_made)
        self.end_if_cancelled()
        # Not the id that the step told: whoever takes its queue tells any.
        return (await self._look(self._priced.name)).id

    @property
    def _most_usd(self) -> int:
        """Whole dollars of its price: what is made may cost no more, also where more was allowed."""
        return -(-self._priced.usd_cents // 100)

    def _request_for(self, most_usd: int) -> DatabaseRequest:
        wanted = self._wanted
        return DatabaseRequest(
            name=wanted.name,
            region=wanted.region,
            subscription=wanted.subscription,
            memory_mb=wanted.memory_mb,
            eviction=wanted.eviction,
            most_usd=most_usd,
        )

    async def _plan(self) -> Plan:
        if self._asked:
            await self._price()
        wanted, priced = self._wanted, self._priced
        parameters = PurchaseDatabaseParameters(
            resource=wanted.name,
            account=wanted.subscription,
            region=wanted.region,
            memory_mb=wanted.memory_mb,
            eviction=wanted.eviction,
            most_usd=self._most_usd,
        )
        users = [f"{one.name} may {one.access} keys that begin with {one.prefix}" for one in wanted.consumers]
        return Plan(
            action=self._steps.purchase.name,
            parameters=parameters.model_dump(mode="json"),
            resources=(Resource(kind="redis database", name=priced.name, change=Change.CREATE),),
            summary=(f"Create the Redis database {priced.name} at {wanted.provider}", *priced.lines[:20], *users),
            risk=Risk.LOW,
            cost=Cost(usd_cents=priced.usd_cents, per="month"),
        )

    async def _confirm_made(self, plan: Plan, made: DatabaseMade) -> None:
        """Look by the name that the plan's mark makes, by another process with another credential."""
        del plan, made
        seen = await self._look(self._priced.name)
        if seen.name != self._priced.name:
            raise application_error(
                ErrorType.OUTCOME_UNKNOWN,
                f"{self._priced.name!r} is said to be made, and there is {seen.name!r} instead: look at what happened",
            )

    async def _ready(self, database: str) -> DatabaseSeen:
        pause, looks = _BETWEEN_LOOKS, 1
        while (seen := await self._look(database)).state != _READY or seen.modifying:
            if seen.state in _BROKEN or looks >= _LOOKS:
                break
            await workflow.sleep(pause)
            pause, looks = min(1.5 * pause, _LONGEST_BETWEEN), looks + 1
        else:
            return seen
        raise application_error(
            ErrorType.OUTCOME_UNKNOWN,
            f"the database {seen.name!r} ({seen.id}) was made, is paid for, and does not serve: it is "
            f"{seen.state or 'in no state'}. Look at it in its provider's console, and remove it by RemoveRedis",
        )

    async def _look(self, database: str) -> DatabaseSeen:
        return await self.step(
            self._steps.look, LookAtDatabaseRequest(database=database), summary=f"Look at {self._priced.name}"
        )

    async def _grant(self, seen: DatabaseSeen, consumer: Consumer) -> ConsumerGranted:
        told = {"database": seen.id, "consumer": consumer.name, "prefix": consumer.prefix, "access": consumer.access}
        told["name"] = seen.name  # its id is made anew by each run, also by a rehearsal
        granted = await self.step(
            self._steps.grant, GrantAccessRequest.model_validate(told), summary=f"Grant access to {consumer.name}"
        )
        await self.step(
            self._steps.check, CheckAccessRequest.model_validate(told), summary=f"Check access of {consumer.name}"
        )
        return ConsumerGranted(name=consumer.name, user=granted.user, secret=granted.secret)
