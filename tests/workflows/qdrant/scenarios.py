"""The ways that goals on Qdrant can go."""

import contextlib
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from activities.approvals.contracts import RESOLVE_RULE
from activities.guard.error_types import ErrorType, application_error, policy_denied
from activities.guard.grants import ClickCheck
from activities.guard.policy_source import PolicySource
from activities.qdrant.collection_contracts import (
    COPY_POINTS,
    CREATE_COLLECTION,
    LOOK_AT_ALIAS,
    SNAPSHOT_COLLECTION,
    SWITCH_ALIAS,
    VERIFY_COLLECTION,
    AliasSeen,
    AliasSwitched,
    CollectionMade,
    CollectionVerified,
    PointsCopied,
    SnapshotMade,
)
from activities.qdrant.contracts import (
    BUY_CLUSTER,
    CHECK_DATABASE,
    CREATE_CLUSTER,
    ISSUE_KEYS,
    LOOK_AT_CLUSTER,
    QUOTE_CLUSTER,
    SCHEDULE_BACKUPS,
    BackupsScheduled,
    ClusterMade,
    ClusterQuoted,
    ClusterSeen,
    DatabaseAnswers,
    KeysIssued,
)
from activities.qdrant.removal_contracts import (
    DELETE_CLUSTER,
    FORGET_CLUSTER,
    INSPECT_CLUSTER,
    ClusterDeleted,
    ClusterForgotten,
    ClusterInspected,
)
from activities.queues import TaskQueue
from hitl.approval.plan import Plan, read_plan
from hitl.protocol import Denial, RefusalReason
from tests.workflows.approval.approving import House
from tests.workflows.played import Answers, Played, playing
from workflows.approval.decision_checks import DecisionChecks
from workflows.qdrant.goals import (
    PROVISION_QDRANT,
    REMOVE_QDRANT,
    SWITCH_COLLECTION,
    ProvisionQdrantInput,
    ProvisionQdrantResult,
    RemoveQdrantResult,
    SwitchCollectionInput,
)

QUOTED = ClusterQuoted(package_id="p-1", package="free2", millicents_per_hour=0)
PAID = ClusterQuoted(package_id="p-2", package="gpx1", millicents_per_hour=7_500)
MADE = ClusterMade(id="c-1")
HEALTHY = ClusterSeen(id="c-1", name="shop-trial", phase="HEALTHY", url="https://c-1.example.com:6333", version="v1.16")
BOUGHT = HEALTHY.model_copy(update={"ours": True, "package_id": "p-2", "nodes": 2})
CREATING = HEALTHY.model_copy(update={"phase": "CREATING", "url": ""})
FAILED = CREATING.model_copy(update={"phase": "FAILED_TO_CREATE", "reason": "no capacity"})
ISSUED = KeysIssued(reader="qdrant/readers/shop-trial", writer="qdrant/writers/shop-trial")
ADOPTED = ISSUED.model_copy(update={"adopted": True})
REVOKED = application_error(ErrorType.AUTH_DENIED, "Qdrant refuses the credential")
DENIED = application_error(ErrorType.POLICY_DENIED, "no clusters here")
NOT_BY_ITSELF = policy_denied(
    Denial(
        reason=RefusalReason.NO_ALLOW_RULE,
        action=CREATE_CLUSTER.name,
        environment="live",
        explanation="It is allowed only where cost is '<= 20'.",
    )
)
NOBODY = policy_denied(
    Denial(
        reason=RefusalReason.NO_RULE,
        action=BUY_CLUSTER.name,
        environment="live",
        explanation="Nobody can approve it.",
    )
)
INSPECTED = ClusterInspected(
    id="c-1", name="shop-old", phase="HEALTHY", provider="aws", region="eu-central-1", nodes=2,
    backups=("night-2 of 2026-11-28T03:00:00Z, succeeded",), all_backups=2,
)  # fmt: skip
GONE = application_error(ErrorType.NOT_FOUND, "Qdrant Cloud has no cluster 'c-1' any more")
NOBODY_DELETES = policy_denied(
    Denial(
        reason=RefusalReason.NO_RULE,
        action=DELETE_CLUSTER.name,
        environment="live",
        explanation="Nobody can approve it.",
    )
)
REMOVED: Answers = {
    INSPECT_CLUSTER: [INSPECTED],
    DELETE_CLUSTER: [ClusterDeleted(name="shop-old")],
    LOOK_AT_CLUSTER: [GONE],
    FORGET_CLUSTER: [ClusterForgotten(paths=("qdrant/readers/shop-old", "qdrant/writers/shop-old"))],
}
PROVIDED: Answers = {
    QUOTE_CLUSTER: [QUOTED],
    CREATE_CLUSTER: [MADE],
    LOOK_AT_CLUSTER: [HEALTHY],
    ISSUE_KEYS: [ISSUED],
    CHECK_DATABASE: [DatabaseAnswers(collections=0)],
    SCHEDULE_BACKUPS: [BackupsScheduled(id="s-1")],
}

BEFORE = AliasSeen(behind="products-v1", exists=False)
AFTER = AliasSeen(behind="products-v2", exists=True)
SERVES = CollectionVerified(points=20_000, against=20_000, probed=5, found=5)
SWITCHED: Answers = {
    LOOK_AT_ALIAS: [BEFORE, AFTER],
    SNAPSHOT_COLLECTION: [SnapshotMade(name="products-v1.snapshot")],
    CREATE_COLLECTION: [CollectionMade()],
    COPY_POINTS: [PointsCopied(points=10_240, following=10_241), PointsCopied(points=9_760)],
    VERIFY_COLLECTION: [SERVES],
    SWITCH_ALIAS: [AliasSwitched()],
}

WITH_BACKUPS = PROVISION_QDRANT.example.model_copy(update={"backup_days": 7})
WITH_SNAPSHOT = SWITCH_COLLECTION.example.model_copy(update={"snapshot": True})
assert isinstance(WITH_BACKUPS, ProvisionQdrantInput)
TWO_NODES = PROVISION_QDRANT.example.model_copy(update={"package": "gpx1", "nodes": 2, "most_usd": 60})
assert isinstance(WITH_SNAPSHOT, SwitchCollectionInput)


async def buy(house: House, goal_id: str, seen: ClusterSeen) -> tuple[WorkflowHandle[Any, Any], Plan]:
    """A goal whose purchase alice and bob approved, at its end, and what they saw.

    Args:
        house: Whose policy and people.
        goal_id: Of the workflow.
        seen: What is there when it is said to be bought.
    """
    await house.keys.refresh()
    checks = DecisionChecks(ClickCheck(house.keys, PolicySource(house.path, environment="live"), cluster=house.cluster))
    said: Answers = {
        **PROVIDED,
        QUOTE_CLUSTER: [PAID],
        CREATE_CLUSTER: [NOT_BY_ITSELF],
        RESOLVE_RULE: [house.resolved()],
        BUY_CLUSTER: [MADE],
        LOOK_AT_CLUSTER: [seen, HEALTHY],
    }
    async with playing(house.client, said, interceptors=[checks]):
        goal = await house.client.start_workflow(
            PROVISION_QDRANT.name,
            TWO_NODES,
            id=goal_id,
            task_queue=TaskQueue.GOALS,
            result_type=ProvisionQdrantResult,
            execution_timeout=timedelta(minutes=2),
        )
        approval = await house.approval_of(goal)
        text = await house.client.get_workflow_handle(approval).query("plan", result_type=str)
        for person in ("alice", "bob"):
            await house.decide(approval, person)
        with contextlib.suppress(WorkflowFailureError):
            await goal.result()
    return goal, read_plan(text)


async def remove(house: House, goal_id: str, answers: Answers) -> tuple[WorkflowHandle[Any, RemoveQdrantResult], Plan]:
    """A goal whose deletion alice and bob approved, at its end, and what they saw.

    Args:
        house: Whose policy and people.
        goal_id: Of the workflow.
        answers: Of its steps, beside the policy's.
    """
    await house.keys.refresh()
    checks = DecisionChecks(ClickCheck(house.keys, PolicySource(house.path, environment="live"), cluster=house.cluster))
    said: Answers = {**REMOVED, RESOLVE_RULE: [house.resolved()], **answers}
    async with playing(house.client, said, interceptors=[checks]):
        goal = await house.client.start_workflow(
            REMOVE_QDRANT.name,
            REMOVE_QDRANT.example,
            id=goal_id,
            task_queue=TaskQueue.GOALS,
            result_type=RemoveQdrantResult,
            execution_timeout=timedelta(minutes=2),
        )
        approval = await house.approval_of(goal)
        text = await house.client.get_workflow_handle(approval).query("plan", result_type=str)
        for person in ("alice", "bob"):
            await house.decide(approval, person)
        with contextlib.suppress(WorkflowFailureError):
            await goal.result()
    return goal, read_plan(text)


@dataclass(frozen=True, kw_only=True)
class _Removed(Played):
    """A deletion that people approved."""

    async def run(self, client: Client) -> WorkflowHandle[Any, Any]:
        with tempfile.TemporaryDirectory() as scratch:
            house = House(client, Path(scratch), action=DELETE_CLUSTER.name)
            goal, _ = await remove(house, f"{self.goal.name}/{self.name}", self.answers)
        return goal


@dataclass(frozen=True, kw_only=True)
class _Approved(Played):
    """A purchase that people approved."""

    async def run(self, client: Client) -> WorkflowHandle[Any, Any]:
        with tempfile.TemporaryDirectory() as scratch:
            house = House(client, Path(scratch), action=BUY_CLUSTER.name)
            goal, _ = await buy(house, f"{self.goal.name}/{self.name}", BOUGHT)
        return goal


SCENARIOS = (
    Played(goal=PROVISION_QDRANT, name="provided", answers=PROVIDED, request=WITH_BACKUPS),
    Played(goal=PROVISION_QDRANT, name="denied", answers={**PROVIDED, QUOTE_CLUSTER: [DENIED]}),
    Played(
        goal=PROVISION_QDRANT,
        name="nobody-may-buy",
        answers={**PROVIDED, QUOTE_CLUSTER: [PAID], CREATE_CLUSTER: [NOT_BY_ITSELF], RESOLVE_RULE: [NOBODY]},
        request=TWO_NODES,
    ),
    _Approved(goal=PROVISION_QDRANT, name="bought", answers=PROVIDED),
    Played(goal=PROVISION_QDRANT, name="too-expensive", answers={**PROVIDED, QUOTE_CLUSTER: [PAID]}),
    Played(goal=PROVISION_QDRANT, name="failed-to-create", answers={**PROVIDED, LOOK_AT_CLUSTER: [FAILED]}),
    Played(
        goal=PROVISION_QDRANT,
        name="keys-issued-anew",
        answers={**PROVIDED, ISSUE_KEYS: [ADOPTED, ISSUED], CHECK_DATABASE: [REVOKED, DatabaseAnswers(collections=0)]},
    ),
    _Removed(goal=REMOVE_QDRANT, name="removed", answers={}),
    Played(goal=REMOVE_QDRANT, name="already-gone", answers={**REMOVED, INSPECT_CLUSTER: [GONE]}),
    Played(goal=REMOVE_QDRANT, name="nobody-may-approve", answers={**REMOVED, RESOLVE_RULE: [NOBODY_DELETES]}),
    Played(goal=SWITCH_COLLECTION, name="switched", answers=SWITCHED, request=WITH_SNAPSHOT),
    Played(goal=SWITCH_COLLECTION, name="denied", answers={**SWITCHED, LOOK_AT_ALIAS: [DENIED]}),
    Played(
        goal=SWITCH_COLLECTION,
        name="too-few-points",
        answers={**SWITCHED, VERIFY_COLLECTION: [SERVES.model_copy(update={"points": 19_999})]},
    ),
    Played(
        goal=SWITCH_COLLECTION,
        name="way-back",
        answers={**SWITCHED, LOOK_AT_ALIAS: [AliasSeen(behind="products-v1", exists=True), AFTER]},
    ),
)
