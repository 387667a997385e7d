"""Whom a message calls by name in Slack: people of the groups that are asked, who can still decide.

Only member ids of the policy become mentions, so that nothing that somebody wrote can call anybody.
"""

from typing import Final

from hitl.approval.approvers import Mentions, People
from hitl.gateway.asked import Asked
from workflows.approval.contracts import ApprovalView

_SLACK: Final = "slack:"
_MOST: Final = 30


def mentioned(groups: tuple[str, ...], view: ApprovalView, *, asked: Asked, people: People) -> str:
    """All of them who did not decide yet and did not ask; empty where Slack knows none."""
    return " ".join(_ids(groups, view, asked, people)[:_MOST])


def asked_at_once(groups: tuple[str, ...], view: ApprovalView, *, asked: Asked, people: People) -> str:
    """Those whom a new message mentions, as the policy says: all, none, or the first of its file who are enough."""
    ids = _ids(groups, view, asked, people)
    most = {Mentions.ALL: _MOST, Mentions.FIRST: max(asked.needs - len(view.decisions), 1), Mentions.NONE: 0}
    return " ".join(ids[: min(most[asked.mention], _MOST)])


def _ids(groups: tuple[str, ...], view: ApprovalView, asked: Asked, people: People) -> list[str]:
    done = {one.person for one in view.decisions} | {people.requester(asked.requester)}
    wanted = people.members(groups) - done
    found: dict[str, str] = {}
    for identity, person in people.identities.items():
        if identity.startswith(_SLACK) and person in wanted and identity.removeprefix(_SLACK).isalnum():
            found.setdefault(person, f"<@{identity.removeprefix(_SLACK)}>")
    return list(found.values())
