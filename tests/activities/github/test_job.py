"""A job with the real steps, at the twin over real git: what GitHub shows in the end, whatever the day was like."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor, Worker

from activities.github.contracts import READ_FILE, FileRead, ReadFileRequest
from activities.guard.errors import mapped_errors
from activities.queues import TaskQueue
from activities.step import implements
from connectors.github.twin.pulls import Check, Pull
from connectors.github.twin.writes import Kept
from hitl.gateway.following import FollowingSteps
from hitl.gateway.server import Server
from tests.activities.github.at_work import REPOSITORY, House
from tests.connectors.github.at_the_twin import kept_by
from tests.connectors.github.shop import git
from tests.workflows.approval.approving import eventually
from tests.workflows.github.at_github import CONTENT
from workflows.contracts import State
from workflows.github.job_contracts import GITHUB_JOB, GitHubJobInput, GitHubJobResult
from workflows.implementations import WORKFLOWS

pytestmark = pytest.mark.asyncio(loop_scope="session")
BRANCH = "banksman/under-a-job"


class _Mapped(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> object:  # noqa: A002 - the SDK's
        with mapped_errors():
            return await super().execute_activity(input)


class Mapped(Interceptor):
    """Errors become what Temporal retries or not, as the guard makes them."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's
        return _Mapped(next)


@dataclass
class Jobs:
    """Jobs on one pull request, whose goal reads until it is told to go on."""

    client: Client
    house: House
    kept: Kept
    reading: asyncio.Event = field(default_factory=asyncio.Event)
    reads_on: asyncio.Event = field(default_factory=asyncio.Event)

    @implements(READ_FILE)
    async def read_file(self, request: ReadFileRequest) -> FileRead:
        del request
        self.reading.set()
        await self.reads_on.wait()
        return CONTENT

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncGenerator[None]:
        shows = self.house.shows
        ours = [shows.put_check, shows.put_comment, shows.put_label, self.house.pulls.look_at_pull_request]
        follows = FollowingSteps(Server(self.client, cluster="c"), first=0.02).follow_goal
        async with (
            Worker(self.client, task_queue=TaskQueue.GOALS, workflows=WORKFLOWS),
            Worker(
                self.client,
                task_queue=TaskQueue.CONNECTORS,
                activities=[*ours, self.read_file],
                interceptors=[Mapped()],
            ),
            Worker(self.client, task_queue=TaskQueue.FOLLOWS, activities=[follows], interceptors=[Mapped()]),
        ):
            yield

    async def start(self) -> WorkflowHandle[object, GitHubJobResult]:
        asked = GitHubJobInput(
            repository=REPOSITORY,
            goal="ReadFile",
            inputs={"repository": REPOSITORY, "path": "README.md"},
            delivery=secrets.token_hex(8),
            number=1,
            commit=self.house.shop.feature,
        )
        return await self.client.start_workflow(
            GITHUB_JOB.name,
            asked,
            id=asked.business_key(),
            task_queue=TaskQueue.GOALS,
            result_type=GitHubJobResult,
        )

    async def under_way(self) -> Check:
        """The check run, once it is in progress."""

        async def begun() -> bool:
            return any(one.status == "in_progress" for one in self.kept.checks)

        await eventually(begun)
        return self.kept.checks[0]


@pytest_asyncio.fixture(loop_scope="session")
async def jobs(client: Client, house: House) -> AsyncIterator[Jobs]:
    kept, bare = kept_by(house.twin, house.shop), house.shop.bare
    git("update-ref", f"refs/heads/{BRANCH}", house.shop.feature, at=bare)
    kept.pulls.append(Pull(number=1, title="T", body=None, head=BRANCH, base="main", draft=False, at="2026-01-01"))
    made = Jobs(client, house, kept)
    async with made.at_work():
        yield made
    for those in (kept.pulls, kept.comments, kept.checks, kept.labels, kept.reactions):
        those.clear()


async def test_what_github_shows_in_the_end_is_the_truth_once(jobs: Jobs) -> None:
    for method, path in (("POST", "/check-runs$"), ("PATCH", "/check-runs/"), ("POST", "/comments$")):
        jobs.house.twin.plant(kind="drop_after_effect", method=method, path=path)
    job = await jobs.start()
    await jobs.under_way()
    jobs.reads_on.set()
    result = await job.result()
    [check], [comment] = jobs.kept.checks, jobs.kept.comments
    assert (check.external_id, check.status, check.conclusion) == (job.id, "completed", "success")
    assert "github.read_file  completed" in (check.text or "")
    assert comment.body.startswith("**ReadFile ended as completed**")
    assert jobs.kept.pulls[0].labels == ["banksman:applied"]
    assert (result.check, result.comment, result.not_shown) == (check.id, comment.id, ())
    assert jobs.house.twin.live_tokens == 0


async def test_a_check_run_that_is_gone_under_the_job_is_not_made_anew(jobs: Jobs) -> None:
    job = await jobs.start()
    check = await jobs.under_way()
    jobs.kept.checks.clear()
    jobs.reads_on.set()
    result = await job.result()
    assert (result.outcome, jobs.kept.checks, len(jobs.kept.comments)) == (State.COMPLETED, [], 1)
    assert any(f"check run {check.id} of 'acme/shop' is gone" in line for line in result.not_shown)


async def test_a_force_push_under_the_job_leaves_the_old_check_run_stale(jobs: Jobs) -> None:
    job = await jobs.start()
    check = await jobs.under_way()
    git("update-ref", f"refs/heads/{BRANCH}", jobs.house.shop.main, at=jobs.house.shop.bare)
    jobs.reads_on.set()
    await job.result()
    assert (check.head_sha, check.conclusion) == (jobs.house.shop.feature, "neutral")
    assert (check.title or "").startswith("Stale: ")


@pytest.mark.parametrize("limit", ["primary", "secondary"])
async def test_the_end_is_shown_after_a_limit_of_githubs(jobs: Jobs, limit: str) -> None:
    job = await jobs.start()
    check = await jobs.under_way()
    headers = {
        "primary": {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 1)},
        "secondary": {"retry-after": "1"},
    }
    body = {"message": "API rate limit exceeded"}
    jobs.house.twin.plant(kind="status", status=403, method="PATCH", headers=headers[limit], body=body)
    jobs.reads_on.set()
    result = await job.result()
    assert (check.conclusion, result.conclusion, result.not_shown) == ("success", "success", ())


@pytest.mark.parametrize("fault", ["uninstalled", "archived"])
async def test_a_place_that_goes_under_the_job_ends_nothing_but_the_showing(jobs: Jobs, fault: str) -> None:
    job = await jobs.start()
    check = await jobs.under_way()
    gone = {
        "uninstalled": {"status": 404, "path": "/installation$|access_tokens", "body": {"message": "Not Found"}},
        "archived": {
            "status": 403,
            "path": "/repos/acme/shop/(check-runs|issues|labels)",
            "body": {"message": "Repository was archived so is read-only."},
        },
    }
    jobs.house.twin.plant(kind="status", times=1000, **gone[fault])
    jobs.reads_on.set()
    result = await job.result()
    assert (result.outcome, check.status) == (State.COMPLETED, "in_progress")
    said = {"uninstalled": "not installed on 'acme/shop'", "archived": "the repository is archived"}
    assert any(said[fault] in line for line in result.not_shown)
