"""The goal that maps dependencies, on the real server with steps that answer what is written down."""

import uuid

import pytest
from pydantic import ValidationError
from temporalio.client import Client, WorkflowFailureError

from activities.guard.error_types import ErrorType, application_error
from activities.queues import TaskQueue
from tests.workflows.dependencies.scenarios import DENIED, EMPTY, answers
from tests.workflows.played import Answers, playing
from workflows.contracts import State
from workflows.dependencies.goals import MAP_DEPENDENCIES, MapDependenciesInput, MapDependenciesResult

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def mapped(client: Client, said: Answers, **asked: object) -> MapDependenciesResult:
    request = MapDependenciesInput.model_validate({"repositories": "acme/*", "package": "pulumi", **asked})
    async with playing(client, said):
        return await client.execute_workflow(
            MAP_DEPENDENCIES.name,
            request,
            id=str(uuid.uuid4()),
            task_queue=TaskQueue.GOALS,
            result_type=MapDependenciesResult,
        )


async def test_every_repository_that_matches_is_read_and_one_that_cannot_be_is_told(client: Client) -> None:
    done = await mapped(client, answers(empty=EMPTY, lib=DENIED))
    assert (done.outcome, done.used_by, done.users[0].repository) == (State.COMPLETED, 1, "acme/shop")
    assert [(one.repository, one.why) for one in done.unread] == [
        ("acme/empty", "'acme/empty' has no commit yet: push one first"),
        ("acme/lib", "people alone work on it"),
    ]
    assert done.artifact is not None


async def test_where_nothing_may_be_read_it_is_denied_and_where_nothing_can_be_it_fails(client: Client) -> None:
    assert (await mapped(client, answers(shop=DENIED, lib=DENIED, empty=DENIED))).outcome is State.DENIED
    with pytest.raises(WorkflowFailureError) as failed:
        await mapped(client, answers(shop=EMPTY, lib=DENIED, empty=EMPTY))
    assert "none of 3 repositories can be read; Acme/shop: " in str(failed.value.cause)


async def test_what_is_wrong_with_all_of_them_is_not_told_of_one(client: Client) -> None:
    spent = application_error(ErrorType.QUOTA_EXHAUSTED, "no more today")
    with pytest.raises(WorkflowFailureError) as failed:
        await mapped(client, answers(shop=spent))
    assert str(failed.value.cause) == "QuotaExhausted: no more today"


async def test_a_repository_where_the_app_is_not_installed_is_named_with_those_where_it_is(client: Client) -> None:
    with pytest.raises(WorkflowFailureError) as failed:
        await mapped(client, answers(), repositories="evil/site")
    assert "on no repository that 'evil/site' matches; it is on Acme/shop, acme/empty" in str(failed.value.cause)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"repositories": "acme"}, "matches no repository; write OWNER/NAME"),
        ({"repositories": "acme/[a-z]"}, "matches no repository"),
        ({"repositories": "acme/a\nb"}, "matches no repository"),
        ({"package": "a\nb"}, "which a person cannot see"),
        ({"ecosystem": "npm"}, "write both, or none"),
    ],
)
async def test_a_pattern_or_package_that_is_none_is_refused(asked: dict[str, str], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        MapDependenciesInput.model_validate(asked)
