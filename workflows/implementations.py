"""Every workflow that a goals worker carries out: the goals' own, and those that goals start or that watch over one."""

from typing import Final

from workflows.approval import ApprovalWorkflow
from workflows.approval_messages import ApprovalNoticeWorkflow
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
from workflows.stack_lock import StackLockWorkflow
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
