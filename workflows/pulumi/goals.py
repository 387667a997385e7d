"""What people ask for on Pulumi stacks, and how it ended."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from temporalio.common import SearchAttributeKey

from activities.pulumi.place import StackName, StackPlace
from connectors.pulumi.empty_state import EMPTY_STATE_REFERENCE
from hitl.protocol import Effect
from workflows.contracts import (
    REPOSITORY_ATTRIBUTE,
    DestructiveGoalInput,
    GitRef,
    GoalInput,
    GoalResult,
    RepositoryName,
    RepositoryPath,
)
from workflows.goal_type import GoalType

_COMMIT: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def _artifact(value: str) -> str:
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", value):
        msg = (
            f"{value[:80]!r} is not an artifact; take `exported` of what InspectStack tells, or `state_before` of what "
            "changed the stack: sha256: and 64 hexadecimal digits"
        )
        raise ValueError(msg)
    return value


class OfAStack(GoalInput):
    """What all goals on stacks are asked."""

    repository: RepositoryName = Field(description="OWNER/NAME of a repository that the GitHub App is installed on.")
    folder: RepositoryPath | None = Field(
        default=None, description="Where its Pulumi.yaml lies; the root of the repository when left out."
    )
    stack: StackName = Field(description="The stack's name, as in Pulumi.NAME.yaml, without its project.")
    ref: GitRef | None = Field(default=None, description="Branch, tag or commit; the default branch when left out.")

    @property
    def place(self) -> str:
        """The stack, as people say it."""
        return f"{self.stack} of {self.repository}" + (f"/{self.folder}" if self.folder else "")

    @property
    def moves(self) -> bool:
        """Whether what is asked for may be another commit tomorrow."""
        return self.ref is None or not _COMMIT.fullmatch(self.ref)

    def key(self, kind: str) -> str:
        """The business key of one kind of goal on this stack: at most one of them runs at a time."""
        folder = f"/{self.folder}" if self.folder else ""
        return f"{kind}/{self.repository}{folder}:{self.stack}"

    def search_attributes(self) -> Mapping[SearchAttributeKey[str], str]:
        """Found by its repository."""
        return {REPOSITORY_ATTRIBUTE: self.repository}


class _ChangingAStack(OfAStack, DestructiveGoalInput):
    """What goals have in common that change a stack."""

    def changing(self, kind: str) -> str:
        """As `key`; in an emergency one of its own, beside what may wait for days."""
        return self.key(f"{kind}-break-glass" if self.break_glass else kind)

    @property
    def emergency(self) -> str:
        """How the summary begins."""
        return "BREAK GLASS: " if self.break_glass else ""


class PreviewAndUpInput(_ChangingAStack):
    """Plan what a Pulumi program wants of its stack, and apply exactly that plan once people approved it."""

    refresh: bool = Field(
        default=True,
        description="First write into the state what is really there, so that the plan is about that; nothing but "
        "the state is changed by it.",
    )

    def business_key(self) -> str:
        """`preview-and-up/OWNER/NAME/FOLDER:STACK`."""
        return self.changing("preview-and-up")

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"{self.emergency}Preview and up the stack {self.place}" + (f" at {self.ref}" if self.ref else "")


class RollBackStackInput(_ChangingAStack):
    """Go back to an earlier deployment of a stack: its program at that commit, planned and approved as any other."""

    version: int = Field(ge=1, description="The deployment's number in the stack's history.")

    def business_key(self) -> str:
        """`roll-back-stack/OWNER/NAME/FOLDER:STACK`."""
        return self.changing("roll-back-stack")

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"{self.emergency}Roll the stack {self.place} back to deployment {self.version}"


class DestroyStackInput(_ChangingAStack):
    """Destroy everything that a stack holds, once people approved the list of it."""

    def business_key(self) -> str:
        """`destroy-stack/OWNER/NAME/FOLDER:STACK`."""
        return self.changing("destroy-stack")

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"{self.emergency}Destroy the stack {self.place}"


class RestoreStateInput(_ChangingAStack):
    """Put a kept state of a stack back in the place of what Pulumi believes of it; nothing outside is changed."""

    exported: Annotated[str, AfterValidator(_artifact)] = Field(
        description="The artifact with the state: `exported` of what `InspectStack` tells, or `state_before` and "
        "`state_after` of what a goal tells that changed the stack."
    )

    def business_key(self) -> str:
        """`restore-state/OWNER/NAME/FOLDER:STACK`."""
        return self.changing("restore-state")

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"{self.emergency}Put the state {self.exported[:19]} of the stack {self.place} back"


class UnlockStackInput(_ChangingAStack):
    """Take away the lock that a dead run of Pulumi left on a stack, once people approved it."""

    def business_key(self) -> str:
        """`unlock-stack/OWNER/NAME/FOLDER:STACK`."""
        return self.changing("unlock-stack")

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"{self.emergency}Unlock the stack {self.place}"


class DetectDriftInput(OfAStack):
    """Look what stands outside otherwise than a stack's state says; tell people of what is new. Nothing is changed."""

    def business_key(self) -> str:
        """`detect-drift/OWNER/NAME/FOLDER:STACK`."""
        return self.key("detect-drift")

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"Look for drift of the stack {self.place}"


class InspectStackInput(OfAStack):
    """Tell a stack's outputs, its deployments and who holds Pulumi's lock of it; keep its state as a backup."""

    drift: bool = Field(
        default=False,
        description="Look besides what stands outside otherwise than its state says. Nobody is told, and no look of "
        "`DetectDrift` counts it as seen.",
    )

    def business_key(self) -> str:
        """`inspect-stack/OWNER/NAME/FOLDER:STACK`; of one with its drift `inspect-stack-drift/…`."""
        return self.key("inspect-stack-drift" if self.drift else "inspect-stack")

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"Inspect the stack {self.place}"


class StackResult(GoalResult):
    """What became of a stack. Lists hold one line per resource, at most 200 each; one that is cut says so."""

    repository: str = Field(description="As it was asked for.")
    stack: str = Field(description="As it was asked for.")
    project: str | None = Field(default=None, description="As `Pulumi.yaml` says.")
    commit: str | None = Field(default=None, description="Of the program.")
    headline: str = Field(default="", description="What was planned, in one line.")
    done: tuple[str, ...] = Field(default=(), description="What was done.")
    not_done: tuple[str, ...] = Field(default=(), description="What was planned and not done.")
    unplanned: tuple[str, ...] = Field(default=(), description="What was done and not planned.")
    failed: tuple[str, ...] = Field(default=(), description="What a provider could not do; it may be done in part.")
    in_doubt: tuple[str, ...] = Field(default=(), description="What may or may not have been done.")
    errors: tuple[str, ...] = Field(default=(), description="What Pulumi said of it.")
    next_step: str = Field(default="", description="What a person does now.")
    outputs: dict[str, str] = Field(default_factory=dict[str, str], description="The stack's outputs, secrets masked.")
    drift: tuple[str, ...] = Field(default=(), description="What a look afterwards saw otherwise than the state says.")
    plan: str | None = Field(default=None, description="The artifact with the whole plan.")
    events: str | None = Field(default=None, description="The artifact with Pulumi's event log.")
    state_before: str | None = Field(
        default=None, description="The artifact with the state before it, as `RestoreState` takes it."
    )
    state_after: str | None = Field(default=None, description="The artifact with the state after it.")


class DetectDriftResult(GoalResult):
    """What a look found. The next look of the same schedule goes on from its fingerprints."""

    repository: str = Field(description="As it was asked for.")
    stack: str = Field(description="As it was asked for.")
    deployed: bool = Field(default=True, description="False where there is no such stack.")
    drifted: int = Field(default=0, description="How many differences there are that are no known noise.")
    quiet: int = Field(default=0, description="How many are.")
    looked_at: int = Field(default=0, description="How many resources were looked at.")
    complete: bool = Field(default=True, description="Else what is missing here is not proved absent.")
    lines: tuple[str, ...] = Field(default=(), description="The whole difference, as far as 50 lines go.")
    new: tuple[str, ...] = Field(default=(), description="What the look before did not see; people were told of it.")
    fingerprints: tuple[str, ...] = Field(default=(), description="What people know of by now.")
    report: str | None = Field(default=None, description="The artifact with the whole report.")


class DeploymentTold(BaseModel):
    """One entry of a stack's history."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: int = Field(description="What `RollBackStack` takes.")
    kind: str = Field(description="update, destroy, refresh, …")
    result: str = Field(description="succeeded, failed, …")
    started: datetime | None = None
    commit: str | None = Field(default=None, description="Of the program, where an update of Banksman's made it.")
    changes: dict[str, int] = Field(default_factory=dict[str, int], description="Resources, by what became of them.")


class DriftTold(BaseModel):
    """What stands outside otherwise than the state says."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    drifted: int = Field(description="How many differences there are that are no known noise.")
    quiet: int = Field(default=0, description="How many are.")
    looked_at: int = Field(default=0, description="How many resources were looked at.")
    complete: bool = Field(default=True, description="Else what is missing here is not proved absent.")
    lines: tuple[str, ...] = Field(default=(), description="The whole difference, as far as 50 lines go.")
    report: str | None = Field(default=None, description="The artifact with the whole report.")


class InspectStackResult(GoalResult):
    """What a stack is."""

    repository: str = Field(description="As it was asked for.")
    stack: str = Field(description="As it was asked for.")
    project: str | None = Field(default=None, description="As `Pulumi.yaml` says.")
    deployed: bool = Field(default=True, description="False where there is no such stack.")
    outputs: dict[str, str] = Field(default_factory=dict[str, str], description="Secrets masked.")
    deployments: tuple[DeploymentTold, ...] = Field(default=(), description="The newest first, at most 100.")
    locked_by: tuple[str, ...] = Field(default=(), description="The runs that hold Pulumi's own lock.")
    state: str | None = Field(default=None, description="The identity of the state.")
    exported: str | None = Field(default=None, description="The artifact with the state, its secrets encrypted.")
    drift: DriftTold | None = Field(default=None, description="Where that was asked for.")


class RestoreStateResult(GoalResult):
    """What became of what Pulumi believes of a stack."""

    repository: str = Field(description="As it was asked for.")
    stack: str = Field(description="As it was asked for.")
    project: str | None = Field(default=None, description="As `Pulumi.yaml` says.")
    headline: str = Field(default="", description="What Pulumi believes otherwise by it, in one line.")
    plan: str | None = Field(default=None, description="The artifact with the whole plan.")
    state: str | None = Field(default=None, description="The identity of the state that is there now.")
    state_before: str | None = Field(
        default=None, description="The artifact with the state before it: `RestoreState` with this undoes it."
    )
    state_after: str | None = Field(default=None, description="The artifact with the state that is there now.")
    next_step: str = Field(default="", description="What a person does now.")


class UnlockStackResult(GoalResult):
    """What became of the lock."""

    repository: str = Field(description="As it was asked for.")
    stack: str = Field(description="As it was asked for.")
    owners: tuple[str, ...] = Field(default=(), description="The runs that held it.")
    released: bool = Field(default=False, description="Whether it is gone by this goal.")


@dataclass(frozen=True, kw_only=True)
class StackAsked:
    """Where the stack is that a goal is about.

    Attributes:
        ref: Branch, tag or commit; None: the default branch.
        moves: Whether that may be another commit tomorrow.
    """

    place: StackPlace
    ref: str | None
    moves: bool


def asked_for(request: OfAStack) -> StackAsked:
    """Where the stack is that a goal is about."""
    place = StackPlace(repository=request.repository, folder=request.folder or ".", stack=request.stack)
    return StackAsked(place=place, ref=request.ref, moves=request.moves)


PREVIEW_AND_UP: Final = GoalType(
    name="PreviewAndUp",
    input=PreviewAndUpInput,
    result=StackResult,
    effect=Effect.DESTRUCTIVE,
    example=PreviewAndUpInput(repository="acme/infra", stack="dev"),
    needs="stacks",
    rehearses=frozenset({"github", "pulumi"}),
)
DETECT_DRIFT: Final = GoalType(
    name="DetectDrift",
    input=DetectDriftInput,
    result=DetectDriftResult,
    effect=Effect.WRITE,
    example=DetectDriftInput(repository="acme/infra", stack="dev"),
    needs="stacks",
)
INSPECT_STACK: Final = GoalType(
    name="InspectStack",
    input=InspectStackInput,
    result=InspectStackResult,
    effect=Effect.READ,
    example=InspectStackInput(repository="acme/infra", stack="dev"),
    needs="stacks",
)
ROLL_BACK_STACK: Final = GoalType(
    name="RollBackStack",
    input=RollBackStackInput,
    result=StackResult,
    effect=Effect.DESTRUCTIVE,
    example=RollBackStackInput(repository="acme/infra", stack="dev", version=1),
    needs="stacks",
)
RESTORE_STATE: Final = GoalType(
    name="RestoreState",
    input=RestoreStateInput,
    result=RestoreStateResult,
    effect=Effect.DESTRUCTIVE,
    # The state of a stack that has nothing, which the embedded environment keeps.
    example=RestoreStateInput(repository="acme/infra", stack="dev", exported=EMPTY_STATE_REFERENCE),
    needs="stacks",
)
DESTROY_STACK: Final = GoalType(
    name="DestroyStack",
    input=DestroyStackInput,
    result=StackResult,
    effect=Effect.DESTRUCTIVE,
    example=DestroyStackInput(repository="acme/infra", stack="dev"),
    needs="stacks",
)
UNLOCK_STACK: Final = GoalType(
    name="UnlockStack",
    input=UnlockStackInput,
    result=UnlockStackResult,
    effect=Effect.DESTRUCTIVE,
    example=UnlockStackInput(repository="acme/infra", stack="dev"),
    needs="stacks",
)
