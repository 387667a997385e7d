"""The page of what was asked in words: the goals of its plan and their approvals, by the server's word alone."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator
from urllib.parse import quote

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from tests.hitl.console.visiting import Console, Visit
from tests.workflows.approval.approving import eventually
from workflows.agent.goals import AskForInput, AskForResult
from workflows.contracts import STATE_ATTRIBUTE, GoalResult, State

pytestmark = pytest.mark.asyncio(loop_scope="session")


@workflow.defn(name="AskFor", sandboxed=False)
class PlayedAskFor:
    """Starts a plan, which starts a goal, which asks."""

    @workflow.run
    async def run(self, request: AskForInput) -> AskForResult:
        if request.text.startswith("Which"):
            workflow.upsert_search_attributes([STATE_ATTRIBUTE.value_set("refused")])
            told = "the planner asks: <b>Which one?</b>"
            return AskForResult(outcome=State.REFUSED, answer="question", reason=told)
        below = workflow.info().workflow_id
        await workflow.execute_child_workflow("RunPlan", below, id=f"{below}/plan", result_type=GoalResult)
        return AskForResult(outcome=State.COMPLETED)


class _Starts:
    async def _started(self, child: str, child_id: str) -> GoalResult:
        await workflow.execute_child_workflow(child, child_id, id=child_id, result_type=GoalResult)
        return GoalResult(outcome=State.COMPLETED)


@workflow.defn(name="RunPlan", sandboxed=False)
class PlayedRunPlan(_Starts):
    @workflow.run
    async def run(self, of: str) -> GoalResult:
        return await self._started("DeleteBranch", f"{of}/plan/act/gone")


@workflow.defn(name="DeleteBranch", sandboxed=False)
class PlayedDeleteBranch(_Starts):
    @workflow.run
    async def run(self, own: str) -> GoalResult:
        return await self._started("Approval", f"approval/{own}/1")


@workflow.defn(name="Approval", sandboxed=False)
class PlayedApproval:
    @workflow.run
    async def run(self, own: str) -> GoalResult:
        del own
        workflow.upsert_search_attributes([STATE_ATTRIBUTE.value_set("expired")])
        await workflow.wait_condition(lambda: False)
        return GoalResult(outcome=State.COMPLETED)


PLAYED = [PlayedAskFor, PlayedRunPlan, PlayedDeleteBranch, PlayedApproval]


@contextlib.asynccontextmanager
async def played(client: Client) -> AsyncGenerator[str]:
    queue = f"played-{secrets.token_hex(4)}"
    async with Worker(client, task_queue=queue, workflows=PLAYED):
        yield queue


async def asked(client: Client, queue: str, text: str) -> WorkflowHandle[object, object]:
    request = AskForInput(text=f"{text} {queue}")
    return await client.start_workflow("AskFor", request, id=request.business_key(), task_queue=queue)


async def page_of(visit: Visit, goal: str) -> str:
    return (await visit.get(f"/goal?id={quote(goal)}")).text


async def test_the_goals_of_its_plan_and_their_approvals_are_on_its_page(console: Console) -> None:
    client = console.house.client
    async with played(client) as queue, console.visit("alice") as alice:
        goal = await asked(client, queue, "Delete it.")
        below = f"approval/{goal.id}/plan/act/gone/1"

        async def there() -> bool:
            return below in (await page_of(alice, goal.id)).replace("%2F", "/")

        await eventually(there)
        page, plan = await asyncio.gather(page_of(alice, goal.id), page_of(alice, f"{goal.id}/plan"))
        await goal.terminate()
    assert "<code>plan</code>" in page
    assert "<code>plan/act/gone</code>" in page
    assert "<code>act/gone</code>" in plan
    assert below in plan.replace("%2F", "/")


async def test_a_goal_that_somebody_gave_such_an_id_is_not_among_them(console: Console) -> None:
    client = console.house.client
    async with played(client) as queue, console.visit("alice") as alice:
        goal = await asked(client, queue, "Delete it.")
        name = f"{goal.id}/plan/act/evil"
        evil = await client.start_workflow("DeleteBranch", name, id=name, task_queue=queue)

        async def there() -> bool:
            return "<code>plan/act/gone</code>" in await page_of(alice, goal.id)

        await eventually(there)
        page = await page_of(alice, goal.id)
        await goal.terminate()
        await evil.terminate()
    assert "act/evil" not in page


async def test_a_question_stands_there_as_text_with_the_way_to_answer(console: Console) -> None:
    client = console.house.client
    async with played(client) as queue, console.visit("alice") as alice:
        goal = await asked(client, queue, "Which?")
        await goal.result()
        page = await page_of(alice, goal.id)
    assert "&lt;b&gt;Which one?&lt;/b&gt;" in page
    assert "/goals/start?goal=AskFor" in page


async def test_words_are_asked_for_before_what_few_people_give(console: Console) -> None:
    async with console.visit("alice") as alice:
        form = (await alice.get("/goals/start?goal=AskFor")).text
    assert form.index('name="field-text"') < form.index('name="field-rehearsal"')
