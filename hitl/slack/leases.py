"""A lease that cannot be ended, as one message: what it holds, why, and the command by which a person ends it.

When it has ended after all, the message says so in its place.
"""

import hashlib
import shlex
from typing import Final

from activities.leases.kinds import command_for
from hitl.gateway.leases import StuckLease
from hitl.hidden import unhidden, visible
from hitl.slack.blocks import Block, Passage, Shown, context, escaped, fields, fitting, header, link, named, short
from hitl.slack.messages import Links
from hitl.slack.wording import middle

LEASE_TYPE: Final = "banksman_lease"
_LONGEST: Final = 500
_TITLE: Final = 150
_AT_ITS_PROVIDER: Final = "In its provider's own console, by its mark."
_BY_ITSELF: Final = "It is also tried again and again, after pauses that grow to four hours."


def message_id(found: StuckLease) -> str:
    """By which the message is found: one for each run of a notice."""
    return hashlib.sha256("\0".join(found.notice).encode()).hexdigest()


def lease_message(found: StuckLease, why: str, *, environment: str, links: Links, over: bool) -> Shown:
    """The message.

    Args:
        found: As the server says it is.
        why: Why it could not be ended, in the lease's words.
        environment: Of this gateway.
        links: Where people look further.
        over: It is tried no more.
    """
    stands = "Cannot be ended: " if not over else "Ended after all: " if found.ended else "No longer tried: "
    lease = found.lease
    title = stands + middle(visible(f"{lease.title} {lease.leased.name}"), _TITLE - len(stands))
    passages = [
        Passage("It said:" if over else "It says:", [short(unhidden(why), _LONGEST)]),
        *([] if found.ended and over else [_by_hand(found)]),
    ]
    return Shown(
        text=escaped(title),
        blocks=fitting([header(title), _at_a_glance(found, environment)], passages, [_links(found, links)]),
        metadata={
            "event_type": LEASE_TYPE,
            "event_payload": {"request_id": message_id(found), "stage": int(over)},
        },
        stage=int(over),
    )


def _at_a_glance(found: StuckLease, environment: str) -> Block:
    lease = found.lease
    pairs = [
        ("Lease", named(lease.id)),
        ("Where", named(environment)),
        ("Mark", named(lease.leased.mark)),
        ("Was to end", f"{lease.ends_at:%Y-%m-%d %H:%M} UTC"),
    ]
    return fields(pairs)


def _by_hand(found: StuckLease) -> Passage:
    again = f"banksman leases end {shlex.quote(visible(found.lease.id))}"
    by_hand = short(unhidden(command_for(found.lease) or _AT_ITS_PROVIDER), _LONGEST)
    return Passage(
        "It may cost money until it is gone. End it by hand, or have it tried at once:", [by_hand, again, _BY_ITSELF]
    )


def _links(found: StuckLease, links: Links) -> Block:
    temporal = link(links.workflow(found.found.id, found.found.run_id), "The lease in Temporal")
    return context([temporal, f"Run {named(found.found.run_id)}"])
