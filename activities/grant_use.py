"""A grant acts once: what a destructive step does first where its provider has no natural key to be idempotent by.

The same grant with the same activity id passes every check a second time in the same run, because a workflow may give
an activity id again once the first has ended. So the step writes down who uses the grant, where only the first
writing succeeds. Whoever finds its own name there is a retry, and reads what it did before it acts again.
"""

from enum import Enum
from typing import Protocol

from temporalio import activity

from activities.error_types import policy_denied
from activities.granted import GrantedRequest
from hitl.canonical import canonical_json
from hitl.decision import grant_nonce, read_decision
from hitl.plan import read_plan
from hitl.protocol import Denial, Effect, RefusalReason


class GrantRecords(Protocol):
    """Keeps one text per path, for ever, and never overwrites it. A step's Vault token is one."""

    async def write_once(self, path: str, text: str) -> str:
        """Write it unless there is one; the answer is the text that stands there now.

        Raises:
            ConnectorError: It cannot be told; the step is tried again.
        """
        ...


class Use(Enum):
    """How this execution comes to the grant."""

    FIRST = "first"
    """Nothing was done on it yet."""
    RETRY = "retry"
    """This same execution was tried before, and may have acted: read first."""


async def use_grant(records: GrantRecords, request: GrantedRequest) -> Use:
    """Use the grant up for this execution. To be called inside the step, before anything else.

    Raises:
        ApplicationError: `PolicyDenied` with `already_used`: another execution has it.
        ConnectorError: As the records say.
    """
    info = activity.info()
    decisions = [read_decision(signed.text) for signed in request.decisions]
    # A retry keeps the time it was first scheduled; the same id scheduled again does not.
    mine = canonical_json(
        {
            "workflow_id": info.workflow_id,
            "run_id": info.workflow_run_id,
            "step_id": info.activity_id,
            "scheduled": info.scheduled_time.isoformat(),
        }
    )
    found = await records.write_once(f"grants/{grant_nonce(decisions)}", mine)
    if found != mine:
        raise policy_denied(
            Denial(
                reason=RefusalReason.ALREADY_USED,
                action=read_plan(request.plan).action,
                effect=Effect.DESTRUCTIVE,
                environment=decisions[0].environment,
                explanation=f"What was approved has been done already, by {found}; plan and ask again.",
            )
        )
    return Use.FIRST if info.attempt == 1 else Use.RETRY
