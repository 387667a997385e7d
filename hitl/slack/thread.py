"""The thread below an approval's message: what happened to it, one line for each thing, each said once.

Changing a message in its place tells nobody. So a reminder and an escalation name here, as mentions, those who are
asked; who that is comes from the policy, and everything else on a line is plain text.

How far an approved step is passes: such a line is said only when the one before it is old enough, and else never.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from hitl.approval.approvers import People
from hitl.gateway.asked import Asked
from hitl.gateway.server import FoundApproval
from hitl.hidden import unhidden, visible
from hitl.slack.blocks import Block, escaped, plain, short
from hitl.slack.mentions import mentioned
from hitl.slack.messages import decided
from workflows.approval.contracts import ApprovalView
from workflows.contracts import State

_LONGEST: Final = 2500
_LONGEST_PROGRESS: Final = 500
_ENDED: Final = "ended"
_PROGRESS: Final = "progress/"
SECONDS_BETWEEN: Final = 25.0
"""Between two lines about how far a step is. A goal sends one in 30 seconds; its clock is not Slack's."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line.

    Attributes:
        key: Unique in the thread: by it, a second try finds what the first one said.
        text: For notifications and for what cannot show blocks.
    """

    key: str
    text: str
    blocks: tuple[Block, ...]

    def worth_saying(self, said: Mapping[str, float], *, now: float) -> bool:
        """Whether it is to be said, after what was said already.

        Args:
            said: Keys of lines, and when they were said.
            now: In seconds since 1970, as those times are.
        """
        if self.key in said or not self.key.startswith(_PROGRESS):
            return self.key not in said
        before = [at for key, at in said.items() if key.startswith(_PROGRESS)]
        return _ENDED not in said and now - max(before, default=0.0) >= SECONDS_BETWEEN


def lines_about(  # noqa: PLR0913 - all that a thread tells of
    found: FoundApproval,
    view: ApprovalView,
    *,
    asked: Asked,
    people: People,
    ended: str = "",
    next_step: str = "",
    progress: str = "",
) -> Iterator[Line]:
    """What has happened by now and is still worth saying."""
    for number, one in enumerate(view.decisions, start=1):
        yield _said(f"decision/{number}", decided(one))
    if view.state is State.WAITING:
        yield from _asked_again(found, view, asked, people)
    else:
        why = f" {unhidden(view.reason)}" if view.reason else ""
        on = " The goal goes on." if view.state is State.APPROVED else ""
        yield _said("state", f"It is {view.state.value.replace('_', ' ')}.{on}{why}")
    if progress:
        shown = short(unhidden(progress), _LONGEST_PROGRESS)
        yield _said(_PROGRESS + hashlib.sha256(shown.encode()).hexdigest()[:32], shown)
    if ended:
        now = f"\nWhat to do now: {unhidden(next_step)}" if next_step else ""
        yield _said(_ENDED, f"The step ended: {unhidden(ended)}.{now}")


def _asked_again(found: FoundApproval, view: ApprovalView, asked: Asked, people: People) -> Iterator[Line]:
    if view.reminders:
        waiting = mentioned(found.request.rule.groups, view, asked=asked, people=people)
        yield _asking(f"reminder/{view.reminders}", "This still waits for you:", waiting)
    if view.escalated_to:
        also = mentioned((view.escalated_to,), view, asked=asked, people=people)
        yield _asking("escalated", f"Too few answered, so {visible(view.escalated_to)} is asked as well:", also)


def _said(key: str, text: str) -> Line:
    shown = text[:_LONGEST]
    return Line(key=key, text=escaped(shown), blocks=({"type": "section", "text": plain(shown)},))


def _asking(key: str, text: str, mentions: str) -> Line:
    blocks: list[Block] = [{"type": "section", "text": plain(text)}]
    if mentions:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": mentions}})
    return Line(key=key, text=f"{escaped(text)} {mentions}".rstrip(), blocks=tuple(blocks))
