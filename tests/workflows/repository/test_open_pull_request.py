"""The goal `OpenPullRequest` on the real dev server, its steps scripted; against the twin in `tests/stack`."""

import base64
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from activities.guard.error_types import ErrorType, application_error
from activities.queues import TaskQueue
from hitl.approval.rehearsal import Rehearsal, RehearsedEffect
from tests.workflows.scripted import COMMITTED, OPENED, Steps, workers
from workflows.repository.goals import FileEdit, OpenPullRequestInput, OpenPullRequestResult

on_the_server = pytest.mark.asyncio(loop_scope="session")

REQUEST = OpenPullRequestInput(
    repository="acme/shop",
    title="Say hello, wörld!",
    body="Why not.",
    files=(
        FileEdit(path="HELLO.md", content="Grüezi.\n", executable=True),
        FileEdit(path="bytes", content_base64="AAEC"),
        FileEdit(path="OLD.md", delete=True),
    ),
)


async def run(
    client: Client, steps: Steps, goal_id: str, request: OpenPullRequestInput = REQUEST
) -> OpenPullRequestResult:
    async with workers(client, steps):
        return await client.execute_workflow(
            "OpenPullRequest", request, id=goal_id, task_queue=TaskQueue.GOALS, result_type=OpenPullRequestResult
        )


@on_the_server
async def test_the_files_are_committed_and_asked_to_be_pulled(client: Client, steps: Steps, goal_id: str) -> None:
    result = await run(client, steps, goal_id)
    assert (result.outcome, result.number, result.url) == ("completed", OPENED.number, OPENED.url)
    assert (result.branch, result.commit) == (REQUEST.branch(goal_id), COMMITTED.commit)
    (commit,), (pull,) = steps.commits, steps.pulls
    assert (commit.branch, commit.base, commit.message) == (result.branch, None, REQUEST.title)
    told = [(one.path, one.content_base64, one.executable) for one in commit.files]
    hello = base64.b64encode("Grüezi.\n".encode()).decode()
    assert told == [("HELLO.md", hello, True), ("bytes", "AAEC", False), ("OLD.md", None, False)]
    assert (pull.head, pull.base, pull.title, pull.body) == (result.branch, "main", REQUEST.title, REQUEST.body)


@on_the_server
async def test_an_outage_is_waited_out(client: Client, steps: Steps, goal_id: str) -> None:
    gone = application_error(ErrorType.UNAVAILABLE, "GitHub is down")
    steps.committed, steps.opened = [gone, COMMITTED], [gone, OPENED]
    assert (await run(client, steps, goal_id)).number == OPENED.number
    assert steps.commits[0] == steps.commits[1]
    assert steps.pulls[0] == steps.pulls[1]


@on_the_server
async def test_a_refusal_is_a_result(client: Client, steps: Steps, goal_id: str) -> None:
    steps.committed = [application_error(ErrorType.POLICY_DENIED, "nothing is to be written")]
    result = await run(client, steps, goal_id)
    assert (result.outcome, result.reason) == ("denied", "nothing is to be written")
    assert (result.number, result.branch, steps.pulls) == (None, None, [])


@on_the_server
async def test_a_refusal_half_way_tells_what_was_made(client: Client, steps: Steps, goal_id: str) -> None:
    steps.opened = [application_error(ErrorType.POLICY_DENIED, "no pull requests")]
    result = await run(client, steps, goal_id)
    assert (result.outcome, result.number) == ("denied", None)
    assert (result.branch, result.commit) == (REQUEST.branch(goal_id), COMMITTED.commit)


@on_the_server
async def test_somebody_elses_branch_ends_it(client: Client, steps: Steps, goal_id: str) -> None:
    steps.committed = [application_error(ErrorType.CONFLICT, "the branch is somebody else's")]
    with pytest.raises(WorkflowFailureError) as caught:
        await run(client, steps, goal_id)
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == ErrorType.CONFLICT


async def rehearsed(client: Client, steps: Steps, goal_id: str, kept: slice) -> OpenPullRequestInput:
    """After a run of the same id, a part of whose effects the rehearsal lists."""
    await run(client, steps, goal_id)
    async with workers(client, steps):
        handle = client.get_workflow_handle(goal_id)
        effects = await handle.query("effects", result_type=tuple[RehearsedEffect, ...])
    assert [one.action for one in effects] == ["github.commit_files", "github.open_pull_request"]
    steps.commits.clear()
    steps.pulls.clear()
    document = Rehearsal.sealed(
        goal="OpenPullRequest",
        of=REQUEST.digest(),
        made_at=datetime.now(UTC),
        copied=(),
        effects=effects[kept],
        milliseconds=1,
    )
    return OpenPullRequestInput.model_validate({**dict(REQUEST), "rehearsal": document})


@on_the_server
async def test_what_was_rehearsed_is_done_again(client: Client, steps: Steps, goal_id: str) -> None:
    request = await rehearsed(client, steps, goal_id, slice(None))
    result = await run(client, steps, goal_id, request)
    assert (result.outcome, result.number, len(steps.pulls), steps.surprises) == ("completed", OPENED.number, 1, [])


@on_the_server
async def test_what_was_not_rehearsed_is_not_done(client: Client, steps: Steps, goal_id: str) -> None:
    request = await rehearsed(client, steps, goal_id, slice(1))
    result = await run(client, steps, goal_id, request)
    assert (result.outcome, len(steps.commits), steps.pulls) == ("denied", 1, [])
    assert "not on the list of the rehearsal: github.open_pull_request" in (result.reason or "")
    assert [one.effects[0].action for one in steps.surprises] == ["github.open_pull_request"]


def test_a_branch_is_readable_and_its_goals_own() -> None:
    mine = REQUEST.branch("a")
    assert mine.startswith("banksman/say-hello-w-rld-")
    assert mine == REQUEST.branch("a") != REQUEST.branch("b")
    assert (
        OpenPullRequestInput(repository="acme/shop", title="世界", files=(FileEdit(path="a", content=""),))
        .branch("a")
        .startswith("banksman/change-")
    )


@pytest.mark.parametrize("other", [{"title": "Say more"}, {"base": "main"}, {"files": REQUEST.files[:1]}])
def test_another_change_is_another_goal(other: dict[str, object]) -> None:
    changed = REQUEST.model_copy(update=other)
    assert changed.business_key() != REQUEST.business_key()
    assert changed.business_key().startswith("open-pull-request/acme/shop/")


FILE: dict[str, object] = {"path": "a", "content": "x"}


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([{"path": "a"}], "exactly one of"),
        ([{**FILE, "delete": True}], "exactly one of"),
        ([{**FILE, "content_base64": ""}], "exactly one of"),
        ([{"path": "a", "content_base64": "%"}], "is not base64"),
        ([{"path": "../a", "content": ""}], "not a path inside"),
        ([FILE, FILE], "named twice"),
        ([{"path": "a", "content": "x" * 300_000}], "at most 262144"),
        ([], "at least 1"),
    ],
)
def test_files_that_cannot_be_are_named(files: list[dict[str, object]], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        OpenPullRequestInput.model_validate({"repository": "acme/shop", "title": "T", "files": files})


@pytest.mark.parametrize("title", ["", " ", "a\nb", "x" * 300])
def test_a_title_is_one_line(title: str) -> None:
    with pytest.raises(ValidationError, match="title"):
        OpenPullRequestInput.model_validate({"repository": "acme/shop", "title": title, "files": [FILE]})
