"""The ways that copying a repository can go; those of the other goals here are in `tests/replay`."""

from activities.github.contracts import COPY_REPOSITORY, RepositoryCopied
from activities.guard.error_types import ErrorType, application_error
from tests.workflows.played import Played
from workflows.repository.goals import COPY_REPOSITORY as GOAL

COPIED = RepositoryCopied(
    described=f"sha256:{'a' * 64}",
    pack=f"sha256:{'b' * 64}",
    size=1000,
    branches=3,
    pull_requests=1,
    default_branch="main",
    head="c" * 40,
)
DENIED = application_error(ErrorType.POLICY_DENIED, "acme/shop is not to be read")
AWAY = application_error(ErrorType.UNAVAILABLE, "GitHub does not answer")

SCENARIOS = (
    Played(goal=GOAL, name="completed", answers={COPY_REPOSITORY: [COPIED]}),
    Played(goal=GOAL, name="denied", answers={COPY_REPOSITORY: [DENIED]}),
    Played(goal=GOAL, name="outage-waited-out", answers={COPY_REPOSITORY: [AWAY, COPIED]}),
)
