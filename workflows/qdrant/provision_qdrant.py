"""The goal `ProvisionQdrant`: a cluster at Qdrant Cloud at a known price, and its keys in Vault."""

from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType, application_error
    from activities.qdrant.contracts import (
        BUY_CLUSTER,
        CHECK_DATABASE,
        CREATE_CLUSTER,
        ISSUE_KEYS,
        LOOK_AT_CLUSTER,
        QUOTE_CLUSTER,
        SCHEDULE_BACKUPS,
        BuyClusterParameters,
        ClusterMade,
        ClusterQuoted,
        ClusterRequest,
        ClusterSeen,
        CreateClusterRequest,
        DatabaseRequest,
        IssueKeysRequest,
        KeysIssued,
        LookAtClusterRequest,
        ScheduleBackupsRequest,
        cost_of,
    )
    from hitl.approval.plan import Change, Plan, Resource, Risk
    from hitl.hidden import visible
    from workflows.approval.approved_step import PEOPLE_MAY_ALLOW, ApprovingGoal
    from workflows.contracts import State
    from workflows.goal import StepDenied
    from workflows.goal_type import goal
    from workflows.qdrant.goals import PROVISION_QDRANT, ProvisionQdrantInput, ProvisionQdrantResult

_MILLICENTS_OF_A_DOLLAR: Final = 100_000
_EVERY_NIGHT: Final = "0 3 * * *"
_FIRST_PAUSE: Final = timedelta(seconds=2)
_LONGEST_PAUSE: Final = timedelta(seconds=30)
_PATIENCE: Final = timedelta(hours=1)
_ON_ITS_WAY: Final = frozenset({"UNSPECIFIED", "CREATING", "UPDATING", "SCALING", "UPGRADING", "RESUMING", "NOT_READY"})
_HEALTHY: Final = "HEALTHY"
_KEY_IS_WRONG: Final = frozenset({ErrorType.AUTH_DENIED, ErrorType.NOT_FOUND})


class _IsThere(Exception):
    """The goal has its cluster: there is nothing to approve."""


class _TooExpensive(Exception):
    """It would cost more than it may; the goal makes nothing."""


class _NotUp(Exception):
    """The cluster is there and does not serve, and waiting does not help."""


@goal(PROVISION_QDRANT)
class ProvisionQdrantWorkflow(ApprovingGoal):
    """Price it, make it (where the policy lets no goal, once people approved it), wait, and see to its keys."""

    @workflow.init
    def __init__(self, request: ProvisionQdrantInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._result = ProvisionQdrantResult(name=request.name)

    @workflow.run
    async def run(self, request: ProvisionQdrantInput) -> ProvisionQdrantResult:
        """Provide it; a refusal is a result, whoever refuses."""
        del request
        return await self.run_goal(
            self._provide(),
            denied=lambda reason: self._result.model_copy(update={"outcome": State.DENIED, "reason": reason}),
        )

    async def _provide(self) -> ProvisionQdrantResult:
        try:
            self._told(cluster=await self._cluster())
        except _TooExpensive as problem:
            self._told(outcome=State.REFUSED, reason=str(problem))
            return self._result
        try:
            seen = await self._until_healthy()
        except _NotUp as problem:
            self._told(outcome=State.PARTIALLY_APPLIED, reason=str(problem))
            return self._result
        self._told(url=seen.url, version=seen.version or None)
        await self._keys(seen)
        await self._backups(seen)
        return self._result

    def _told(self, **more: object) -> None:
        self._result = self._result.model_copy(update=more)

    async def _cluster(self) -> str:
        """The id of the goal's one cluster, which is made where it is not there."""
        wanted, quoted = self._wanted, await self._quote()
        if quoted.existing is not None:
            self._told(existed=True)
            return quoted.existing
        request = CreateClusterRequest(
            name=wanted.name,
            provider=wanted.provider,
            region=wanted.region,
            package_id=quoted.package_id,
            nodes=wanted.nodes,
            millicents_per_hour=quoted.millicents_per_hour,
        )
        try:
            made = await self.step(CREATE_CLUSTER, request, summary=wanted.summary())
        except StepDenied as refusal:
            if refusal.reason not in PEOPLE_MAY_ALLOW:
                raise
        else:
            self._told(existed=made.adopted)
            return made.id
        try:
            bought = await self.approved_step(
                BUY_CLUSTER, self._plan, summary=wanted.summary(), confirm=self._confirm_bought, replans=1
            )
        except _IsThere as there:
            return str(there)
        self.end_if_cancelled()
        return bought.id

    async def _quote(self) -> ClusterQuoted:
        wanted = self._wanted
        request = ClusterRequest(
            name=wanted.name,
            provider=wanted.provider,
            region=wanted.region,
            package=wanted.package,
            nodes=wanted.nodes,
        )
        quoted = await self.step(QUOTE_CLUSTER, request, summary=f"Ask the price of {wanted.package}")
        self._told(usd_a_month=cost_of(quoted.millicents_per_hour).in_a_month)
        self._require_affordable(quoted)
        return quoted

    def _require_affordable(self, quoted: ClusterQuoted) -> None:
        costs, may = cost_of(quoted.millicents_per_hour).in_a_month, self._wanted.most_usd
        if quoted.existing is None and costs > may:
            raise _TooExpensive(
                f"It would cost {costs} US dollars in a month, and may cost {may}: nothing was made. Take another "
                "package, or let it cost more by `most_usd`"
            )

    async def _plan(self) -> Plan:
        wanted, quoted = self._wanted, await self._quote()
        if quoted.existing is not None:
            raise _IsThere(quoted.existing)
        cost = cost_of(quoted.millicents_per_hour)
        dollars = quoted.millicents_per_hour / _MILLICENTS_OF_A_DOLLAR
        parameters = BuyClusterParameters(
            resource=wanted.name,
            provider=wanted.provider,
            region=wanted.region,
            package_id=quoted.package_id,
            nodes=wanted.nodes,
            millicents_per_hour=quoted.millicents_per_hour,
        )
        size = f"{wanted.nodes} × {visible(quoted.package)}"
        return Plan(
            action=BUY_CLUSTER.name,
            parameters=parameters.model_dump(),
            resources=(Resource(kind="Qdrant cluster", name=wanted.name, change=Change.CREATE),),
            summary=(
                f"Buy the Qdrant cluster {wanted.name}: {size} in {wanted.provider} {wanted.region}",
                f"It costs ${dollars:.5f} an hour, ${cost.in_a_month} a month at most, until somebody deletes it",
            ),
            risk=Risk.MEDIUM,
            cost=cost,
        )

    async def _confirm_bought(self, plan: Plan, made: ClusterMade) -> None:
        """Look, with another credential, whether the cluster that is said to be bought is the one that was approved."""
        approved = plan.parameters_as(BuyClusterParameters)
        seen = await self._look(made.id, "Verify what was bought")
        if not seen.ours or (seen.package_id, seen.nodes) != (approved.package_id, approved.nodes):
            raise application_error(
                ErrorType.OUTCOME_UNKNOWN,
                f"the cluster {made.id!r} is said to be bought, and is not the one that was approved: look at what is "
                "there at Qdrant Cloud",
            )

    async def _look(self, cluster: str, summary: str) -> ClusterSeen:
        request = LookAtClusterRequest(id=cluster, name=self._wanted.name)
        return await self.step(LOOK_AT_CLUSTER, request, summary=summary)

    async def _until_healthy(self) -> ClusterSeen:
        """The cluster, once it serves.

        Raises:
            _NotUp: It failed, or does not come up.
        """
        cluster, pause, until = self._result.cluster or "", _FIRST_PAUSE, workflow.now() + _PATIENCE
        while True:
            seen = await self._look(cluster, f"Look whether {self._wanted.name} serves")
            if seen.phase == _HEALTHY and seen.url:
                return seen
            why = f"{seen.phase}: {visible(seen.reason)}" if seen.reason else seen.phase
            if seen.phase not in _ON_ITS_WAY and seen.phase != _HEALTHY:
                raise _NotUp(f"the cluster {cluster} is there and does not serve ({why}): look at it, or delete it")
            if workflow.now() >= until:
                raise _NotUp(f"the cluster {cluster} does not come up for an hour ({why}), and costs what it costs")
            await workflow.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _keys(self, seen: ClusterSeen) -> None:
        """See that Vault keeps keys that open the database; where it does not, issue them anew."""
        issued = await self._issue(seen)
        try:
            await self._check()
        except ApplicationError as error:
            if error.type not in _KEY_IS_WRONG or not issued.adopted:
                raise
            issued = await self._issue(seen, anew=True)
            await self._check()
        self._told(reader=issued.reader, writer=issued.writer)

    async def _issue(self, seen: ClusterSeen, *, anew: bool = False) -> KeysIssued:
        request = IssueKeysRequest(id=seen.id, name=self._wanted.name, anew=anew)
        return await self.step(ISSUE_KEYS, request, summary=f"Put the keys of {self._wanted.name} into Vault")

    async def _check(self) -> None:
        request = DatabaseRequest(cluster=self._wanted.name)
        await self.step(CHECK_DATABASE, request, summary=f"Open {self._wanted.name} with the key from Vault")

    async def _backups(self, seen: ClusterSeen) -> None:
        wanted = self._wanted
        if wanted.backup_days is not None:
            request = ScheduleBackupsRequest(id=seen.id, name=wanted.name, cron=_EVERY_NIGHT, days=wanted.backup_days)
            await self.step(SCHEDULE_BACKUPS, request, summary=f"Have backups of {wanted.name} made every night")
