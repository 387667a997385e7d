"""`/banksman ask`: words in somebody's name, and what became of them told to that person alone."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.queues import TaskQueue
from hitl.slack.commands import told_of
from tests.hitl.gateway.running import CHANNEL, Place
from workflows.agent.goals import AskForInput, AskForResult, PlanStepEnd
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

    @workflow.query
    def status(self) -> GoalStatus:
        return GoalStatus(state=State.RUNNING, step=f"Run the plan {EVIL}")

    @workflow.run
    async def run(self, request: AskForInput) -> AskForResult:
        if request.text == "Break.":
            raise ApplicationError(EVIL, non_retryable=True)
        if request.text not in ENDS:
            await workflow.wait_condition(lambda: False)
        return AskForResult(backend="lab", model=EVIL, **ENDS[request.text])


@contextlib.asynccontextmanager
async def played(client: Client) -> AsyncGenerator[None]:
    async with Worker(client, task_queue=TaskQueue.GOALS, workflows=[PlayedAskFor]):
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
