"""Posted once: what a try before may have posted is searched for, and only then."""

from collections.abc import Generator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from connectors.errors import ConnectorError, RateLimited, Unavailable
from hitl.slack.blocks import Shown, plain
from hitl.slack.client import NotSent, SlackMessages, SlackRates, web_client
from hitl.slack.messages import EVENT_TYPE
from hitl.slack.posting import doubts, post_once
from tests.connectors.slack.workspace import CHANNEL, Clock, Json, Twin, serving

pytestmark = pytest.mark.slow

SUBJECT = "approval/1"
SHOWN = Shown(
    text="Approve?",
    blocks=({"type": "section", "text": plain("Delete a branch")},),
    metadata={"event_type": EVENT_TYPE, "event_payload": {"request_id": SUBJECT, "stage": 0}},
)
LIMITED = {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}, "body": {"ok": False}}
FAST = SlackRates(posts_per_second=1000, calls_per_minute=60_000)


class Tries:
    """One step, tried again and again as Temporal does: with what the try before left."""

    def __init__(self, twin: Twin, *, first: bool = True) -> None:
        self.twin = twin
        self.messages = SlackMessages(web_client(SecretStr(twin.config.app.bot_token), url=twin.address), FAST)
        self.first = first
        self.began = datetime.now(UTC)
        self.attempt = 0
        self.left: Sequence[object] = ()

    async def again(self, *, dies: bool = False) -> str:
        """One more try; one that dies leaves nothing of its own."""
        self.attempt += 1
        env = ActivityEnvironment()
        env.info = replace(env.info, attempt=self.attempt, heartbeat_details=self.left)

        def leave(*details: object) -> None:
            if not dies:
                self.left = details

        env.on_heartbeat = leave
        return await env.run(self._post)

    async def _post(self) -> str:
        doubt = doubts(first=self.first, since=self.began)
        return await post_once(self.messages, CHANNEL, SHOWN, about=SUBJECT, kind=EVENT_TYPE, doubt=doubt)

    def asked(self, method: str) -> int:
        return sum(one["path"].endswith(method) for one in self.twin.ask("requests"))

    def there(self) -> list[Json]:
        return [one for one in self.twin.messages() if one.get("metadata")]


@pytest.fixture(name="twin")
def _twin() -> Generator[Twin]:
    with serving(Clock(), limits={"enforced": False}) as twin:
        yield twin


async def fails(tries: Tries, expected: type[ConnectorError], *, dies: bool = False) -> None:
    with pytest.raises(expected):
        await tries.again(dies=dies)


async def test_the_first_try_searches_for_nothing(twin: Twin) -> None:
    tries = Tries(twin)
    await tries.again()
    assert (len(tries.there()), tries.asked("conversations.history")) == (1, 0)


async def test_a_later_step_searches_for_what_an_earlier_one_may_have_posted(twin: Twin) -> None:
    ts = await Tries(twin).again()
    later = Tries(twin, first=False)
    assert await later.again() == ts
    assert len(later.there()) == 1


async def test_after_a_refusal_it_is_posted_without_a_search(twin: Twin) -> None:
    tries = Tries(twin)
    await twin.act("faults", path="chat.postMessage", **LIMITED)
    await fails(tries, RateLimited)
    await tries.again()
    assert (len(tries.there()), tries.asked("conversations.history")) == (1, 0)


async def test_what_could_not_be_sent_at_all_needs_no_search(twin: Twin) -> None:
    tries = Tries(twin)
    reached = tries.messages
    tries.messages = SlackMessages(web_client(SecretStr("xoxb"), url="http://127.0.0.1:1"))
    await fails(tries, NotSent)
    tries.messages = reached
    await tries.again()
    assert tries.asked("conversations.history") == 0


@pytest.mark.parametrize("kind", ["drop", "drop_after_effect", "garbage"])
async def test_after_a_lost_answer_it_is_searched_for(twin: Twin, kind: str) -> None:
    tries = Tries(twin)
    await twin.act("faults", kind=kind, path="chat.postMessage")
    await fails(tries, Unavailable)
    await tries.again()
    assert (len(tries.there()), tries.asked("conversations.history")) == (1, 1)


async def test_a_try_that_died_is_in_doubt_whatever_the_one_before_it_said(twin: Twin) -> None:
    tries = Tries(twin)
    await twin.act("faults", path="chat.postMessage", **LIMITED)
    await fails(tries, RateLimited)
    await twin.act("faults", kind="drop_after_effect", path="chat.postMessage")
    await fails(tries, Unavailable, dies=True)
    await tries.again()
    assert (len(tries.there()), tries.asked("conversations.history")) == (1, 1)


async def test_a_search_that_was_refused_goes_on_where_it_was(twin: Twin) -> None:
    tries = Tries(twin)
    await twin.act("faults", kind="drop_after_effect", path="chat.postMessage")
    await fails(tries, Unavailable)
    two_pages = 450  # before the one with the message
    await twin.act("say", user="U0ALICE", channel=CHANNEL, text="chatter", times=two_pages)
    await twin.act("faults", kind="delay", path="conversations.history", seconds=0)
    await twin.act("faults", path="conversations.history", **LIMITED)
    await fails(tries, RateLimited)
    assert await tries.again() == tries.there()[0]["ts"]
    assert tries.asked("conversations.history") == 4  # three pages, and the refusal
    assert len(tries.there()) == 1


async def test_a_long_channel_is_searched_in_parts(twin: Twin) -> None:
    tries = Tries(twin)
    await twin.act("faults", kind="drop_after_effect", path="chat.postMessage")
    await fails(tries, Unavailable)
    await twin.act("say", user="U0ALICE", channel=CHANNEL, text="chatter", times=700)
    await fails(tries, Unavailable)
    assert await tries.again() == tries.there()[0]["ts"]
    assert tries.asked("conversations.history") == 4
