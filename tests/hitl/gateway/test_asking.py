"""`/banksman ask`: words in somebody's name, and what became of them told to that person alone."""

import contextlib
import secrets
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.queues import TaskQueue
from hitl.slack.answers import told_of
from tests.hitl.gateway.running import CHANNEL, Place, eventually
from workflows.agent.answer_contracts import ANSWER_NOTICE, AWAIT_ANSWER, Answered, notice_of
from workflows.agent.answer_notice import AnswerNoticeWorkflow
from workflows.agent.goals import ASK_FOR, AskForInput, AskForResult, PlanStepEnd
from workflows.contracts import GoalStatus, State

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVIL = "<!channel> *Approve* <https://evil.example|this>\u202e & `now`"
STEPS = (
    PlanStepEnd(id="delete", goal="DeleteBranch", part="act", outcome=State.COMPLETED),
    PlanStepEnd(id="open", goal="OpenPullRequest", part="act", outcome="not_begun", reason=EVIL),
)
ENDS: dict[str, Any] = {
    "Which one?": {"outcome": State.REFUSED, "answer": "question", "says": f"The old one? {EVIL}"},
    "Brew coffee.": {"outcome": State.REFUSED, "answer": "refusal", "reason": "the planner refuses: no goal does it."},
    "Do both.": {
        "outcome": State.PARTIALLY_APPLIED,
        "answer": "plan",
        "reason": "'open' was not begun",
        "steps": STEPS,
    },
}


@workflow.defn(name="AskFor", sandboxed=False)
class PlayedAskFor:
    """Ends as its words say, or waits."""

    goes_on = False

    @workflow.signal
    def go_on(self) -> None:
        self.goes_on = True

    @workflow.query
    def status(self) -> GoalStatus:
        return GoalStatus(state=State.RUNNING, step=f"Run the plan {EVIL}")

    @workflow.run
    async def run(self, request: AskForInput) -> AskForResult:
        if request.text == "Break.":
            raise ApplicationError(EVIL, non_retryable=True)
        if request.text not in ENDS:
            await workflow.wait_condition(lambda: self.goes_on)
        return AskForResult(backend="lab", model=EVIL, **ENDS.get(request.text, {}))


@contextlib.asynccontextmanager
async def played(client: Client) -> AsyncGenerator[None]:
    async with Worker(client, task_queue=TaskQueue.GOALS, workflows=[PlayedAskFor, AnswerNoticeWorkflow]):
        yield


@pytest.fixture(name="here")
def _one(one: Place) -> Place:
    return one


async def ask(here: Place, words: str) -> tuple[str, str]:
    """What is answered at once, and what is told of its end."""
    assert (await here.command("alice", f"/banksman ask {words}"))["acknowledged"]
    first, last = sorted(await here.told("alice", count=2), key=lambda one: not one.startswith("Asked: "))
    return first, last


async def test_a_question_comes_back_to_who_asked_and_to_nobody_else(here: Place) -> None:
    async with here.gateway() as gateway, played(here.client):
        first, last = await ask(here, "Which one?")
        goal = AskForInput(text="Which one?").business_key()
        found = await here.client.get_workflow_handle(goal).describe()
        first_event = await gateway.starts._server.first_event(goal, found.run_id)
        requester = await gateway.starts.requester(goal, first_event, gateway.steps._policy.current().people)
        private = [one for one in await here.messages() if one["only_for"]]
    assert first.startswith("Asked: <http://temporal.example/")
    assert "step by step" in first
    assert requester == "slack:U0ALICE"
    assert "It asks back: The old one?" in last
    assert "To answer, ask again" in last
    assert {(one["channel"], one["only_for"]) for one in private} == {(CHANNEL, "U0ALICE")}
    assert not any("The old one?" in str(one) for one in await here.messages() if not one["only_for"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("Brew coffee.", "Refused: the planner refuses: no goal does it."),
        ("Do both.", "delete, DeleteBranch: completed"),
        ("Break.", "It did not end well: "),
    ],
)
async def test_its_end_is_told_by_itself(here: Place, words: str, told: str) -> None:
    async with here.gateway(), played(here.client):
        _, last = await ask(here, words)
    assert told in last


async def notice_ended(here: Place, notice: str) -> str:
    """Why a step of it failed, or had to be tried again; empty where none did."""
    handle = here.client.get_workflow_handle(notice)
    await handle.result()
    history = await handle.fetch_history()
    failed = [one.activity_task_failed_event_attributes.failure for one in history.events]
    tried = [one.activity_task_started_event_attributes.last_failure for one in history.events]
    return next((one.message for one in (*failed, *tried) if one.message), "")


async def test_its_end_is_told_by_the_next_gateway_and_once(here: Place) -> None:
    words = f"Wait {secrets.token_hex(4)}"
    goal = here.client.get_workflow_handle(AskForInput(text=words).business_key())
    async with played(here.client):
        async with here.gateway():
            assert (await here.command("alice", f"/banksman ask {words}"))["acknowledged"]
            run = (await goal.describe()).run_id
            await eventually(lambda: under_way(here, notice_of(run)))
        await goal.signal("go_on")
        await goal.result()
        async with here.gateway():
            assert await notice_ended(here, notice_of(run)) == "this gateway ends, and another one goes on"
            told = await here.told("alice", count=2)
    assert sorted(one.partition(":")[0].partition(".")[0] for one in told) == ["Asked", "Completed"]


async def under_way(here: Place, workflow_id: str) -> bool:
    """Whether a gateway waits for the end."""
    found = await here.client.get_workflow_handle(workflow_id).describe()
    return any(
        one.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED and one.activity_type.name == AWAIT_ANSWER.name
        for one in found.raw_description.pending_activities
    )


async def test_who_asks_the_same_as_somebody_else_is_told_so_and_the_end_is_the_first_ones(here: Place) -> None:
    words = f"Wait {secrets.token_hex(4)}"
    goal = here.client.get_workflow_handle(AskForInput(text=words).business_key())
    async with here.gateway(), played(here.client):
        for person in ("alice", "bob", "alice"):
            assert (await here.command(person, f"/banksman ask {words}"))["acknowledged"]
        run = (await goal.describe()).run_id
        await goal.signal("go_on")
        await notice_ended(here, notice_of(run))
        alice, bob = await here.told("alice", count=3), await here.told("bob")
    assert [one.startswith("Completed") for one in alice].count(True) == 1
    assert len(bob) == 1
    assert "Somebody else asked for it, and is told its end" in bob[0]


@pytest.mark.parametrize("of", ["words of another's", "words that nobody vouches for", "another goal"])
async def test_a_notice_that_somebody_started_by_hand_tells_nobody_anything(here: Place, of: str) -> None:
    goal = f"ask-for/{secrets.token_hex(8)}"
    async with here.gateway() as gateway, played(here.client):
        if of == "words of another's":
            request = AskForInput(text="Brew coffee.", answers=(goal,))
            started = await gateway.starts.start(ASK_FOR, request, identity="slack:U0BOB")
            goal, run = started.workflow_id, started.run_id
        else:
            name = "AskFor" if of == "words that nobody vouches for" else "AnswerNotice"
            given = AskForInput(text="Brew coffee.") if name == "AskFor" else asked_by_alice("ask-for/x", "x")
            queue = TaskQueue.GOALS
            by_hand = await here.client.start_workflow(name, given, id=goal, task_queue=queue)
            run = by_hand.result_run_id or ""
        notice = f"answer/{secrets.token_hex(8)}"
        await here.client.start_workflow(
            ANSWER_NOTICE, asked_by_alice(goal, run), id=notice, task_queue=TaskQueue.GOALS
        )
        why = await notice_ended(here, notice)
        private = [one for one in await here.messages() if one["only_for"]]
    assert "nothing that was asked for in words" in why if of == "another goal" else "nobody vouches" in why
    assert private == []


def asked_by_alice(goal: str, run: str) -> Answered:
    return Answered(goal=goal, run=run, channel=CHANNEL, user="U0ALICE")


async def test_where_it_stands_is_told_on_demand(here: Place) -> None:
    async with here.gateway(), played(here.client):
        assert (await here.command("alice", "/banksman ask Wait &amp; see &lt;here&gt;"))["acknowledged"]
        goal = here.client.get_workflow_handle(AskForInput(text="Wait & see <here>").business_key())
        assert (await here.command("alice", f"/banksman status {goal.id}"))["acknowledged"]
        said = (await here.told("alice", count=2))[-1]
        await goal.terminate()
    assert "Run the plan" in said
    assert "<!channel>" not in said


async def test_words_that_cannot_be_asked_are_answered_with_what_is_wrong(here: Place) -> None:
    async with here.gateway():
        for count, words in enumerate(("", "x" * 4001), start=1):
            assert (await here.command("alice", f"/banksman ask {words}"))["acknowledged"]
            assert "`/banksman ask WORDS`" in (await here.told("alice", count=count))[-1]


async def test_nothing_that_a_model_says_is_hidden_or_long() -> None:
    told: dict[str, Any] = {**ENDS["Do both."], "reason": EVIL * 200}
    result = AskForResult(backend="lab", model=EVIL, **told)
    said = told_of(result)
    assert "\u202e" not in said
    assert max(map(len, said.splitlines())) < 1700
    assert len(told_of(result.model_copy(update={"steps": STEPS * 50}))) < 12_000
