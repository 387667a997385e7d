"""The goal `SearchRepository` on the real dev server, its steps scripted; with real containers in `tests/stack`."""

import pytest
from pydantic import ValidationError
from temporalio.client import Client

from sandbox.tools.rules import ToolRules
from tests.workflows.coding.scenarios import LOST, SCENARIOS
from workflows.coding.goals import SEARCH_REPOSITORY, SearchRepositoryInput, SearchRepositoryResult
from workflows.coding.search_repository import NOTHING
from workflows.contracts import State

on_server = pytest.mark.asyncio(loop_scope="session")


async def ended(client: Client, name: str) -> SearchRepositoryResult:
    (played,) = (one for one in SCENARIOS if (one.goal, one.name) == (SEARCH_REPOSITORY, name))
    return await (await played.run(client)).result()


@on_server
async def test_lines_that_match_are_told_with_their_places(client: Client) -> None:
    result = await ended(client, "completed")
    assert (result.outcome, result.commit, result.more) == (State.COMPLETED, "c" * 40, True)
    assert [(one.path, one.line, one.text) for one in result.lines] == [("README.md", 1, "# Shop")]


@on_server
@pytest.mark.parametrize(
    ("name", "outcome", "reason"),
    [
        ("denied", State.DENIED, "nothing is to be searched"),
        ("refused", State.REFUSED, "'[' is no pattern that git grep takes"),
    ],
)
async def test_a_refusal_is_a_result(client: Client, name: str, outcome: State, reason: str) -> None:
    result = await ended(client, name)
    assert (result.outcome, result.reason, result.lines) == (outcome, reason, ())


@on_server
async def test_a_session_that_is_lost_is_begun_anew(client: Client) -> None:
    result = await ended(client, "session-lost-and-begun-anew")
    assert (result.outcome, len(result.lines)) == (State.COMPLETED, 1)
    assert LOST not in str(result.reason)


def test_its_session_may_write_nothing_and_run_nothing() -> None:
    rules = ToolRules()
    assert rules.refusal_to_write("docs/a.md", NOTHING)
    assert rules.refusal_to_run(("git", "status"), NOTHING)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"pattern": ""}, "at least 1 character"),
        ({"pattern": "a\nb"}, "'pattern' is one line"),
        ({"pattern": "a", "paths": ["/etc/**"]}, "is no pattern for paths"),
    ],
)
def test_what_is_no_search_is_refused(given: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        SearchRepositoryInput.model_validate({"repository": "acme/shop", **given})
