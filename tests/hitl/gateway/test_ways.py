"""The ways of an approval through Slack: posted, decided by people, shown as it stands, told to its end."""

import re
from datetime import timedelta

import pytest

from hitl.approval.decision import read_decision
from tests.hitl.gateway.running import OFFERED, Place, buttons, eventually, slack_id, texts
from tests.workflows.approval.approving import Ask
from workflows.approval.contracts import ApprovalResult, ApprovalState
from workflows.contracts import State

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_two_people_approve_and_the_message_follows_to_the_end(here: Place) -> None:
    async with here.running() as gateway:
        goal, approval, message = await here.asked(gateway)
        assert buttons(message) == OFFERED
        assert "2 must approve" in texts(message)
        assert "erin (slack:U0ERIN)" in texts(message)
        assert (await here.click("alice", message))["acknowledged"]
        counted = await here.message(approval, lambda one: "alice approved (slack)" in texts(one))
        assert buttons(counted) == OFFERED
        assert (await here.click("bob", message))["acknowledged"]
        result = await goal.result()
        ended = await here.message(approval, lambda one: "How it ended: carried out" in texts(one))
        lines = await here.thread(message["ts"], lines=4)
    assert result.outcome == "completed"
    assert here.house.remover.removed == [result.branch]
    assert buttons(ended) == []
    assert ended["ts"] == message["ts"]
    assert texts(ended).startswith("Carried out: delete branch b-")
    assert sorted(lines) == [
        "It is approved. The goal goes on.",
        "The step ended: carried out.",
        "alice approved (slack)",
        "bob approved (slack)",
    ]
    assert len(await here.about(approval)) == 1


async def test_the_message_shows_the_plan_itself_and_leads_to_it(here: Place) -> None:
    async with here.running() as gateway:
        goal, approval, message = await here.asked(gateway, branch="old-feature")
        view = await here.house.view(approval)
        await goal.terminate()
    shown = texts(message)
    for expected in (
        "Approval needed: delete branch old-feature of acme/shop?",
        "*What*\nDelete branch `old-feature`",
        "*Where*\n`acme/shop` in `live`",
        "*Risk*\nlow",
        "*Cost*\nnone stated",
        "*Please decide:* <@U0ALICE> <@U0BOB> <@U0CAROL>",
        "Exactly this will be done (github.delete_branch):",
        "It names 1 resource: 1 to delete.\n• delete git branch old-feature",
        "branch: old-feature",
        "repository: acme/shop",
        "delete git branch old-feature",
        "“Delete the branch old-feature”",
        view.digest,
        "/approval?id=approval%2Fremove%2Fold-feature%2F",
        "http://temporal.example/namespaces/default/workflows/remove%2Fold-feature/",
        "release; 2 must approve",
    ):
        assert expected in shown
    assert message["metadata"]["event_payload"]["plan_digest"] == view.digest


@pytest.mark.parametrize(
    ("action", "state", "verb"),
    [("reject", State.REJECTED, "rejected"), ("request_changes", State.CHANGES_REQUESTED, "asked")],
)
async def test_a_no_is_said_with_its_reason(here: Place, action: str, state: ApprovalState, verb: str) -> None:
    async with here.running() as gateway:
        goal, approval, message = await here.asked(gateway)
        opened = await here.click("alice", message, action)
        assert opened["view"] is not None
        empty = await here.submit("alice", "")
        assert not empty["acknowledged"]
        assert (await here.submit("alice", "Somebody is at work on it.\nAsk them."))["acknowledged"]
        result = await goal.result()
        ended = await here.message(approval, lambda one: not buttons(one))
        lines = await here.thread(message["ts"], lines=2)
    assert result.outcome == state.value
    assert "Somebody is at work on it. Ask them." in (result.reason or "")
    assert here.house.remover.removed == []
    assert texts(ended).startswith(f"{state.value.replace('_', ' ').capitalize()} by alice: delete branch ")
    assert "Please decide" not in texts(ended)
    assert f"alice {verb}" in texts(ended)
    assert "Somebody is at work on it. Ask them." in texts(ended)
    assert f"It is {state.value.replace('_', ' ')}." in lines[-1]


async def test_a_yes_may_carry_a_comment_and_it_is_signed_and_shown(one: Place) -> None:
    async with one.running() as gateway:
        goal, approval, message = await one.asked(gateway, branch="old-feature")
        await one.click("alice", message, "approve_with_comment")
        form = await one.ask("view", user=slack_id("alice"))
        assert "Approval needed: delete branch old-feature of acme/shop?" in str(form["blocks"][0])
        assert (await one.submit("alice", "After the release.\nThanks!"))["acknowledged"]
        assert (await goal.result()).outcome == "completed"
        await one.message(
            approval, lambda found: "alice approved (slack): “After the release. Thanks!”" in texts(found)
        )
        result = await one.client.get_workflow_handle(approval, result_type=ApprovalResult).result()
    [signed] = result.decisions
    assert read_decision(signed.text).reason == "After the release. Thanks!"


async def test_a_comment_is_not_needed_for_a_yes(one: Place) -> None:
    async with one.running() as gateway:
        goal, _, message = await one.asked(gateway)
        assert (await one.click("alice", message, "approve_with_comment"))["view"]
        assert (await one.submit("alice", ""))["acknowledged"]
        assert (await goal.result()).outcome == "completed"


async def test_the_confirmation_names_the_thing(one: Place) -> None:
    async with one.running() as gateway:
        goal, approval, message = await one.asked(gateway, branch="old-feature")
        digest = (await one.house.view(approval)).digest
        await goal.terminate()
    [actions] = [block for block in message["blocks"] if block["type"] == "actions"]
    confirm = actions["elements"][0]["confirm"]
    assert confirm["title"]["text"] == "Delete branch old-feature of acme/shop?"
    assert confirm["text"]["text"].endswith(f"It names 1 resource: 1 to delete.\n{digest}")


@pytest.mark.parametrize(
    ("mention", "named"),
    [("all", ["alice", "bob", "carol"]), ("first", ["alice", "bob"]), ("none", [])],
)
async def test_the_policy_says_whom_a_new_message_mentions(here: Place, mention: str, named: list[str]) -> None:
    policy = here.house.path.read_text()
    here.house.path.write_text(policy.replace("quorum: 2", f"quorum: 2\n        mention: {mention}"))
    async with here.running() as gateway:
        goal, _, message = await here.asked(gateway)
        await goal.terminate()
    assert re.findall(r"<@(\w+)>", texts(message)) == [slack_id(one) for one in named]


async def test_who_asked_takes_it_back_by_rejecting_it(here: Place) -> None:
    async with here.running() as gateway:
        goal, approval, message = await here.asked(gateway, by="alice")
        await here.click("alice", message, "reject")
        assert (await here.submit("alice", "No longer wanted"))["acknowledged"]
        result = await goal.result()
        await here.message(approval, lambda one: texts(one).startswith("Withdrawn"))
    assert result.outcome == "withdrawn"


async def test_reminder_and_escalation_name_those_who_are_asked(here: Place) -> None:
    request = here.house.request(
        remind_after=timedelta(seconds=1), escalation_group="leads", escalation_after=timedelta(seconds=2)
    )
    async with here.running():
        goal = await here.house.ask(Ask(request=request))
        approval = await here.house.approval_of(goal)
        message = await here.message(approval)
        await here.click("alice", message)
        reminded = await here.message(approval, lambda one: "(reminder)" in texts(one))
        await here.message(approval, lambda one: "release or leads" in texts(one))
        lines = await here.thread(message["ts"], lines=3)
        await goal.terminate()
    assert buttons(reminded)
    assert lines[0] == "alice approved (slack)"
    assert lines[1] == f"This still waits for you:\n<@{slack_id('bob')}> <@{slack_id('carol')}>"
    assert lines[2] == f"Too few answered, so leads is asked as well:\n<@{slack_id('dave')}>"


async def test_without_slack_an_approval_works_and_its_message_comes_when_slack_is_back(one: Place) -> None:
    async with one.running() as gateway:
        await one.fault(kind="status", status=503, path="chat.postMessage", times=2)
        goal, approval, message = await one.asked(gateway)
        await one.click("alice", message)
        assert (await goal.result()).outcome == "completed"
        await one.message(approval, lambda found: "carried out" in texts(found))
        assert await one.requests("chat.postMessage") >= 3
    assert len(await one.about(approval)) == 1


async def test_an_emergency_is_loud(one: Place) -> None:
    async with one.running() as gateway:
        goal, approval, message = await one.asked(gateway, break_glass=True)
        assert texts(message).startswith("BREAK GLASS: Approval needed")
        assert "emergency; 2 must approve" in texts(message)
        await goal.terminate()
        await eventually(lambda: _ended(one, approval))


async def _ended(here: Place, approval: str) -> bool:
    described = await here.client.get_workflow_handle(approval).describe()
    return described.close_time is not None
