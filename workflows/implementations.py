"""Every workflow that a goals worker carries out: the goals' own, and those that goals start or that watch over one."""

from typing import Final

from workflows.approval.messages import ApprovalNoticeWorkflow
from workflows.approval.workflow import ApprovalWorkflow
from workflows.parking import ParkedNoticeWorkflow
from workflows.pulumi.destroy_stack import DestroyStackWorkflow, UnlockStackWorkflow
from workflows.pulumi.detect_drift import DetectDriftWorkflow
from workflows.pulumi.inspect_stack import InspectStackWorkflow
from workflows.pulumi.lock import StackLockWorkflow
from workflows.pulumi.preview_and_up import PreviewAndUpWorkflow, RollBackStackWorkflow
from workflows.pulumi.restore_state import RestoreStateWorkflow
from workflows.repository.delete_branch import DeleteBranchWorkflow
from workflows.repository.open_pull_request import OpenPullRequestWorkflow
from workflows.repository.read_file import ReadFileWorkflow
from workflows.repository.run_in_sandbox import RunInSandboxWorkflow
from workflows.unknown_goal import UnknownGoalWorkflow

WORKFLOWS: Final[tuple[type, ...]] = (
    ReadFileWorkflow,
    RunInSandboxWorkflow,
    OpenPullRequestWorkflow,
    DeleteBranchWorkflow,
    PreviewAndUpWorkflow,
    DetectDriftWorkflow,
    InspectStackWorkflow,
    RollBackStackWorkflow,
    RestoreStateWorkflow,
    DestroyStackWorkflow,
    UnlockStackWorkflow,
    ApprovalWorkflow,
    ApprovalNoticeWorkflow,
    ParkedNoticeWorkflow,
    StackLockWorkflow,
    UnknownGoalWorkflow,
)
