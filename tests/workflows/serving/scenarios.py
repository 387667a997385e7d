"""The ways that a goal which serves a model can go."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from activities.approvals.contracts import RESOLVE_RULE
from activities.guard.error_types import ErrorType, application_error
from activities.lambdalabs.contracts import CHECK_READY, GPU, LAUNCH_INSTANCE, LOOK_AT_TYPES
from activities.leases.contracts import lease_id
from activities.models.serving_contracts import (
    CLAIM_SERVED,
    FIND_SERVED,
    WATCH_SERVED,
    WITHDRAW_SERVED,
    ServedClaimed,
    ServedFound,
    ServedSeen,
    ServedWithdrawn,
)
from activities.queues import TaskQueue
from connectors.creation import mark
from connectors.served.boot import Boot
from tests.workflows.lambdalabs.at_lambda import until_step
from tests.workflows.lambdalabs.scenarios import BOOTING, HELD, LAUNCHED, NOBODY, NOT_BY_ITSELF, NOWHERE, READY
from tests.workflows.played import Answers, Played, playing
from workflows.lambdalabs.goals import LEASE_GPU
from workflows.serving.goals import SERVE_MODEL

BOOT = Boot(name="twin-gpu", relay="relay.example:8443", run=("serve", "lamp-1"))
FOUND = ServedFound(boot=BOOT, models=("lamp-1",), data=("public",))
CLAIMED, TAKEN = ServedClaimed(claimed=True), ServedClaimed(claimed=False, why="another goal's machine serves it")
ANSWERS, AWAY = ServedSeen(answers=True), ServedSeen(answers=False, why="its machine has not dialled in")
IDLE = ServedSeen(answers=True, asked=4, idle=True)
LOST_NAME = ServedSeen(answers=False, held=False)
SERVED: Answers = {
    **HELD,
    LAUNCH_INSTANCE: [LAUNCHED.model_copy(update={"ticket": "7" * 64})],
    CHECK_READY: [BOOTING, READY],
    FIND_SERVED: [FOUND],
    CLAIM_SERVED: [CLAIMED],
    WATCH_SERVED: [AWAY, ANSWERS, IDLE],
    WITHDRAW_SERVED: [ServedWithdrawn()],
}


@dataclass(frozen=True, kw_only=True)
class _Machine(Played):
    """The goal that holds the machine, as the goal that serves has it started."""

    async def run(self, client: Client) -> WorkflowHandle[Any, Any]:
        async with playing(client, self.answers):
            goal_id = f"{SERVE_MODEL.name}/{self.name}"
            goal = await client.start_workflow(
                SERVE_MODEL.name, SERVE_MODEL.example, id=goal_id, task_queue=TaskQueue.GOALS
            )
            await goal.result()
            await _lease_over(client, goal_id)
        return client.get_workflow_handle(f"{goal_id}/gpu")


@dataclass(frozen=True, kw_only=True)
class _Ended(Played):
    """A goal that is ended from outside, at a step.

    Attributes:
        at: What it says that it does by then.
    """

    at: str
    end: Callable[[WorkflowHandle[Any, Any]], Any]

    async def run(self, client: Client) -> WorkflowHandle[Any, Any]:
        async with playing(client, self.answers):
            goal = await client.start_workflow(
                self.goal.name, self.goal.example, id=f"{self.goal.name}/{self.name}", task_queue=TaskQueue.GOALS
            )
            await until_step(goal, self.at)
            await self.end(goal)
            with contextlib.suppress(WorkflowFailureError):
                await goal.result()
        return goal


async def _lease_over(client: Client, goal_id: str) -> None:
    await client.get_workflow_handle(lease_id(GPU.name, mark(f"{goal_id}/gpu"))).result()


DENIED = application_error(ErrorType.POLICY_DENIED, "no models here")

SCENARIOS = (
    Played(goal=SERVE_MODEL, name="idle", answers=SERVED),
    _Machine(goal=LEASE_GPU, name="serves-a-model", answers=SERVED),
    _Ended(
        goal=SERVE_MODEL,
        name="cancelled",
        answers={**SERVED, CHECK_READY: [BOOTING]},
        at="Wait for a machine",
        end=lambda goal: goal.cancel(),
    ),
    Played(goal=SERVE_MODEL, name="lost-and-back", answers={**SERVED, WATCH_SERVED: [ANSWERS, AWAY, ANSWERS, IDLE]}),
    Played(goal=SERVE_MODEL, name="lost-its-name", answers={**SERVED, WATCH_SERVED: [LOST_NAME]}),
    Played(
        goal=SERVE_MODEL,
        name="never-answers",
        request=SERVE_MODEL.example.model_copy(update={"comes_within_minutes": 0}),
        answers={**SERVED, WATCH_SERVED: [AWAY]},
    ),
    Played(goal=SERVE_MODEL, name="not-foreseen", answers={FIND_SERVED: [ServedFound(why="it is not foreseen")]}),
    Played(goal=SERVE_MODEL, name="claimed", answers={**SERVED, CLAIM_SERVED: [TAKEN]}),
    Played(goal=SERVE_MODEL, name="claimed-meanwhile", answers={**SERVED, CLAIM_SERVED: [CLAIMED, TAKEN]}),
    Played(goal=SERVE_MODEL, name="no-capacity", answers={**SERVED, LOOK_AT_TYPES: [NOWHERE]}),
    Played(
        goal=SERVE_MODEL,
        name="nobody-may-buy",
        answers={**SERVED, LAUNCH_INSTANCE: [NOT_BY_ITSELF], RESOLVE_RULE: [NOBODY]},
    ),
    Played(goal=SERVE_MODEL, name="denied", answers={FIND_SERVED: [DENIED]}),
    Played(goal=SERVE_MODEL, name="watch-denied", answers={**SERVED, WATCH_SERVED: [DENIED]}),
)
