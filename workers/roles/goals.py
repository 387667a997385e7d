"""The goals worker: workflows, and the keys that approvals check decisions with."""

from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import Worker, WorkerDeploymentConfig

from activities.guard.grants import ClickCheck
from activities.guard.key_ring import KeyRing
from activities.guard.policy_source import PolicySource
from activities.queues import TaskQueue
from workers.guarded import GRACE
from workers.process import APPROVAL_KEYS, Process, serve
from workers.temporal import DEPLOYMENT_NAME, build_id, cluster_id
from workflows.approval.check_decision import DecisionCheck
from workflows.approval.decision_checks import DecisionChecks
from workflows.implementations import WORKFLOWS


async def run(process: Process) -> int:
    """See `workers.process.RoleModule`."""
    keys = KeyRing(lambda: process.vault.public_keys(APPROVAL_KEYS))
    policy = PolicySource(process.settings.policy, environment=process.settings.environment)
    check = ClickCheck(keys, policy, cluster=await cluster_id(process.client))
    worker = goals_worker(process.client, check, cached=process.settings.cached_workflows)
    return await serve(worker, process=process, beside=keys.keep_fresh())


def goals_worker(client: Client, check: DecisionCheck, *, cached: int) -> Worker:
    """Runs goals; versioned, so that a running goal meets only code that can replay it.

    Args:
        client: Of Temporal.
        check: What approvals refuse decisions by, early.
        cached: How many workflows stay in memory. The SDK's own thousand would hold approvals that wait for days.
    """
    return Worker(
        client,
        task_queue=TaskQueue.GOALS,
        workflows=WORKFLOWS,
        max_cached_workflows=cached,
        interceptors=[DecisionChecks(check)],
        graceful_shutdown_timeout=GRACE,
        deployment_config=WorkerDeploymentConfig(
            version=WorkerDeploymentVersion(deployment_name=DEPLOYMENT_NAME, build_id=build_id()),
            use_worker_versioning=True,
            default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
        ),
    )
