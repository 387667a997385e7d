"""A parked goal as one message: what it waits for, in its step's words as plain text, and how it goes on.

When it is parked no more, the message says so in its place, and what is left of it is a record.
"""

import hashlib
import shlex
from typing import Final

from activities.catalogue import steps
from hitl.gateway.parked import ParkedGoal
from hitl.hidden import unhidden, visible
from hitl.protocol import Effect
from hitl.slack.blocks import Block, Passage, Shown, context, escaped, fields, fitting, header, link, named, short
from hitl.slack.messages import Links
from hitl.slack.wording import middle
from workflows.contracts import State
from workflows.parked_contracts import MAY_HAVE_BEGUN

PARKED_TYPE: Final = "banksman_parked"
_LONGEST: Final = 500
_NAME: Final = 300
_TITLE: Final = 150
_BY_ITSELF: Final = "It also tries again by itself, after pauses that grow to four hours."
_UNKNOWN: Final = "What it waits for, its page tells."


def message_id(found: ParkedGoal) -> str:
    """By which the message is found: one for each run of a notice."""
    return notice_id(found.notice)


def notice_id(notice: tuple[str, str]) -> str:
    """The same, of a notice by its workflow and run id."""
    return hashlib.sha256("\0".join(notice).encode()).hexdigest()


def parked_message(found: ParkedGoal, *, environment: str, links: Links, over: bool) -> Shown:
    """The message.

    Args:
        found: As the server says it is.
        environment: Of this gateway.
        links: Where people look further.
        over: It is parked no more, or anew.
    """
    stands = f"{_stands(found) if over else 'Parked'}: "
    title = stands + middle(visible(found.goal.id), _TITLE - len(stands))
    passages = [_why(found, over=over), *([] if over else [way_on(found.goal.id, found.step)])]
    return Shown(
        text=escaped(title),
        blocks=fitting([header(title), _at_a_glance(found, environment)], passages, [_links(found, links)]),
        metadata={
            "event_type": PARKED_TYPE,
            "event_payload": {"request_id": message_id(found), "stage": int(over)},
        },
        stage=int(over),
    )


def _stands(found: ParkedGoal) -> str:
    match found.standing:
        case State.RUNNING | State.WAITING:
            return "Goes on"
        case State.PARKED:
            return "Went on, and is parked again"
        case ended:
            return short(visible(ended).replace("_", " ").capitalize(), _TITLE // 3)


def _at_a_glance(found: ParkedGoal, environment: str) -> Block:
    pairs = [
        ("Goal", named(found.goal.workflow_type)),
        ("Where", named(environment)),
        ("Step", named(found.step)),
        ("Parked since", f"{found.since:%Y-%m-%d %H:%M} UTC"),
    ]
    return fields([(label, value) for label, value in pairs if label != "Step" or found.step])


def _why(found: ParkedGoal, *, over: bool) -> Passage:
    if not found.why:
        return Passage(_UNKNOWN)
    return Passage("It waited for:" if over else "It waits for:", [short(unhidden(found.why), _LONGEST)])


def way_on(goal: str, step_name: str) -> Passage:
    """What a person does: of a step by a grant it is said that it may have begun, and what follows from that.

    Args:
        goal: Its workflow id.
        step_name: At which it is parked.
    """
    resume = f"banksman resume {shlex.quote(visible(goal))}"
    step = steps().get(step_name)
    if step is not None and step.effect is Effect.DESTRUCTIVE:
        told = f"{MAY_HAVE_BEGUN[0].upper()}{MAY_HAVE_BEGUN[1:]}. Where it had not begun, mend it, then:"
        return Passage(told, [resume, _BY_ITSELF])
    return Passage("Mend it, then let it go on, or cancel it in Temporal:", [resume, _BY_ITSELF])


def _links(found: ParkedGoal, links: Links) -> Block:
    page = links.goal(found.goal.id, found.goal.run_id)
    temporal = link(links.workflow(found.goal.id, found.goal.run_id), "The goal in Temporal")
    run = f"Run {named(found.goal.run_id)}"  # where an id is so long that no link with it fits
    return context([*([link(page, "The goal's page")] if page else []), temporal, *links.of_traces(found.goal.id), run])
