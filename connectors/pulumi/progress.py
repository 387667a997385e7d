"""Resource by resource, what is going on: lines for people while the CLI works."""

from typing import Final

from connectors.pulumi.changes import change_of
from connectors.pulumi.events import Diagnostic, Event, PolicyViolation, ResourceEvent, Stage, Summary
from connectors.pulumi.urn import is_bookkeeping, read_urn
from connectors.pulumi.values import shown
from hitl.hidden import visible

_LONGEST: Final = 300
_WORDS: Final = {Stage.BEGAN: "…", Stage.DONE: "done", Stage.FAILED: "FAILED"}


def progress_line(event: Event) -> str | None:
    """One event in one line of 300 characters at most; None where people need not see it."""
    match event:
        case ResourceEvent():
            text = _resource(event)
        case Diagnostic(severity="error" | "warning"):
            text = f"{event.severity}: {event.message}"
        case PolicyViolation():
            text = f"policy {event.policy} ({event.level}): {event.message}"
        case Summary():
            counted = ", ".join(f"{count} {op}" for op, count in sorted(event.changes.items())) or "nothing"
            text = f"{'planned' if event.preview else 'ended'}: {counted}"
        case _:
            return None
    return shown(visible(" ".join(text.split())), most=_LONGEST) if text else None


def _resource(event: ResourceEvent) -> str:
    about = event.metadata
    if is_bookkeeping(about.type) or (change_of(about.op) is None and about.op != "refresh"):
        return ""
    if event.planning:
        return "" if event.stage is not Stage.BEGAN else f"plan: {about.op} {about.type} {read_urn(about.urn).name}"
    return f"{about.op} {about.type} {read_urn(about.urn).name} {_WORDS[event.stage]}"
