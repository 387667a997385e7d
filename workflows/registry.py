"""Every goal that a person can ask for, in one list: `banksman goals`, the surfaces of people and the docs read it.

What carries a goal out is in `workflows.implementations`, by the same name: who only asks for goals loads no step.
"""

import json
import shlex
from dataclasses import dataclass
from typing import Final, Literal

from activities.queues import TaskQueue
from connectors.pulumi.empty_state import EMPTY_STATE_REFERENCE
from hitl.protocol import Effect
from workflows.contracts import (
    DeleteBranchInput,
    DeleteBranchResult,
    FileEdit,
    GoalInput,
    GoalResult,
    OpenPullRequestInput,
    OpenPullRequestResult,
    ReadFileInput,
    ReadFileResult,
    RunInSandboxInput,
    RunInSandboxResult,
)
from workflows.pulumi.contracts import (
    DestroyStackInput,
    DetectDriftInput,
    DetectDriftResult,
    InspectStackInput,
    InspectStackResult,
    OfAStack,
    PreviewAndUpInput,
    RestoreStateInput,
    RestoreStateResult,
    RollBackStackInput,
    StackResult,
    UnlockStackInput,
    UnlockStackResult,
)


@dataclass(frozen=True, kw_only=True)
class GoalEntry:
    """One goal, as people and programs look it up.

    Attributes:
        input: The model of its one argument.
        result: The model of its result.
        effect: The strongest effect any of its steps has.
        example: An input that works on the embedded stack.
    """

    name: str
    input: type[GoalInput]
    result: type[GoalResult]
    effect: Effect
    example: GoalInput

    @property
    def description(self) -> str:
        """What it does, in one sentence."""
        return (self.input.__doc__ or "").strip().splitlines()[0]

    @property
    def example_json(self) -> str:
        """The example, as it is typed on a command line."""
        return json.dumps(self.example.model_dump(mode="json", exclude_unset=True), separators=(",", ":"))

    def temporal_command(self, *, address: str | None = None, namespace: str | None = None) -> str:
        """The same, for the Temporal CLI: at this address and in this namespace, where they are told."""
        told = {"--address": address, "--namespace": namespace}
        where = "".join(f" {option} {shlex.quote(value)}" for option, value in told.items() if value is not None)
        return (
            f"temporal workflow execute{where} --type {self.name} --task-queue {TaskQueue.GOALS} "
            f"--workflow-id demo --input {shlex.quote(self.example_json)}"
        )

    @property
    def needs(self) -> Literal["sandbox", "stacks"] | None:
        """The part of an environment without which it waits, where not every environment has that."""
        if issubclass(self.input, OfAStack):
            return "stacks"
        return "sandbox" if self.input is RunInSandboxInput else None


GOALS: Final = (
    GoalEntry(
        name="ReadFile",
        input=ReadFileInput,
        result=ReadFileResult,
        effect=Effect.READ,
        example=ReadFileInput(repository="acme/shop", path="README.md"),
    ),
    GoalEntry(
        name="RunInSandbox",
        input=RunInSandboxInput,
        result=RunInSandboxResult,
        effect=Effect.WRITE,
        example=RunInSandboxInput(repository="acme/shop", command=("git", "log", "-1", "--format=%s")),
    ),
    GoalEntry(
        name="OpenPullRequest",
        input=OpenPullRequestInput,
        result=OpenPullRequestResult,
        effect=Effect.WRITE,
        example=OpenPullRequestInput(
            repository="acme/shop",
            title="Say hello",
            files=(FileEdit(path="HELLO.md", content="Hello.\n"),),
        ),
    ),
    GoalEntry(
        name="DeleteBranch",
        input=DeleteBranchInput,
        result=DeleteBranchResult,
        effect=Effect.DESTRUCTIVE,
        example=DeleteBranchInput(repository="acme/shop", branch="banksman/old-idea"),
    ),
    GoalEntry(
        name="PreviewAndUp",
        input=PreviewAndUpInput,
        result=StackResult,
        effect=Effect.DESTRUCTIVE,
        example=PreviewAndUpInput(repository="acme/infra", stack="dev"),
    ),
    GoalEntry(
        name="DetectDrift",
        input=DetectDriftInput,
        result=DetectDriftResult,
        effect=Effect.WRITE,
        example=DetectDriftInput(repository="acme/infra", stack="dev"),
    ),
    GoalEntry(
        name="InspectStack",
        input=InspectStackInput,
        result=InspectStackResult,
        effect=Effect.READ,
        example=InspectStackInput(repository="acme/infra", stack="dev"),
    ),
    GoalEntry(
        name="RollBackStack",
        input=RollBackStackInput,
        result=StackResult,
        effect=Effect.DESTRUCTIVE,
        example=RollBackStackInput(repository="acme/infra", stack="dev", version=1),
    ),
    GoalEntry(
        name="RestoreState",
        input=RestoreStateInput,
        result=RestoreStateResult,
        effect=Effect.DESTRUCTIVE,
        # The state of a stack that has nothing, which the embedded stack keeps.
        example=RestoreStateInput(repository="acme/infra", stack="dev", exported=EMPTY_STATE_REFERENCE),
    ),
    GoalEntry(
        name="DestroyStack",
        input=DestroyStackInput,
        result=StackResult,
        effect=Effect.DESTRUCTIVE,
        example=DestroyStackInput(repository="acme/infra", stack="dev"),
    ),
    GoalEntry(
        name="UnlockStack",
        input=UnlockStackInput,
        result=UnlockStackResult,
        effect=Effect.DESTRUCTIVE,
        example=UnlockStackInput(repository="acme/infra", stack="dev"),
    ),
)


def find_goal(name: str) -> GoalEntry | None:
    """The goal of that exact name."""
    return next((goal for goal in GOALS if goal.name == name), None)
