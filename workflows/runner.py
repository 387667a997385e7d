"""The workflow runner of workers, tests and replay alike: one factory, so that none is kinder than another."""

import dataclasses
from typing import Final

from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy

from workflows.arriving import RightInputs

_WHOLE: Final = ("cryptography", "_cffi_backend")
"""Loaded once per process: their native half ends the process when it is loaded again by the sandbox."""


class _Runner(SandboxedWorkflowRunner):
    """Has each workflow's input looked at before everything else does, tracing included."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        outermost = (RightInputs, *det.interceptor_classes)
        return super().create_instance(dataclasses.replace(det, interceptor_classes=outermost))


def sandbox_runner() -> SandboxedWorkflowRunner:
    """The SDK's default sandbox, which also refuses modules that workflow code did not pass through on purpose."""
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*_WHOLE).with_import_notification_policy(
        SandboxImportNotificationPolicy.WARN_ON_DYNAMIC_IMPORT
        | SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
    )
    return _Runner(restrictions=restrictions)
