"""The ways that goals on GPUs can go."""

import asyncio
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
from activities.lambdalabs.contracts import (
    ADD_SSH_KEY,
    BUY_INSTANCE,
    CHECK_INSTANCE,
    CHECK_READY,
    END_INSTANCE,
    LAUNCH_INSTANCE,
    LOOK_AT_ACCOUNT,
    LOOK_AT_TYPES,
    RENAME_INSTANCE,
    RESTART_INSTANCE,
    AccountSeen,
    GpuEnded,
    GpuLaunched,
    GpuReadiness,
    GpuRenamed,
    GpuRestarted,
    GpuStanding,
    SshKeyMade,
    TypeSeen,
    TypesSeen,
)
from activities.queues import TaskQueue
from hitl.approval.decision import Verdict
from hitl.approval.plan import Plan, read_plan
from hitl.protocol import Denial, RefusalReason
from tests.workflows.approval.approving import House
from tests.workflows.lambdalabs.at_lambda import end_lease, lease_of, until_step
from tests.workflows.played import Answers, Played, playing
from workflows.approval.decision_checks import DecisionChecks
from workflows.lambdalabs.goals import INSPECT_GPUS, LEASE_GPU, LeaseGpuResult, RenameGpu, RestartGpu

A10 = TypeSeen(name="gpu_1x_a10", gpu="A10", gpus=1, cents_per_hour=75, regions=("us-west-1",))
OFFERED = TypesSeen(types=(A10,))
NOWHERE = TypesSeen(types=(A10.model_copy(update={"regions": ()}),))
LAUNCHED = GpuLaunched(id="i-1", type="gpu_1x_a10", region="us-west-1", cents_per_hour=75, hours=2)
NONE_LEFT = GpuLaunched(tried=("gpu_1x_a10 in us-west-1",))
BOOTING = GpuReadiness(status="booting", wanted=1)
READY = GpuReadiness(status="active", address="192.0.2.7", answers=True, gpus=1, wanted=1)
UNHEALTHY = GpuReadiness(status="unhealthy", wanted=1)
GONE = GpuStanding(there=False)
THERE = GpuStanding(
    there=True, id="i-1", type="gpu_1x_a10", region="us-west-1", status="booting", cents_per_hour=75, told="it is there"
)
DENIED = application_error(ErrorType.POLICY_DENIED, "no GPUs here")


def refused(reason: RefusalReason, action: str, why: str) -> Exception:
    """A refusal by the guard."""
    return policy_denied(Denial(reason=reason, action=action, environment="live", explanation=why))


NOT_BY_ITSELF = refused(RefusalReason.NO_ALLOW_RULE, LAUNCH_INSTANCE.name, "It is allowed only where cost is '<= 1'.")
NO_BUDGET = refused(RefusalReason.BUDGET, LAUNCH_INSTANCE.name, "It may cost $1.50, and the day has $0.10 left.")
NOBODY = refused(RefusalReason.NO_RULE, BUY_INSTANCE.name, "Nobody can approve it.")

HELD: Answers = {
    LOOK_AT_TYPES: [OFFERED],
    ADD_SSH_KEY: [SshKeyMade(secret="banksman/lambdalabs/ssh/m")],
    LAUNCH_INSTANCE: [LAUNCHED],
    CHECK_READY: [READY],
    END_INSTANCE: [GpuEnded(ids=("i-1",))],
    CHECK_INSTANCE: [GONE],
}
WAITING = LEASE_GPU.example.model_copy(update={"wait_hours": 1})


async def start(client: Client, goal_id: str) -> WorkflowHandle[Any, LeaseGpuResult]:
    """The example, as it is asked for."""
    return await client.start_workflow(
        LEASE_GPU.name,
        LEASE_GPU.example,
        id=goal_id,
        task_queue=TaskQueue.GOALS,
        result_type=LeaseGpuResult,
        execution_timeout=timedelta(minutes=2),
    )


async def ask(
    house: House, goal_id: str, answers: Answers, verdict: Verdict = Verdict.APPROVE
) -> tuple[WorkflowHandle[Any, LeaseGpuResult], Plan]:
    """A goal whose launch people decide on, at its end, and what they saw. Once it holds a machine its lease is ended.

    Args:
        house: Whose policy and people.
        goal_id: Of the workflow.
        answers: Of its steps, beside the policy's.
        verdict: What people say.
    """
    await house.keys.refresh()
    checks = DecisionChecks(ClickCheck(house.keys, PolicySource(house.path, environment="live"), cluster=house.cluster))
    said: Answers = {**HELD, LAUNCH_INSTANCE: [NOT_BY_ITSELF], RESOLVE_RULE: [house.resolved()], **answers}
    async with playing(house.client, said, interceptors=[checks]):
        goal = await start(house.client, goal_id)
        approval = await house.approval_of(goal)
        text = await house.client.get_workflow_handle(approval).query("plan", result_type=str)
        for person in ("alice", "bob") if verdict is Verdict.APPROVE else ("alice",):
            await house.decide(approval, person, verdict=verdict)
        ending = asyncio.create_task(_end_once_held(house.client, goal))
        with contextlib.suppress(WorkflowFailureError):
            await goal.result()
        ending.cancel()
        await lease_of(house.client, goal_id).result()
    return goal, read_plan(text)


async def _end_once_held(client: Client, goal: WorkflowHandle[Any, Any]) -> None:
    await until_step(goal, "Hold the machine")
    await end_lease(client, goal.id)


@dataclass(frozen=True, kw_only=True)
class _Held(Played):
    """A machine that is held until a person ends its lease."""

    async def run(self, client: Client) -> WorkflowHandle[Any, Any]:
        async with playing(client, self.answers):
            goal = await start(client, f"{self.goal.name}/{self.name}")
            await _end_once_held(client, goal)
            await goal.result()
        return goal


@dataclass(frozen=True, kw_only=True)
class _Changed(Played):
    """A machine that is renamed and restarted while it is held."""

    async def run(self, client: Client) -> WorkflowHandle[Any, Any]:
        async with playing(client, self.answers):
            goal = await start(client, f"{self.goal.name}/{self.name}")
            await until_step(goal, "Hold the machine")
            await goal.execute_update("rename", RenameGpu(name="evaluate"), result_type=LeaseGpuResult)
            await goal.execute_update("restart", RestartGpu(note="it hangs"), result_type=LeaseGpuResult)
            await _end_once_held(client, goal)
            await goal.result()
        return goal


@dataclass(frozen=True, kw_only=True)
class _Approved(Played):
    """A launch that people approved."""

    async def run(self, client: Client) -> WorkflowHandle[Any, Any]:
        with tempfile.TemporaryDirectory() as scratch:
            house = House(client, Path(scratch), action=BUY_INSTANCE.name)
            goal, _ = await ask(house, f"{self.goal.name}/{self.name}", self.answers)
        return goal


@dataclass(frozen=True, kw_only=True)
class _Cancelled(Played):
    """A goal that is cancelled while it waits for capacity."""

    async def run(self, client: Client) -> WorkflowHandle[Any, Any]:
        async with playing(client, self.answers):
            goal = await client.start_workflow(
                self.goal.name, WAITING, id=f"{self.goal.name}/{self.name}", task_queue=TaskQueue.GOALS
            )
            await until_step(goal, "Wait for capacity")
            await goal.cancel()
            with contextlib.suppress(WorkflowFailureError):
                await goal.result()
        return goal


BOUGHT: Answers = {BUY_INSTANCE: [LAUNCHED], CHECK_INSTANCE: [GONE, THERE, GONE]}

SCENARIOS = (
    Played(goal=INSPECT_GPUS, name="completed", answers={LOOK_AT_TYPES: [OFFERED], LOOK_AT_ACCOUNT: [AccountSeen()]}),
    Played(goal=INSPECT_GPUS, name="denied", answers={LOOK_AT_TYPES: [DENIED]}),
    _Held(goal=LEASE_GPU, name="held", answers={**HELD, CHECK_READY: [BOOTING, READY]}),
    _Changed(
        goal=LEASE_GPU,
        name="renamed-and-restarted",
        answers={
            **HELD,
            CHECK_READY: [READY, BOOTING, READY],
            RENAME_INSTANCE: [GpuRenamed(called="evaluate")],
            RESTART_INSTANCE: [GpuRestarted()],
        },
    ),
    Played(goal=LEASE_GPU, name="denied", answers={LOOK_AT_TYPES: [DENIED]}),
    Played(goal=LEASE_GPU, name="no-capacity", answers={LOOK_AT_TYPES: [NOWHERE]}),
    Played(goal=LEASE_GPU, name="no-capacity-after-all", answers={**HELD, LAUNCH_INSTANCE: [NONE_LEFT]}),
    _Cancelled(goal=LEASE_GPU, name="cancelled-while-it-waits", answers={LOOK_AT_TYPES: [NOWHERE]}),
    Played(goal=LEASE_GPU, name="unhealthy", answers={**HELD, CHECK_READY: [UNHEALTHY]}),
    Played(goal=LEASE_GPU, name="over-budget", answers={**HELD, LAUNCH_INSTANCE: [NO_BUDGET]}),
    Played(
        goal=LEASE_GPU,
        name="nobody-may-buy",
        answers={**HELD, LAUNCH_INSTANCE: [NOT_BY_ITSELF], RESOLVE_RULE: [NOBODY]},
    ),
    _Approved(goal=LEASE_GPU, name="bought", answers=BOUGHT),
)
