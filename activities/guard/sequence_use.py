"""What was done of a plan of many steps, as Vault keeps it: each step once, in order, and each after the one before.

Every step has a record that says by which execution it was begun, and one that says how it ended. Both are written once
and never over: two workers cannot both begin a step, and what has happened stays written. A step begins when all those
before it have ended as carried out. One whose end nobody wrote down, or that ended otherwise, is the last one.

To give up what is left is to take the next step's record away from every execution there could be.
"""

import json
from datetime import UTC, datetime
from typing import Final, Protocol

from pydantic import JsonValue
from temporalio import activity

from activities.guard.current_attempt import Use
from activities.guard.granted import GrantedRequest
from activities.step_end import ApprovedAnswer
from hitl.approval.decision import Decision, SignedDecision, position_nonce, read_decision
from hitl.approval.plan import plan_digest
from hitl.approval.sequence import SequencePlan, read_any_plan
from hitl.canonical import canonical_json
from hitl.protocol import Refusal, RefusalReason

GIVEN_UP: Final = "given_up"
"""The field of a record that no execution can have."""
_CARRIED_OUT: Final = "completed"


class SequenceRecords(Protocol):
    """Keeps one text per path, for ever, and never overwrites it."""

    async def write_once(self, path: str, text: str) -> str:
        """Write it unless there is one; the answer is the text that stands there now.

        Raises:
            ConnectorError: It cannot be told; the step is tried again.
        """
        ...

    async def written(self, path: str) -> str | None:
        """The text that stands there; None where there is none.

        Raises:
            ConnectorError: It cannot be told; the step is tried again.
        """
        ...


async def use_step(records: SequenceRecords, info: activity.Info, request: GrantedRequest) -> Use | Refusal:
    """Begin one step of a plan of many for this execution, or say why not.

    Raises:
        ConnectorError: As the records say.
    """
    plan, position = _plan_of(request), request.position
    decisions = [read_decision(signed.text) for signed in request.decisions]
    if plan is None or position is None or not decisions:
        text = f"{info.activity_type!r} does not say which step it is of a plan of many."
        return Refusal(reason=RefusalReason.OTHER_STEP, explanation=text)
    for before in range(1, position):
        if refusal := await _refuse_before(records, plan, decisions, before):
            return refusal
    mine = {
        "workflow_id": info.workflow_id,
        "run_id": info.workflow_run_id,
        "step_id": info.activity_id,
        "scheduled": info.scheduled_time.isoformat(),
    }
    this_try = canonical_json(
        {
            **mine,
            "attempt": info.attempt,
            "started": info.started_time.isoformat(),
            "action": info.activity_type,
            "position": position,
            "of": len(plan.steps),
            "plan": plan_digest(request.plan),
            "approval": decisions[0].approval_id,
            "requester": decisions[0].requester,
            "approved_by": [one.person for one in decisions if _names(one, position)],
        }
    )
    found = await records.write_once(_begun(decisions, position), this_try)
    if found == this_try:
        return Use.FIRST
    written = _read(found)
    if mine.items() <= written.items():
        return Use.RETRY
    if GIVEN_UP in written:
        return _refuse(RefusalReason.GIVEN_UP, plan, position, "its goal has given it up; plan and ask again")
    why = f"it was begun already, and may have been done, by {found}; plan and ask again"
    return _refuse(RefusalReason.ALREADY_USED, plan, position, why)


async def end_step(records: SequenceRecords, info: activity.Info, request: GrantedRequest, answer: object) -> None:
    """Write down how a step ended that has answered. The first answer stands: a later one says nothing new.

    Raises:
        ConnectorError: As the records say. The step is tried again, and reads what it did.
    """
    if request.position is None:
        return
    decisions = [read_decision(signed.text) for signed in request.decisions]
    # A step that answers only where all was done needs not say so.
    way = answer.end().way if isinstance(answer, ApprovedAnswer) else _CARRIED_OUT
    end: dict[str, JsonValue] = {
        "run_id": info.workflow_run_id,
        "step_id": info.activity_id,
        "attempt": info.attempt,
        "ended": datetime.now(UTC).isoformat(),
        "way": way,
    }
    await records.write_once(_ended(decisions, request.position), canonical_json(end))


async def give_up(
    records: SequenceRecords, info: activity.Info, text: str, signed: tuple[SignedDecision, ...], *, why: str
) -> int | None:
    """Take from every execution what is left of a plan of many steps.

    Args:
        records: Of the steps.
        info: Of the execution that gives up.
        text: The plan's.
        signed: Its grant, verified by the guard.
        why: For the record.

    Returns:
        The position from which on nothing can begin any more; None where every step was begun.

    Raises:
        ConnectorError: As the records say.
    """
    plan, decisions = read_any_plan(text), [read_decision(one.text) for one in signed]
    record: dict[str, JsonValue] = {
        GIVEN_UP: datetime.now(UTC).isoformat(),
        "workflow_id": info.workflow_id,
        "run_id": info.workflow_run_id,
        "step_id": info.activity_id,
        "plan": plan_digest(text),
        "approval": decisions[0].approval_id,
        "why": why,
    }
    steps = len(plan.steps) if isinstance(plan, SequencePlan) else 0
    for position in range(1, steps + 1):
        mine: dict[str, JsonValue] = {**record, "position": position}
        found = await records.write_once(_begun(decisions, position), canonical_json(mine))
        if GIVEN_UP in _read(found):
            return position
    return None


async def _refuse_before(
    records: SequenceRecords, plan: SequencePlan, decisions: list[Decision], position: int
) -> Refusal | None:
    begun = await records.written(_begun(decisions, position))
    if begun is not None and GIVEN_UP in _read(begun):
        return _refuse(RefusalReason.GIVEN_UP, plan, position, "its goal has given it up, and with it all that follow")
    ended = await records.written(_ended(decisions, position)) if begun is not None else None
    way = _read(ended).get("way") if ended is not None else None
    if way == _CARRIED_OUT:
        return None
    if begun is None:
        why = "it was not begun yet, and steps run in their order"
    elif ended is None:
        why = "it was begun, and nobody knows how it ended; look at what is there"
    else:
        why = f"it ended as {way}, so nothing that follows it runs; plan and ask again"
    return _refuse(RefusalReason.OUT_OF_ORDER, plan, position, why)


def _plan_of(request: GrantedRequest) -> SequencePlan | None:
    plan = read_any_plan(request.plan)
    return plan if isinstance(plan, SequencePlan) else None


def _names(decision: Decision, position: int) -> bool:
    return any(one.position == position for one in decision.steps or ())


def _begun(decisions: list[Decision], position: int) -> str:
    return f"grants/{position_nonce(decisions, position)}"


def _ended(decisions: list[Decision], position: int) -> str:
    return f"grants/{position_nonce(decisions, position)}-ended"


def _read(record: str) -> dict[str, object]:
    """What a record says; nothing where it is none."""
    try:
        written: object = json.loads(record)
    except ValueError:
        return {}
    return {str(name): value for name, value in written.items()} if isinstance(written, dict) else {}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - of any


def _refuse(reason: RefusalReason, plan: SequencePlan, position: int, why: str) -> Refusal:
    named = plan.named(position)
    return Refusal(reason=reason, explanation=f"{named[0].upper()}{named[1:]}: {why}.")
