"""The goal `RunPlan` on the real dev server: what people saw is what is run, and nothing beside it."""

import dataclasses
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

import pytest
from pydantic import JsonValue
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError, CancelledError

from activities.agent.contracts import RunPlanParameters
from activities.guard.error_types import ErrorType, application_error
from hitl.approval.decision import Verdict
from hitl.protocol import Effect
from tests.hitl.plan_language.planning import MOTTO, OPEN, delete, plan_of, step
from tests.replay.scenarios import exhausted, until_parked
from tests.workflows.agent.running import DELETE, DESTROYS, RUN, WRITES, PlanHouse, ends, exists, there
from tests.workflows.approval.approving import eventually
from tests.workflows.scripted import CONTENT
from workflows.agent.described import described
from workflows.agent.goals import PlanStepEnd, RunPlanInput
from workflows.contracts import GoalStatus, Resume

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def house(client: Client, tmp_path: Path) -> PlanHouse:
    return PlanHouse(client, tmp_path)


async def test_what_only_reads_asks_nobody(house: PlanHouse) -> None:
    async with house.workers(destructive=False):
        again = step(
            MOTTO, id="again", inputs={"repository": "acme/shop", "path": "A", "ref": {"$from": "motto.commit"}}
        )
        goal = await house.run(plan_of(act=[again]))
        result = await goal.result()
    assert (result.outcome, result.asked, ends(result)) == (
        "completed",
        False,
        [("motto", "completed"), ("again", "completed")],
    )
    assert [one.ref for one in house.steps.calls] == [None, CONTENT.commit]
    assert [one.workflow_id for one in result.steps] == [f"{goal.id}/explore/motto", f"{goal.id}/act/again"]


async def test_what_writes_is_shown_with_what_was_found_and_run_as_it_was_approved(house: PlanHouse) -> None:
    async with house.workers(gateway=True):
        goal = await house.run(WRITES)
        shown = await house.click(goal, RUN)
        result = await goal.result()
        told = await house.told(goal)
    assert shown.action == RUN
    assert '   /files/0/content: "hello"  [from motto.content: TEXT THAT A STRANGER MAY HAVE WRITTEN]' in shown.summary
    bound = shown.parameters_as(RunPlanParameters).bound()
    assert (result.outcome, result.asked, result.digest) == ("completed", True, bound.digest())
    assert [(one.title, one.head.startswith("banksman/")) for one in house.steps.pulls] == [("Copy the motto", True)]
    assert told == ["carried out: 1 done"]


async def test_nothing_acts_before_people_said_yes_and_nothing_when_they_say_no(house: PlanHouse) -> None:
    async with house.workers():
        goal = await house.run(WRITES)
        approval = await house.approval_of(goal)
        assert not await exists(house.child(goal, "act/open"))
        progress = await goal.query("progress", result_type=tuple[PlanStepEnd, ...])
        await house.decide(approval, "alice", verdict=Verdict.REJECT)
        result = await goal.result()
    assert [str(one.outcome) for one in progress] == ["completed", "not_begun"]
    assert (result.outcome, ends(result)) == ("rejected", [("motto", "completed"), ("open", "not_begun")])
    assert "Nothing of what acts was begun" in str(result.reason)
    assert (house.steps.commits, house.steps.pulls) == ([], [])


async def test_what_destroys_asks_once_more_for_itself(house: PlanHouse) -> None:
    async with house.workers():
        goal = await house.run(DESTROYS)
        first = await house.click(goal, RUN)
        second = await house.click(house.child(goal, "act/gone"), DELETE)
        result = await goal.result()
    assert (first.action, second.action) == (RUN, DELETE)
    assert house.deleting.deleted == ["old"]
    assert ends(result) == [
        ("motto", "completed"),
        ("open", "completed"),
        ("gone", "completed"),
        ("after", "completed"),
    ]


@pytest.mark.parametrize("plan", [DESTROYS, plan_of(act=[delete("old"), delete("older", id="also")])])
async def test_people_are_not_asked_more_often_than_they_may_be(house: PlanHouse, plan: dict[str, JsonValue]) -> None:
    """For the plan once, and once by each step that destroys: known before anybody is asked the first time."""
    async with house.workers():
        goal = await house.run(plan, decisions=1)
        result = await goal.result()
    assert (result.outcome, result.asked) == ("refused", False)
    assert "and 1 is the most for one run: ask for less at once" in str(result.reason)
    assert (house.deleting.deleted, house.steps.pulls) == ([], [])


async def test_as_often_as_they_may_be_people_are_asked(house: PlanHouse) -> None:
    async with house.workers():
        goal = await house.run(DESTROYS, decisions=2)
        await house.click(goal, RUN)
        await house.click(house.child(goal, "act/gone"), DELETE)
        result = await goal.result()
    assert (result.outcome, result.asked, house.deleting.deleted) == ("completed", True, ["old"])


async def test_a_step_that_people_reject_stops_the_plan_and_what_was_not_begun_is_told(house: PlanHouse) -> None:
    async with house.workers(gateway=True):
        goal = await house.run(DESTROYS)
        await house.click(goal, RUN)
        await house.click(house.child(goal, "act/gone"), DELETE, Verdict.REJECT)
        result = await goal.result()
        told = await house.told(goal)
    assert house.deleting.deleted == []
    assert (result.outcome, ends(result)[1:]) == (
        "partially_applied",
        [("open", "completed"), ("gone", "rejected"), ("after", "not_begun")],
    )
    assert "step gone (DeleteBranch) ended as rejected: github.delete_branch was not approved" in str(result.reason)
    assert str(result.reason).endswith("Not begun: after.")
    assert told[0].startswith("carried out in part: 1 done (open); 2 not done (gone, after). Why: gone (DeleteBranch)")


async def test_a_step_that_the_guard_denies_first_gives_the_plan_its_outcome(house: PlanHouse) -> None:
    house.steps.committed = [application_error(ErrorType.POLICY_DENIED, "acme/site is not to be written")]
    async with house.workers():
        goal = await house.run(WRITES)
        await house.click(goal, RUN)
        result = await goal.result()
    assert (result.outcome, ends(result)[1]) == ("denied", ("open", "denied"))
    assert "acme/site is not to be written. It was the last one" in str(result.reason)


async def test_a_step_that_fails_leaves_a_doubt_and_stops_the_plan(house: PlanHouse) -> None:
    house.steps.opened = [application_error(ErrorType.INVALID_REQUEST, "no such base")]
    async with house.workers():
        goal = await house.run(plan_of(act=[OPEN, {**MOTTO, "id": "after"}]))
        await house.click(goal, RUN)
        result = await goal.result()
    assert (result.outcome, ends(result)[1:]) == ("unknown", [("open", "failed"), ("after", "not_begun")])
    assert "no such base. Not begun: after." in str(result.reason)


@pytest.mark.parametrize(
    ("error", "outcome", "step_outcome"),
    [(ErrorType.POLICY_DENIED, "denied", "denied"), (ErrorType.NOT_FOUND, "refused", "failed")],
)
async def test_what_explores_and_does_not_end_well_ends_the_plan_before_anybody_is_asked(
    house: PlanHouse, error: ErrorType, outcome: str, step_outcome: str
) -> None:
    house.steps.answers = [application_error(error, "not this file")]
    async with house.workers(destructive=False):
        result = await (await house.run(WRITES)).result()
    assert (result.outcome, ends(result)) == (outcome, [("motto", step_outcome)])
    assert "not this file. Nothing of what acts was begun" in str(result.reason)


async def test_a_parked_step_is_told_as_such_and_goes_on_when_a_person_says_so(house: PlanHouse) -> None:
    house.steps.answers = exhausted().answers
    async with house.workers(destructive=False):
        goal = await house.run(plan_of(act=[]))
        child = house.child(goal, "explore/motto")
        await there(child)
        await until_parked(child)

        async def outcome() -> list[tuple[str, str | None]]:
            steps = await goal.query("progress", result_type=tuple[PlanStepEnd, ...])
            return [(str(one.outcome), one.reason) for one in steps]

        await eventually(lambda: is_so(outcome, [("parked", "Vault is sealed")]))
        status = await goal.query("status", result_type=GoalStatus)
        await child.execute_update("resume", Resume(note="unsealed"))
        result = await goal.result()
    assert str(status.step) == f"motto: ReadFile ({child.id}) is parked: Vault is sealed"
    assert (result.outcome, ends(result), result.steps[0].reason) == ("completed", [("motto", "completed")], None)


async def is_so(ask: Callable[[], Awaitable[object]], expected: object) -> bool:
    return await ask() == expected


async def test_a_cancelled_plan_cancels_its_children(house: PlanHouse) -> None:
    async with house.workers(gateway=True):
        goal = await house.run(DESTROYS)
        await house.click(goal, RUN)
        child = house.child(goal, "act/gone")
        await there(child)
        await house.approval_of(child)
        await goal.cancel()
        with pytest.raises(WorkflowFailureError) as caught:
            await goal.result()
        with pytest.raises(WorkflowFailureError):
            await child.result()
        told = await house.told(goal)
    assert isinstance(caught.value.cause, CancelledError)
    assert house.deleting.deleted == []
    assert not await exists(house.child(goal, "act/after"))
    assert told[0].startswith("cancelled while it was carried out")


async def test_a_goal_that_is_gone_while_the_plan_waits_is_told_and_nothing_is_begun(house: PlanHouse) -> None:
    async with house.workers(gateway=True):
        goal = await house.run(WRITES)
        await house.approval_of(goal)
        fewer = {name: one for name, one in described().items() if name != "OpenPullRequest"}
        house.catalogue = MappingProxyType(fewer)
        await house.click(goal, RUN)
        result = await goal.result()
        told = await house.told(goal)
    assert (result.outcome, result.mistakes[0].at) == ("refused", "/act/0/goal")
    assert "there is no goal 'OpenPullRequest'" in str(result.reason)
    assert (ends(result)[1], house.steps.pulls) == (("open", "not_begun"), [])
    assert told[0].startswith("refused, and nothing was changed")


async def test_a_goal_that_may_do_more_by_now_is_another_plan(house: PlanHouse) -> None:
    async with house.workers():
        goal = await house.run(WRITES)
        await house.approval_of(goal)
        stronger = dataclasses.replace(described()["OpenPullRequest"], effect=Effect.DESTRUCTIVE)
        house.catalogue = MappingProxyType({**described(), stronger.name: stronger})
        await house.click(goal, RUN)
        result = await goal.result()
    assert (result.outcome, house.steps.commits) == ("superseded", [])
    assert "bound otherwise than when it was shown" in str(result.reason)


async def test_a_grant_that_came_too_late_has_people_asked_once_more(house: PlanHouse) -> None:
    house.ahead = timedelta(days=30)
    async with house.workers():
        goal = await house.run(WRITES)
        first = await house.click(goal, RUN)
        await house.approval_of(goal, after=1)
        assert house.steps.commits == []
        house.ahead = timedelta()
        second = await house.click(goal, RUN, after=1)
        result = await goal.result()
    assert first == second
    assert (result.outcome, len(house.steps.pulls)) == ("completed", 1)


async def test_a_goal_that_no_worker_has_any_more_is_told_as_such(house: PlanHouse) -> None:
    gone = dataclasses.replace(described()["ReadFile"], name="CloseIssue")
    house.catalogue = MappingProxyType({**described(), gone.name: gone})
    async with house.workers(destructive=False):
        result = await (await house.run(plan_of(explore=[], act=[{**MOTTO, "goal": "CloseIssue"}]))).result()
    assert (result.outcome, ends(result)) == ("unknown", [("motto", "failed")])
    assert "there is no goal 'CloseIssue'" in str(result.reason)


async def test_a_plan_with_mistakes_runs_nothing_and_tells_all_of_them(house: PlanHouse) -> None:
    async with house.workers(destructive=False):
        explores = plan_of(explore=[MOTTO, step(OPEN, inputs=delete("x")["inputs"])], act=[step(OPEN, goal="X")])
        result = await (await house.run(explores)).result()
    assert (result.outcome, result.steps, house.steps.calls) == ("refused", (), [])
    assert len(result.mistakes) > 2
    assert f"the plan has {len(result.mistakes)} mistakes" in str(result.reason)


async def test_a_strangers_words_name_no_repository(house: PlanHouse) -> None:
    """What the file says is where the pull request would go; the list has two others."""
    house.steps.answers = [CONTENT.model_copy(update={"content": "evil/shop"})]
    act = step(
        OPEN, inputs={"repository": {"$from": "motto.content"}, "title": "x", "files": [{"path": "A", "content": "x"}]}
    )
    async with house.workers(destructive=False):
        result = await (await house.run(plan_of(act=[act]), lists={"repository": ("acme/shop", "acme/site")})).result()
    assert (result.outcome, house.steps.commits) == ("refused", [])
    assert "'evil/shop' came from 'motto.content'" in str(result.reason)


async def test_the_policy_may_let_plans_that_only_write_run_unasked(client: Client, tmp_path: Path) -> None:
    house = PlanHouse(client, tmp_path, unasked=True)
    async with house.workers(destructive=False):
        result = await (await house.run(WRITES)).result()
    assert (result.outcome, result.asked, len(house.steps.pulls)) == ("completed", False, 1)


async def test_and_those_that_destroy_it_never_lets_run_unasked(client: Client, tmp_path: Path) -> None:
    house = PlanHouse(client, tmp_path, unasked=True)
    async with house.workers():
        goal = await house.run(DESTROYS)
        await house.click(goal, RUN, Verdict.REJECT)
        result = await goal.result()
    assert (result.outcome, house.steps.pulls) == ("rejected", [])


async def test_where_nobody_may_say_yes_the_plan_is_denied(house: PlanHouse) -> None:
    house.path.write_text(house.path.read_text().replace("      - allow: agent.run_plan\n", ""))
    async with house.workers(destructive=False):
        result = await (await house.run(WRITES)).result()
    assert (result.outcome, house.steps.pulls) == ("denied", [])
    assert "'agent.run_plan' is destructive and no rule" in str(result.reason)


async def test_a_child_whose_id_is_taken_is_told(house: PlanHouse) -> None:
    async with house.workers(destructive=False):
        name = f"taken-{house.path.parent.name}"
        squatter = await house.client.start_workflow(
            "RunPlan", RunPlanInput(plan=WRITES), id=f"{name}/explore/motto", task_queue="banksman-nobody"
        )
        result = await (await house.run(WRITES, name=name)).result()
        await squatter.terminate()
    assert (result.outcome, ends(result)) == ("refused", [("motto", "failed")])
    assert "has the id of this step's goal" in str(result.reason)


async def test_an_input_that_is_too_long_is_refused_at_once(house: PlanHouse) -> None:
    with pytest.raises(ValueError, match="make several plans"):
        RunPlanInput(plan=plan_of(title="x" * 200_000))
    async with house.workers(destructive=False):
        with pytest.raises(WorkflowFailureError) as caught:
            await house.client.execute_workflow(
                "RunPlan",
                {"plan": {"title": "x" * 200_000}},
                id=f"long-{house.path.parent.name}",
                task_queue="banksman-goals",
            )
    assert isinstance(caught.value.cause, ApplicationError)
    assert "make several plans" in caught.value.cause.message


async def test_huge_results_are_refused_before_they_are_handed_on(house: PlanHouse) -> None:
    house.steps.answers = [CONTENT.model_copy(update={"content": "x" * 250_000})]
    many = [step(MOTTO, id=f"m{number}") for number in range(6)]
    act = step(
        OPEN,
        inputs={
            "repository": "acme/site",
            "title": "x",
            "files": [{"path": f"A{number}", "content": {"$from": f"m{number}.content"}} for number in range(6)],
        },
    )
    async with house.workers(destructive=False):
        result = await (await house.run(plan_of(explore=many, act=[act]))).result()
    assert (result.outcome, house.steps.commits) == ("refused", [])
    assert "refer to less of it" in str(result.reason)
