"""What drifted, as one message: the goal's lines as plain text, and where to look further."""

import hashlib
from typing import Final

from temporalio.client import WorkflowExecutionDescription

from hitl.hidden import unhidden, visible
from hitl.slack.blocks import Passage, Shown, context, escaped, fitting, header, link, short
from hitl.slack.messages import Links
from workflows.pulumi.drift_contracts import TellDrift

DRIFT_TYPE: Final = "banksman_drift"
_LONGEST: Final = 300
_NOTIFIED: Final = 150
_NEXT_STEP: Final = (
    "Nothing was changed. PreviewAndUp puts back what the program says; or change the program so that it says what "
    "stands now."
)


def message_id(request: TellDrift, goal: WorkflowExecutionDescription) -> str:
    """By which a second try finds the message: one for each key in one run of a goal."""
    parts = (goal.id, goal.run_id, request.key)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def drift_message(request: TellDrift, goal: WorkflowExecutionDescription, *, environment: str, links: Links) -> Shown:
    """The message.

    Args:
        request: What the goal says.
        goal: As the server says it is.
        environment: Of this gateway.
        links: Where people look further.
    """
    title = f"New drift in {visible(request.place)}"
    lines = [short(unhidden(one), _LONGEST) for one in request.lines]
    more = [f"… and {request.more} more"] if request.more > 0 else []
    passages = (
        Passage(f"In {visible(environment)}, otherwise than the state says:", [*lines, *more]),
        Passage(_NEXT_STEP),
    )
    where = link(links.workflow(goal.id, goal.run_id), "The goal in Temporal")
    return Shown(
        text=escaped(short(title, _NOTIFIED)),
        blocks=fitting([header(title)], passages, [context([f"Seen by {escaped(short(goal.id, _LONGEST))}", where])]),
        metadata={"event_type": DRIFT_TYPE, "event_payload": {"request_id": message_id(request, goal)}},
    )
