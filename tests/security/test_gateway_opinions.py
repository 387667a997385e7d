"""Attacks on opinions: nobody says anything in another's name, of another goal than they did, or of none.

Whoever reaches Temporal can start the workflow with any input, and run goals workers of their own. Each control has
its test; taking the control out makes the test fail.
"""

import secrets
from datetime import timedelta

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.worker import Worker

from activities.queues import TaskQueue
from hitl.approval.decision import SignedDecision
from hitl.gateway.decisions import Kind
from tests.hitl.gateway.judging import at_work, ended_goal, indexed, kept, know_the_tests_goal, over, say_wrong, shown
from tests.hitl.gateway.parking import REQUEST
from tests.hitl.gateway.running import ELSEWHERE, ONE, Place, slack_id
from tests.security.pretended_opinion import BORROWED, BorrowedOpinion, PretendedOpinion
from workers.gateway import Gateway
from workflows.opinions.contracts import KEEP_OPINION, GivenOpinion, KeepOpinion, KeptOpinion, opinions_on
from workflows.opinions.opinion import OpinionWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def refusal(
    here: Place, given: object, *, workflow_id: str, kind: str = "Opinion", queue: str = TaskQueue.GOALS
) -> str:
    """Why an opinion that was started by hand is not kept."""
    handle = await here.client.start_workflow(
        kind, given, id=workflow_id, task_queue=queue, execution_timeout=timedelta(seconds=40)
    )
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    causes: list[str] = []
    error: BaseException | None = failed.value
    while error is not None:
        causes.append(str(error))
        error = error.__cause__
    return " | ".join(causes)


async def given(here: Place, gateway: Gateway, goal: str, run: str, *, by: str = "alice") -> GivenOpinion:
    """One of a person's, as it lies in Temporal for whoever reaches it."""
    told = await gateway.opinions.give(
        identity=f"slack:{slack_id(by)}", surface="slack", goal=goal, goal_run=run, verdict="wrong", words="no"
    )
    assert told.kind is Kind.COUNTED, told.words
    handle = here.client.get_workflow_handle(f"{opinions_on(run)}{by}")
    history = await handle.fetch_history()
    payload = history.events[0].workflow_execution_started_event_attributes.input.payloads[0]
    return GivenOpinion.model_validate_json(payload.data)


async def test_one_started_by_hand_is_nobodys(here: Place) -> None:
    async with at_work(here) as gateway:
        goal, run = await ended_goal(here)
        mine = GivenOpinion(goal=goal, goal_run=run, verdict="useful")
        assert "nobody vouches for who says this" in await refusal(here, mine, workflow_id=f"{opinions_on(run)}alice")
        assert await gateway.opinions.on(run) == []
    assert kept(here) == []


async def test_a_forged_signature_is_none(here: Place) -> None:
    async with at_work(here) as gateway:
        goal, run = await ended_goal(here)
        theirs = await given(here, gateway, goal, run)
        assert theirs.signed is not None
        text = theirs.signed.text.replace('"verdict":"wrong"', '"verdict":"useful"')
        assert text != theirs.signed.text
        forged = theirs.model_copy(
            update={"verdict": "useful", "signed": theirs.signed.model_copy(update={"text": text})}
        )
        said = await refusal(here, forged, workflow_id=f"{opinions_on(run)}alice")
        assert "not signed by the gateway" in said
    assert [one.verdict for one in kept(here)] == ["wrong"]


@pytest.mark.parametrize("change", [{"verdict": "useful"}, {"words": "all was well"}])
async def test_what_was_signed_cannot_be_turned_around(here: Place, change: dict[str, str]) -> None:
    async with at_work(here) as gateway:
        goal, run = await ended_goal(here)
        theirs = await given(here, gateway, goal, run)
        turned = theirs.model_copy(update=change)
        said = await refusal(here, turned, workflow_id=f"{opinions_on(run)}alice")
        assert "the gateway signed another opinion than this one" in said
    assert [one.verdict for one in kept(here)] == ["wrong"]


async def test_an_opinion_is_not_carried_to_another_goal(here: Place) -> None:
    async with at_work(here) as gateway:
        goal, run = await ended_goal(here)
        other, other_run = await ended_goal(here)
        theirs = await given(here, gateway, goal, run)
        moved = theirs.model_copy(update={"goal": other, "goal_run": other_run})
        said = await refusal(here, moved, workflow_id=f"{opinions_on(other_run)}alice")
        assert "the gateway signed another opinion than this one" in said
        said = await refusal(here, theirs, workflow_id=f"{opinions_on(other_run)}alice")
        assert "is not where an opinion on this run is kept" in said
        assert await gateway.opinions.on(other_run) == []
    assert [one.goal_run for one in kept(here)] == [run]


async def test_an_old_opinion_that_is_sent_again_does_not_undo_a_newer_one(here: Place) -> None:
    async with at_work(here) as gateway:
        goal, run = await ended_goal(here)
        old = await given(here, gateway, goal, run)
        told = await gateway.opinions.give(
            identity="slack:U0ALICE", surface="slack", goal=goal, goal_run=run, verdict="useful"
        )
        assert told.kind is Kind.COUNTED
        again = await here.client.start_workflow(
            "Opinion", old, id=f"{opinions_on(run)}again", task_queue=TaskQueue.GOALS, result_type=KeptOpinion
        )
        await again.result()
        await indexed(here, run, 3)
        [opinion] = await shown(gateway, run, count=1)
    assert opinion.verdict == "useful"
    times = {one.said_at: one.verdict for one in kept(here)}
    assert times[max(times)] == "useful", "by the time that was signed, and not by the file's order"


async def test_a_signature_of_the_same_key_over_something_else_is_no_opinion(here: Place) -> None:
    async with at_work(here) as gateway:
        goal, run = await ended_goal(here)
        text = 'banksman-start/v1\n{"goal":"ReadFile"}'
        signed = SignedDecision.from_vault(text, await here.vault.sign("approvals", text))
        mine = GivenOpinion(goal=goal, goal_run=run, verdict="useful", signed=signed)
        said = await refusal(here, mine, workflow_id=f"{opinions_on(run)}alice")
        assert "what the gateway signed here is no opinion" in said
        del gateway
    assert kept(here) == []


async def test_of_a_goal_that_there_is_not_nothing_is_kept(here: Place) -> None:
    async with at_work(here) as gateway:
        for goal, run in (("no/such/goal", "01a22766-9817-7000-8000-000000000000"), ("no/such/goal", "not a run")):
            told = await gateway.opinions.give(
                identity="slack:U0ALICE", surface="slack", goal=goal, goal_run=run, verdict="useful"
            )
            assert told.kind is Kind.REFUSED
            assert "there is no goal 'no/such/goal'" in told.words
    assert kept(here) == []


async def test_what_is_no_goal_cannot_be_judged(here: Place) -> None:
    async with at_work(here) as gateway:
        goal, run = await ended_goal(here)
        await given(here, gateway, goal, run)
        own = here.client.get_workflow_handle(f"{opinions_on(run)}alice")
        told = await gateway.opinions.give(
            identity="slack:U0ALICE",
            surface="slack",
            goal=own.id,
            goal_run=(await own.describe()).run_id,
            verdict="useful",
        )
    assert (told.kind, "there is no goal" in told.words) == (Kind.REFUSED, True)


async def test_what_calls_itself_a_goal_on_another_queue_cannot_be_judged(here: Place) -> None:
    async with at_work(here) as gateway:
        mine = await here.client.start_workflow(
            "ReadFile", REQUEST, id=f"mine/{secrets.token_hex(4)}", task_queue="queue-of-mine"
        )
        told = await gateway.opinions.give(
            identity="slack:U0ALICE",
            surface="slack",
            goal=mine.id,
            goal_run=str(mine.first_execution_run_id),
            verdict="useful",
        )
    assert (told.kind, "there is no goal" in told.words) == (Kind.REFUSED, True)


async def test_whom_the_policy_does_not_know_has_no_opinion(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    know_the_tests_goal(monkeypatch)
    here.house.path.write_text(ONE)
    async with here.running() as gateway:
        _, message = await over(here, gateway)
        await here.click("mallory", message, "useful")
        [told] = await here.told("mallory")
        assert "does not know 'slack:U0MALLORY'" in told
        refused = await say_wrong(here, "mallory", message, "mine")
        assert "does not know 'slack:U0MALLORY'" in str(refused)
    assert kept(here) == []


async def test_somebody_who_left_the_policy_meanwhile_counts_no_more(here: Place) -> None:
    async with at_work(here) as gateway:
        goal, run = await ended_goal(here)
        await given(here, gateway, goal, run, by="erin")
        policy = here.house.path.read_text()
        here.house.path.write_text(
            policy.replace("  erin: [slack:U0ERIN]\n", "").replace("[dave, erin]", "[dave, bob]")
        )
        assert await gateway.opinions.on(run) == []


async def test_a_goals_worker_of_ones_own_changes_nothing(here: Place) -> None:
    """Its workflow may answer what it likes: what is shown and kept is read from the start alone."""
    async with here.gateway() as gateway, Worker(here.client, task_queue=TaskQueue.GOALS, workflows=[PretendedOpinion]):
        run = "01a22766-9817-7000-8000-000000000001"
        mine = GivenOpinion(goal="read-file/none", goal_run=run, verdict="useful")
        handle = await here.client.start_workflow(
            "Opinion", mine, id=f"{opinions_on(run)}alice", task_queue=TaskQueue.GOALS, result_type=KeptOpinion
        )
        assert (await handle.result()).person == "alice", "it says so itself"
        assert await gateway.opinions.on(run) == []
    assert kept(here) == []


@pytest.mark.parametrize(("kind", "queue"), [("Opinion", "queue-of-mine"), (BORROWED, TaskQueue.GOALS)])
async def test_only_the_workflow_that_keeps_opinions_has_one_kept_and_on_the_goals_queue_alone(
    here: Place, kind: str, queue: str
) -> None:
    """Whoever runs a worker of their own would have the step run at any time, for what was signed long ago."""
    async with at_work(here) as gateway:
        goal, run = await ended_goal(here)
        theirs = await given(here, gateway, goal, run)
    async with here.gateway(), Worker(here.client, task_queue=queue, workflows=[OpinionWorkflow, BorrowedOpinion]):
        said = await refusal(here, theirs, workflow_id=f"{opinions_on(run)}mine", kind=kind, queue=queue)
    assert "an opinion is kept by its Opinion alone" in said
    assert len(kept(here)) == 1, "the one that was given"


async def test_the_step_alone_keeps_nothing(here: Place) -> None:
    async with at_work(here):
        alone = await here.client.start_activity(
            KEEP_OPINION.name,
            KeepOpinion(),
            id=f"mine-{secrets.token_hex(4)}",
            task_queue=TaskQueue.HITL,
            start_to_close_timeout=timedelta(seconds=10),
        )
        with pytest.raises(Exception, match="Activity"):
            await alone.result()
    assert kept(here) == []


async def test_a_click_in_another_channel_does_not_count(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    know_the_tests_goal(monkeypatch)
    here.house.path.write_text(ONE)
    async with here.running() as gateway:
        _, message = await over(here, gateway)
        here.house.path.write_text(ONE.replace("C0OPS", ELSEWHERE))
        await here.click("alice", message, "useful")
        [told] = await here.told("alice")
    assert "does not name this channel" in told
    assert kept(here) == []
