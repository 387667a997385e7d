"""Messages of what is gone lose their buttons, whoever ended it and however."""

from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowHandle

from tests.connectors.slack.workspace import Json
from tests.hitl.gateway.running import Place, buttons, eventually, texts
from tests.workflows.approving import Ask
from workers.gateway import Gateway
from workflows.approval_contracts import UpdateApproval

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def until_gone(here: Place, gateway: Gateway, approval: str) -> Json:
    """The message, once a look has found it out."""

    async def gone() -> bool:
        await gateway.sweeper.sweep()
        return all(buttons(one) == [] for one in await here.about(approval))

    await eventually(gone)
    [message] = await here.about(approval)
    return message


async def reset(here: Place, goal: WorkflowHandle[Any, Any]) -> None:
    events = (await goal.fetch_history()).events
    done = next(one for one in events if one.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
    await here.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=here.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=goal.id, run_id=goal.result_run_id or ""),
            reason="once more",
            workflow_task_finish_event_id=done.event_id,
            request_id=f"reset-{goal.id}",
        )
    )


async def test_a_terminated_approval_loses_its_buttons_and_is_told_once(here: Place) -> None:
    async with here.running() as gateway:
        goal, approval, message = await here.asked(gateway)
        assert buttons(message) != []
        await here.client.get_workflow_handle(approval).terminate()
        assert (await goal.result()).outcome == "approval_lost"
        gone = await until_gone(here, gateway, approval)
        await gateway.sweeper.sweep()
        lines = await here.thread(message["ts"], lines=1)
    assert gone["ts"] == message["ts"]
    assert texts(gone).startswith("Superseded")
    assert len(lines) == 1
    assert here.house.remover.removed == []


async def test_an_approval_that_was_terminated_with_its_goal_loses_its_buttons(here: Place) -> None:
    async with here.running() as gateway:
        goal, approval, _ = await here.asked(gateway)
        await here.client.get_workflow_handle(approval).terminate()
        await goal.terminate()
        assert texts(await until_gone(here, gateway, approval)).startswith("Superseded")


async def test_what_a_reset_left_behind_loses_its_buttons_and_the_new_one_keeps_them(here: Place) -> None:
    async with here.running() as gateway:
        goal, approval, _ = await here.asked(gateway)
        await reset(here, goal)
        fresh = here.client.get_workflow_handle(goal.id)
        new = await here.house.approval_of(fresh)
        assert new != approval
        gone = await until_gone(here, gateway, approval)
        assert buttons(await here.message(new)) != []
        await fresh.terminate()
    assert texts(gone).startswith("Superseded")


async def test_another_gateway_that_starts_later_tells_it_too_and_not_twice(here: Place) -> None:
    async with here.running() as gateway:
        goal, approval, message = await here.asked(gateway)
    async with here.house.workers():
        await here.client.get_workflow_handle(approval).terminate()
        await goal.result()
    async with here.running() as gateway:
        await until_gone(here, gateway, approval)
    async with here.running() as gateway:
        await gateway.sweeper.sweep()
        lines = await here.thread(message["ts"], lines=1)
    assert len(lines) == 1


async def test_what_cannot_be_told_keeps_no_buttons_of_others(here: Place) -> None:
    """Anybody can start what has an id too long for a notice, or one that breaks a query, and end it."""
    async with here.running() as gateway:
        order = Ask(request=here.house.request())
        long = await here.client.start_workflow("TestAsk", order, id="x" * 940, task_queue="banksman-goals")
        await here.client.get_workflow_handle(await here.house.approval_of(long)).terminate()
        odd = await here.client.start_workflow("TestAsk", Ask(wait=True), id="o'\\'", task_queue="banksman-goals")
        await odd.terminate()
        goal, approval, _ = await here.asked(gateway)
        await here.client.get_workflow_handle(approval).terminate()
        await goal.result()
        assert texts(await until_gone(here, gateway, approval)).startswith("Superseded")


async def test_nobody_says_of_a_living_approval_that_it_is_gone(here: Place) -> None:
    """Everybody can start a notice; of an approval that lives, or ended by itself, only it and its goal speak."""
    async with here.running() as gateway:
        goal, approval, message = await here.asked(gateway)
        view = (await here.house.view(approval)).model_copy(update={"state": "superseded", "reason": "It is gone."})
        plan = await here.client.get_workflow_handle(approval).query("plan", result_type=str)
        notice = await here.client.start_workflow(
            "ApprovalNotice", UpdateApproval(view=view, plan=plan), id=f"forged-{approval}", task_queue="banksman-goals"
        )
        with pytest.raises(Exception, match="failed"):
            await notice.result()
        [shown] = await here.about(approval)
        await goal.terminate()
    assert buttons(shown) == buttons(message) != []
