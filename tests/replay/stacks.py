"""The ways that goals on stacks can go, recorded with signed decisions and the real checks; the steps are scripted."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from temporalio.client import WorkflowFailureError, WorkflowHandle

from activities.github.contracts import RepositoryFetched
from activities.guard.error_types import ErrorType, application_error
from activities.pulumi.contracts import LockSeen, StackChanged, StackOutputs, StackRestored, StackUnlocked
from activities.queues import TaskQueue
from connectors.pulumi.outcome import Ended, UpOutcome
from tests.workflows.pulumi.stacking import (
    ACTIONS,
    DESTROY,
    DIGEST,
    DRIFT,
    DRIFTED,
    INSPECT,
    NOTHING,
    PREVIEWED,
    PUT_BACK,
    RESTORE,
    UNLOCK,
    UP,
    Stack,
    StackSessions,
    plan,
)
from workflows.contracts import GoalInput
from workflows.pulumi.goals import RollBackStackInput
from workflows.pulumi.lock import lock_id

LOCK: Final = lock_id("infra", "dev")
MOVED: Final = RepositoryFetched(commit="d" * 40, pack=DIGEST, size=1000)
BACK: Final = RollBackStackInput(repository="acme/infra", stack="dev", version=1)
PARTLY: Final = StackChanged(outcome=UpOutcome(ended=Ended.PARTIALLY_APPLIED, errors=("it is in use",)))

REFUSED: Final = StackChanged(outcome=UpOutcome(ended=Ended.REFUSED, errors=("the policy pack refuses it",)))
NOT_BACK: Final = StackRestored(ended=Ended.REFUSED, replaced=DIGEST, said="error: it is broken")


@dataclass(frozen=True)
class Stacking:
    """One run.

    Attributes:
        clicks: How many approvals are given in it, one after the other.
        lock: Whether the history of the stack's lock is kept too.
    """

    workflow: str
    name: str
    request: GoalInput
    stack: Callable[[], Stack] = field(default=Stack)
    action: str = ACTIONS[0]
    clicks: int = 0
    lock: bool = False

    def recorded(self) -> set[tuple[str, str]]:
        """The histories that are kept of it, by folder and name."""
        return {(self.workflow, self.name)} | ({("StackLock", self.name)} if self.lock else set[tuple[str, str]]())

    async def run(self, house: StackSessions) -> WorkflowHandle[Any, Any]:
        """To its end."""
        goal = await house.client.start_workflow(
            self.workflow,
            self.request,
            id=f"{self.workflow}/{self.name}",
            task_queue=TaskQueue.GOALS,
            execution_timeout=timedelta(minutes=2),
        )
        for turn in range(self.clicks):
            await house.approved(goal, after=turn)
        try:
            await goal.result()
        except WorkflowFailureError:
            return goal
        return goal


def _failing(error: ErrorType, message: str) -> Callable[[], Stack]:
    return lambda: Stack(previewed=[application_error(error, message)])


STACKINGS: Final = (
    Stacking("PreviewAndUp", "completed", UP, clicks=1, lock=True),
    Stacking("PreviewAndUp", "confirmed", UP, clicks=1),
    Stacking("PreviewAndUp", "nothing-to-do", UP, lambda: Stack(previewed=[NOTHING])),
    Stacking("PreviewAndUp", "denied", UP, _failing(ErrorType.POLICY_DENIED, "no stack is to be looked at")),
    Stacking("PreviewAndUp", "failed", UP, _failing(ErrorType.INVALID_REQUEST, "a syntax error")),
    Stacking("PreviewAndUp", "partially-applied", UP, lambda: Stack(changed=[PARTLY]), clicks=1),
    Stacking(
        "PreviewAndUp",
        "planned-again",
        UP,
        lambda: Stack(changed=[application_error(ErrorType.CONFLICT, "another state"), *Stack().changed]),
        clicks=2,
    ),
    Stacking("RollBackStack", "completed", BACK, lambda: Stack(fetched=[*Stack().fetched, MOVED]), clicks=1),
    Stacking("RollBackStack", "no-such-deployment", BACK.model_copy(update={"version": 9})),
    Stacking(
        "DestroyStack",
        "completed",
        DESTROY,
        lambda: Stack(previewed=[PREVIEWED.model_copy(update={"plan": plan(ACTIONS[1])})]),
        action=ACTIONS[1],
        clicks=1,
    ),
    Stacking(
        "RestoreState",
        "completed",
        RESTORE,
        lambda: Stack(previewed=[PREVIEWED.model_copy(update={"plan": plan(ACTIONS[3])})]),
        action=ACTIONS[3],
        clicks=1,
    ),
    Stacking(
        "DestroyStack",
        "confirmed",
        DESTROY,
        lambda: Stack(previewed=[PREVIEWED.model_copy(update={"plan": plan(ACTIONS[1])})]),
        action=ACTIONS[1],
        clicks=1,
    ),
    Stacking(
        "RestoreState",
        "confirmed",
        RESTORE,
        lambda: Stack(previewed=[PREVIEWED.model_copy(update={"plan": plan(ACTIONS[3])})], outputs=[PUT_BACK]),
        action=ACTIONS[3],
        clicks=1,
    ),
    Stacking("UnlockStack", "confirmed", UNLOCK, action=ACTIONS[2], clicks=1),
    Stacking("PreviewAndUp", "partly-looked-at", UP, lambda: Stack(changed=[PARTLY]), clicks=1),
    Stacking("PreviewAndUp", "refused-looked-at", UP, lambda: Stack(changed=[REFUSED]), clicks=1),
    Stacking(
        "RestoreState",
        "refused-looked-at",
        RESTORE,
        lambda: Stack(previewed=[PREVIEWED.model_copy(update={"plan": plan(ACTIONS[3])})], restored=[NOT_BACK]),
        action=ACTIONS[3],
        clicks=1,
    ),
    Stacking(
        "UnlockStack",
        "held-looked-at",
        UNLOCK,
        lambda: Stack(unlocked=[StackUnlocked(released=False, owners=("run-1",))], lock=[LockSeen(owners=("run-1",))]),
        action=ACTIONS[2],
        clicks=1,
    ),
    Stacking("RestoreState", "nothing-to-do", RESTORE, lambda: Stack(previewed=[NOTHING]), action=ACTIONS[3]),
    Stacking("UnlockStack", "completed", UNLOCK, action=ACTIONS[2], clicks=1),
    Stacking("UnlockStack", "no-lock", UNLOCK, lambda: Stack(lock=[LockSeen()]), action=ACTIONS[2]),
    Stacking("InspectStack", "completed", INSPECT),
    Stacking("InspectStack", "not-there", INSPECT, lambda: Stack(outputs=[StackOutputs(deployed=False)])),
    Stacking("DetectDrift", "none", DRIFT),
    Stacking("DetectDrift", "told", DRIFT, lambda: Stack(drift=[DRIFTED])),
)
