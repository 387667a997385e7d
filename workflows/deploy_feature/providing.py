"""What a service needs of others: had before anything is planned on it, kept where it is deployed, else given back.

Branches are made by this goal, each with a lease that ends it. Redis databases and Qdrant clusters are provided by
goals of their own, which know their prices and ask people where the policy lets no goal buy: nothing is repeated
here. They have no lease; where one was made and the feature is not deployed, the result says how it is removed.
Flows are published by a goal of their own, too, from a file of the commit, one after the other as they stand in the
manifest. One that was live before is published again as the base's file has it, where the feature is not deployed.
"""

import asyncio
import json
import shlex
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError, ChildWorkflowError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.estuary.contracts import LOOK_AT_FLOW, LookAtFlowRequest
    from activities.github.contracts import READ_FILE, ReadFileRequest
    from activities.guard.error_types import ErrorType
    from activities.leases.contracts import LeaseRequest
    from activities.neon.contracts import (
        CREATE_BRANCH,
        KEEP_CONNECTION,
        LONGEST_BRANCH,
        LOOK_AT_BRANCH,
        NEON_BRANCH,
        CreateNeonBranchRequest,
        KeepConnectionRequest,
        LeasedBranch,
        LookAtNeonBranch,
    )
    from activities.neon.logins.contracts import SWEEP_LOGINS, SweepLogins
    from activities.qdrant.collection_contracts import LOOK_AT_ALIAS, LookAtAliasRequest
    from connectors.creation import mark
    from hitl.hidden import unhidden
    from workflows.contracts import GoalInput, GoalResult, State
    from workflows.deploy_feature.feature import Feature, Stopped
    from workflows.deploy_feature.flows import FlowUnusable, specified
    from workflows.deploy_feature.goals import NeedTold
    from workflows.deploy_feature.timeline import Timeline
    from workflows.estuary.goals import PUBLISH_FLOW, PublishFlowInput, PublishFlowResult
    from workflows.goal_type import GoalType
    from workflows.leases.leasing import LeasingGoal
    from workflows.manifest.needs import CollectionNeed, FlowNeed, Need, NeonNeed, QdrantNeed, RedisNeed
    from workflows.qdrant.goals import PROVISION_QDRANT, REMOVE_QDRANT, SWITCH_COLLECTION, ProvisionQdrantResult
    from workflows.redis.goals import PROVISION_REDIS, REMOVE_REDIS, ProvisionRedisResult

Result = TypeVar("Result", bound=GoalResult)
_LONGEST_WHY: Final = 500


@dataclass(kw_only=True)
class _Had:
    """One need that is met.

    Attributes:
        told: For people.
        lease: Of what was made for it; None where nothing was, or what was has no lease.
        held: The lease's workflow, while this goal holds it.
        before: What publishes a flow as it was before; None where nothing is to be published again.
    """

    told: NeedTold
    lease: LeaseRequest | None = None
    held: str | None = None
    before: PublishFlowInput | None = None


class Providing:
    """The needs of one goal.

    Args:
        goal: Takes the steps, and holds the leases.
        timeline: Shows them.
    """

    def __init__(self, goal: LeasingGoal, timeline: Timeline) -> None:
        self._goal: LeasingGoal = goal
        self._timeline = timeline
        self._had: dict[str, _Had] = {}
        self._wanted: tuple[str, ...] = ()
        self._publishing = asyncio.Lock()

    @property
    def told(self) -> tuple[NeedTold, ...]:
        """What became of each that the feature has."""
        return tuple(self._had[key].told for key in self._wanted if key in self._had)

    async def provide(self, feature: Feature) -> None:
        """Have all of them, side by side; those that were had before are not asked for again.

        Raises:
            Stopped: One cannot be had; what was made for the others is held until the goal ends.
            StepDenied: The guard refused a step.
            ApplicationError: A step failed for good.
        """
        needs = list(_meant(feature))
        self._wanted = tuple(_key(kind, need, feature) for kind, _, need, _ in needs)
        open_ = [(key, one) for key, one in zip(self._wanted, needs, strict=True) if key not in self._had]
        had = await asyncio.gather(*(self._have(feature, *one) for one in open_), return_exceptions=True)
        for found in had:
            if isinstance(found, BaseException):
                raise found

    async def keep(self) -> None:
        """From now on nobody but its own end ends what was made: it is about to be used."""
        for key in self._wanted:
            one = self._had[key]
            if one.held is not None:
                await self._goal.hand_over_lease(one.held)
                one.held = None

    async def give_back(self) -> None:
        """The feature is not deployed: end what was made for it. What has no lease is told with its command."""
        for one in reversed(self._had.values()):
            await self._publish_again(one)
        for one in self._had.values():
            if one.lease is None:
                continue
            held = one.held or await self._goal.take_lease(one.lease)
            await self._goal.end_lease(held)
            one.lease = one.held = None
            one.told = one.told.model_copy(update={"how": "given_back", "lease": None, "until": None})

    async def _publish_again(self, one: _Had) -> None:
        """A flow as the base has it; where that cannot be, what a person runs for it is told."""
        if one.before is None:
            return
        try:
            await self._asked(PUBLISH_FLOW, one.before, PublishFlowResult)
        except _CannotBeHad:
            asked = one.before.model_dump(mode="json", exclude_unset=True)
            remove = f"banksman run {PUBLISH_FLOW.name} --input {shlex.quote(json.dumps(asked, separators=(',', ':')))}"
            one.told = one.told.model_copy(update={"remove": remove})
        else:
            one.told = one.told.model_copy(update={"how": "given_back", "remove": ""})
        one.before = None

    def commands_left(self) -> tuple[str, ...]:
        """What a person runs to remove what was asked for and has no lease."""
        return tuple(one.told.remove for one in self._had.values() if one.told.remove)

    async def _have(self, feature: Feature, key: str, meant: tuple[str, int, Need, str]) -> None:
        kind, index, need, name = meant
        with self._timeline.step(f"need {name}") as step:
            try:
                self._had[key] = await self._of_kind(feature, need, name)
            except _CannotBeHad as why:
                step.failed(str(why))
                text = f"needs.{kind}[{index}] ({name}) cannot be had: {str(why)[:_LONGEST_WHY]}. Nothing was changed"
                raise Stopped(why.outcome, text) from why

    def _of_kind(self, feature: Feature, need: Need, name: str) -> Awaitable[_Had]:
        match need:
            case NeonNeed():
                return self._branch(need)
            case RedisNeed():
                return self._redis(need)
            case QdrantNeed():
                return self._qdrant(need)
            case FlowNeed():
                return self._flow(feature, need)
            case _:
                raise RuntimeError(f"{name!r} was not refused")

    async def _branch(self, need: NeonNeed) -> _Had:
        seen = await self._goal.step(
            LOOK_AT_BRANCH,
            LookAtNeonBranch(project=need.project, branch=need.branch or ""),
            summary=f"Look for the branch {need.branch or 'by default'} of {need.project}",
        )
        if seen.id is not None:
            return _Had(told=NeedTold(kind="neon", name=need.name, how="there"))
        if need.branch is None:
            raise _CannotBeHad(f"{need.project!r} has no default branch")
        try:
            return await self._made_branch(need, need.branch)
        except ApplicationError as error:
            if error.type not in {ErrorType.NOT_FOUND, ErrorType.INVALID_REQUEST, ErrorType.QUOTA_EXHAUSTED}:
                raise
            raise _CannotBeHad(error.message) from error

    async def _made_branch(self, need: NeonNeed, name: str) -> _Had:
        part = f"need-{workflow.uuid4().hex[:12]}"
        ends_at = (workflow.now() + LONGEST_BRANCH).replace(microsecond=0)
        lease = _branch_lease(need, name, part, ends_at)
        held = await self._goal.take_lease(lease)
        made = await self._goal.step(
            CREATE_BRANCH,
            CreateNeonBranchRequest(project=need.project, branch=name, expires_at=ends_at, part=part),
            summary=f"Make the branch {name} of {need.project}",
        )
        await self._goal.step(
            SWEEP_LOGINS,
            SweepLogins(project=need.project, branch=made.id, name=made.name),
            summary=f"End logins that {name} has of its parent",
        )
        kept = await self._goal.step(
            KEEP_CONNECTION,
            KeepConnectionRequest(project=need.project, branch=made.id, database=need.database, name=made.name),
            summary=f"Keep the connection to {name} in Vault",
        )
        told = NeedTold(kind="neon", name=need.name, how="made", secrets=(kept.secret,), until=ends_at, lease=held)
        return _Had(told=told, lease=lease, held=held)

    async def _redis(self, need: RedisNeed) -> _Had:
        found = await self._asked(PROVISION_REDIS, need.goal(), ProvisionRedisResult)
        told = NeedTold(
            kind="redis",
            name=need.name,
            how="made" if found.existed is False else "there",
            secrets=tuple(one.secret for one in found.consumers),
            remove=_removal(
                REMOVE_REDIS.name, existed=found.existed, provider=need.provider.value, database=found.name
            ),
        )
        return _Had(told=told)

    async def _qdrant(self, need: QdrantNeed) -> _Had:
        found = await self._asked(PROVISION_QDRANT, need.goal(), ProvisionQdrantResult)
        for collection in need.collections:
            await self._collection(need.name, collection)
        told = NeedTold(
            kind="qdrant",
            name=need.name,
            how="made" if found.existed is False else "there",
            secrets=tuple(one for one in (found.reader, found.writer) if one is not None),
            remove=_removal(REMOVE_QDRANT.name, existed=found.existed, cluster=need.name),
        )
        return _Had(told=told)

    async def _collection(self, cluster: str, need: CollectionNeed) -> None:
        """It is looked at alone: to switch an alias changes what is searched by what runs now."""
        seen = await self._goal.step(
            LOOK_AT_ALIAS,
            LookAtAliasRequest(cluster=cluster, alias=need.alias, collection=need.collection),
            summary=f"Look what {need.alias} stands for",
        )
        if seen.behind != need.collection:
            asked = need.goal(cluster).model_dump(mode="json", exclude_unset=True, exclude_none=True)
            command = f"banksman run {SWITCH_COLLECTION.name} --input {shlex.quote(json.dumps(asked))}"
            raise _CannotBeHad(f"{need.alias} stands for {seen.behind or 'nothing'}: `{command}` has it stand for it")

    async def _flow(self, feature: Feature, need: FlowNeed) -> _Had:
        async with self._publishing:  # one may be made of another, which stands before it
            return await self._published(feature, need)

    async def _published(self, feature: Feature, need: FlowNeed) -> _Had:
        wanted = await self._specified(feature, need, feature.commit)
        seen = await self._goal.step(
            LOOK_AT_FLOW, LookAtFlowRequest(names=(need.name,)), summary=f"Look whether {need.name} is published"
        )
        before = await self._as_before(feature, need) if seen.specs else None
        found = await self._asked(PUBLISH_FLOW, wanted, PublishFlowResult)
        if not found.published:
            return _Had(told=NeedTold(kind="estuary", name=need.name, how="there"))
        if seen.specs:
            return _Had(told=NeedTold(kind="estuary", name=need.name, how="updated"), before=before)
        asked = shlex.quote(json.dumps({"delete": [need.name]}, separators=(",", ":")))
        remove = f"banksman run {PUBLISH_FLOW.name} --input {asked}"
        return _Had(told=NeedTold(kind="estuary", name=need.name, how="made", remove=remove))

    async def _as_before(self, feature: Feature, need: FlowNeed) -> PublishFlowInput | None:
        """As the base's file has it; None where it has none that can be published."""
        try:
            return await self._specified(feature, need, feature.pull.base if feature.pull else None)
        except _CannotBeHad:
            return None

    async def _specified(self, feature: Feature, need: FlowNeed, ref: str | None) -> PublishFlowInput:
        request = ReadFileRequest(repository=feature.source.repository, path=need.file, ref=ref)
        try:
            found = await self._goal.step(READ_FILE, request, summary=f"Read {need.file}")
        except ApplicationError as error:
            if error.type != ErrorType.NOT_FOUND:
                raise
            raise _CannotBeHad(f"the repository has no {need.file}: {error.message}") from error
        if found.content is None or found.encoding != "utf-8":
            raise _CannotBeHad(f"{need.file} is no text of 256 kB at most")
        try:
            return specified(found.content, need)
        except FlowUnusable as error:
            raise _CannotBeHad(unhidden(str(error))) from error

    async def _asked(self, goal: GoalType, wanted: GoalInput, result_type: type[Result]) -> Result:
        """Ask for another goal by its own key, and wait for its end."""
        key = wanted.business_key()
        try:
            result: Result = await workflow.execute_child_workflow(
                goal.name,
                wanted,
                id=key,
                result_type=result_type,
                parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
                static_summary=unhidden(wanted.summary()),
            )
        except WorkflowAlreadyStartedError as error:
            raise _CannotBeHad(f"{key} is under way: ask again when it has ended") from error
        except ChildWorkflowError as error:
            if workflow.cancellation_reason() is not None:
                raise
            said = error.cause.message if isinstance(error.cause, ApplicationError) else str(error.cause)
            raise _CannotBeHad(f"{key} failed: {unhidden(said)}") from error
        if result.outcome is not State.COMPLETED:
            raise _CannotBeHad(f"{key} ended as {result.outcome}: {result.reason}", outcome=State(result.outcome))
        return result


class _CannotBeHad(Exception):
    """Why one need is not met, and as what the deployment ends for it."""

    def __init__(self, why: str, *, outcome: State = State.REFUSED) -> None:
        super().__init__(why)
        self.outcome: Literal[State.REFUSED, State.DENIED] = State.DENIED if outcome is State.DENIED else State.REFUSED


def _meant(feature: Feature) -> Iterator[tuple[str, int, Need, str]]:
    for kind, index, need, name in feature.manifest.needs.named():
        if need.environments is None or set(need.environments) & set(feature.environments):
            yield kind, index, need, name


def _key(kind: str, need: Need, feature: Feature) -> str:
    """A flow is what a file says, which another commit has otherwise."""
    of_commit = f"{feature.commit}/" if isinstance(need, FlowNeed) else ""
    return f"{kind}/{of_commit}{need.model_dump_json(exclude={'environments'})}"


def _branch_lease(need: NeonNeed, name: str, part: str, ends_at: datetime) -> LeaseRequest:
    marked = mark(workflow.info().workflow_id, part)
    leased = NEON_BRANCH.leased(LeasedBranch(project=need.project, mark=marked), mark=marked, name=name[:200])
    return NEON_BRANCH.lease(leased, now=workflow.now(), ends_at=ends_at)


def _removal(goal: str, *, existed: bool | None, **asked: str) -> str:
    """The command that removes what this goal had made; none for what was there, or of which nobody knows that."""
    if existed is not False:
        return ""
    return f"banksman run {goal} --input {shlex.quote(json.dumps(asked, separators=(',', ':')))}"
