"""Slack's Web API behind our errors: every way it fails becomes the one that says whether to try again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from connectors.errors import AuthDenied, ConnectorError, InvalidRequest, NotFound, RateLimited, Unavailable
from hitl.slack.blocks import Shown, plain
from hitl.slack.client import SlackMessages, web_client
from hitl.slack.messages import EVENT_TYPE
from hitl.slack.thread import Line
from tests.connectors.slack.workspace import CHANNEL, Clock, Twin, serving

SHOWN = Shown(
    text="Approve?",
    blocks=({"type": "section", "text": plain("Delete a branch")},),
    metadata={"event_type": EVENT_TYPE, "event_payload": {"request_id": "approval/1", "stage": 0}},
    stage=0,
)


def messages(twin: Twin, *, token: str | None = None, timeout: int = 10) -> SlackMessages:
    given = SecretStr(token or twin.config.app.bot_token)
    return SlackMessages(web_client(given, url=twin.address, timeout=timeout))


@pytest.fixture(name="twin")
def _twin(tmp_path: Path):  # noqa: ANN202 - a generator of twins
    del tmp_path
    with serving(Clock(), limits={"enforced": False}) as twin:
        yield twin


REFUSALS: list[tuple[int, str, type[ConnectorError]]] = [
    (200, "invalid_auth", AuthDenied),
    (200, "missing_scope", AuthDenied),
    (200, "channel_not_found", NotFound),
    (200, "not_in_channel", NotFound),
    (200, "is_archived", NotFound),
    (200, "internal_error", Unavailable),
    (200, "service_unavailable", Unavailable),
    (200, "invalid_blocks", InvalidRequest),
    (200, "msg_blocks_too_long", InvalidRequest),
    (200, "ratelimited", RateLimited),
    (429, "ratelimited", RateLimited),
    (500, "", Unavailable),
    (503, "", Unavailable),
]


@pytest.mark.parametrize(("status", "error", "expected"), REFUSALS)
async def test_each_answer_becomes_one_error(
    twin: Twin, status: int, error: str, expected: type[ConnectorError]
) -> None:
    body: object = {"ok": False, "error": error} if error else ""
    await twin.act("faults", kind="status", path="chat.postMessage", status=status, body=body)
    with pytest.raises(ConnectorError) as refused:
        await messages(twin).post(CHANNEL, SHOWN)
    assert type(refused.value) is expected
    assert twin.config.app.bot_token not in f"{refused.value!r}"


async def test_slacks_wait_is_passed_on(twin: Twin) -> None:
    headers = {"Retry-After": "7"}
    body = {"ok": False, "error": "ratelimited"}
    await twin.act("faults", kind="status", path="chat.postMessage", status=429, headers=headers, body=body)
    with pytest.raises(RateLimited) as limited:
        await messages(twin).post(CHANNEL, SHOWN)
    assert limited.value.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize("kind", ["drop", "drop_after_effect", "garbage"])
async def test_no_answer_is_tried_again_by_nobody_here(twin: Twin, kind: str) -> None:
    await twin.act("faults", kind=kind, path="chat.postMessage")
    with pytest.raises(Unavailable):
        await messages(twin).post(CHANNEL, SHOWN)
    assert sum(one["path"].endswith("chat.postMessage") for one in twin.ask("requests")) == 1
    assert len(twin.messages()) == (kind == "drop_after_effect")


async def test_a_wrong_token_names_the_secret_to_mend(twin: Twin) -> None:
    with pytest.raises(AuthDenied, match="slack/app"):
        await messages(twin, token="xoxb-wrong").post(CHANNEL, SHOWN)


async def test_nobody_there(twin: Twin) -> None:
    alone = SlackMessages(web_client(SecretStr("xoxb"), url="http://127.0.0.1:1"))
    with pytest.raises(Unavailable, match="cannot be reached"):
        await alone.post(CHANNEL, SHOWN)
    del twin


async def test_a_message_is_found_again_among_many_and_only_our_own(twin: Twin) -> None:
    ours, now = messages(twin), datetime.now(UTC)
    assert await ours.find(CHANNEL, "approval/1", since=now) is None
    ts = await ours.post(CHANNEL, SHOWN)
    for number in range(150):
        await twin.act("say", user="U0ALICE", channel=CHANNEL, text=f"chatter {number}")
    found = await ours.find(CHANNEL, "approval/1", since=now)
    by_name = await ours.find(CHANNEL, "approval/1", since=now, ts=ts)
    assert (found, await ours.find(CHANNEL, "approval/2", since=now)) == (by_name, None)
    assert found is not None
    assert (found.ts, found.stage) == (ts, 0)
    assert await ours.find(CHANNEL, "approval/1", since=now + timedelta(hours=1)) is None


async def test_lines_are_known_by_their_keys(twin: Twin) -> None:
    ours = messages(twin)
    ts = await ours.post(CHANNEL, SHOWN)
    for key in ("decision/1", "state"):
        await ours.say_in_thread(CHANNEL, ts, Line(key=key, text=key, blocks=()))
    await twin.act("say", user="U0ALICE", channel=CHANNEL, text="I agree", thread_ts=ts)
    assert set(await ours.said_in_thread(CHANNEL, ts)) == {"decision/1", "state"}
