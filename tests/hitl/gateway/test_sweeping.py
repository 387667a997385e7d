"""Messages of what is gone lose their buttons, whoever ended it and however."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from hitl.gateway import sweeping
from hitl.gateway.lost import last_word
from hitl.gateway.server import FoundApproval, Server
from hitl.gateway.sweeping import Sweeper
from tests.connectors.slack.workspace import Json
from tests.hitl.gateway.running import Place, buttons, eventually, texts
from tests.workflows.approval.approving import Ask
from workers.gateway import Gateway
from workflows.approval.contracts import UpdateApproval

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def until_gone(here: Place, gateway: Gateway, approval: str) -> Json:
    """The message, once a look has found it out."""

    async def gone() -> bool:
        await gateway.sweeper.sweep()
        return all(buttons(one) == [] for one in await here.about(approval))

    await eventually(gone)
    [message] = await here.about(approval)
    return message


class BadDays(Server):
    """Temporal, of which the first questions about an approval fail."""

    failures = 1
    looks = 0

    async def approval(self, approval_id: str, run_id: str | None = None) -> FoundApproval:
        self.looks += 1
        if self.looks <= self.failures:
            raise RPCError("not now", RPCStatusCode.UNAVAILABLE, b"")
        return await super().approval(approval_id, run_id)


async def indexed(here: Place, approval: str) -> None:
    """Once the server's lists know that it was terminated."""
    query = f"WorkflowId = '{approval}' AND ExecutionStatus = 'Terminated'"

    async def known() -> bool:
        return (await here.client.count_workflows(query)).count == 1

    await eventually(known)


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


async def test_what_could_not_be_looked_at_once_is_told_though_it_ended_long_ago(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an outage, in which it ended."""
    monkeypatch.setattr(sweeping, "_BACK", timedelta())  # all that has ended, ended long ago
    async with here.running() as gateway:
        gateway.sweeper._since = datetime.now(UTC) + timedelta(days=1)  # it looks for nothing by itself
        goal, approval, _ = await here.asked(gateway)
        await here.client.get_workflow_handle(approval).terminate()
        await goal.result()
        await indexed(here, approval)
        server = BadDays(here.client, cluster=here.house.cluster)
        sweeper = Sweeper(server)
        sweeper._since = here.began
        await sweeper.sweep()
        assert server.looks == 1
        await sweeper.sweep()
        gone = await here.message(approval, lambda one: buttons(one) == [])
    assert texts(gone).startswith("Superseded")


async def test_what_never_can_be_looked_at_is_left_alone_in_the_end(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "_LONGEST_REST", 1)
    async with here.running() as gateway:
        gateway.sweeper._since = datetime.now(UTC) + timedelta(days=1)  # it looks for nothing by itself
        goal, approval, _ = await here.asked(gateway)
        await here.client.get_workflow_handle(approval).terminate()
        await goal.result()
        await indexed(here, approval)
        server = BadDays(here.client, cluster=here.house.cluster)
        server.failures, sweeper = 1000, Sweeper(server)
        sweeper._since = here.began
        for _ in range(sweeping._TRIES + 5):
            await sweeper.sweep()
    assert server.looks == sweeping._TRIES


@pytest.mark.parametrize("by", ["a goal", "a notice of something else", "a notice that waits", "one that has ended"])
async def test_whoever_takes_the_id_of_the_notice_keeps_no_buttons(here: Place, by: str) -> None:
    """It can be foreseen, by whoever will terminate the approval."""
    async with here.running() as gateway:
        goal, approval, message = await here.asked(gateway)
        assert buttons(message) != []
        run = (await here.client.get_workflow_handle(approval).describe()).run_id
        living = await Server(here.client, cluster=here.house.cluster).approval(approval)
        own = last_word(replace(living, status=WorkflowExecutionStatus.TERMINATED))
        other = own.model_copy(update={"view": own.view.model_copy(update={"id": "another"})})
        name, given, delay = {
            "a goal": ("TestAsk", Ask(wait=True), timedelta()),
            "a notice of something else": ("ApprovalNotice", other, timedelta()),
            "a notice that waits": ("ApprovalNotice", own, timedelta(days=365)),
            "one that has ended": ("ApprovalNotice", own, timedelta(days=365)),
        }[by]
        taken = await here.client.start_workflow(
            name, given, id=f"{approval}/gone/{run}", task_queue="banksman-goals", start_delay=delay
        )
        if by == "one that has ended":
            await taken.terminate()
        await here.client.get_workflow_handle(approval).terminate()
        await goal.result()
        gone = await until_gone(here, gateway, approval)
        lines = await here.thread(gone["ts"], lines=1)
    assert texts(gone).startswith("Superseded")
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
