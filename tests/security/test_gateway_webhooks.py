"""Attacks on GitHub's webhooks: anybody can send there, and whoever reaches Temporal can start the same workflow.

Each control has its test; taking the control out makes the test fail.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs
from temporalio.client import WorkflowHandle

from activities.queues import TaskQueue
from connectors.errors import InvalidRequest
from hitl.gateway import deliveries
from hitl.gateway.deliveries import MEMO
from hitl.github.events import WEBHOOKS, PingEvent
from hitl.github.receiving import MAX_BODY_BYTES
from hitl.github.signature import sign_body
from tests.hitl.gateway.delivering import SECRET, new_guid, receiving
from tests.hitl.gateway.running import Place
from tests.hitl.github.payloads import comment_payload
from workflows.github.contracts import DELIVERY_WORKFLOW, ReceivedDelivery, delivery_id

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_without_githubs_signature_of_these_bytes_nothing_is_started(here: Place) -> None:
    body = json.dumps(comment_payload()).encode()
    good = sign_body(SECRET, body)
    bad: list[str | None] = [
        None,
        "",
        good.removeprefix("sha256="),
        "sha1=" + "0" * 40,
        "sha256=" + "0" * 64,
        sign_body(SECRET, body + b" "),
        sign_body(SecretStr("another"), body),
        sign_body(SecretStr(""), body),
    ]
    guid = new_guid()
    async with receiving(here) as (_, hook):
        answers = [
            await hook.send("issue_comment", body, guid=guid, headers={"X-Hub-Signature-256": one}) for one in bad
        ]
        changed = await hook.send(
            "issue_comment", body.replace(b"alice", b"mallo"), guid=guid, headers={"X-Hub-Signature-256": good}
        )
        assert not await hook.is_known(guid)
    assert [one.status_code for one in (*answers, changed)] == [401] * (len(bad) + 1)


async def test_what_is_no_delivery_is_refused_with_one_line(here: Place) -> None:
    body = json.dumps(comment_payload()).encode()
    wrong: list[tuple[dict[str, str | None], int]] = [
        ({"X-GitHub-Delivery": "../../etc"}, 400),
        ({"X-GitHub-Delivery": None}, 400),
        ({"X-GitHub-Event": "Issue Comment"}, 400),
        ({"X-GitHub-Event": None}, 400),
        ({"X-GitHub-Event": "push"}, 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 400),
    ]
    async with receiving(here) as (_, hook):
        for headers, status in wrong:
            answer = await hook.send("issue_comment", body, headers=headers)
            assert (answer.status_code, answer.text.count("\n")) == (status, 1), headers
        for method in ("GET", "PUT", "DELETE"):
            assert (await hook.hands.request(method, WEBHOOKS)).status_code == 405
        assert (await hook.hands.post("/")).status_code == 404
        for broken in (b"{", b"[]", b"[" * 50_000, b'{"action": "\xff"}'):
            assert (await hook.send("issue_comment", broken)).status_code == 400


async def test_a_body_of_any_length_costs_no_memory(here: Place) -> None:
    async with receiving(here) as (_, hook):
        length = str(MAX_BODY_BYTES + 1)
        signed = {"X-Hub-Signature-256": sign_body(SECRET, b"x"), "X-GitHub-Delivery": new_guid()}
        host, port = str(hook.hands.base_url.host), int(hook.hands.base_url.port or 0)
        reader, writer = await asyncio.open_connection(host, port)
        heads = {"Host": host, "Content-Type": "application/json", "Content-Length": length, **signed}
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**heads, "X-GitHub-Event": "push"}.items())
        writer.write(f"POST {WEBHOOKS} HTTP/1.1\r\n{lines}\r\n".encode())
        told = await reader.readline()  # before a byte of the body was sent
        writer.close()

        async def endless() -> AsyncGenerator[bytes]:
            yield b"x"

        heads = {"Content-Type": "application/json", "X-GitHub-Event": "push", **signed}
        unsaid = await hook.hands.post(WEBHOOKS, content=endless(), headers=heads)
    assert (told.split()[1], unsaid.status_code) == (b"413", 413)


async def test_the_largest_payload_becomes_a_small_workflow(here: Place) -> None:
    payload, guid = comment_payload(), new_guid()
    payload["issue"]["body"] = "x" * 65_536
    payload["filler"] = "y" * (MAX_BODY_BYTES - len(json.dumps(payload)) - 20)
    async with receiving(here) as (_, hook):
        answer = await hook.send("issue_comment", payload, guid=guid)
        assert answer.status_code == 202
        history = await hook.workflow(guid).fetch_history()
    assert history.events[0].ByteSize() < 16_000


async def test_a_replay_under_another_guid_starts_nothing(here: Place) -> None:
    """The signature is over the body alone, so whoever has one delivery can name it as they like."""
    body, other = comment_payload(), new_guid()
    async with receiving(here) as (_, hook):
        await hook.send("issue_comment", body)
        replayed = await hook.send("issue_comment", body, guid=other)
        assert not await hook.is_known(other)
    assert (replayed.status_code, replayed.text) == (202, "known\n")


async def test_a_comment_that_somebody_kept_for_long_is_not_taken(here: Place) -> None:
    old = comment_payload(at=datetime.now(UTC) - timedelta(days=4))
    late = comment_payload(at=datetime.now(UTC) - timedelta(days=2, hours=23))
    async with receiving(here) as (_, hook):
        statuses = [(await hook.send("issue_comment", one)).status_code for one in (old, late)]
    assert statuses == [400, 202]


async def test_nothing_of_a_body_and_no_secret_is_logged(here: Place, caplog: pytest.LogCaptureFixture) -> None:
    said = "a canary in a comment"
    async with receiving(here) as (_, hook):
        with caplog.at_level(logging.DEBUG), capture_logs() as lines:
            await hook.send("issue_comment", comment_payload(body=said))
            await hook.send("issue_comment", comment_payload(body=said), secret=SecretStr("another"))
            await hook.send("issue_comment", json.dumps({"action": said}).encode())
    logged = f"{lines}{caplog.text}"
    assert "The signature is not good" in logged
    assert "not such an event" in logged
    assert said not in logged
    assert SECRET.get_secret_value() not in logged


async def test_a_delivery_that_somebody_starts_by_hand_is_none(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving(here) as (gateway, hook):
        guid = new_guid()
        await hook.send("issue_comment", comment_payload(number=2), guid=guid)
        theirs = hook.workflow(guid)
        described = await theirs.describe()
        memo = await described.memo()
        first = (await theirs.fetch_history()).events[0].workflow_execution_started_event_attributes
        taken = ReceivedDelivery.model_validate_json(first.input.payloads[0].data)

        async def refused(received: ReceivedDelivery, name: str, *, queue: str = TaskQueue.GOALS) -> str:
            forged: WorkflowHandle[object, object] = await here.client.start_workflow(
                DELIVERY_WORKFLOW, received, id=name, task_queue=queue, memo={MEMO: memo[MEMO]}
            )
            with pytest.raises(InvalidRequest) as error:
                await gateway.deliveries.verified(forged.id, (await forged.describe()).run_id)
            return str(error.value)

        mine = new_guid()
        ping = ReceivedDelivery(delivery=mine, event=PingEvent(hook_id=1))
        assert "another delivery" in await refused(ping, delivery_id(mine))
        other = taken.model_copy(update={"delivery": mine})
        assert "another delivery" in await refused(other, delivery_id(new_guid()))
        assert "another delivery" in await refused(taken, delivery_id(new_guid()))
        assert "alone" in await refused(taken, delivery_id(new_guid()), queue="mallory")
        bare = await here.client.start_workflow(
            DELIVERY_WORKFLOW, ping, id=delivery_id(new_guid()), task_queue=TaskQueue.GOALS
        )
        with pytest.raises(InvalidRequest, match="by hand"):
            await gateway.deliveries.verified(bare.id, (await bare.describe()).run_id)
        assert (await gateway.deliveries.verified(theirs.id, described.run_id)) == taken
        monkeypatch.setattr(deliveries, "_FRESH", timedelta(0))
        with pytest.raises(InvalidRequest, match="a copy of a delivery"):
            await gateway.deliveries.verified(theirs.id, described.run_id)
