"""The ways that a fleet can go: its goal reads a file in each repository."""

from activities.github.contracts import READ_FILE, FileRead
from activities.github.listing_contracts import LIST_REPOSITORIES, RepositoriesListed
from activities.guard.error_types import ErrorType, application_error
from tests.workflows.played import Answers, Played
from workflows.fleet.contracts import CHECK_FLEET, FleetChecked
from workflows.fleet.goals import RUN_FLEET, RunFleetInput

READ = FileRead(commit="c" * 40, blob="b" * 40, size=4, encoding="utf-8", content="one\n")
DENIED = application_error(ErrorType.POLICY_DENIED, "acme/web is not to be read")
NO_APP = application_error(ErrorType.AUTH_DENIED, "GitHub refuses the App's private key")
ASKED = RunFleetInput(goal="ReadFile", inputs={"path": "README.md"}, repositories=("acme/*",), concurrency=2)
ALONE = ASKED.model_copy(update={"concurrency": 1})


def answers(*reads: object, found: RepositoriesListed | Exception | None = None, **checked: object) -> Answers:
    """Three repositories, and what reading gives in one after the other."""
    there = found or RepositoriesListed(repositories=("acme/api", "acme/shop", "acme/web"), archived=("acme/old",))
    return {
        LIST_REPOSITORIES: [there],
        CHECK_FLEET: [FleetChecked.model_validate({"names_repository": True, **checked})],
        READ_FILE: list(reads or (READ,)),
    }


SCENARIOS = (
    Played(goal=RUN_FLEET, name="completed", answers=answers(), request=ASKED),
    Played(goal=RUN_FLEET, name="stopped", answers=answers(READ, DENIED, READ), request=ALONE),
    Played(goal=RUN_FLEET, name="denied", answers=answers(DENIED), request=ALONE),
    Played(goal=RUN_FLEET, name="refused", answers=answers(refused="there is no goal 'ReadFile'"), request=ASKED),
    Played(goal=RUN_FLEET, name="failed", answers=answers(found=NO_APP), request=ASKED),
)
