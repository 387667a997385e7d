"""What each event of GitHub is to us, by its action: the one list that decisions and the page on events come from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hitl.github.events import AnyEvent
from hitl.policy.triggers import Trigger
from workflows.github.job_contracts import JobTrigger


@dataclass(frozen=True, kw_only=True)
class Happening:
    """One action of an event.

    Attributes:
        trigger: What it can have begun by the policy's words; None for nothing.
        happens: What then happens, for people.
    """

    trigger: Trigger | None = None
    happens: str


_COMMAND: Final = Happening(trigger=Trigger.COMMENT, happens="a command on its first line is read; all else is nothing")
_TASK: Final = Happening(trigger=Trigger.ISSUE, happens="the repository's triggers for it start their tasks")
_PULL: Final = Happening(
    trigger=Trigger.PULL_REQUEST,
    happens="the repository's triggers for it start their tasks, where they have `paths` for those files alone; from a "
    "fork only what reads and sees nothing private",
)
_PUSHED_OVER: Final = Happening(
    trigger=Trigger.PULL_REQUEST,
    happens=f"{_PULL.happens}. By somebody else in a bot's pull request: approvals of its former head count no more",
)
_REVIEW: Final = Happening(
    trigger=Trigger.COMMENT,
    happens="a command on the first line of what it says is read, as of a comment; what was approved or asked for is "
    "nothing to us",
)
_FIRST: Final = Happening(happens="nothing: a comment counts as it was first written")
_KEPT: Final = Happening(
    happens="nothing is begun; what is known of the installation is brought up to date, and schedules pause where the "
    "App is not"
)
_NOTHING: Final = Happening(happens="nothing")
_OURS: Final = Happening(happens="nothing: we wrote it ourselves, or another App did")

_BEGUN: Final[Mapping[tuple[str, str], Happening]] = {
    ("issue_comment", "created"): _COMMAND,
    ("issue_comment", "edited"): _FIRST,
    ("issue_comment", "deleted"): _FIRST,
    ("pull_request_review_comment", "created"): _COMMAND,
    ("pull_request_review_comment", "edited"): _FIRST,
    ("pull_request_review_comment", "deleted"): _FIRST,
    ("pull_request_review", "submitted"): _REVIEW,
    ("pull_request_review", "edited"): Happening(happens="nothing: a review counts as it was submitted"),
    ("pull_request_review", "dismissed"): Happening(happens="nothing: what it said was said when it was submitted"),
    ("check_run", "created"): _OURS,
    ("check_run", "completed"): _OURS,
    ("check_run", "requested_action"): Happening(
        trigger=Trigger.BUTTON, happens="the button says a command on the goal of the check run: cancel, retry, approve"
    ),
    ("check_run", "rerequested"): Happening(trigger=Trigger.BUTTON, happens="as the button retry"),
    ("issues", "opened"): _TASK,
    ("issues", "reopened"): _TASK,
    ("issues", "labeled"): _TASK,
    ("pull_request", "opened"): _PULL,
    ("pull_request", "reopened"): _PULL,
    ("pull_request", "labeled"): _PULL,
    ("pull_request", "ready_for_review"): _PULL,
    ("pull_request", "synchronize"): _PUSHED_OVER,
    ("push", ""): Happening(
        trigger=Trigger.PUSH,
        happens="the repository's triggers for it start their tasks; a new `.banksman/config.yaml` of the default "
        "branch has its schedules, or its mistakes are told on their lines",
    ),
    ("ping", ""): Happening(happens="nothing: GitHub tries the address"),
}
_OTHERS: Final[Mapping[str, tuple[str, ...]]] = {
    "issues": (
        *("assigned", "closed", "deleted", "demilestoned", "edited", "locked", "milestoned", "pinned", "transferred"),
        *("typed", "unassigned", "unlabeled", "unlocked", "unpinned", "untyped"),
    ),
    "pull_request": (
        *("assigned", "auto_merge_disabled", "auto_merge_enabled", "closed", "converted_to_draft", "demilestoned"),
        *("dequeued", "edited", "enqueued", "locked", "milestoned", "review_request_removed", "review_requested"),
        *("unassigned", "unlabeled", "unlocked"),
    ),
    "installation": ("created", "deleted", "new_permissions_accepted", "suspend", "unsuspend"),
    "installation_repositories": ("added", "removed"),
    "repository": (
        *("archived", "created", "deleted", "edited", "privatized", "publicized", "renamed", "transferred"),
        "unarchived",
    ),
}
_STATE: Final = frozenset({"installation", "installation_repositories", "repository"})

HAPPENINGS: Final[Mapping[tuple[str, str], Happening]] = {
    **_BEGUN,
    **{(name, action): _KEPT if name in _STATE else _NOTHING for name, those in _OTHERS.items() for action in those},
}
"""By event and action; an action is empty where the event has none."""


def happening_of(event: AnyEvent) -> Happening:
    """What an event is to us. One that this release does not know is nothing."""
    return HAPPENINGS.get((event.event, event.action), _NOTHING)


def trigger_of(event: AnyEvent) -> JobTrigger | None:
    """What began a job, as people look for it: a label is one of its own, on an issue or a pull request."""
    began = happening_of(event).trigger
    if began in {Trigger.ISSUE, Trigger.PULL_REQUEST} and event.action == "labeled":
        return JobTrigger.LABEL
    return JobTrigger(began.value) if began is not None else None
