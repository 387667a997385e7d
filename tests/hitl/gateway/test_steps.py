"""One approval for many steps: asked in Slack, signed by the gateway, run by the real guard over its real ledger."""

import secrets
from datetime import timedelta

import pytest
from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError
from temporalio.worker import Worker

from activities.guard.current_attempt import Use
from activities.guard.granted import GrantedRequest
from activities.queues import TaskQueue
from hitl.protocol import RefusalReason
from tests.hitl.approval.granting_steps import BRANCH
from tests.hitl.gateway.running import OFFERED, buttons, eventually, texts
from tests.hitl.gateway.stepping import Goal, Steps, named
from tests.workflows.approval.approving_steps import TakeDownResult, TakenDown
from workflows.contracts import State

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_all_steps_run_by_one_approval_and_people_follow_it(steps: Steps) -> None:
    async with steps.running() as gateway:
        goal, approval, message = await steps.take_down(gateway)
        await steps.approve(message, "alice")
        view = await steps.house.view(approval)
        assert [one.approved_by for one in view.steps] == [("alice",), (), ("alice",)]
        assert view.state is State.WAITING
        await steps.approve(message, "bob", "carol")
        result = await goal.result()
        ended = await steps.message(approval, lambda one: "How it ended: carried out" in texts(one))
        looked = await goal.query("looked", result_type=list[str])
    assert (result.outcome, result.done) == (State.COMPLETED, 3)
    assert steps.wrecker.done == named(goal, "one", "two", "three") == looked
    assert steps.wrecker.uses == [Use.FIRST] * 3
    assert buttons(ended) == []


async def test_people_see_each_step_with_its_parameters_in_order(steps: Steps) -> None:
    async with steps.running() as gateway:
        goal, _, message = await steps.take_down(gateway, name="checkout")
        await goal.terminate()
    shown = texts(message)
    expected = (
        "Approval needed: carry out 3 steps in order, from github.delete_branch to github.delete_branch",
        "Steps 1, 3: 1 of release",
        "Step 2: 2 of data",
        "Exactly this will be done, in this order and once each:",
        "1. Delete branch checkout-one of acme/shop (github.delete_branch)",
        "Step 1 of 3, github.delete_branch (risk low, cost none stated):\nbranch: checkout-one\nrepository: acme/shop",
        "Step 2 of 3, neon.delete_branch (risk low, cost none stated):\nbranch: checkout-two\nrepository: acme/shop",
        "Step 3 of 3, github.delete_branch (risk low, cost none stated):\nbranch: checkout-three",
    )
    assert [one for one in expected if one not in shown] == []
    places = [shown.index(f"Step {number} of 3") for number in (1, 2, 3)]
    assert places == sorted(places)


async def test_the_longest_plan_is_cut_in_slack_which_says_so_and_links_to_the_whole(steps: Steps) -> None:
    async with steps.running() as gateway:
        goal, _, message = await steps.take_down(gateway, name="big", bulk=4000)
        await goal.terminate()
    shown = texts(message)
    assert all(f"{number}. Delete branch big" in shown for number in range(1, 9))
    assert "begins so; all 2 values are in the whole plan" in shown
    assert "The values of steps 9 to 20 are in the whole plan." in shown
    assert "cut here: the link below leads to the whole of it" in shown
    assert "/approval?id=" in shown
    assert buttons(message) == OFFERED


async def test_two_people_of_one_step_alone_let_nothing_run(steps: Steps) -> None:
    async with steps.running() as gateway:
        goal, approval, message = await steps.take_down(gateway)
        await steps.approve(message, "alice", "bob")
        view = await steps.house.view(approval)
        assert (view.state, view.needs, len(view.decisions)) == (State.WAITING, 3, 2)
        await goal.terminate()
    assert steps.wrecker.done == []


async def test_workers_that_are_gone_between_two_steps_are_followed_by_others(steps: Steps) -> None:
    async with steps.gateway() as gateway:
        async with steps.house.workers():
            goal, _, message = await steps.take_down(gateway, pauses_after=1)
            await steps.approve(message)
            await eventually(lambda: first_is_done(goal))
        await goal.signal("go")
        steps.wrecker.loses_at = "two"
        async with steps.house.workers(few=True):
            result = await goal.result()
    assert result.done == 3
    assert steps.wrecker.done == named(goal, "one", "two", "three")
    assert steps.wrecker.uses == [Use.FIRST, Use.FIRST, Use.RETRY, Use.FIRST]


async def first_is_done(goal: Goal) -> bool:
    return len(await goal.query("looked", result_type=list[str])) == 1


async def test_a_run_that_was_reset_in_the_middle_uses_nothing_of_the_grant(steps: Steps) -> None:
    async with steps.running() as gateway:
        goal, _, message = await steps.take_down(gateway, pauses_after=1)
        await steps.approve(message)
        await eventually(lambda: first_is_done(goal))
        reset = await reset_to_its_last_task(steps.client, goal)
        again = steps.client.get_workflow_handle(goal.id, run_id=reset, result_type=TakeDownResult)
        await again.signal("go")
        result = await again.result()
    assert result.outcome is State.DENIED
    assert "1 of 3 steps were carried out, and no more" in (result.reason or "")
    assert steps.wrecker.done == named(goal, "one")
    assert set(steps.refusals()) == {RefusalReason.OTHER_RUN}


async def reset_to_its_last_task(client: Client, goal: Goal) -> str:
    """The same goal in another run, with all that it had done until then."""
    history = await goal.fetch_history()
    done = [one.event_id for one in history.events if one.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED]
    answer = await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=goal.id, run_id=goal.run_id or ""),
            reason="a test resets",
            workflow_task_finish_event_id=done[-1],
            request_id=secrets.token_hex(8),
        )
    )
    return answer.run_id


async def test_a_failure_in_the_middle_leaves_the_rest_unused_for_ever(steps: Steps) -> None:
    steps.wrecker.fails_at = "two"
    async with steps.running() as gateway:
        goal, approval, message = await steps.take_down(gateway)
        await steps.approve(message)
        with pytest.raises(WorkflowFailureError):
            await goal.result()
        ended = await steps.message(approval, lambda one: "How it ended" in texts(one))
    assert steps.wrecker.done == named(goal, "one")
    assert "carried out in part: 1 done (1 github.delete_branch)" in texts(ended)
    assert "2 not done (2 neon.delete_branch, 3 github.delete_branch)" in texts(ended)
    assert "is not what was approved" in texts(ended)


async def test_a_goal_that_needs_no_more_gives_the_rest_up(steps: Steps) -> None:
    async with steps.running() as gateway:
        goal, approval, message = await steps.take_down(gateway, stops_after=1)
        await steps.approve(message)
        result = await goal.result()
        await steps.message(approval, lambda one: "the goal gave the rest up" in texts(one))
        history = await goal.fetch_history()
    scheduled = [one.activity_task_scheduled_event_attributes.activity_type.name for one in history.events]
    assert (result.outcome, result.done) == (State.COMPLETED, 1)
    assert "approval.give_up_steps" in scheduled
    assert steps.wrecker.done == named(goal, "one")
    assert steps.refusals() == []


async def test_where_people_refuse_something_else_meanwhile_the_rest_is_given_up(steps: Steps) -> None:
    async with steps.running() as gateway:
        goal, approval, message = await steps.take_down(gateway, refused_after=1)
        await steps.approve(message)
        result = await goal.result()
        await steps.message(approval, lambda one: "nobody wants the surprise" in texts(one))
        history = await goal.fetch_history()
    scheduled = [one.activity_task_scheduled_event_attributes.activity_type.name for one in history.events]
    assert (result.outcome, result.reason) == (State.REJECTED, "nobody wants the surprise")
    assert "approval.give_up_steps" in scheduled
    assert steps.wrecker.done == named(goal, "one")


async def test_the_time_that_runs_out_in_the_middle_is_told_as_such(steps: Steps) -> None:
    async with steps.running() as gateway:
        goal, approval, message = await steps.take_down(gateway, pauses_after=1)
        await steps.approve(message)
        await eventually(lambda: first_is_done(goal))
        steps.house.ahead = timedelta(hours=1)
        await goal.signal("go")
        result = await goal.result()
        await steps.message(approval, lambda one: "carried out in part" in texts(one))
    assert result.outcome is State.DENIED
    told = "1 of 3 steps were carried out, and no more: What was approved was to be carried out by"
    assert told in (result.reason or "")
    assert steps.wrecker.done == named(goal, "one")


async def test_a_rule_that_changes_while_people_decide_is_asked_again(steps: Steps) -> None:
    async with steps.running() as gateway:
        goal, approval, message = await steps.take_down(gateway)
        await steps.approve(message, "bob")
        policy, asked = steps.house.path.read_text(), "groups: [data]\n        quorum: "
        assert f"{asked}2" in policy
        steps.house.path.write_text(policy.replace(f"{asked}2", f"{asked}1"))
        await steps.approve(message, "carol")
        again = await steps.house.approval_of(goal, after=1)
        assert again != approval
        await steps.approve(await steps.message(again), "bob")
        assert (await goal.result()).done == 3
    assert steps.wrecker.done == named(goal, "one", "two", "three")


@pytest.mark.parametrize("person", ["alice", "carol"])
async def test_one_no_of_anybody_who_is_asked_ends_all_of_it(steps: Steps, person: str) -> None:
    async with steps.running() as gateway:
        goal, _, message = await steps.take_down(gateway)
        await steps.approve(message, "bob")
        await steps.click(person, message, "reject")
        assert (await steps.submit(person, "Not today."))["acknowledged"]
        result = await goal.result()
    assert result.outcome is State.REJECTED
    assert "Not today." in (result.reason or "")
    assert steps.wrecker.done == []


async def test_silence_lets_nothing_run(steps: Steps) -> None:
    async with steps.running() as gateway:
        goal, _, message = await steps.take_down(gateway, patience=timedelta(seconds=3))
        await steps.approve(message, "bob")
        result = await goal.result()
    assert result.outcome is State.EXPIRED
    assert steps.wrecker.done == []


class Liar:
    """Somebody else's worker on the destructive queue: it does nothing, and says that it did."""

    @activity.defn(name=BRANCH)
    async def says_it_is_done(self, request: GrantedRequest) -> TakenDown:
        del request
        return TakenDown()


async def test_after_a_step_that_was_only_said_to_be_done_none_runs(steps: Steps) -> None:
    """The goal cannot tell; the guard looks at what it has written itself."""
    async with steps.gateway() as gateway, steps.house.workers(destructive=False):
        goal, _, message = await steps.take_down(gateway, pauses_after=1)
        async with Worker(steps.client, task_queue=TaskQueue.DESTRUCTIVE, activities=[Liar().says_it_is_done]):
            await steps.approve(message)
            await eventually(lambda: first_is_done(goal))
        async with steps.house.destructive_worker():
            await goal.signal("go")
            result = await goal.result()
    assert result.outcome is State.DENIED
    assert "step 1 of 3 (github.delete_branch): it was not begun yet" in (result.reason or "").lower()
    assert steps.wrecker.done == []
    assert steps.refusals() == [RefusalReason.OUT_OF_ORDER]


async def test_a_goal_that_is_cancelled_between_two_steps_runs_no_more(steps: Steps) -> None:
    async with steps.running() as gateway:
        goal, approval, message = await steps.take_down(gateway, pauses_after=1)
        await steps.approve(message)
        await eventually(lambda: first_is_done(goal))
        await goal.cancel()
        with pytest.raises(WorkflowFailureError):
            await goal.result()
        await steps.message(approval, lambda one: "carried out in part" in texts(one))
    assert steps.wrecker.done == named(goal, "one")
