"""What people think of a goal, from a button in Slack to the audit log: one of each person, which they may change."""

import pytest
from prometheus_client import REGISTRY
from temporalio.api.history.v1 import HistoryEvent

from activities.guard.opinion_facts import OpinionVerdict, words_digest
from activities.queues import TaskQueue
from hitl.gateway.decisions import Kind
from hitl.gateway.opinions import Opinions
from hitl.gateway.server import Server
from observability import names
from tests.hitl.gateway.judging import (
    at_work,
    ended_goal,
    indexed,
    kept,
    know_the_tests_goal,
    over,
    say_wrong,
    shown,
)
from tests.hitl.gateway.running import ONE, Place, buttons, judging, texts
from workflows.opinions.contracts import MAX_WORDS, GivenOpinion, opinions_on

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_click_under_what_has_ended_is_kept_in_that_persons_name(
    one: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    know_the_tests_goal(monkeypatch)
    async with one.running() as gateway:
        goal, message = await over(one, gateway)
        assert (buttons(message), judging(message)) == ([], ["useful", "wrong"])
        await one.click("bob", message, "useful")
        [told] = await one.told("bob")
    assert told == "Noted: you find it useful. You may say otherwise any time."
    [facts] = kept(one)
    run = (await goal.describe()).run_id
    assert (facts.goal, facts.goal_run) == (goal.id, run)
    assert (facts.person, facts.verdict, facts.surface) == ("bob", "useful", "slack")


async def test_while_it_waits_and_while_the_step_runs_nothing_is_judged(one: Place) -> None:
    async with one.running() as gateway:
        goal, approval, message = await one.asked(gateway)
        assert judging(message) == []
        await one.click("alice", message, "reject")
        assert (await one.submit("alice", "not now"))["acknowledged"]
        await goal.result()
        after = await one.message(approval, lambda found: not buttons(found))
    assert judging(after) == ["useful", "wrong"], "a plan that was rejected is over"


async def test_what_was_wrong_is_said_in_a_form_and_its_words_are_not_in_the_audit_log(
    one: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    know_the_tests_goal(monkeypatch)
    async with one.running() as gateway:
        goal, message = await over(one, gateway)
        assert (await say_wrong(one, "erin", message, "It deleted\nthe wrong one."))["acknowledged"]
        [opinion] = await shown(gateway, (await goal.describe()).run_id, count=1)
    assert (opinion.person, opinion.verdict) == ("erin", "wrong"), "also who asked for it may say so"
    assert opinion.words == "It deleted the wrong one."
    [facts] = kept(one)
    assert facts.words == words_digest("It deleted the wrong one.")
    assert "wrong one" not in (one.folder / "audit" / "gateway.jsonl").read_text()


async def test_one_of_each_person_counts_and_the_later_one(one: Place) -> None:
    async with at_work(one) as gateway:
        goal, run = await ended_goal(one)
        said: list[tuple[str, OpinionVerdict]] = [("ALICE", "useful"), ("BOB", "useful"), ("ALICE", "wrong")]
        for person, verdict in said:
            told = await gateway.opinions.give(
                identity=f"slack:U0{person}", surface="slack", goal=goal, goal_run=run, verdict=verdict
            )
            assert told.kind is Kind.COUNTED, told.words
        await indexed(one, run, len(said))
        found = await shown(gateway, run, count=2)
    assert {one.person: one.verdict for one in found} == {"alice": "wrong", "bob": "useful"}
    assert [(one.person, one.verdict) for one in kept(one)] == [
        ("alice", "useful"),
        ("bob", "useful"),
        ("alice", "wrong"),
    ]


async def test_two_identities_of_one_person_are_one(one: Place) -> None:
    async with at_work(one) as gateway:
        goal, run = await ended_goal(one)
        said: list[tuple[str, OpinionVerdict]] = [("slack:U0ALICE", "wrong"), ("github:alice", "useful")]
        for identity, verdict in said:
            await gateway.opinions.give(identity=identity, surface="slack", goal=goal, goal_run=run, verdict=verdict)
        await indexed(one, run, len(said))
        [opinion] = await shown(gateway, run, count=1)
    assert (opinion.person, opinion.verdict) == ("alice", "useful")


async def test_it_is_counted_by_verdict_and_surface(one: Place) -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value(names.METRIC_OPINIONS, {"verdict": "wrong", "surface": "console"}) or 0.0

    before = counted()
    async with at_work(one) as gateway:
        goal, run = await ended_goal(one)
        await gateway.opinions.give(
            identity="slack:U0ALICE", surface="console", goal=goal, goal_run=run, verdict="wrong"
        )
    assert counted() - before == 1


async def test_words_are_one_line_cut_and_hide_nothing(one: Place) -> None:
    async with at_work(one) as gateway:
        goal, run = await ended_goal(one)
        told = await gateway.opinions.give(
            identity="slack:U0ALICE",
            surface="slack",
            goal=goal,
            goal_run=run,
            verdict="wrong",
            words=f"\u202egnp.exe\n\n{'x' * 2 * MAX_WORDS}",
        )
        assert told.kind is Kind.COUNTED
        [opinion] = await shown(gateway, run, count=1)
    assert opinion.words.startswith("\\u202egnp.exe xxx")
    assert len(opinion.words) == MAX_WORDS


async def test_in_a_phase_that_only_reads_people_can_say_what_they_think(one: Place) -> None:
    one.house.path.write_text(ONE.replace("phase: production", "phase: read_only"))
    async with at_work(one) as gateway:
        goal, run = await ended_goal(one)
        told = await gateway.opinions.give(
            identity="slack:U0ALICE", surface="slack", goal=goal, goal_run=run, verdict="useful"
        )
    assert told.kind is Kind.COUNTED
    assert [facts.verdict for facts in kept(one)] == ["useful"]


async def test_without_a_worker_nobody_is_told_that_it_is_kept(one: Place) -> None:
    async with at_work(one) as gateway:
        goal, run = await ended_goal(one)
    told = await gateway.opinions.give(
        identity="slack:U0ALICE", surface="slack", goal=goal, goal_run=run, verdict="useful"
    )
    assert (told.kind, "Not confirmed yet" in told.words) == (Kind.UNCONFIRMED, True)
    assert kept(one) == []


class Authenticating(Server):
    """A server as production has it: it says who started a workflow. The embedded one knows nobody."""

    principal = "alice-laptop"

    async def first_event(self, workflow_id: str, run_id: str) -> HistoryEvent:
        event = await super().first_event(workflow_id, run_id)
        event.principal.name = self.principal
        return event


async def test_one_that_temporal_authenticated_needs_no_signature(one: Place) -> None:
    one.house.path.write_text(ONE.replace("github:alice]", "github:alice, temporal:alice-laptop]"))
    async with at_work(one) as gateway:
        goal, run = await ended_goal(one)
        started = await one.client.start_workflow(
            "Opinion",
            GivenOpinion(goal=goal, goal_run=run, verdict="wrong", words="no"),
            id=f"{opinions_on(run)}cli/1",
            task_queue=TaskQueue.GOALS,
        )
        service = gateway.opinions
        authenticating = Opinions(
            Authenticating(one.client, cluster=one.house.cluster),
            service._policy,
            sign=service._sign,
            keys=service._keys,
        )
        found = await authenticating.verified(started.id, (await started.describe()).run_id)
        await started.terminate()
    assert (found.person, found.verdict, found.words, found.surface) == ("alice", "wrong", "no", "cli")


async def test_slack_markup_in_words_reaches_nobody_as_markup(one: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    know_the_tests_goal(monkeypatch)
    async with one.running() as gateway:
        _, message = await over(one, gateway)
        words = "<!channel> *bold* <https://evil.example|here>"
        assert (await say_wrong(one, "bob", message, words))["acknowledged"]
        [told] = await one.told("bob")
        everything = str(await one.messages()) + told
    assert "<!channel>" not in everything
    assert "evil.example" not in everything, "what people wrote is not repeated in Slack at all"
    assert texts(message)
