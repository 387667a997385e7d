"""Steps around plans of goals; the catalogue is that of this release, read when the first plan comes."""

from collections.abc import Sequence

from temporalio import activity

from activities.agent.binding import PlanBinding
from activities.agent.investigating import Investigating
from activities.agent.planning import Planning
from activities.agent.reading import Reading
from activities.agent.running import UnaskedPlans
from activities.guard.policy_source import PolicySource
from activities.queues import TaskQueue
from activities.served_queues import is_served
from connectors.artifacts import ArtifactStore
from hitl.plan_language.catalogue import Catalogue
from workers.steps.connectors import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    policy = PolicySource(means.settings.policy, environment=means.settings.environment)
    artifacts = ArtifactStore(means.settings.artifacts)
    planning, reading = Planning(_catalogue, artifacts), Reading(artifacts)
    there = {"logs": bool(means.settings.telemetry_loki), "metrics": bool(means.settings.telemetry_prometheus)}
    looking = Investigating(_catalogue, artifacts, **there, sandbox=_sandbox)
    return (PlanBinding(_catalogue), planning, reading, looking, UnaskedPlans(policy, _catalogue))


async def _sandbox() -> bool:
    return await is_served(activity.client(), TaskQueue.SANDBOX)


def _catalogue() -> Catalogue:
    from workflows.agent.described import described  # noqa: PLC0415 - no other step of this worker needs any goal

    return described()
