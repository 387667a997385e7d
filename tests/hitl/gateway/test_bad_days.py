"""Bad days: what is lost, delayed or doubled between people, Slack, the gateway, Vault and the workers."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    StartWorkflowUpdateInput,
    WorkflowUpdateHandle,
)
from temporalio.service import RPCError, RPCStatusCode

from connectors.errors import ConnectorError
from connectors.vault import VaultSession
from hitl.approval.decision import Surface, Verdict
from hitl.approval.plan import plan_digest
from hitl.gateway.decisions import Click, DecisionService, Kind
from hitl.gateway.goal_starter import GoalStarter
from hitl.gateway.server import Server
from tests.connectors.vault.server import House as VaultHouse
from tests.connectors.vault.server import VaultServer
from tests.hitl.gateway.running import ONE, Place, buttons, eventually, place, slack_id, texts
from workflows.contracts import State

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOT_YET = "Not confirmed yet"


async def click_of(here: Place, approval: str, person: str = "alice") -> Click:
    plan = await here.client.get_workflow_handle(approval).query("plan", result_type=str)
    return Click(
        approval_id=approval,
        digest=plan_digest(plan),
        identity=f"slack:{slack_id(person)}",
        verdict=Verdict.APPROVE,
        reason="",
        surface=Surface.SLACK,
        clicked_at=datetime.now(UTC),
    )


async def counted_updates(here: Place, approval: str) -> int:
    history = await here.client.get_workflow_handle(approval).fetch_history()
    wanted = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
    return sum(event.event_type == wanted for event in history.events)


# Between Slack and the gateway.


async def test_an_envelope_that_comes_twice_counts_once(here: Place) -> None:
    async with here.running() as gateway:
        goal, approval, message = await here.asked(gateway)
        await here.envelope_fault(kind="duplicate", of="interactive")
        assert (await here.click("alice", message))["acknowledged"]
        await here.message(approval, lambda one: "alice approved" in texts(one))
        assert (await here.click("bob", message))["acknowledged"]
        assert (await goal.result()).outcome == "completed"
        assert await counted_updates(here, approval) == 2
        private = [one for one in await here.messages() if one["only_for"]]
    assert private == []


async def test_a_connection_that_slack_ends_is_made_anew_and_the_click_comes_again(one: Place) -> None:
    async with one.running() as gateway:
        goal, _, message = await one.asked(gateway)
        await one.envelope_fault(kind="disconnect", of="interactive")
        lost = await one.click("alice", message)
        assert not lost["acknowledged"]
        await eventually(lambda: one.connections(1))
        assert (await one.click("alice", message))["acknowledged"]
        assert (await goal.result()).outcome == "completed"


async def test_a_limit_after_the_acknowledgement_delays_the_message_and_nothing_else(one: Place) -> None:
    async with one.running() as gateway:
        goal, approval, message = await one.asked(gateway)
        await one.envelope_fault(kind="rate_limit_after", of="interactive", method="chat.update", calls=2)
        assert (await one.click("alice", message))["acknowledged"]
        assert (await goal.result()).outcome == "completed"
        await one.message(approval, lambda found: "carried out" in texts(found))
        lines = await one.thread(message["ts"], lines=3)
    assert len(lines) == 3


async def test_a_limit_on_private_lines_costs_the_line_and_not_the_acknowledgement(one: Place) -> None:
    async with one.running() as gateway:
        goal, _, message = await one.asked(gateway)
        await one.envelope_fault(kind="rate_limit_after", of="interactive", method="chat.postEphemeral")
        assert (await one.click("mallory", message))["acknowledged"]
        assert (await one.click("alice", message))["acknowledged"]
        assert (await goal.result()).outcome == "completed"


# Slack itself.


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop_after_effect"},
        {"kind": "drop"},
        {"kind": "garbage"},
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 200, "body": {"ok": False, "error": "internal_error"}},
        {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}, "body": {"ok": False}},
    ],
    ids=["posted-and-no-answer", "no-answer", "garbage", "down", "not-ok", "limited"],
)
async def test_whatever_slack_answers_there_is_one_message_and_each_line_once(
    one: Place, fault: dict[str, Any]
) -> None:
    async with one.running() as gateway:
        await one.fault(path="chat.postMessage", **fault)
        goal, approval, message = await one.asked(gateway)
        await one.fault(path="chat.postMessage", **fault)
        assert (await one.click("alice", message))["acknowledged"]
        assert (await goal.result()).outcome == "completed"
        await one.message(approval, lambda found: "carried out" in texts(found))
        lines = await one.thread(message["ts"], lines=3)
    assert len(await one.about(approval)) == 1
    assert len(lines) == len(set(lines)) == 3


async def test_a_form_that_slack_does_not_open_decides_nothing_and_says_so(one: Place) -> None:
    async with one.running() as gateway:
        goal, approval, message = await one.asked(gateway)
        await one.fault(kind="status", status=500, path="views.open")
        assert (await one.click("alice", message, "reject"))["acknowledged"]
        assert "click again" in (await one.told("alice"))[0]
        assert (await one.house.view(approval)).state is State.WAITING
        await goal.terminate()


async def test_a_channel_without_the_app_stops_no_approval(one: Place) -> None:
    one.house.path.write_text(one.house.path.read_text().replace("C0OPS", "C0NOWHERE"))
    async with one.running() as gateway:
        goal = await one.goal(gateway)
        approval = await one.house.approval_of(goal)
        assert (await gateway.clicks.decide(await click_of(one, approval))).kind is Kind.COUNTED
        assert (await goal.result()).outcome == "completed"


# The gateway.


async def test_killed_after_signing_the_same_click_counts_once_at_another_gateway(here: Place) -> None:
    async with here.running() as gateway:
        goal = await here.goal(gateway)
        approval = await here.house.approval_of(goal)
        click, signing = await click_of(here, approval), asyncio.Event()
        server = Server(here.client, cluster=here.house.cluster)

        async def never(text: str) -> str:
            signing.set()
            await asyncio.Event().wait()
            return text

        policy = gateway.steps._policy
        dying = DecisionService(server, policy, sign=never, starts=GoalStarter(server, never, gateway.starts._keys))
        killed = asyncio.create_task(dying.decide(click))
        await signing.wait()
        killed.cancel()
        await asyncio.gather(killed, return_exceptions=True)
        assert await counted_updates(here, approval) == 0
        first = await gateway.clicks.decide(click)
        again = await gateway.clicks.decide(click)
        assert await counted_updates(here, approval) == 1
        await goal.terminate()
    assert first == again
    assert first.kind is Kind.COUNTED
    assert "1 of 2" in first.words


async def test_a_click_sent_again_after_the_end_is_answered_as_it_was(one: Place) -> None:
    async with one.running() as gateway:
        goal = await one.goal(gateway)
        approval = await one.house.approval_of(goal)
        click = await click_of(one, approval)
        first = await gateway.clicks.decide(click)
        await goal.result()
        again = await gateway.clicks.decide(click)
        late = await gateway.clicks.decide(await click_of(one, approval, "bob"))
    assert first == again
    assert (late.kind, "over" in late.words) == (Kind.REFUSED, True)


async def test_two_gateways_share_the_work_and_either_is_enough(here: Place) -> None:
    async with here.house.workers(), here.gateway() as gateway:
        async with (await here.another_process()).gateway():
            goal, approval, message = await here.asked(gateway)
            clicked = await asyncio.gather(here.click("alice", message), here.click("bob", message))
            assert [one["acknowledged"] for one in clicked] == [True, True]
            assert (await goal.result()).outcome == "completed"
            await here.message(approval, lambda one: "carried out" in texts(one))
        await eventually(lambda: here.connections(1))
        goal, approval, message = await here.asked(gateway)
        await here.click("alice", message)
        await here.click("carol", message)
        assert (await goal.result()).outcome == "completed"
        await here.message(approval, lambda one: "carried out" in texts(one))
    assert len(await here.about(approval)) == 1


# Temporal and its workers.


async def test_without_a_goals_worker_the_person_knows_within_three_seconds(one: Place) -> None:
    async with one.gateway() as gateway:
        async with one.house.workers():
            goal, approval, message = await one.asked(gateway)
        began = time.monotonic()
        assert (await one.click("alice", message))["acknowledged"]
        assert time.monotonic() - began < 3
        assert NOT_YET in (await one.told("alice"))[0]
        assert buttons(await one.message(approval))
        async with one.house.workers():
            assert (await goal.result()).outcome == "completed"
            await one.message(approval, lambda found: "alice approved" in texts(found) and not buttons(found))


class _Lost(Interceptor):
    """The server answers that it cannot deliver, so many times."""

    def __init__(self, times: int) -> None:
        self.times = times

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002 - the SDK's
        lost = self

        class Outbound(OutboundInterceptor):
            async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:  # noqa: A002 - the SDK's
                if lost.times > 0:
                    lost.times -= 1
                    raise RPCError("workflow task failed", RPCStatusCode.FAILED_PRECONDITION, b"")
                return await super().start_workflow_update(input)

        return Outbound(next)


async def test_an_update_that_the_server_could_not_deliver_is_sent_again(one: Place) -> None:
    async with one.running() as gateway:
        goal = await one.goal(gateway)
        approval = await one.house.approval_of(goal)
        config = one.client.config()
        lost = _Lost(2)
        config["interceptors"] = [lost]
        server = Server(Client(**config), cluster=one.house.cluster)

        async def sign(text: str) -> str:
            return await one.vault.sign("approvals", text)

        clicks = DecisionService(server, gateway.steps._policy, sign=sign, starts=gateway.starts)
        outcome = await clicks.decide(await click_of(one, approval))
        assert (await goal.result()).outcome == "completed"
        assert await counted_updates(one, approval) == 1
    assert (outcome.kind, lost.times) == (Kind.COUNTED, 0)


# Vault.


async def test_a_vault_sealed_at_the_signing_is_told_and_the_click_may_come_again(
    client: Client, tmp_path: Path
) -> None:
    server = VaultServer.start(tmp_path)
    vault_house = await VaultHouse.build(server)
    try:
        session = await vault_house.login("gateway")
        async with place(client, session, tmp_path, policy=ONE) as here, here.running() as gateway:
            goal, approval, message = await here.asked(gateway)
            server.seal()
            began = time.monotonic()
            assert (await here.click("alice", message))["acknowledged"]
            assert time.monotonic() - began < 3
            assert f"{NOT_YET}: Vault does not sign now" in (await here.told("alice"))[0]
            assert buttons(await here.message(approval))
            server.unseal()
            assert (await here.click("alice", message))["acknowledged"]
            assert (await goal.result()).outcome == "completed"
    finally:
        await vault_house.close()
        server.stop()


async def test_a_vault_that_hangs_is_told_within_three_seconds(one: Place) -> None:
    async with one.running() as gateway:
        goal = await one.goal(gateway)
        approval = await one.house.approval_of(goal)

        async def hang(text: str) -> str:
            await asyncio.Event().wait()
            return text

        server = Server(one.client, cluster=one.house.cluster)
        clicks = DecisionService(server, gateway.steps._policy, sign=hang, starts=gateway.starts)
        began = time.monotonic()
        outcome = await clicks.decide(await click_of(one, approval))
        assert time.monotonic() - began < 3
        assert (outcome.kind, NOT_YET in outcome.words) == (Kind.UNCONFIRMED, True)
        await goal.terminate()


async def test_a_rotated_key_keeps_waiting_approvals_alive(here: Place, vault_server: VaultServer) -> None:
    async with here.running() as gateway:
        goal, approval, message = await here.asked(gateway)
        assert (await here.click("alice", message))["acknowledged"]
        await here.message(approval, lambda one: "alice approved" in texts(one))
        vault_server.admin("POST", "transit/keys/approvals/rotate")
        await here.house.keys.refresh()
        assert (await here.click("bob", message))["acknowledged"]
        assert (await goal.result()).outcome == "completed"


async def test_a_process_without_its_token_says_so_and_ends(vault_server: VaultServer) -> None:
    vault_house = await VaultHouse.build(vault_server)
    session: VaultSession = await vault_house.login("gateway")
    keeping = asyncio.create_task(session.keep_alive())
    vault_server.admin("POST", "auth/token/revoke", {"token": session._token.get_secret_value()})
    with pytest.raises(ConnectorError, match="gone"):
        await session.sign("approvals", "text")
    with pytest.raises(ConnectorError, match="revoked"):
        async with asyncio.timeout(10):
            await keeping
    await vault_house.close()
