"""The console's page of limits: what was begun by Temporal's list, what GitHub has left by a worker's step."""

import re
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from html import unescape

import pytest
from temporalio import activity
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.github.rates_contracts import FIND_RATES, FindRatesRequest, FoundRate, RatesFound
from activities.guard.error_types import ErrorType
from activities.queues import TaskQueue
from connectors.lambdalabs.manifest import LAUNCH_RATE
from hitl.console.limits.pages import _fast
from hitl.protocol import Denial, RefusalReason
from tests.hitl.console.visiting import Console, console_policy
from tests.workflows.approval.approving import eventually
from workflows.contracts import REPOSITORY_ATTRIBUTE, REQUESTER_ATTRIBUTE
from workflows.github.job_contracts import GITHUB_JOB

pytestmark = pytest.mark.asyncio(loop_scope="session")
# Somebody whom no other test has ask for anything: all of them share one server, and an hour.
POLICY = (
    console_policy().replace("people:\n", "people:\n  lena: [github:lena]\n", 1)
    + "github:\n  accounts: {lena: 1}\n  rates: {person: 7, installation: 70}\n"
)


def words(page: str) -> str:
    """What people read."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


@asynccontextmanager
async def answering(console: Console, answers: Sequence[RatesFound | ApplicationError]) -> AsyncGenerator[list[int]]:
    """A connectors worker that has one step; how often it was asked."""
    asked: list[int] = []

    @activity.defn(name=FIND_RATES.name)
    async def find_rates(request: FindRatesRequest) -> RatesFound:
        del request
        answer = answers[min(len(asked), len(answers) - 1)]
        asked.append(1)
        if isinstance(answer, ApplicationError):
            raise answer
        return answer

    async with Worker(console.house.client, task_queue=TaskQueue.CONNECTORS, activities=[find_rates]):
        yield asked


async def begin(console: Console, identity: str, repository: str) -> None:
    """A goal as the gateway begins it from GitHub; nobody carries it out."""
    await console.house.client.start_workflow(
        GITHUB_JOB.name,
        id=f"limits-{uuid.uuid4()}",
        task_queue="console-test",
        search_attributes=TypedSearchAttributes(
            [
                SearchAttributePair(REQUESTER_ATTRIBUTE, identity),
                SearchAttributePair(REPOSITORY_ATTRIBUTE, repository),
            ]
        ),
    )


async def test_what_is_used_of_each_limit_is_told(console: Console) -> None:
    console.house.path.write_text(POLICY)
    resets_at = datetime(2026, 11, 30, 12, tzinfo=UTC)
    acme = FoundRate(number=7, account="acme", limit=5000, remaining=1200, resets_at=resets_at, written_minute=3)
    shut = FoundRate(number=8, account="<b>globex</b>", limit=5000, remaining=0, resets_at=resets_at, closed_for=61.4)
    found = RatesFound(installations=(acme, shut, FoundRate(number=9, account="resting")))
    for repository in ("Limits-Inc/shop", "limits-inc/web"):
        await begin(console, "github:lena", repository)
    async with answering(console, [found]) as asked, console.visit("alice") as alice, console.visit() as nobody:

        async def listed() -> bool:
            return "limits-inc 2 of 70" in words((await alice.get("/limits")).text)

        await eventually(listed)
        page = await alice.get("/limits")
        assert (await nobody.get("/limits")).headers["location"].startswith("/sign-in")
    told = words(page.text)
    for text in (
        "lena github:lena 2 of 7",
        "acme 7 open 3,800 of 5,000 requests",
        "<b>globex</b> 8 waits 5,000 of 5,000",
        "it asks nothing there for 61 seconds more",
        "resting 9 suspended",
        "80 writings a minute and 500 an hour",
        "Neon requests 10 a second, 40 at once",
        "Lambda Labs launches one in 13 seconds",
    ):
        assert text in told, text
    assert "<b>globex" not in page.text
    assert len(asked) == 1  # for all who look, in a minute


async def test_what_the_guard_refuses_is_told_and_the_rest_of_the_page_is(console: Console) -> None:
    denial = Denial(
        reason=RefusalReason.DENY_RULE,
        action=FIND_RATES.name,
        environment="live",
        explanation="'github.find_rates' is denied by environments.live.actions[0].",
    )
    refused = ApplicationError(denial.explanation, denial, type=ErrorType.POLICY_DENIED, non_retryable=True)
    async with answering(console, [refused]), console.visit("alice") as alice:
        told = words((await alice.get("/limits")).text)
    assert "Not known just now. 'github.find_rates' is denied by" in told
    assert "Redis Cloud requests 400 a minute, 20 at once" in told


async def test_without_a_worker_the_page_comes_soon_and_says_so(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hitl.console.limits.seen._PATIENCE_S", 0.1)
    async with console.visit("alice") as alice:
        page = await alice.get("/limits")
        assert (page.status_code, "No connectors worker has answered yet" in page.text) == (200, True)
        async with answering(console, [RatesFound(installations=())]):

            async def answered() -> bool:
                return "installed nowhere" in (await alice.get("/limits")).text

            await eventually(answered)


async def test_a_rate_is_told_as_people_say_it() -> None:
    assert _fast(LAUNCH_RATE) == "one in 13 seconds"
