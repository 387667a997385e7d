"""A plan that was rehearsed: its run does the goals that were, as they were, or people see beforehand what is other."""

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import JsonValue, ValidationError
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle

from activities.github.contracts import BranchSeen
from activities.queues import TaskQueue
from hitl.approval.decision import Verdict
from hitl.approval.rehearsal import Rehearsal, RehearsedEffect, RehearsedStep, digest_of_inputs
from hitl.canonical import canonical_json
from hitl.plan_language.bound import BoundPlan, BoundStep, read_bound
from tests.hitl.plan_language.planning import MOTTO, OPEN, delete, plan_of
from tests.workflows.agent.running import DELETE, RUN, WRITES, PlanHouse, ends, exists
from tests.workflows.approval.approving import eventually
from tests.workflows.scripted import CONTENT, SEEN
from workflows.agent.goals import RunPlanInput, RunPlanResult
from workflows.catalogue import find_goal

pytestmark = pytest.mark.asyncio(loop_scope="session")

TWO: Final = plan_of(act=[OPEN, delete("old")])


@pytest.fixture
def house(client: Client, tmp_path: Path) -> PlanHouse:
    return PlanHouse(client, tmp_path)


@pytest.fixture
def unasked(client: Client, tmp_path: Path) -> PlanHouse:
    """Plans that only open pull requests ask nobody."""
    return PlanHouse(client, tmp_path, unasked=True)


@pytest.fixture
def name() -> str:
    """The plan's workflow id: names that its goals make follow from it."""
    return f"run-plan-{secrets.token_hex(4)}"


async def begin(house: PlanHouse, name: str, request: RunPlanInput) -> WorkflowHandle[Any, RunPlanResult]:
    return await house.client.start_workflow(
        "RunPlan",
        request,
        id=name,
        task_queue=TaskQueue.GOALS,
        result_type=RunPlanResult,
        execution_timeout=timedelta(minutes=2),
    )


async def bound_of(house: PlanHouse, name: str, plan: dict[str, JsonValue]) -> BoundPlan:
    """What acts, as it is bound before a rehearsal."""
    result = await (await begin(house, f"{name}/bound", RunPlanInput(plan=plan, bind_only=True))).result()
    assert (result.outcome, result.asked) == ("completed", False)
    return read_bound(canonical_json(result.bound))


async def rehearsed(
    house: PlanHouse, name: str, plan: dict[str, JsonValue], *, without: frozenset[str] = frozenset()
) -> RunPlanInput:
    """The plan with the document of a run of the same id, in which these steps were not rehearsed."""
    bound = await bound_of(house, name, plan)
    goal = await house.run(plan, name=name)
    if not house.unasked:
        await house.click(goal, RUN)
    if any(one.goal == "DeleteBranch" for one in bound.steps):
        await house.click(house.child(goal, "act/gone"), DELETE)
    assert (await goal.result()).outcome == "completed"
    found = {one.id: await effects_of(house, goal, one.id) for one in bound.steps if one.id not in without}
    house.steps.commits.clear()
    house.steps.pulls.clear()
    house.deleting.deleted.clear()
    house.steps.seen = [SEEN, BranchSeen(head=None)]
    return sealed(RunPlanInput(plan=plan), bound, found)


async def under_way(house: PlanHouse, goal: WorkflowHandle[Any, Any], step: str) -> WorkflowHandle[Any, Any]:
    """The step's goal, and not the one of the same id that is over."""
    child = house.child(goal, step)

    async def runs() -> bool:
        return (await child.describe()).status is WorkflowExecutionStatus.RUNNING

    await eventually(runs)
    return child


async def effects_of(house: PlanHouse, goal: WorkflowHandle[Any, Any], step: str) -> tuple[RehearsedEffect, ...]:
    child = house.child(goal, f"act/{step}")
    return await child.query("effects", result_type=tuple[RehearsedEffect, ...])


def sealed(request: RunPlanInput, bound: BoundPlan, found: dict[str, tuple[RehearsedEffect, ...]]) -> RunPlanInput:
    document = Rehearsal.sealed(
        goal="RunPlan",
        of=request.digest(),
        made_at=datetime.now(UTC),
        copied=("github acme/site",),
        effects=tuple(effect for one in bound.steps for effect in found.get(one.id, ())),
        milliseconds=1,
        steps=tuple(_step(one, found.get(one.id)) for one in bound.steps),
    )
    return RunPlanInput.model_validate({**dict(request), "rehearsal": document})


def _step(step: BoundStep, effects: tuple[RehearsedEffect, ...] | None) -> RehearsedStep:
    inputs = digest_of_inputs(step.goal, dict(step.inputs))
    if effects is None:
        return RehearsedStep(id=step.id, goal=step.goal, inputs=inputs, why="what it reaches is not copied")
    goal = find_goal(step.goal)
    assert goal is not None
    of = goal.input.model_validate(step.inputs).digest()
    return RehearsedStep(id=step.id, goal=step.goal, inputs=inputs, of=of, effects=len(effects))


async def test_what_is_bound_alone_begins_nothing_that_acts(house: PlanHouse, name: str) -> None:
    async with house.workers(destructive=False):
        bound = await bound_of(house, name, TWO)
        assert not await exists(house.client.get_workflow_handle(f"{name}/bound/act/open"))
    assert [(one.id, one.goal) for one in bound.steps] == [("open", "OpenPullRequest"), ("gone", "DeleteBranch")]
    assert bound.steps[0].inputs["files"] == [{"path": "MOTTO.md", "content": CONTENT.content}]
    assert (house.steps.commits, house.deleting.deleted) == ([], [])


async def test_the_plan_that_was_rehearsed_runs_and_each_goal_shows_its_own_list(house: PlanHouse, name: str) -> None:
    async with house.workers():
        request = await rehearsed(house, name, TWO)
        goal = await begin(house, name, request)
        shown = await house.click(goal, RUN)
        of_step = await house.click(await under_way(house, goal, "act/gone"), DELETE)
        result = await goal.result()
    assert (result.outcome, house.deleting.deleted, len(house.steps.pulls)) == ("completed", ["old"], 1)
    assert request.rehearsal is not None
    assert shown.rehearsal == request.rehearsal.shown()
    assert of_step.rehearsal is not None
    assert (of_step.rehearsal.surprises, house.steps.surprises) == ((), [])
    assert of_step.rehearsal.effects == (request.rehearsal.effects[-1].words(),)


async def test_a_goal_of_it_that_would_do_more_stops_before_that(house: PlanHouse, name: str) -> None:
    async with house.workers():
        request = await rehearsed(house, name, WRITES)
        bound = await bound_of(house, name, WRITES)
        assert request.rehearsal is not None
        less = {"open": request.rehearsal.effects[:1]}
        goal = await begin(house, name, sealed(RunPlanInput(plan=WRITES), bound, less))
        await house.click(goal, RUN)
        result = await goal.result()
    assert (result.outcome, len(house.steps.commits), house.steps.pulls) == ("denied", 1, [])
    assert "not on the list of the rehearsal: github.open_pull_request" in (result.reason or "")


async def test_another_plan_than_the_rehearsed_one_never_runs_unasked_and_says_so_first(
    unasked: PlanHouse, name: str
) -> None:
    """What explores finds another text than it did for the rehearsal: the pull request would be another one."""
    house = unasked
    async with house.workers():
        request = await rehearsed(house, name, WRITES)
        house.steps.answers = [CONTENT.model_copy(update={"content": "other"})]
        goal = await begin(house, name, request)
        shown = await house.click(goal, RUN, Verdict.REJECT)
        result = await goal.result()
    assert shown.rehearsal is not None
    assert shown.rehearsal.surprises == (
        "agent.run_plan: step open, goal OpenPullRequest, it was rehearsed with other inputs",
    )
    assert (result.outcome, house.steps.commits, ends(result)[-1]) == ("rejected", [], ("open", "not_begun"))
    assert [one.effects[0].action for one in house.steps.surprises] == [RUN]


async def test_the_rehearsed_plan_runs_unasked_where_the_policy_lets_it(unasked: PlanHouse, name: str) -> None:
    async with unasked.workers(destructive=False):
        goal = await begin(unasked, name, await rehearsed(unasked, name, WRITES))
        result = await goal.result()
    assert (result.outcome, result.asked, len(unasked.steps.pulls)) == ("completed", False, 1)


async def test_what_could_not_be_rehearsed_is_said_with_its_reason_and_runs_when_people_let_it(
    house: PlanHouse, name: str
) -> None:
    async with house.workers():
        request = await rehearsed(house, name, TWO, without=frozenset({"gone"}))
        goal = await begin(house, name, request)
        shown = await house.click(goal, RUN)
        of_step = await house.click(await under_way(house, goal, "act/gone"), DELETE)
        result = await goal.result()
    assert shown.rehearsal is not None
    assert shown.rehearsal.surprises == ("agent.run_plan: step gone, goal DeleteBranch, what it reaches is not copied",)
    assert of_step.rehearsal is None
    assert (result.outcome, house.deleting.deleted) == ("completed", ["old"])


async def test_a_document_without_steps_stands_for_no_step(house: PlanHouse, name: str) -> None:
    """Somebody wrote one by hand, with every effect and for this very plan, that says of no step that it ran."""
    request = RunPlanInput(plan=WRITES)
    effects = (RehearsedEffect(action="github.commit_files", on=("branch a",)),)
    document = Rehearsal.sealed(
        goal="RunPlan", of=request.digest(), made_at=datetime.now(UTC), copied=(), effects=effects, milliseconds=1
    )
    async with house.workers():
        goal = await begin(house, name, RunPlanInput.model_validate({**dict(request), "rehearsal": document}))
        shown = await house.click(goal, RUN, Verdict.REJECT)
        result = await goal.result()
    assert shown.rehearsal is not None
    assert shown.rehearsal.surprises[0].endswith("it was not in the plan that was rehearsed")
    assert (result.outcome, house.steps.commits) == ("rejected", [])


async def test_the_document_of_another_plan_is_refused(house: PlanHouse, name: str) -> None:
    async with house.workers(destructive=False):
        bound = await bound_of(house, name, plan_of(act=[{**MOTTO, "id": "again"}]))
    request = sealed(RunPlanInput(plan=plan_of(act=[{**MOTTO, "id": "again"}])), bound, {"again": ()})
    with pytest.raises(ValidationError, match="of another goal or of another input"):
        RunPlanInput.model_validate({"plan": WRITES, "rehearsal": request.rehearsal})
