"""Every goal that a person can ask for, in one list: workers, `banksman goals` and the docs read it."""

import json
import shlex
from dataclasses import dataclass
from typing import Final, Literal

from activities.queues import TaskQueue
from connectors.pulumi.backup import EMPTY_STATE_REFERENCE
from hitl.protocol import Effect
from workflows.approval import ApprovalWorkflow
from workflows.approval_messages import ApprovalNoticeWorkflow
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
from workflows.delete_branch import DeleteBranchWorkflow
from workflows.destroy_stack import DestroyStackWorkflow, UnlockStackWorkflow
from workflows.detect_drift import DetectDriftWorkflow
from workflows.inspect_stack import InspectStackWorkflow
from workflows.open_pull_request import OpenPullRequestWorkflow
from workflows.parking import ParkedNoticeWorkflow
from workflows.preview_and_up import PreviewAndUpWorkflow, RollBackStackWorkflow
from workflows.read_file import ReadFileWorkflow
from workflows.restore_state import RestoreStateWorkflow
from workflows.run_in_sandbox import RunInSandboxWorkflow
from workflows.stack_inputs import (
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
from workflows.stack_lock import StackLockWorkflow
from workflows.unknown_goal import UnknownGoalWorkflow


@dataclass(frozen=True, kw_only=True)
class GoalEntry:
    """One goal, as people and programs look it up.

    Attributes:
        workflow: The workflow class.
        input: The model of its one argument.
        result: The model of its result.
        effect: The strongest effect any of its steps has.
        example: An input that works on the embedded stack.
    """

    name: str
    workflow: type
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
        workflow=ReadFileWorkflow,
        input=ReadFileInput,
        result=ReadFileResult,
        effect=Effect.READ,
        example=ReadFileInput(repository="acme/shop", path="README.md"),
    ),
    GoalEntry(
        name="RunInSandbox",
        workflow=RunInSandboxWorkflow,
        input=RunInSandboxInput,
        result=RunInSandboxResult,
        effect=Effect.WRITE,
        example=RunInSandboxInput(repository="acme/shop", command=("git", "log", "-1", "--format=%s")),
    ),
    GoalEntry(
        name="OpenPullRequest",
        workflow=OpenPullRequestWorkflow,
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
        workflow=DeleteBranchWorkflow,
        input=DeleteBranchInput,
        result=DeleteBranchResult,
        effect=Effect.DESTRUCTIVE,
        example=DeleteBranchInput(repository="acme/shop", branch="banksman/old-idea"),
    ),
    GoalEntry(
        name="PreviewAndUp",
        workflow=PreviewAndUpWorkflow,
        input=PreviewAndUpInput,
        result=StackResult,
        effect=Effect.DESTRUCTIVE,
        example=PreviewAndUpInput(repository="acme/infra", stack="dev"),
    ),
    GoalEntry(
        name="DetectDrift",
        workflow=DetectDriftWorkflow,
        input=DetectDriftInput,
        result=DetectDriftResult,
        effect=Effect.WRITE,
        example=DetectDriftInput(repository="acme/infra", stack="dev"),
    ),
    GoalEntry(
        name="InspectStack",
        workflow=InspectStackWorkflow,
        input=InspectStackInput,
        result=InspectStackResult,
        effect=Effect.READ,
        example=InspectStackInput(repository="acme/infra", stack="dev"),
    ),
    GoalEntry(
        name="RollBackStack",
        workflow=RollBackStackWorkflow,
        input=RollBackStackInput,
        result=StackResult,
        effect=Effect.DESTRUCTIVE,
        example=RollBackStackInput(repository="acme/infra", stack="dev", version=1),
    ),
    GoalEntry(
        name="RestoreState",
        workflow=RestoreStateWorkflow,
        input=RestoreStateInput,
        result=RestoreStateResult,
        effect=Effect.DESTRUCTIVE,
        # The state of a stack that has nothing, which the embedded stack keeps.
        example=RestoreStateInput(repository="acme/infra", stack="dev", exported=EMPTY_STATE_REFERENCE),
    ),
    GoalEntry(
        name="DestroyStack",
        workflow=DestroyStackWorkflow,
        input=DestroyStackInput,
        result=StackResult,
        effect=Effect.DESTRUCTIVE,
        example=DestroyStackInput(repository="acme/infra", stack="dev"),
    ),
    GoalEntry(
        name="UnlockStack",
        workflow=UnlockStackWorkflow,
        input=UnlockStackInput,
        result=UnlockStackResult,
        effect=Effect.DESTRUCTIVE,
        example=UnlockStackInput(repository="acme/infra", stack="dev"),
    ),
)

WORKFLOWS: Final[tuple[type, ...]] = (
    *(goal.workflow for goal in GOALS),
    ApprovalWorkflow,
    ApprovalNoticeWorkflow,
    ParkedNoticeWorkflow,
    StackLockWorkflow,
    UnknownGoalWorkflow,
)


def find_goal(name: str) -> GoalEntry | None:
    """The goal of that exact name."""
    return next((goal for goal in GOALS if goal.name == name), None)
