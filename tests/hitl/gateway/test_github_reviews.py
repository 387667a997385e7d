"""A review with a command, from the webhook to what is begun: once, with receipts that GitHub has."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from activities.github.people_contracts import PermissionSeen
from tests.hitl.gateway.commanding import GITHUB_POLICY, READ, commanding
from tests.hitl.gateway.running import Place
from tests.hitl.gateway.test_github_commands import BOT, STRANGER, jobs, requester
from tests.hitl.github.payloads import Json, line_payload, review_payload
from workflows.github.contracts import Done

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(name="here")
def _one(one: Place) -> Place:
    return one


def by(sender: Json, payload: Json) -> Json:
    payload["sender"] = payload["review"]["user"] = sender
    return payload


async def test_a_review_begins_the_goal_in_its_authors_name_and_takes_no_reaction(here: Place) -> None:
    async with commanding(here) as there:
        told = await there.deliver("pull_request_review", review_payload(body=f"{READ}\n\nLooks good."))
        assert told.done is Done.STARTED, told
        job = there.hook.client.get_workflow_handle(str(told.goal))
        assert (await job.result())["outcome"] == "completed"
        assert await requester(there, f"{job.id}/goal") == "github:alice"
        assert there.github.reactions == []
        assert there.github.checks[-1].commit == "b" * 40
        assert there.github.comments, "its job tells of it"


async def test_a_review_and_its_comments_begin_the_same_once_in_whatever_order_they_come(here: Place) -> None:
    async with commanding(here) as there:
        before = await jobs(there)
        said = [
            there.deliver("pull_request_review_comment", line_payload(body=READ, review=51)),
            there.deliver("pull_request_review", review_payload(body=READ, review=51)),
            there.deliver("pull_request_review_comment", line_payload(body=f"{READ}\nhere too", review=51, number=7)),
        ]
        told = await asyncio.gather(*said)
        assert {one.done for one in told} == {Done.STARTED}, told
        [job] = {str(one.goal) for one in told}
        await there.hook.client.get_workflow_handle(job).result()
        later = await there.deliver("pull_request_review_comment", line_payload(body=READ, review=51, number=8))
        assert later.goal == job, "also once it has ended"
        another = await there.deliver("pull_request_review", review_payload(body=READ, review=52))
        assert another.goal not in {None, job}
        await there.hook.client.get_workflow_handle(str(another.goal)).result()
        begun = {job, str(another.goal)}
        assert await jobs(there) - before <= begun


async def test_whoever_may_not_is_told_in_a_comment_and_a_stranger_nothing(here: Place) -> None:
    reader = PermissionSeen(repository="acme/shop", login="alice", id=5, permission="read", role="read")
    async with commanding(here, seen=reader) as there:
        told = await there.deliver("pull_request_review", review_payload(body=READ, review=61))
        assert (told.done, told.goal) == (Done.ANSWERED, None)
        assert "GitHub says that you may do what `read` allows" in there.github.comments[-1]
        said = len(there.github.comments)
        told = await there.deliver("pull_request_review", by(STRANGER, review_payload(body=READ, review=62)))
        assert "does not know 'github:mallory'" in told.why
        told = await there.deliver("pull_request_review", by(BOT, review_payload(body=READ, review=63)))
        assert "bot" in told.why
        for action in ("edited", "dismissed"):
            changed = {**review_payload(body=READ, review=64), "action": action}
            assert (await there.deliver("pull_request_review", changed)).done is Done.IGNORED
        assert (len(there.github.comments), there.github.reactions) == (said, [])


async def test_what_cannot_be_begun_now_is_said_and_not_only_refused(here: Place) -> None:
    few = GITHUB_POLICY.replace("rates: {person: 1000,", "rates: {person: 1,")
    assert few != GITHUB_POLICY
    async with commanding(here, policy=few) as there:
        await there.say()
        told = await there.deliver("pull_request_review", review_payload(body=READ, review=71))
        assert (told.done, told.goal) == (Done.ANSWERED, None)
        assert there.github.comments[-1].startswith("```text")
        assert "In the last hour" in there.github.comments[-1]


async def test_a_review_of_long_ago_is_no_delivery(here: Place) -> None:
    old = review_payload(body=READ, at=datetime.now(UTC) - timedelta(days=4))
    async with commanding(here) as there:
        answer = await there.hook.send("pull_request_review", old)
        assert (answer.status_code, "older than GitHub delivers" in answer.text) == (400, True)
