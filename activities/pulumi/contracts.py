"""What goals ask of the steps on Pulumi stacks, and what those answer. Light enough for workflow code.

Nothing bulky is in it: programs, plans, states and event logs lie in the artifact store, and are named here by their
digests. No secret is in it either: a step that needs credentials in a container is given them sealed for its run.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from activities.guard.granted import GrantedRequest
from activities.presets import CHANGE_STACK, LOOK_AT_STACK
from activities.pulumi.place import StackPlace
from activities.queues import TaskQueue
from activities.sandbox.contracts import Source
from activities.step import Step
from activities.step_end import ApprovedAnswer, StepEnd, Way
from connectors.pulumi import manifest
from connectors.pulumi.digests import Digest, Identity
from connectors.pulumi.outcome import Ended, UpOutcome
from connectors.pulumi.urn import told
from connectors.pulumi.values import cause
from hitl.hidden import visible
from hitl.protocol import Effect, PolicyContext

MAX_LINES: Final = 50
"""Lines for people in one answer; the whole is in an artifact."""

WAYS: Final[Mapping[Ended, Way]] = {
    Ended.APPLIED: "completed",
    Ended.REFUSED: "refused",
    Ended.PARTIALLY_APPLIED: "partially_applied",
    Ended.UNKNOWN: "unknown",
}
"""How a step ends whose change of a stack ended so; goals end as their step did."""

_AFTER_RESTORING: Final[Mapping[Way, str]] = {
    "completed": "DetectDrift tells what stands otherwise than Pulumi believes now; PreviewAndUp plans from there.",
    "refused": "Nothing was changed. Read what Pulumi said, and ask again.",
}
_WHICH_STATE: Final = "InspectStack tells which state is there now; ask again, and the new plan begins with that."


class _Contract(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _OfAStack(_Contract):
    place: StackPlace

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return self.place.policy_context()


class PrepareStackRequest(_OfAStack):
    """`pulumi.prepare_stack`: take a commit apart into what the engine and the program are given."""

    source: Source


class PreparedStack(_Contract):
    """A project at one commit, ready to be run."""

    project: str = Field(description="Its name, as `Pulumi.yaml` says.")
    commit: str
    prepared: Digest = Field(description="The artifact with a `StackFiles` as JSON: all that a run needs of it.")


class SealCredentialsRequest(_OfAStack):
    """`pulumi.seal_credentials`: what a look at the stack needs, for the sandbox worker and this workflow run only."""


class SealedCredentials(_Contract):
    """Text that may stand in a history; it opens once, on the sandbox worker."""

    secrets: str


class StackLook(_OfAStack):
    """A stack to look at: the request of each step that reads one."""

    prepared: PreparedStack
    secrets: str = Field(description="Sealed for this workflow run.")


class StackRead(_Contract):
    """What the state is, besides the answer of the step."""

    deployed: bool = Field(default=True, description="False where there is no such stack.")
    state: Identity | None = Field(default=None, description="Its identity.")
    exported: Digest | None = Field(default=None, description="The exported state, its secrets encrypted.")


class DriftSeen(StackRead):
    """`pulumi.refresh_stack` and `pulumi.detect_drift`: what stands outside otherwise than the state says."""

    report: Digest | None = Field(default=None, description="The artifact with a `DriftReport` as JSON.")
    fingerprints: tuple[str, ...] = Field(default=(), description="One for each difference that is no known noise.")
    lines: tuple[str, ...] = Field(default=(), description="For people, the whole difference as far as 50 lines go.")
    new: tuple[str, ...] = Field(default=(), description="Lines of what was not in the look before.")
    quiet: int = Field(default=0, description="How many differences are known noise.")
    looked_at: int = 0
    missing: int | None = Field(
        default=None, description="So many changes of what is said to be done the state does not show; None: no look."
    )
    complete: bool = Field(default=True, description="Whether the look reached its end without an error.")


class SaidDone(_Contract):
    """What somebody says came of a change: what it was to do, and to which state."""

    whole_plan: Digest = Field(description="The artifact with a `StackPlan` as JSON.")
    exported: Digest = Field(description="The state before it.")
    done: tuple[str, ...] | None = Field(
        default=None, description="URNs of what of it is said to be done, where it was stopped on its way; None: all."
    )
    refused: bool = Field(default=False, description="It is said that nothing was changed at all.")


class OutputsLook(StackLook):
    """`pulumi.read_outputs`: nothing but the state is looked at, so that no provider has to answer."""

    said_done: SaidDone | None = Field(default=None, description="Look also whether the state shows it.")


class DriftLook(StackLook):
    """`pulumi.detect_drift`: tell what drifted; nothing is changed, the state neither."""

    known: tuple[str, ...] = Field(default=(), description="Fingerprints of the look before.")
    said_done: SaidDone | None = Field(default=None, description="Look also whether the state shows it.")


class PreviewRequest(StackLook):
    """`pulumi.preview_stack` and `pulumi.preview_destroy`: plan, and write down what people are to approve."""

    drift: Digest | None = Field(default=None, description="The report of the refresh right before.")
    why: str = Field(default="", max_length=300, description="One line for people, first in the summary.")


class RestoreLook(StackLook):
    """`pulumi.preview_restore`: compare a kept state with the one that is there, and write down what to approve."""

    backup: Digest = Field(description="The artifact with the state that is to be put back.")


class StackPreviewed(StackRead):
    """A plan."""

    plan: str | None = Field(
        default=None, description="The plan for the approval, as its one text; None: nothing is to be done."
    )
    whole_plan: Digest | None = Field(default=None, description="The artifact with a `StackPlan` as JSON.")
    headline: str = Field(default="", description="What it comes to, in one line.")
    lines: tuple[str, ...] = Field(default=(), description="For people, at most 50 of them.")


class StackChanged(ApprovedAnswer):
    """How an update or a destruction ended. Anything but *applied* is for a person."""

    outcome: UpOutcome
    events: Digest | None = Field(default=None, description="The event log, without secrets.")
    exported: Digest | None = Field(default=None, description="The state after it.")
    said: str = Field(default="", description="The end of what Pulumi printed, bounded.")
    outputs: dict[str, str] = Field(default_factory=dict[str, str], description="The stack's outputs, secrets masked.")

    def end(self) -> StepEnd:
        """By the outcome, which is read from states and events."""
        outcome = self.outcome
        return StepEnd(
            way=WAYS[outcome.ended],
            why=outcome.why,
            done=tuple(f"{one.change.value} {told(one.urn)}" for one in outcome.done),
            not_done=tuple(f"{one.change.value} {told(one.urn)}" for one in outcome.not_done),
            unplanned=tuple(f"{one.change.value} {told(one.urn)}" for one in outcome.unplanned),
            failed=tuple(f"{one.op} {told(one.urn)}" for one in outcome.failed),
            in_doubt=tuple(f"{one.op} {told(one.urn)}" for one in outcome.in_doubt),
            next_step=outcome.next_step,
        )


class StackRestored(ApprovedAnswer):
    """`pulumi.restore_state`: how it ended; by the identity of what is there, never by what Pulumi said."""

    ended: Ended = Field(description="Applied, refused or unknown.")
    state: Identity | None = Field(default=None, description="Of the state that is there now; None: it was not read.")
    exported: Digest | None = Field(default=None, description="That state.")
    replaced: Digest = Field(description="The state before it.")
    said: str = Field(default="", description="The end of what Pulumi printed, bounded.")

    def end(self) -> StepEnd:
        """By the identity of what is there."""
        why = "" if self.ended is Ended.APPLIED else visible(cause(self.said)) or "Pulumi said nothing"
        way = WAYS[self.ended]
        return StepEnd(way=way, why=why, next_step=_AFTER_RESTORING.get(way, _WHICH_STATE))


class LockSeen(StackRead):
    """`pulumi.look_at_lock`: who holds Pulumi's own lock of the stack."""

    owners: tuple[str, ...] = ()


class StackUnlocked(ApprovedAnswer):
    """`pulumi.unlock_stack`: whether the lock is gone."""

    released: bool
    owners: tuple[str, ...] = ()

    def end(self) -> StepEnd:
        """A lock that is still there was not taken away."""
        if self.released:
            return StepEnd(way="completed")
        held = f"{', '.join(map(visible, self.owners))} holds it" if self.owners else "it is not held any more"
        return StepEnd(way="refused", why=held, next_step="InspectStack tells who holds it now; ask again with that.")


class Deployment(_Contract):
    """One entry of a stack's history."""

    version: int
    kind: str = Field(description="update, destroy, refresh, import, …")
    result: str = Field(description="succeeded, failed, in-progress, …")
    started: datetime | None = None
    message: str = ""
    commit: str | None = Field(default=None, description="Of the program, where Banksman made it.")
    changes: dict[str, int] = Field(default_factory=dict[str, int])


class StackHistory(StackRead):
    """`pulumi.read_history`: the newest first, at most 100."""

    deployments: tuple[Deployment, ...] = ()


class StackOutputs(StackRead):
    """`pulumi.read_outputs`: secrets masked."""

    outputs: dict[str, str] = Field(default_factory=dict[str, str])
    otherwise: int | None = Field(
        default=None, description="So many resources the state shows otherwise than is said; None: no look."
    )


class StackProgress(_Contract):
    """The signal `stack_progress`: how far a step on a stack is."""

    done: int = 0
    failed: int = 0
    lines: tuple[str, ...] = Field(default=(), description="The newest, for people.")


PREPARE_STACK: Final = Step(
    name="pulumi.prepare_stack",
    request=PrepareStackRequest,
    response=PreparedStack,
    effect=Effect.READ,
    on=TaskQueue.SANDBOX,
)
PREVIEW_STACK: Final = Step(
    name="pulumi.preview_stack",
    request=PreviewRequest,
    response=StackPreviewed,
    effect=Effect.WRITE,
    on=TaskQueue.SANDBOX,
    tried=LOOK_AT_STACK,
)
PREVIEW_DESTROY: Final = Step(
    name="pulumi.preview_destroy",
    request=PreviewRequest,
    response=StackPreviewed,
    effect=Effect.READ,
    on=TaskQueue.SANDBOX,
    tried=LOOK_AT_STACK,
)
REFRESH_STACK: Final = Step(
    name="pulumi.refresh_stack",
    request=StackLook,
    response=DriftSeen,
    effect=Effect.WRITE,
    on=TaskQueue.SANDBOX,
    tried=LOOK_AT_STACK,
)
DETECT_DRIFT: Final = Step(
    name="pulumi.detect_drift",
    request=DriftLook,
    response=DriftSeen,
    effect=Effect.READ,
    on=TaskQueue.SANDBOX,
    tried=LOOK_AT_STACK,
)
READ_HISTORY: Final = Step(
    name="pulumi.read_history",
    request=StackLook,
    response=StackHistory,
    effect=Effect.READ,
    on=TaskQueue.SANDBOX,
    tried=LOOK_AT_STACK,
)
READ_OUTPUTS: Final = Step(
    name="pulumi.read_outputs",
    request=OutputsLook,
    response=StackOutputs,
    effect=Effect.READ,
    on=TaskQueue.SANDBOX,
    tried=LOOK_AT_STACK,
)
PREVIEW_RESTORE: Final = Step(
    name="pulumi.preview_restore",
    request=RestoreLook,
    response=StackPreviewed,
    effect=Effect.READ,
    on=TaskQueue.SANDBOX,
    tried=LOOK_AT_STACK,
)
LOOK_AT_LOCK: Final = Step(
    name="pulumi.look_at_lock",
    request=StackLook,
    response=LockSeen,
    effect=Effect.READ,
    on=TaskQueue.SANDBOX,
    tried=LOOK_AT_STACK,
)
SEAL_CREDENTIALS: Final = Step(
    name="pulumi.seal_credentials",
    request=SealCredentialsRequest,
    response=SealedCredentials,
    effect=Effect.READ,
    credential=manifest.LOOK,
)
UPDATE_STACK: Final = Step(
    name="pulumi.update_stack",
    request=GrantedRequest,
    response=StackChanged,
    effect=Effect.DESTRUCTIVE,
    credential=manifest.CHANGE,
    tried=CHANGE_STACK,
)
DESTROY_STACK: Final = Step(
    name="pulumi.destroy_stack",
    request=GrantedRequest,
    response=StackChanged,
    effect=Effect.DESTRUCTIVE,
    credential=manifest.CHANGE,
    tried=CHANGE_STACK,
)
RESTORE_STATE: Final = Step(
    name="pulumi.restore_state",
    request=GrantedRequest,
    response=StackRestored,
    effect=Effect.DESTRUCTIVE,
    credential=manifest.CHANGE,
    tried=CHANGE_STACK,
)
UNLOCK_STACK: Final = Step(
    name="pulumi.unlock_stack",
    request=GrantedRequest,
    response=StackUnlocked,
    effect=Effect.DESTRUCTIVE,
    credential=manifest.CHANGE,
    tried=CHANGE_STACK,
)
