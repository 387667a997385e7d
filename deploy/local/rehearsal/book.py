"""The audit book of a rehearsal against what the goal says of itself: the guard has seen every step."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from activities.guard.audit import AuditRecord, parse_record
from hitl.approval.rehearsal import RehearsedEffect, names
from hitl.protocol import Effect

_ASKING = "approval."
_TALKS = "gateway"


class BookDiffers(Exception):
    """The guard let something run that the goal does not tell. The message names it."""


def records(folder: Path) -> list[AuditRecord]:
    """Every line of every process, in the order of time."""
    lines = (line for file in sorted(folder.glob("*.jsonl")) for line in file.read_bytes().split(b"\n"))
    return sorted((one for line in lines if (one := parse_record(line)) is not None), key=lambda one: one.time)


def with_book(
    effects: Sequence[RehearsedEffect], book: Sequence[AuditRecord], *, workflow_id: str, before: Collection[str] = ()
) -> tuple[RehearsedEffect, ...]:
    """The goal's effects with how long each took, and those of workflows that it started.

    Args:
        effects: As the goal tells them.
        book: The whole of it.
        workflow_id: The goal's.
        before: Workflows that the book knew when the goal began, where others were rehearsed in the same environment
            before it: what they do is theirs.

    Raises:
        BookDiffers: The book has a step of the goal's that it does not tell.
    """
    allowed = [one for one in book if one.event == "allowed" and _counts(one)]
    told = {one.action for one in effects}
    if missing := sorted({one.action for one in allowed if one.workflow_id == workflow_id} - told):
        raise BookDiffers(f"the goal had an effect that it does not tell: {', '.join(missing)}")
    took = {action: _took(action, book, workflow_id) for action in told}
    timed = [one.model_copy(update={"milliseconds": next(took[one.action], None)}) for one in effects]
    others = dict.fromkeys(_of_another(one) for one in allowed if one.workflow_id not in {workflow_id, *before})
    return (*timed, *others)


def _counts(record: AuditRecord) -> bool:
    has_effect = record.effect in {Effect.WRITE, Effect.DESTRUCTIVE}
    return has_effect and record.role != _TALKS and not record.action.startswith(_ASKING)


def _took(action: str, book: Sequence[AuditRecord], workflow_id: str) -> Iterator[int]:
    """How long each execution took that succeeded, in order."""
    for one in book:
        if (one.action, one.event, one.workflow_id) == (action, "finished", workflow_id):
            yield round(one.duration_ms or 0)


def _of_another(record: AuditRecord) -> RehearsedEffect:
    said = [f"{name} {value}" for name, value in sorted(record.context.items()) if name != "provider"]
    return RehearsedEffect(action=record.action, on=names(f"by {record.workflow_type}", *said))
