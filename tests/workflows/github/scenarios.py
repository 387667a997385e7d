"""The ways that a job can go: its goal reads a file, and GitHub and the gateway are played."""

from activities.github.contracts import LOOK_AT_PULL_REQUEST, READ_FILE, PullRequestLook
from activities.github.showing_contracts import PUT_CHECK, PUT_COMMENT, PUT_LABEL, CheckPut, CommentPut, LabelPut
from activities.guard.error_types import ErrorType, application_error
from tests.workflows.github.at_github import CONTENT, HEAD, PULL
from tests.workflows.played import Answers, Played
from workflows.github.following_contracts import FOLLOW_GOAL, GoalFollowed
from workflows.github.job_contracts import GITHUB_JOB, GitHubJobInput

ASKED = GitHubJobInput(
    repository="acme/shop",
    goal="ReadFile",
    inputs={"repository": "acme/shop", "path": "README.md"},
    delivery="72d3162e-cc78-11e3-81ab-4c9367dc0958",
    number=7,
    commit=HEAD,
    console="https://console.example.com",
)
DENIED = application_error(ErrorType.POLICY_DENIED, "acme/shop is not to be read")
GONE = application_error(ErrorType.NOT_FOUND, "check run 11 of 'acme/shop' is gone")


def _answers(**changes: object) -> Answers:
    said: dict[str, object] = {
        "file": CONTENT,
        "check": CheckPut(check=11),
        "follow": GoalFollowed(mark="1", ended=True),
        "pull": PullRequestLook(found=PULL),
        **changes,
    }
    return {
        READ_FILE: [said["file"]],
        PUT_CHECK: [said["check"]],
        PUT_COMMENT: [CommentPut(comment=22)],
        PUT_LABEL: [LabelPut(number=7)],
        FOLLOW_GOAL: [said["follow"]],
        LOOK_AT_PULL_REQUEST: [said["pull"]],
    }


SCENARIOS = (
    Played(goal=GITHUB_JOB, name="completed", answers=_answers(), request=ASKED),
    Played(goal=GITHUB_JOB, name="refused", answers=_answers(file=DENIED), request=ASKED),
    Played(goal=GITHUB_JOB, name="not-shown", answers=_answers(check=GONE), request=ASKED),
    Played(goal=GITHUB_JOB, name="unseen", answers=_answers(), request=GITHUB_JOB.example),
)
