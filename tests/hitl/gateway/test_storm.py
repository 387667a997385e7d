"""Very many approvals at once: each gets its one message in the time that Slack's own limits need, and clicks count."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from temporalio.client import Client

from connectors.slack.twin.limits import Limits
from connectors.vault import VaultSession
from tests.hitl.gateway.running import ONE, Place, eventually, place
from workers.roles.gateway import gateway_workers

pytestmark = pytest.mark.asyncio(loop_scope="session")

GOALS = 60
POSTS = 10.0
MOST_SECONDS = 90.0
"""With goals, approvals and all workers on one loaded machine; Slack alone would need six."""

LIMITED = {"slack_posts_per_second": POSTS, "slack_calls_per_minute": 600}
"""Slack's limits, ten and twelve times faster: the twin holds the gateway to them."""


async def statuses(here: Place) -> Counter[tuple[str, int]]:
    """How often each method was asked, by the answer."""
    asked = [one for one in await here.ask("requests") if one["path"].startswith("/api/")]
    return Counter((one["path"].removeprefix("/api/"), one["status"]) for one in asked)


def in_all(found: Counter[tuple[str, int]], method: str) -> int:
    return sum(count for (name, _), count in found.items() if name == method)


async def subjects(here: Place) -> Counter[str]:
    """How many messages there are about each approval."""
    about = [one["metadata"]["event_payload"].get("request_id") for one in await here.messages() if one.get("metadata")]
    return Counter(about)


async def shown(here: Place, count: int) -> None:
    """Until so many approvals have their message."""
    async with asyncio.timeout(MOST_SECONDS):
        while len(await subjects(here)) < count:  # noqa: ASYNC110 - what is asked lies in a server
            await asyncio.sleep(0.2)


@pytest.mark.timeout(2 * MOST_SECONDS)
async def test_many_at_once_are_each_shown_once_and_a_click_in_between_counts(
    client: Client, vault: VaultSession, tmp_path: Path
) -> None:
    limits = Limits(posts_per_second=POSTS, post_burst=5, tiers={1: 100, 2: 300, 3: 600, 4: 1200})
    async with place(client, vault, tmp_path, policy=ONE, limits=limits) as here, here.running(**LIMITED):
        goals = await asyncio.gather(*(here.house.start(branch=f"storm-{n}") for n in range(GOALS)))

        await shown(here, GOALS * 3 // 4)
        first = next(one for one in await here.messages() if one.get("metadata"))
        about = first["metadata"]["event_payload"]["request_id"]
        assert (await here.click("alice", first))["acknowledged"]  # within Slack's three seconds
        assert [one.person for one in (await here.house.view(about)).decisions] == ["alice"]
        await shown(here, GOALS)
        found, times = await statuses(here), set((await subjects(here)).values())
        await asyncio.gather(*(goal.terminate() for goal in goals), return_exceptions=True)
    lines = in_all(found, "chat.postMessage") - GOALS
    refused = sum(count for (_, status), count in found.items() if status == 429)
    assert times == {1}
    assert lines <= 10, found  # what the click had to say, and what was refused
    assert in_all(found, "conversations.history") <= 10, found
    assert refused <= sum(found.values()) * 0.05, found


async def test_the_queue_of_posts_never_hands_out_fewer_than_slack_takes(one: Place) -> None:
    gateway = await one.made()
    settings = one.settings(slack_posts_per_second=2.0)
    shows, posts, follows = gateway_workers(one.client, settings, gateway.steps, gateway.beside, gateway.waits)
    async with shows, posts, follows:
        handed_out = posts.config().get("max_task_queue_activities_per_second")
    assert handed_out is not None
    assert 2.0 < handed_out <= 3.0  # its parts share the rate, and an empty one's share is lost


# Before a message is looked for, there must be a doubt.


async def test_what_slack_refused_for_its_rate_is_posted_without_a_search(one: Place) -> None:
    limited = {"status": 429, "headers": {"Retry-After": "1"}, "body": {"ok": False, "error": "ratelimited"}}
    async with one.running() as gateway:
        await one.fault(kind="status", path="chat.postMessage", times=2, **limited)
        goal, _, _ = await one.asked(gateway)
        asked = await statuses(one)  # before its end, which is told in its message
        await goal.terminate()
    assert (in_all(asked, "chat.postMessage"), in_all(asked, "conversations.history")) == (3, 0)


async def test_what_nobody_answered_is_searched_for_and_not_posted_again(one: Place) -> None:
    async with one.running() as gateway:
        await one.fault(kind="drop_after_effect", path="chat.postMessage")
        goal, approval, _ = await one.asked(gateway)

        async def searched() -> bool:
            return await one.requests("conversations.history") == 1

        await eventually(searched)
        there, posted = len(await one.about(approval)), await one.requests("chat.postMessage")
        await goal.terminate()
    assert (there, posted) == (1, 1)
