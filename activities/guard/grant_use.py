"""A grant acts once: the guard uses it up before a destructive step begins.

The same grant with the same activity id passes every check a second time in the same run, because a workflow may give
an activity id again once the first has ended. So it is written down who uses the grant, where only the first writing
succeeds. Whoever finds its own step there was begun before, and reads what it did before it acts again: also where its
attempts are counted from one again, as they are after `temporal activity reset`.
"""

import json
from collections.abc import Mapping
from typing import Protocol

from temporalio import activity

from activities.guard.current_attempt import Use
from activities.guard.granted import GrantedRequest
from activities.guard.sequence_use import SequenceRecords, use_step
from hitl.approval.decision import grant_nonce, read_decision
from hitl.canonical import canonical_json
from hitl.protocol import Refusal, RefusalReason


class GrantRecords(SequenceRecords, Protocol):
    """Keeps one text per path, for ever, and never overwrites it. The destructive worker's standing in Vault is one."""


async def use_grant(records: GrantRecords, info: activity.Info, request: object) -> Use | Refusal:
    """Use the grant up for this execution, or say why not: another one has it.

    Raises:
        ConnectorError: As the records say.
    """
    if not isinstance(request, GrantedRequest):
        text = f"{info.activity_type!r} is destructive and was given no grant that can be used up."
        return Refusal(reason=RefusalReason.NO_GRANT, explanation=text)
    if request.position is not None:
        return await use_step(records, info, request)
    # A retry keeps the time it was first scheduled; the same id scheduled again does not.
    mine = {
        "workflow_id": info.workflow_id,
        "run_id": info.workflow_run_id,
        "step_id": info.activity_id,
        "scheduled": info.scheduled_time.isoformat(),
    }
    this_try = canonical_json({**mine, "attempt": info.attempt, "started": info.started_time.isoformat()})
    decisions = [read_decision(signed.text) for signed in request.decisions]
    found = await records.write_once(f"grants/{grant_nonce(decisions)}", this_try)
    if found == this_try:
        return Use.FIRST
    if _is_of(found, mine):
        return Use.RETRY
    return Refusal(
        reason=RefusalReason.ALREADY_USED,
        explanation=f"What was approved was begun already, and may have been done, by {found}; plan and ask again.",
    )


def _is_of(record: str, execution: Mapping[str, object]) -> bool:
    """Whether it was written by a try of this execution; an older one does not say by which."""
    try:
        written: object = json.loads(record)
    except ValueError:
        return False
    return isinstance(written, dict) and execution.items() <= written.items()
