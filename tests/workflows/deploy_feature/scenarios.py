"""The ways that a deployment can go."""

import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from activities.queues import TaskQueue
from activities.verify.contracts import PageChecked
from tests.workflows.deploy_feature.deploying import GOES_DOWN, MANIFEST, MIGRATES, WANTED, Deploying, World
from tests.workflows.played import Answers, Played
from workflows.deploy_feature.goals import DEPLOY_NEW_FEATURE, DeployNewFeatureResult


@dataclass(frozen=True, kw_only=True)
class _Deployed(Played):
    """A deployment that people approve so often."""

    answers: Answers = field(default_factory=dict[Any, Any])
    world: Callable[[], World] = World
    clicks: int = 1

    async def run(self, client: Client) -> WorkflowHandle[Any, Any]:
        with tempfile.TemporaryDirectory() as folder:
            house = Deploying(client, Path(folder), self.world())
            async with house.at_work():
                goal = await client.start_workflow(
                    self.goal.name,
                    WANTED,
                    id=f"{self.goal.name}/{self.name}",
                    task_queue=TaskQueue.GOALS,
                    result_type=DeployNewFeatureResult,
                )
                for turn in range(self.clicks):
                    await house.approve(goal, after=turn)
                with contextlib.suppress(WorkflowFailureError):
                    await goal.result()
        return goal


def _not_healthy() -> World:
    world = World()
    world.pages = [PageChecked(healthy=False, why="it answered 503", status=503, milliseconds=1)]
    return world


def _wrong() -> World:
    world = World()
    world.manifest = MANIFEST + "x: 1\n"
    return world


def _migrated() -> World:
    world = World()
    world.manifest = MIGRATES
    return world


def _migrated_and_not_healthy() -> World:
    world = _not_healthy()
    world.manifest = GOES_DOWN
    return world


SCENARIOS = (
    _Deployed(goal=DEPLOY_NEW_FEATURE, name="deployed"),
    _Deployed(goal=DEPLOY_NEW_FEATURE, name="undone", world=_not_healthy, clicks=2),
    _Deployed(goal=DEPLOY_NEW_FEATURE, name="migrated", world=_migrated),
    _Deployed(goal=DEPLOY_NEW_FEATURE, name="migrated-and-undone", world=_migrated_and_not_healthy, clicks=2),
    _Deployed(goal=DEPLOY_NEW_FEATURE, name="wrong-manifest", world=_wrong, clicks=0),
)
