"""A yes or a no from GitHub goes the way of every decision, where the policy lets it; a push over takes it back."""

from datetime import UTC, datetime
from typing import Final

import pytest

from hitl.approval.plan import plan_digest
from hitl.github import voiding
from hitl.github.acting import Occasion
from hitl.github.commands import Command
from hitl.github.deputy import VoidedHead
from hitl.github.rules import Known
from hitl.github.voiding import Voiding
from hitl.policy.triggers import SlashCommand
from tests.hitl.gateway.commanding import READ, commanding
from tests.hitl.gateway.running import ONE, Place, eventually
from tests.hitl.github.deciding_cases import NEW, OLD
from tests.hitl.github.payloads import account, everywhere
from workers.gateway import Gateway
from workflows.github.contracts import Done

pytestmark = pytest.mark.asyncio(loop_scope="session")

ALICE: Final = Known(identity="github:alice", person="alice")
SURFACE: Final = "github:\n  accounts: {alice: 5}\n  approvals: true\n"


def by_comment() -> Occasion:
    return Occasion(guid="g", repository="acme/shop", at=datetime.now(UTC))


async def decide(gateway: Gateway, word: SlashCommand, approval: str, **said: str) -> tuple[bool, str]:
    return await gateway.acts.decide(Command(word=word, id=approval, **said), ALICE, by_comment())


async def test_a_yes_counts_for_exactly_the_plan_that_was_shown(one: Place) -> None:
    one.house.path.write_text(ONE + SURFACE)
    async with one.running() as gateway:
        goal, approval, _ = await one.asked(gateway)
        digest = plan_digest((await gateway.deliveries.server.approval(approval)).request.plan).removeprefix("sha256:")
        shown = await gateway.follows._digest_of(approval)
        bare = await decide(gateway, SlashCommand.APPROVE, approval)
        other = await decide(gateway, SlashCommand.APPROVE, approval, digest="0" * 12)
        nobody = await decide(gateway, SlashCommand.APPROVE, "approval/nothing", digest=digest[:12])
        counted = await decide(gateway, SlashCommand.APPROVE, approval, digest=digest[:12])
        result = await goal.result()
    assert shown == f"sha256:{digest}", "which the check run shows"
    assert [told for told, _ in (bare, other, nobody, counted)] == [False, False, False, True]
    assert "Say which plan you were shown" in bare[1]
    assert "not the plan of this approval" in other[1]
    assert result.outcome == "completed"


async def test_a_no_ends_it_and_needs_no_digest(one: Place) -> None:
    one.house.path.write_text(ONE + SURFACE)
    async with one.running() as gateway:
        goal, approval, _ = await one.asked(gateway)
        counted, _ = await decide(gateway, SlashCommand.REJECT, approval, reason="not on a Friday")
        result = await goal.result()
    assert counted
    assert (result.outcome, one.house.remover.removed) == ("rejected", [])
    assert "not on a Friday" in str(result.reason)


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (ONE, "lets nobody decide on GitHub"),
        (ONE + SURFACE.replace("true", "false"), "lets nobody decide on GitHub"),
        ((ONE + SURFACE).replace("release: [alice, bob, carol]", "release: [bob, carol]"), "'alice' is not in"),
    ],
)
async def test_where_the_policy_does_not_let_it_nothing_counts(one: Place, policy: str, says: str) -> None:
    one.house.path.write_text(policy)
    async with one.running() as gateway:
        goal, approval, _ = await one.asked(gateway)
        digest = plan_digest((await gateway.deliveries.server.approval(approval)).request.plan)
        digest = digest.removeprefix("sha256:")
        counted, words = await decide(gateway, SlashCommand.APPROVE, approval, digest=digest)
        await goal.terminate()
    assert not counted
    assert says in words
    assert one.house.remover.removed == []


async def test_approvals_of_a_head_that_was_pushed_over_are_over_and_no_others(
    one: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voiding, "_HEADS", ("branch",))  # the plan of the tests' goal has no head
    async with one.running() as gateway:
        goal, approval, _ = await one.asked(gateway, branch=OLD)
        other, _, _ = await one.asked(gateway)
        head = VoidedHead(repository="acme/shop", pull=4, before=OLD, after=NEW, by="mallory")

        async def told() -> bool:
            return await Voiding(gateway.deliveries.server).void(head) > 0

        await eventually(told)
        result = await goal.result()
        assert (await other.describe()).close_time is None
        await other.terminate()
    assert (result.outcome, one.house.remover.removed) == ("superseded", []), approval


async def test_jobs_on_a_pull_request_are_told_where_it_stands_now(one: Place) -> None:
    side = {"ref": "work", "sha": NEW, "repo": everywhere()["repository"]}
    pushed = {
        **everywhere(),
        "action": "synchronize",
        "number": 1,
        "before": OLD,
        "after": NEW,
        "pull_request": {"number": 1, "user": account(), "head": side, "base": {**side, "sha": OLD}},
    }
    async with commanding(one) as there:
        there.github.reads_on.clear()
        began = await there.say(READ)
        await there.github.reading.wait()
        job = there.hook.client.get_workflow_handle(str(began.goal))

        async def listed() -> bool:
            query = f"WorkflowId = '{job.id}' AND BanksmanRepository = 'acme/shop'"
            return (await there.hook.client.count_workflows(query)).count == 1

        await eventually(listed)
        told = await there.deliver("pull_request", pushed)
        assert told.done is Done.IGNORED
        signals = [
            event.workflow_execution_signaled_event_attributes.signal_name
            async for event in job.fetch_history_events()
            if event.HasField("workflow_execution_signaled_event_attributes")
        ]
        there.github.reads_on.set()
        await job.result()
    assert signals == ["head_moved"]
