"""What goals on stacks do with what their steps answer."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.exceptions import ApplicationError

from activities.github.contracts import RepositoryFetched
from activities.guard.error_types import ErrorType, application_error
from activities.pulumi.contracts import LockSeen, StackChanged, StackOutputs, StackProgress
from activities.queues import TaskQueue
from connectors.pulumi.changes import ChangeKind
from connectors.pulumi.outcome import Ended, Failure, ResourceChange, UpOutcome
from hitl.approval.decision import Verdict
from hitl.approval.rehearsal import RehearsedEffect
from tests.workflows.approval.approving import eventually
from tests.workflows.pulumi.stacking import (
    ACTIONS,
    DESTROY,
    DIGEST,
    DRIFT,
    DRIFTED,
    INSPECT,
    NO_DRIFT,
    NOTHING,
    PREVIEWED,
    UNLOCK,
    UP,
    URN,
    Stack,
    StackSessions,
    plan,
)
from workflows.catalogue import find_goal
from workflows.contracts import GoalInput, GoalResult, GoalStatus
from workflows.pulumi.goals import (
    DetectDriftResult,
    InspectStackResult,
    RollBackStackInput,
    StackResult,
    UnlockStackResult,
)
from workflows.pulumi.lock import StackLine, lock_id

MOVED = RepositoryFetched(commit="d" * 40, pack=DIGEST, size=1000)
CONFLICT = application_error(ErrorType.CONFLICT, "the state is another one")
Result = TypeVar("Result", bound=GoalResult)
Make = Callable[..., StackSessions]


@pytest.fixture
def house(client: Client, tmp_path: Path) -> Make:
    def make(stack: Stack, action: str = ACTIONS[0]) -> StackSessions:
        return StackSessions(client, tmp_path, stack, action=action)

    return make


async def start(house: StackSessions, request: GoalInput, result: type[Result]) -> WorkflowHandle[Any, Result]:
    name = next(goal.name for goal in [find_goal(one) for one in NAMES] if goal and goal.input is type(request))
    return await house.client.start_workflow(
        name,
        request,
        id=f"{name}-{secrets.token_hex(4)}",
        task_queue=TaskQueue.GOALS,
        result_type=result,
        execution_timeout=timedelta(minutes=2),
    )


NAMES = ("PreviewAndUp", "RollBackStack", "DestroyStack", "UnlockStack", "DetectDrift", "InspectStack")


async def test_what_was_approved_is_applied_and_looked_at_by_somebody_else(house: Make) -> None:
    stack = Stack()
    made = house(stack)
    async with made.at_work():
        goal = await start(made, UP, StackResult)
        await made.approved(goal)
        result = await goal.result()
    assert (result.outcome, result.reason) == ("completed", None)
    assert (result.project, result.commit, result.plan) == ("infra", "c" * 40, DIGEST)
    assert result.done == ("create banksman:postgres:Database shop",)
    assert (result.outputs, result.drift) == ({"database": "shop"}, ())
    assert stack.names() == ["fetch", "prepare", "refresh", "preview", "fetch", "update", "drift"]
    assert stack.of("update")[0].plan == PREVIEWED.plan
    # Credentials open once: each look has its own.
    assert [one.secrets for name, one in stack.asked if name in {"refresh", "preview", "drift"}] == [
        "sealed-1",
        "sealed-2",
        "sealed-3",
    ]


async def test_all_that_writes_is_in_the_list_of_effects_also_what_has_credentials_for_one_look(house: Make) -> None:
    made = house(Stack())
    async with made.at_work():
        goal = await start(made, UP, StackResult)
        await made.approved(goal)
        assert (await goal.result()).outcome == "completed"
        effects = await goal.query("effects", result_type=tuple[RehearsedEffect, ...])
    assert [one.action for one in effects] == ["pulumi.refresh_stack", "pulumi.preview_stack", "pulumi.update_stack"]


async def test_nobody_is_asked_where_nothing_is_to_be_done(house: Make) -> None:
    stack = Stack(previewed=[NOTHING])
    made = house(stack)
    async with made.at_work():
        result = await (await start(made, UP, StackResult)).result()
    assert (result.outcome, result.done, result.headline) == ("completed", (), "nothing to do")
    assert "update" not in stack.names()


async def test_nothing_is_applied_that_people_reject(house: Make) -> None:
    stack = Stack()
    made = house(stack)
    async with made.at_work():
        goal = await start(made, UP, StackResult)
        await made.decide(await made.approval_of(goal), "alice", verdict=Verdict.REJECT, reason="too big")
        result = await goal.result()
    assert result.outcome == "rejected"
    assert "too big" in str(result.reason)
    assert "update" not in stack.names()


async def test_a_commit_that_moved_after_the_approval_applies_nothing_and_is_planned_anew(house: Make) -> None:
    another = PREVIEWED.model_copy(update={"plan": plan(name="another")})
    stack = Stack(fetched=[*(Stack().fetched), MOVED], previewed=[PREVIEWED, another])
    made = house(stack)
    async with made.at_work():
        goal = await start(made, UP, StackResult)
        await made.approved(goal)
        await made.approved(goal, after=1)
        result = await goal.result()
    assert (result.outcome, result.commit) == ("completed", "d" * 40)
    assert [request.plan for request in stack.of("update")] == [another.plan]


async def test_a_commit_that_was_asked_for_by_its_id_cannot_move(house: Make) -> None:
    stack = Stack()
    made = house(stack)
    async with made.at_work():
        goal = await start(made, UP.model_copy(update={"ref": "c" * 40}), StackResult)
        await made.approved(goal)
        assert (await goal.result()).outcome == "completed"
    assert stack.names().count("fetch") == 1


async def test_a_state_that_changed_after_the_approval_voids_it(house: Make) -> None:
    stack = Stack(changed=[CONFLICT, *Stack().changed])
    made = house(stack)
    async with made.at_work():
        goal = await start(made, UP, StackResult)
        await made.approved(goal)
        await made.approved(goal, after=1)
        result = await goal.result()
    assert result.outcome == "completed"
    assert stack.names().count("preview") == 2


async def test_people_are_not_asked_for_ever(house: Make) -> None:
    stack = Stack(changed=[CONFLICT])
    made = house(stack)
    async with made.at_work():
        goal = await start(made, UP, StackResult)
        for turn in range(4):
            await made.approved(goal, after=turn)
        with pytest.raises(WorkflowFailureError) as failed:
            await goal.result()
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == ErrorType.CONFLICT


@pytest.mark.parametrize(
    ("ended", "outcome", "told"),
    [
        (Ended.REFUSED, "refused", "refused, and nothing was changed:"),
        (Ended.PARTIALLY_APPLIED, "partially_applied", "carried out in part:"),
        (Ended.UNKNOWN, "unknown", "in doubt: nobody can say whether it was carried out;"),
    ],
)
async def test_what_was_not_applied_whole_is_said_and_never_tried_again(
    house: Make, ended: Ended, outcome: str, told: str
) -> None:
    found = UpOutcome(
        ended=ended,
        done=(ResourceChange(urn=URN, change=ChangeKind.CREATE),),
        not_done=(ResourceChange(urn=URN.replace("shop", "blog"), change=ChangeKind.DELETE),),
        failed=(Failure(urn=URN.replace("shop", "blog"), op="delete"),),
        in_doubt=(Failure(urn="", op="create"),),
        errors=("it is in use",),
    )
    stack = Stack(changed=[StackChanged(outcome=found)])
    made = house(stack)

    async def was_told() -> bool:
        return any(one.ended for one in made.messages.updates)

    async with made.at_work():
        goal = await start(made, UP, StackResult)
        await made.approved(goal)
        result = await goal.result()
        status = await goal.query("status", result_type=GoalStatus)
        await eventually(was_told)
    [last] = {(one.end, one.ended, one.next_step) for one in made.messages.updates if one.ended}
    database = "banksman:postgres:Database"
    sentence = (
        f"{told} 1 done (create {database} shop); 1 failed (delete {database} blog); 1 in doubt (create ); "
        f"1 not done (delete {database} blog). Why: it is in use"
    )
    assert last == (outcome, sentence, found.next_step)
    assert sentence[1:] in str(result.reason)
    assert (result.outcome, status.state) == (outcome, outcome)
    assert result.not_done == ("delete banksman:postgres:Database blog",)
    assert result.failed == ("delete banksman:postgres:Database blog",)
    assert result.errors == ("it is in use",)
    assert found.next_step in str(result.reason)
    assert (stack.names().count("update"), stack.names().count("drift")) == (1, 0)


async def test_a_list_that_is_cut_says_so(house: Make) -> None:
    done = tuple(ResourceChange(urn=f"{URN}{number}", change=ChangeKind.CREATE) for number in range(300))
    whole = UpOutcome(ended=Ended.APPLIED, done=done, outputs_recorded=True)
    exact = whole.model_copy(update={"done": done[:200]})
    for found, lines, last in ((whole, 201, "200 of 300 listed; the event log has them all"), (exact, 200, None)):
        made = house(Stack(changed=[StackChanged(outcome=found)]))
        async with made.at_work():
            goal = await start(made, UP, StackResult)
            await made.approved(goal)
            result = await goal.result()
        assert len(result.done) == lines
        assert last is None or result.done[-1] == last


async def test_progress_is_shown_and_said_below_the_approval(house: Make) -> None:
    made = house(Stack())

    async def progressing() -> bool:
        return any("2 done" in one.progress for one in made.messages.updates)

    async with made.at_work():
        goal = await start(made, UP, StackResult)
        await made.approval_of(goal)
        await goal.signal("stack_progress", StackProgress(done=2, lines=("create a", "create b")))
        await made.approved(goal)
        await eventually(progressing)
        await goal.result()


async def test_a_goal_that_is_cancelled_waits_until_pulumi_has_stopped_and_says_what_was_done(house: Make) -> None:
    partly = UpOutcome(ended=Ended.PARTIALLY_APPLIED, done=(ResourceChange(urn=URN, change=ChangeKind.CREATE),))
    stack = Stack(stopped=StackChanged(outcome=partly))
    made = house(stack)

    async def updating() -> bool:
        return "update" in stack.names()

    async def free() -> bool:
        lock = made.client.get_workflow_handle(lock_id("infra", "dev"))
        return (await lock.query("line", result_type=StackLine)).tickets == ()

    async with made.at_work():
        goal = await start(made, UP, StackResult)
        await made.approved(goal)
        await eventually(updating)
        await goal.cancel()
        result = await goal.result()
        await eventually(free)
    assert (result.outcome, result.done) == ("partially_applied", ("create banksman:postgres:Database shop",))


async def test_two_goals_on_one_stack_take_turns(house: Make) -> None:
    made = house(Stack(previewed=[NOTHING]))
    async with made.at_work():
        goals = [await start(made, UP, StackResult) for _ in range(3)]
        results = [await goal.result() for goal in goals]
    assert [result.outcome for result in results] == ["completed"] * 3
    looks = [name for name in made.stack.names() if name in {"refresh", "preview"}]
    assert looks == ["refresh", "preview"] * 3


async def test_a_look_whose_credentials_were_opened_is_taken_again_with_others(house: Make) -> None:
    stack = Stack(previewed=[application_error(ErrorType.CONFLICT, "these secrets were opened before"), NOTHING])
    made = house(stack)
    async with made.at_work():
        assert (await (await start(made, UP, StackResult)).result()).outcome == "completed"
    assert [one.secrets for one in stack.of("preview")] == ["sealed-2", "sealed-3"]


async def test_a_program_that_cannot_be_previewed_ends_the_goal_with_its_error(house: Make) -> None:
    stack = Stack(previewed=[application_error(ErrorType.INVALID_REQUEST, "SyntaxError in __main__.py")])
    made = house(stack)
    async with made.at_work():
        goal = await start(made, UP, StackResult)
        with pytest.raises(WorkflowFailureError) as failed:
            await goal.result()
    assert "SyntaxError" in str(failed.value.cause)
    assert stack.names().count("preview") == 1


async def test_a_stack_goes_back_to_the_commit_of_an_earlier_deployment(house: Make) -> None:
    earlier = RepositoryFetched(commit="1" * 40, pack=DIGEST, size=1)
    stack = Stack(fetched=[*Stack().fetched, earlier])
    made = house(stack)
    async with made.at_work():
        goal = await start(made, RollBackStackInput(repository="acme/infra", stack="dev", version=1), StackResult)
        await made.approved(goal)
        result = await goal.result()
    assert (result.outcome, result.commit) == ("completed", "1" * 40)
    assert stack.of("fetch")[1].ref == "1" * 40
    assert stack.of("preview")[0].why == "Back to deployment 1, at 111111111111"


@pytest.mark.parametrize(("version", "why"), [(9, "its newest are: 2, 1"), (2, "not made by an update of Banksman's")])
async def test_a_deployment_that_cannot_be_gone_back_to_is_named(house: Make, version: int, why: str) -> None:
    made = house(Stack())
    async with made.at_work():
        request = RollBackStackInput(repository="acme/infra", stack="dev", version=version)
        goal = await start(made, request, StackResult)
        with pytest.raises(WorkflowFailureError) as failed:
            await goal.result()
    assert why in str(failed.value.cause)


async def test_a_stack_is_destroyed_as_it_was_listed(house: Make) -> None:
    listed = PREVIEWED.model_copy(update={"plan": plan(ACTIONS[1])})
    stack = Stack(previewed=[listed])
    made = house(stack, ACTIONS[1])
    async with made.at_work():
        goal = await start(made, DESTROY, StackResult)
        await made.approved(goal)
        assert (await goal.result()).outcome == "completed"
    assert stack.names() == ["fetch", "prepare", "preview", "destroy", "drift"]


async def test_a_lock_goes_once_people_said_so(house: Make) -> None:
    stack = Stack()
    made = house(stack, ACTIONS[2])
    async with made.at_work():
        goal = await start(made, UNLOCK, UnlockStackResult)
        await made.approved(goal)
        result = await goal.result()
    assert (result.outcome, result.owners, result.released) == ("completed", ("run-1",), True)


async def test_nobody_is_asked_about_a_stack_without_a_lock(house: Make) -> None:
    stack = Stack(lock=[LockSeen()])
    made = house(stack, ACTIONS[2])
    async with made.at_work():
        result = await (await start(made, UNLOCK, UnlockStackResult)).result()
    assert (result.outcome, result.owners, result.released) == ("completed", (), False)
    assert "unlock" not in stack.names()


async def test_a_stack_is_told_as_it_is(house: Make) -> None:
    made = house(Stack())
    async with made.at_work():
        result = await (await start(made, INSPECT, InspectStackResult)).result()
    assert (result.outputs, result.locked_by, result.exported) == ({"database": "shop"}, ("run-1",), DIGEST)
    assert [(one.version, one.commit) for one in result.deployments] == [(2, None), (1, "1" * 40)]


async def test_a_stack_is_told_with_its_drift_and_nobody_else_hears_of_it(house: Make) -> None:
    stack = Stack(drift=[DRIFTED])
    made = house(stack)
    async with made.at_work():
        asked = INSPECT.model_copy(update={"drift": True})
        result = await (await start(made, asked, InspectStackResult)).result()
    assert result.drift is not None
    assert (result.drift.drifted, result.drift.lines) == (len(DRIFTED.fingerprints), DRIFTED.lines)
    assert (result.drift.report, stack.of("tell")) == (DRIFTED.report, [])


async def test_a_stack_that_is_not_there_is_told_as_that(house: Make) -> None:
    stack = Stack(outputs=[StackOutputs(deployed=False)])
    made = house(stack)
    async with made.at_work():
        result = await (await start(made, INSPECT, InspectStackResult)).result()
    assert (result.outcome, result.deployed, result.deployments) == ("completed", False, ())
    assert stack.names() == ["fetch", "prepare", "outputs"]


async def test_drift_is_told_and_reported(house: Make) -> None:
    below = DRIFTED.model_copy(update={"new": (*DRIFTED.new, "    comment one → another")})
    stack = Stack(drift=[below])
    made = house(stack)
    async with made.at_work():
        result = await (await start(made, DRIFT, DetectDriftResult)).result()
    assert (result.drifted, result.new[:1], result.fingerprints) == (1, ("shop: comment",), ("sha256:one",))
    assert [one.lines for one in stack.of("tell")] == [("shop: comment",)]


async def test_nobody_is_told_where_nothing_drifted(house: Make) -> None:
    stack = Stack()
    made = house(stack)
    async with made.at_work():
        result = await (await start(made, DRIFT, DetectDriftResult)).result()
    assert (result.outcome, result.drifted, result.looked_at) == ("completed", 0, 2)
    assert stack.of("tell") == []


async def test_drift_that_nobody_could_be_told_of_is_new_again_next_time(house: Make) -> None:
    stack = Stack(drift=[DRIFTED], told=[application_error(ErrorType.INVALID_REQUEST, "no channel")])
    made = house(stack)
    async with made.at_work():
        result = await (await start(made, DRIFT, DetectDriftResult)).result()
    assert (result.outcome, result.drifted, result.fingerprints) == ("completed", 1, ())


async def test_a_schedule_goes_on_from_what_its_last_look_told(house: Make) -> None:
    stack = Stack(drift=[DRIFTED, NO_DRIFT])
    made = house(stack)
    schedule = await made.client.create_schedule(
        f"drift-{secrets.token_hex(4)}",
        Schedule(
            action=ScheduleActionStartWorkflow(
                "DetectDrift", DRIFT, id=f"drift-{secrets.token_hex(4)}", task_queue=TaskQueue.GOALS
            ),
            spec=ScheduleSpec(),
        ),
    )

    async def ran(times: int) -> bool:
        return (
            len((await schedule.describe()).info.recent_actions) == times
            and not (await schedule.describe()).info.running_actions
        )

    async with made.at_work():
        for turn in (1, 2):
            await schedule.trigger()
            await eventually(lambda turn=turn: ran(turn))
    await schedule.delete()
    assert [one.known for one in stack.of("drift")] == [(), ("sha256:one",)]
