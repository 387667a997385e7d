"""Attacks on the gateway: who is counted, what is signed, and what people are shown.

Each control has its test; taking the control out makes the test fail.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs
from temporalio.client import WorkflowFailureError

from activities.queues import TaskQueue
from hitl.approval.decision import Surface, Verdict
from hitl.approval.plan import plan_digest
from hitl.gateway.decisions import Click, DecisionService, Kind, Outcome
from tests.hitl.gateway.running import CHANNEL, ELSEWHERE, Place, buttons, slack_id, texts
from tests.workflows.approval.approving import Ask, make_plan
from workers.gateway import Gateway
from workflows.approval.contracts import CountedDecision, UpdateApproval
from workflows.contracts import State

pytestmark = pytest.mark.asyncio(loop_scope="session")

FORGED = "Looks good to everybody"


async def click_of(here: Place, approval: str, identity: str, **changes: Any) -> Click:
    plan = await here.client.get_workflow_handle(approval).query("plan", result_type=str)
    given: dict[str, Any] = {
        "approval_id": approval,
        "digest": plan_digest(plan),
        "identity": identity,
        "verdict": Verdict.APPROVE,
        "reason": "",
        "surface": Surface(identity.partition(":")[0]),
        "clicked_at": datetime.now(UTC),
    }
    return Click(**given | changes)


def counting(gateway: Gateway) -> tuple[DecisionService, list[str]]:
    """The same clicks, and what is signed for them."""
    signed: list[str] = []
    real: Callable[[str], Awaitable[str]] = gateway.clicks._sign

    async def sign(text: str) -> str:
        signed.append(text)
        return await real(text)

    clicks = gateway.clicks
    return DecisionService(clicks._server, clicks._policy, sign=sign, starts=clicks._starts), signed


async def waits(here: Place, approval: str, *, approvals: int = 0) -> bool:
    view = await here.house.view(approval)
    return view.state is State.WAITING and len(view.decisions) == approvals


# Counting.


async def test_one_person_from_two_surfaces_at_the_same_moment_counts_once(here: Place) -> None:
    async with here.running() as gateway:
        goal = await here.goal(gateway)
        approval = await here.house.approval_of(goal)
        surfaces = ("slack:U0ALICE", "console:alice@acme.test")
        sent = [await click_of(here, approval, one) for one in surfaces]
        told = await asyncio.gather(*map(gateway.clicks.decide, sent))
        assert await waits(here, approval, approvals=1)
        await goal.terminate()
    assert sorted(one.kind for one in told) == [Kind.COUNTED, Kind.REFUSED]
    assert any("'alice' is counted already" in one.words for one in told)


async def test_two_people_from_two_surfaces_at_the_same_moment_both_count(here: Place) -> None:
    async with here.running() as gateway:
        goal = await here.goal(gateway)
        approval = await here.house.approval_of(goal)
        sent = [await click_of(here, approval, one) for one in ("slack:U0ALICE", "console:bob@acme.test")]
        told = await asyncio.gather(*map(gateway.clicks.decide, sent))
        assert (await goal.result()).outcome == "completed"
    assert [one.kind for one in told] == [Kind.COUNTED, Kind.COUNTED]


@pytest.mark.parametrize("identity", ["slack:U0ALICE", "console:alice@acme.test"])
async def test_who_asked_cannot_approve_nor_under_a_second_identity(here: Place, identity: str) -> None:
    async with here.running() as gateway:
        goal = await here.goal(gateway, by="alice")
        approval = await here.house.approval_of(goal)
        told = await gateway.clicks.decide(await click_of(here, approval, identity))
        assert await waits(here, approval)
        await goal.terminate()
    assert told.kind is Kind.REFUSED
    assert "'alice' asked for this and cannot decide on it" in told.words


async def test_a_refused_click_is_counted_as_one_and_logged(here: Place) -> None:
    mallory, labels = f"slack:{slack_id('mallory')}", {"surface": "slack", "outcome": "refused"}
    before = REGISTRY.get_sample_value("banksman_clicks_total", labels) or 0.0
    async with here.running() as gateway:
        goal = await here.goal(gateway, by="alice")
        approval = await here.house.approval_of(goal)
        with capture_logs() as logged:
            await gateway.clicks.decide(await click_of(here, approval, mallory))
        await goal.terminate()
    assert REGISTRY.get_sample_value("banksman_clicks_total", labels) == before + 1
    told = [one for one in logged if one["event"] == "a person clicked"]
    assert [(one["approval"], one["identity"], one["outcome"]) for one in told] == [(approval, mallory, "refused")]


@pytest.mark.parametrize("person", ["mallory", "erin"])
async def test_who_is_in_no_group_is_refused_and_nothing_is_signed(here: Place, person: str) -> None:
    async with here.running() as gateway:
        goal, approval, message = await here.asked(gateway, by="carol")
        clicks, signed = counting(gateway)
        told = await clicks.decide(await click_of(here, approval, f"slack:{slack_id(person)}"))
        assert (await here.click(person, message))["acknowledged"]
        assert "Not counted" in (await here.told(person))[0]
        assert await waits(here, approval)
        await goal.terminate()
    assert (told.kind, signed) == (Kind.REFUSED, [])


async def test_who_left_the_group_since_the_request_is_refused(here: Place) -> None:
    async with here.running() as gateway:
        goal, approval, message = await here.asked(gateway)
        policy = here.house.path.read_text()
        here.house.path.write_text(policy.replace("release: [alice, bob, carol]", "release: [bob, carol]"))
        assert (await here.click("alice", message))["acknowledged"]
        assert "'alice' is not in 'release' or 'leads'" in (await here.told("alice"))[0]
        assert await waits(here, approval)
        await goal.terminate()


async def test_who_is_asked_later_does_not_count_before(here: Place) -> None:
    async with here.running() as gateway:
        goal, approval, message = await here.asked(gateway)
        assert (await here.click("dave", message))["acknowledged"]
        assert "wait for the escalation" in (await here.told("dave"))[0]
        assert await waits(here, approval)
        await goal.terminate()


# Who asked.


@pytest.mark.parametrize(
    ("rule", "shown", "kind"),
    [
        ("one_more", "so one more person must approve", Kind.COUNTED),
        ("deny", "nobody can approve this", Kind.REFUSED),
    ],
)
async def test_nobody_vouches_for_a_start_by_hand(here: Place, rule: str, shown: str, kind: Kind) -> None:
    policy = here.house.path.read_text()
    here.house.path.write_text(policy.replace("quorum: 2", f"quorum: 2\n        unverified_requester: {rule}"))
    async with here.running() as gateway:
        goal = await here.house.start()
        approval = await here.house.approval_of(goal)
        message = await here.message(approval)
        told = await gateway.clicks.decide(await click_of(here, approval, "slack:U0ALICE"))
        view = await here.house.view(approval)
        await goal.terminate()
    assert shown in texts(message)
    assert told.kind is kind
    if kind is Kind.COUNTED:
        assert "3 must approve" in texts(message)
        assert "1 of 3" in told.words
        assert view.requester == "unverified"
    else:
        assert "Nobody knows who asked for this" in told.words


# What is signed is what the server says.


async def test_an_approval_that_no_goal_asked_for_is_neither_shown_nor_signed(here: Place) -> None:
    async with here.running() as gateway:
        clicks, signed = counting(gateway)
        request = here.house.request()
        alone = await here.client.start_workflow(
            "Approval", request, id="approval/of-my-own", task_queue=TaskQueue.GOALS
        )
        with pytest.raises(WorkflowFailureError):
            await alone.result()
        told = await clicks.decide(
            Click(
                approval_id=alone.id,
                digest=plan_digest(request.plan),
                identity="slack:U0ALICE",
                verdict=Verdict.APPROVE,
                reason="",
                surface=Surface.SLACK,
                clicked_at=datetime.now(UTC),
            )
        )
    assert (told.kind, signed) == (Kind.REFUSED, [])
    assert "somebody started it by hand" in told.words
    assert await here.about(alone.id) == []


async def test_a_workflow_that_is_no_approval_is_not_signed_for(here: Place) -> None:
    async with here.running() as gateway:
        goal = await here.goal(gateway)
        approval = await here.house.approval_of(goal)
        clicks, signed = counting(gateway)
        click = await click_of(here, approval, "slack:U0ALICE")
        refused = [await clicks.decide(replace(click, approval_id=one)) for one in (goal.id, "nobody/knows", "")]
        await goal.terminate()
    assert ([one.kind for one in refused], signed) == ([Kind.REFUSED] * 3, [])


async def test_a_goal_that_is_gone_takes_its_approval_with_it(here: Place) -> None:
    async with here.running() as gateway:
        goal = await here.goal(gateway)
        approval = await here.house.approval_of(goal)
        clicks, signed = counting(gateway)
        click = await click_of(here, approval, "slack:U0ALICE")
        await goal.terminate()
        told = await clicks.decide(click)
    assert (told.kind, signed) == (Kind.REFUSED, [])


async def test_another_digest_than_the_plans_is_not_signed_for(here: Place) -> None:
    async with here.running() as gateway:
        goal = await here.goal(gateway)
        approval = await here.house.approval_of(goal)
        clicks, signed = counting(gateway)
        stale = await click_of(here, approval, "slack:U0ALICE", digest=plan_digest(make_plan("another").text()))
        told = await clicks.decide(stale)
        await goal.terminate()
    assert (told.kind, signed) == (Kind.REFUSED, [])
    assert "What you were shown is not the plan" in told.words


async def test_a_harmless_summary_stands_beside_what_is_really_done(here: Place) -> None:
    plan = make_plan("production-data").model_copy(update={"summary": ("Tidies up a comment",)})
    request = here.house.request().model_copy(update={"plan": plan.text()})
    async with here.running():
        goal = await here.house.ask(Ask(request=request))
        message = await here.message(await here.house.approval_of(goal))
        await goal.terminate()
    shown = texts(message)
    assert "branch: production-data" in shown
    assert shown.index("Exactly this will be done (") < shown.index("The goal says of it:\n“Tidies up a comment”")


# What people are shown.


async def forged(here: Place, approval: str) -> UpdateApproval:
    view = await here.house.view(approval)
    lie = CountedDecision(
        person="bob", surface=Surface.SLACK, verdict=Verdict.APPROVE, reason=FORGED, decided_at=datetime.now(UTC)
    )
    said = view.model_copy(update={"state": State.APPROVED, "decisions": (lie,), "reason": FORGED})
    return UpdateApproval(view=said, plan=make_plan().text(), ended="carried out")


async def test_nobody_but_the_approval_and_its_goal_say_how_it_stands(here: Place) -> None:
    async with here.running() as gateway:
        goal, approval, message = await here.asked(gateway)
        lie = await forged(here, approval)
        ids = ("notice-of-my-own", f"{approval}/notice/of-my-own")
        for workflow_id in ids:
            notice = await here.client.start_workflow("ApprovalNotice", lie, id=workflow_id, task_queue=TaskQueue.GOALS)
            with pytest.raises(WorkflowFailureError):
                await notice.result()
        alone = await here.client.start_activity(
            "hitl.update_approval",
            lie,
            id="activity-of-my-own",
            task_queue=TaskQueue.HITL,
            start_to_close_timeout=timedelta(seconds=10),
        )
        with pytest.raises(Exception, match="Activity"):
            await alone.result()
        after = await here.message(approval)
        await goal.terminate()
    assert after["edits"] == 0
    assert FORGED not in texts(after)
    assert buttons(after) == buttons(message)


MARKUP = "<!channel> *bold* <https://evil.example|The whole plan> <script>alert(1)</script> :tada: \u202egnp.exe"


async def test_names_and_reasons_are_no_markup(here: Place) -> None:
    branch = MARKUP.replace("\u202e", "")
    async with here.running() as gateway:
        goal, approval, message = await here.asked(gateway, branch=branch)
        await here.click("alice", message, "reject")
        assert (await here.submit("alice", MARKUP))["acknowledged"]
        ended = await here.message(approval, lambda one: not buttons(one))
        lines = await here.thread(message["ts"], lines=2)
        await goal.result()
        page = await asyncio.to_thread(lambda: here.twin.hands.get(f"/client/{CHANNEL}?user=U0ALICE").text)
        shown = [one for one in await here.messages() if one["user"] != slack_id("alice")]
    assert "*bold*" in texts(message)
    assert "`&lt;!channel&gt; *bold* &lt;https://evil.example|The whole plan&gt; " in texts(message)  # as code
    assert "*bold*" in lines[0]
    for one in shown:
        assert "<!channel>" not in one["text"]
        for block in one.get("blocks") or []:
            text = block.get("text") or {}
            if text.get("type") == "mrkdwn":
                assert text["text"].startswith("*Please decide:* <@U0"), text
            elif block["type"] == "section" and text:
                assert (text["type"], text["emoji"]) == ("plain_text", False)
            for field in block.get("fields") or []:
                outside = "".join(field["text"].split("`")[::2])
                assert not set(outside.partition("\n")[2]) & set("*_~<>:"), field
            for element in block.get("elements") or []:
                said = element["text"] if isinstance(element["text"], str) else ""
                assert "<!channel>" not in said
                assert "<https://evil.example" not in said
    assert "\u202e" not in texts(ended)
    assert "\\u202egnp.exe" in texts(ended)
    assert "&lt;script&gt;alert" in page
    assert "<script>alert" not in page


async def test_a_plan_of_any_length_fits_and_says_where_it_was_cut(here: Place) -> None:
    branch = "\\\"'é" * 2000
    async with here.running() as gateway:
        goal = await here.house.ask(Ask(request=here.house.request(branch[:480])))
        short = await here.message(await here.house.approval_of(goal))
        await goal.terminate()
        plan = make_plan().model_copy(
            update={
                "parameters": {"repository": "acme/shop", "branch": "old", "why": branch},
                "summary": ("“" * 500,) * 50,
            }
        )
        asking = await here.house.ask(Ask(request=here.house.request().model_copy(update={"plan": plan.text()})))
        approval = await here.house.approval_of(asking)
        message = await here.message(approval)
        told = await gateway.clicks.decide(await click_of(here, approval, "slack:U0ALICE"))
        await asking.terminate()
    assert "cut here" not in texts(short)
    assert texts(message).count("cut here: the link below leads to the whole of it") >= 2
    assert buttons(message)
    assert told.kind is Kind.COUNTED


# Where people click.


async def copied(here: Place, message: dict[str, Any]) -> dict[str, Any]:
    """The same message with the same buttons, in another channel."""
    answer = await here.twin.client().chat_postMessage(channel=ELSEWHERE, text="copy", blocks=message["blocks"])
    return {"ts": str(answer["ts"])}


async def test_a_click_in_a_channel_that_the_policy_does_not_name_does_not_count(here: Place) -> None:
    async with here.running() as gateway:
        goal, approval, message = await here.asked(gateway)
        copy = await copied(here, message)
        for action in ("approve", "reject"):
            clicked = await here.click("alice", copy, action, channel=ELSEWHERE)
            assert clicked["acknowledged"]
            assert clicked["view"] is None
        said = await here.ask("messages", channel=ELSEWHERE, user=slack_id("alice"))
        assert await waits(here, approval)
        assert (await here.click("alice", message))["acknowledged"]
        assert await waits(here, approval, approvals=1)
        await goal.terminate()
    assert "does not name this channel" in " ".join(texts(one) for one in said if one["only_for"])


async def test_a_form_opened_before_the_channel_changed_does_not_count(here: Place) -> None:
    async with here.running() as gateway:
        goal, approval, message = await here.asked(gateway)
        assert (await here.click("alice", message, "reject"))["view"]
        policy = here.house.path.read_text()
        here.house.path.write_text(policy.replace(f"slack_channel: {CHANNEL}", f"slack_channel: {ELSEWHERE}"))
        sent = await here.submit("alice", "No")
        assert "does not name this channel" in sent["errors"]["reason"]
        here.house.path.write_text(policy)
        assert await waits(here, approval)
        assert (await here.submit("alice", "No"))["acknowledged"]
        assert (await goal.result()).outcome == "rejected"


async def test_a_surface_speaks_for_its_own_identities_alone(here: Place) -> None:
    """A console that was taken over is not Slack."""
    async with here.running() as gateway:
        goal = await here.goal(gateway)
        approval = await here.house.approval_of(goal)
        mixed = await click_of(here, approval, "slack:U0ALICE", surface=Surface.CONSOLE)
        told: Outcome = await gateway.clicks.decide(mixed)
        assert await waits(here, approval)
        await goal.terminate()
    assert told.kind is Kind.REFUSED
