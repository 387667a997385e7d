"""Attacks on what is begun from GitHub: deliveries that nobody received, and answers of GitHub's that it never gave.

Each control has its test; taking the control out makes the test fail.
"""

import contextlib
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any, Final

import pytest
from temporalio import activity, workflow
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.queues import TaskQueue
from hitl.github import facts
from tests.hitl.gateway.commanding import READ, Commanding, commanding
from tests.hitl.gateway.delivering import new_guid
from tests.hitl.gateway.running import Place
from tests.hitl.github.payloads import comment_payload
from workflows.github.contracts import DELIVERY_WORKFLOW, Done, ReceivedDelivery, delivery_id
from workflows.github.deciding_contracts import CONFIG, DECIDE_DELIVERY, DeliveryDecided
from workflows.github.job_contracts import GITHUB_JOB, GitHubJobInput

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADMIN: Final = {"repository": "acme/shop", "login": "alice", "id": 5, "permission": "admin", "role": "admin"}
OWN: Final = "a-queue-of-somebodys-own"


async def test_a_delivery_that_somebody_starts_by_hand_begins_nothing(here: Place) -> None:
    async with commanding(here) as there:
        guid = new_guid()
        event = {"event": "issue_comment", **comment_payload(body=READ)}
        received = ReceivedDelivery.model_validate({"delivery": guid, "event": event})
        by_hand = await here.client.start_workflow(
            DELIVERY_WORKFLOW, received, id=delivery_id(guid), task_queue=TaskQueue.GOALS
        )
        with pytest.raises(WorkflowFailureError) as caught:
            await by_hand.result()
        assert isinstance(caught.value.cause, ActivityError)
        assert isinstance(caught.value.cause.cause, ApplicationError)
        assert "somebody started this workflow by hand" in caught.value.cause.cause.message
        with pytest.raises(RPCError, match="not found"):
            await here.client.get_workflow_handle(f"github-job/{guid}").describe()
        assert there.github.asked == []


async def test_a_job_that_somebody_put_in_the_place_of_one_is_not_told_as_begun(here: Place) -> None:
    async with commanding(here) as there:
        guid = new_guid()
        there.github.reads_on.clear()
        job = GitHubJobInput(
            repository="acme/shop",
            goal="ReadFile",
            inputs={"repository": "acme/shop", "path": "other"},
            delivery=guid,
        )
        await here.client.start_workflow(GITHUB_JOB.name, job, id=job.business_key(), task_queue=TaskQueue.GOALS)
        told = await there.deliver("issue_comment", comment_payload(body=READ), guid=guid)
        there.github.reads_on.set()
    assert (told.done, told.goal) == (Done.ANSWERED, None)
    assert "somebody else's workflow has its id" in told.why


async def test_a_job_that_somebody_starts_by_hand_is_nobodys(here: Place) -> None:
    async with commanding(here) as there:
        job = GitHubJobInput(
            repository="acme/shop",
            goal="ReadFile",
            inputs={"repository": "acme/shop", "path": "README.md"},
            delivery=new_guid(),
        )
        started = await here.client.start_workflow(
            GITHUB_JOB.name, job, id=job.business_key(), task_queue=TaskQueue.GOALS
        )
        run = (await started.describe()).run_id
        people = there.gateway._policy.current().people
        assert await there.gateway.starts.requester_of(started.id, run, people) == "unverified"
        assert "that you asked for" in (await there.say(f"/banksman cancel {started.id}")).why


async def _ask(step: str, question: dict[str, Any], queue: str) -> None:
    with contextlib.suppress(ActivityError):
        await workflow.execute_activity(step, question, task_queue=queue, start_to_close_timeout=timedelta(seconds=20))


@workflow.defn(name=DELIVERY_WORKFLOW, sandboxed=False)
class HostileDelivery:
    """A delivery's workflow of whoever polls the goals' queue: it asks what it likes, where it likes."""

    asks: tuple[tuple[str, dict[str, Any], str], ...] = ()

    @workflow.run
    async def run(self, received: ReceivedDelivery) -> DeliveryDecided:
        del received
        for step, question, queue in self.asks:
            await _ask(step, question, queue)
        return await workflow.execute_activity(
            DECIDE_DELIVERY.name,
            {"look": "", "permission": "admin", "seen": ADMIN},
            result_type=DeliveryDecided,
            task_queue=TaskQueue.HITL,
            start_to_close_timeout=timedelta(seconds=20),
        )


@activity.defn(name="github.find_permission")
async def lie(question: dict[str, Any]) -> dict[str, Any]:
    """Whoever answers on another queue says what they like."""
    del question
    return ADMIN


@contextlib.asynccontextmanager
async def hostile(here: Place, there: Commanding) -> AsyncGenerator[None]:
    """Its worker beside the others is the only one of the goals' queue."""
    goals = Worker(
        here.client,
        task_queue=TaskQueue.GOALS,
        workflows=[HostileDelivery],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with goals, Worker(here.client, task_queue=OWN, activities=[lie]):
        yield


CONFIGURED: Final = ("github.read_file", {"repository": "acme/shop", "path": CONFIG}, TaskQueue.CONNECTORS.value)
SEEN: Final = ("github.find_permission", {"repository": "acme/shop", "login": "alice"}, TaskQueue.CONNECTORS.value)


@pytest.mark.parametrize(
    "asks",
    [
        pytest.param((), id="nothing is asked, and its own word is given"),
        pytest.param((CONFIGURED, (SEEN[0], SEEN[1], OWN)), id="asked where somebody else answers"),
        pytest.param((CONFIGURED, (SEEN[0], {**SEEN[1], "login": "owner"}, SEEN[2])), id="asked of somebody else"),
        pytest.param((CONFIGURED, (SEEN[0], {**SEEN[1], "repository": "acme/own"}, SEEN[2])), id="asked elsewhere"),
        pytest.param((SEEN,), id="the repository's file is not read"),
        pytest.param((SEEN, (CONFIGURED[0], {**CONFIGURED[1], "ref": "x"}, CONFIGURED[2])), id="read on a branch"),
        pytest.param((SEEN, (CONFIGURED[0], {**CONFIGURED[1], "path": "x"}, CONFIGURED[2])), id="another file is read"),
    ],
)
async def test_a_permission_that_github_did_not_tell_begins_nothing(
    here: Place, monkeypatch: pytest.MonkeyPatch, asks: tuple[tuple[str, dict[str, Any], str], ...]
) -> None:
    monkeypatch.setattr(HostileDelivery, "asks", asks)
    async with commanding(here, goals=False) as there, hostile(here, there):
        decided = await decided_by(there)
    assert decided.look == "alice", decided
    assert decided.goals == ()


async def decided_by(there: Commanding) -> DeliveryDecided:
    guid = new_guid()
    await there.hook.send("issue_comment", comment_payload(body=READ), guid=guid)
    handle = there.hook.client.get_workflow_handle(delivery_id(guid), result_type=DeliveryDecided)
    return await handle.result()


async def test_the_same_workflow_is_believed_where_github_told_it(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HostileDelivery, "asks", (SEEN, CONFIGURED))
    async with commanding(here, goals=False) as there, hostile(here, there):
        decided = await decided_by(there)
    assert (decided.done, len(decided.goals)) == (Done.STARTED, 1), decided


async def test_what_github_told_long_ago_counts_no_more(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "_FRESH", timedelta())
    async with commanding(here) as there:
        told = await there.say()
    assert (told.done, told.goal) == (Done.IGNORED, None)
    assert "answered too late" in told.why
