"""A goal that was asked for on GitHub, and what is shown of it there: the truth, whatever GitHub says to it."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError

from activities.github.showing_contracts import PUT_CHECK, PUT_COMMENT, PUT_LABEL
from activities.guard.error_types import ErrorType, application_error
from tests.workflows.github.at_github import HEAD, PULL, GitHub
from workflows.contracts import REQUESTER_ATTRIBUTE, State
from workflows.github.following_contracts import GoalFollowed
from workflows.github.job_contracts import HeadMoved

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def github(client: Client) -> AsyncIterator[GitHub]:
    made = GitHub(client)
    async with made.at_work():
        yield made


async def test_it_is_queued_runs_and_ends_and_is_all_told(github: GitHub) -> None:
    job = await github.start()
    begun = await github.until_checked("queued")
    await github.reading.wait()
    runs = await github.until_checked("in_progress")
    github.reads_on.set()
    result = await job.result()
    last = github.checks[-1]
    assert (begun.check, runs.check, last.check) == (None, 11, 11)
    assert (last.status, last.conclusion, last.title) == ("completed", "success", "ReadFile ended as completed")
    assert {one.name for one in github.checks} == {"banksman / ReadFile"}
    assert ([one.identifier for one in runs.actions], last.actions) == (["cancel"], ())
    assert "github.read_file  completed" in last.text
    link = urlsplit(last.details_url or "")
    assert (link.netloc, parse_qs(link.query)["id"]) == ("console.example.com", [f"{job.id}/goal"])
    assert github.labels == ["banksman:pending", "banksman:applied"]
    [said] = github.comments
    assert said.startswith("**ReadFile ended as completed**")
    assert (result.outcome, result.conclusion, result.check, result.comment) == (State.COMPLETED, "success", 11, 22)
    assert result.not_shown == ()


async def test_a_refusal_is_neutral_and_a_failure_is_not(github: GitHub) -> None:
    github.reads_on.set()
    github.read = application_error(ErrorType.POLICY_DENIED, "acme/shop is not to be read, @acme/everybody")
    refused = await (await github.start()).result()
    assert (refused.outcome, refused.conclusion, github.labels[-1]) == (State.DENIED, "neutral", None)
    assert "```text\nacme/shop is not to be read, @acme/everybody\n```" in github.comments[-1]
    github.read = application_error(ErrorType.NOT_FOUND, "no such file")
    failed = await (await github.start()).result()
    assert (failed.outcome, failed.conclusion, github.labels[-1]) == (State.UNKNOWN, "failure", "banksman:failed")
    assert [one.identifier for one in github.checks[-1].actions] == ["retry"]
    assert "no such file" in github.checks[-1].summary


async def test_an_approval_that_waits_is_an_action_that_is_required_and_then_it_runs_again(github: GitHub) -> None:
    github.follows += [
        GoalFollowed(mark="1", state="waiting", now="the plan", approval="approval/1", digest=f"sha256:{'ab' * 32}"),
        GoalFollowed(mark="2", state="running"),
    ]
    job = await github.start()
    waits = await github.until_checked("completed", "action_required")
    await github.until_checked("in_progress")
    github.reads_on.set()
    await job.result()
    assert [one.identifier for one in waits.actions] == ["approve", "cancel"]
    assert github.comments[0].startswith("**ReadFile waits for an approval**")
    assert "begins with `sha256:abababababab`." in waits.summary
    assert "`/banksman approve approval/1 abababababab`\n\nsays yes to exactly that plan" in github.comments[0]
    assert [one.progress for one in github.checks if one.conclusion] == [False, False]


async def test_cancelling_the_job_cancels_its_goal_and_says_so(github: GitHub, client: Client) -> None:
    job = await github.start()
    await github.reading.wait()
    await job.cancel(reason="Alice pressed Cancel on GitHub")
    with pytest.raises(WorkflowFailureError):
        await job.result()
    child = await client.get_workflow_handle(f"{job.id}/goal").describe()
    assert child.status is not None
    assert child.status.name == "CANCELED"
    assert child.typed_search_attributes.get(REQUESTER_ATTRIBUTE) == "github:alice"
    assert (github.checks[-1].status, github.checks[-1].conclusion) == ("completed", "cancelled")
    assert "Alice pressed Cancel on GitHub" in github.comments[-1]
    assert github.labels == ["banksman:pending", None]


@pytest.mark.parametrize("by_signal", [True, False])
async def test_a_force_push_under_the_job_makes_its_success_stale(github: GitHub, *, by_signal: bool) -> None:
    job = await github.start()
    await github.reading.wait()
    if by_signal:
        await job.signal("head_moved", HeadMoved(head="f" * 40))
    else:
        github.pull = PULL.model_copy(update={"head": "f" * 40})
    github.reads_on.set()
    result = await job.result()
    last = github.checks[-1]
    assert (last.commit, last.conclusion, result.conclusion) == (HEAD, "neutral", "neutral")
    assert last.title == "Stale: ReadFile ended as completed on an older commit"
    assert "another commit by now" in github.comments[-1]


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (ErrorType.NOT_FOUND, "check run 11 of 'acme/shop' is gone"),
        (ErrorType.AUTH_DENIED, "the GitHub App is not installed on 'acme/shop'"),
        (ErrorType.INVALID_REQUEST, "the repository is archived"),
        (ErrorType.POLICY_DENIED, "nothing is written to acme/shop"),
    ],
)
async def test_what_cannot_be_shown_is_told_and_the_goal_goes_on(github: GitHub, kind: ErrorType, why: str) -> None:
    for step in (PUT_CHECK, PUT_COMMENT, PUT_LABEL):
        github.fails[step.name] = [application_error(kind, why)]
    github.reads_on.set()
    result = await (await github.start()).result()
    assert (result.outcome, result.check, result.conclusion) == (State.COMPLETED, None, None)
    assert {line.partition(":")[0] for line in result.not_shown} == {PUT_CHECK.name, PUT_COMMENT.name, PUT_LABEL.name}
    assert all(why in line for line in result.not_shown)


async def test_a_check_run_that_is_deleted_under_the_job_is_left_alone_from_then_on(github: GitHub) -> None:
    job = await github.start()
    await github.until_checked("in_progress")
    github.fails[PUT_CHECK.name] = [application_error(ErrorType.NOT_FOUND, "check run 11 is gone")]
    github.reads_on.set()
    result = await job.result()
    assert (result.outcome, len(github.comments)) == (State.COMPLETED, 1)
    assert [line for line in result.not_shown if "is gone" in line]


async def test_an_app_that_is_uninstalled_under_the_job_shows_no_more_and_the_goal_has_its_own_end(
    github: GitHub,
) -> None:
    job = await github.start()
    await github.until_checked("in_progress")
    gone = [application_error(ErrorType.NOT_FOUND, "the GitHub App is not installed on 'acme/shop'")]
    github.fails |= {step.name: list(gone) for step in (PUT_CHECK, PUT_COMMENT, PUT_LABEL)}
    github.reads_on.set()
    result = await job.result()
    assert (result.outcome, github.comments) == (State.COMPLETED, [])
    assert all("is not installed" in line for line in result.not_shown)


async def test_without_a_commit_and_a_number_nothing_is_shown_and_the_goal_runs(github: GitHub) -> None:
    github.reads_on.set()
    result = await (await github.start(commit=None, number=None)).result()
    assert (result.outcome, github.checks, github.comments, github.labels) == (State.COMPLETED, [], [], [])


async def test_a_goal_that_there_is_not_is_a_failure_with_its_sentence(github: GitHub) -> None:
    result = await (await github.start(goal="ReadFlie")).result()
    assert (result.conclusion, result.outcome) == ("failure", State.UNKNOWN)
    assert "there is no goal 'ReadFlie'" in (result.reason or "")


async def test_its_history_is_bounded_by_what_it_shows(github: GitHub) -> None:
    job = await github.start()
    await github.until_checked("in_progress")
    github.reads_on.set()
    await job.result()
    assert await _events(job) < 120


async def _events(job: WorkflowHandle[object, object]) -> int:
    try:
        return (await job.describe()).history_length
    except RPCError as error:  # pragma: no cover - the server is there
        raise AssertionError from error
