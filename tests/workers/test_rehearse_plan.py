"""Which steps of a plan are rehearsed, what is said of the others beforehand, and what goes into the room."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import typer
from pydantic import JsonValue
from typer.testing import CliRunner

from deploy.local.rehearsal.order import Found, Order
from hitl.approval.rehearsal import Rehearsal, RehearsedEffect
from hitl.plan_language.bound import BoundPlan
from tests.hitl.plan_language.planning import FOUND, OPEN, bound, delete, plan_of
from workers.cli import app
from workers.commands import rehearse_plan
from workers.commands.copying import Copied
from workers.commands.exits import Exit
from workers.commands.follow import Ended, Started
from workers.commands.rehearse_plan import staged
from workflows.agent.goals import AskForInput, RunPlanInput
from workflows.contracts import GoalInput
from workflows.goal_type import GoalType

LOOK: Final[dict[str, JsonValue]] = {"id": "look", "goal": "InspectGpus", "inputs": {}}
EFFECT: Final = RehearsedEffect(action="github.delete_branch", on=("branch old",))


def plan(*act: dict[str, JsonValue]) -> BoundPlan:
    found = bound(plan_of(act=act), {"motto": FOUND}).plan
    assert found is not None
    return found


def told(*act: dict[str, JsonValue]) -> list[tuple[str, str]]:
    return [(one.step.id, one.why or "") for one in staged(plan(*act))]


def test_what_can_be_rehearsed_is_and_a_step_that_only_reads_stands_in_nobodys_way() -> None:
    reads = "InspectGpus reaches what is not copied for a rehearsal"
    assert told(OPEN, LOOK, delete("old")) == [("open", ""), ("look", reads), ("gone", "")]


def test_what_comes_after_a_step_that_is_not_rehearsed_is_not_pretended() -> None:
    after = "it comes after 'stack', which is not rehearsed: what that does would not be there"
    first = "DestroyStack reaches what is not copied for a rehearsal"
    destroy: dict[str, JsonValue] = {
        "id": "stack",
        "goal": "DestroyStack",
        "inputs": {"repository": "acme/infra", "stack": "demo"},
    }
    assert told(OPEN, destroy, delete("old"), LOOK) == [
        ("open", ""),
        ("stack", first),
        ("gone", after),
        ("look", after),
    ]


def test_what_a_twin_cannot_hold_beside_another_part_is_said() -> None:
    def remove(step: str, project: str) -> dict[str, JsonValue]:
        return {"id": step, "goal": "DeleteNeonBranch", "inputs": {"project": project, "branch": "old"}}

    (_, first), (_, second) = told(remove("one", "quiet-moon-17281"), remove("two", "loud-sun-17281"))
    assert first == ""
    assert second.startswith("of neon an earlier step reaches 'quiet-moon-17281' and this one 'loud-sun-17281'")


def test_a_goal_that_needs_containers_says_so_where_no_engine_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    run: dict[str, JsonValue] = {
        "id": "tests",
        "goal": "RunInSandbox",
        "inputs": {"repository": "acme/shop", "command": ["true"]},
    }
    (step,) = staged(plan(run))
    assert "only root" in (step.why or "")


class Played:
    """The running environment and the room, of which only what goes in and out is looked at."""

    def __init__(self, results: Sequence[dict[str, Any]], found: tuple[Found, ...]) -> None:
        self.results = list(results)
        self.found = found
        self.asked: list[tuple[str, GoalInput]] = []
        self.orders: list[Order] = []

    async def ran(self, goal: GoalType, request: GoalInput, workflow_id: str) -> tuple[Started, Ended]:
        self.asked.append((goal.name, request))
        handle: Any = None
        started = Started(handle=handle, workflow_id=workflow_id, run_id="r", link="", existing=False, trace_id=None)
        return started, Ended(exit=Exit.COMPLETED, result=self.results.pop(0))

    async def prepare(self, folder: Path, wanted: Sequence[tuple[GoalType, GoalInput]], order: Order) -> Copied:
        del folder, wanted
        self.orders.append(order)
        return Copied(told=["github acme/shop"])

    async def rehearsed_in(self, folder: Path) -> tuple[Found, ...]:
        del folder
        return self.found


def played(monkeypatch: pytest.MonkeyPatch, results: Sequence[dict[str, Any]], *found: Found) -> Played:
    playing = Played(results, found)
    monkeypatch.setattr(rehearse_plan, "_ran", playing.ran)
    monkeypatch.setattr(rehearse_plan, "prepare", playing.prepare)
    monkeypatch.setattr(rehearse_plan, "rehearsed_in", playing.rehearsed_in)
    return playing


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No environment is here."""
    monkeypatch.setenv("BANKSMAN_HOME", str(tmp_path / "s"))
    monkeypatch.setenv("COLUMNS", "1000")


PLAN: Final = plan_of(act=[delete("old"), LOOK])
BOUND: Final[dict[str, Any]] = {"outcome": "completed", "bound": plan(delete("old"), LOOK).value()}
ANSWERED: Final[dict[str, Any]] = {
    "outcome": "completed",
    "answer": "plan",
    "backend": "one",
    "model": "large",
    "prompt": "sha256:p",
    "requests": 1,
    "plan": PLAN,
    "lists": {"branch": ["old"]},
    "decisions": 3,
}


def test_words_are_planned_first_and_the_document_is_of_that_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    playing = played(monkeypatch, [ANSWERED, BOUND], Found(outcome="completed", effects=(EFFECT,), milliseconds=5))
    done = CliRunner().invoke(app, ["ask", "--rehearse", "Delete it.", "--json"])
    assert done.exit_code == 0, done.stderr
    asked, bound_for = (request for _, request in playing.asked)
    assert isinstance(asked, AskForInput)
    assert isinstance(bound_for, RunPlanInput)
    assert (asked.plan_only, bound_for.bind_only, bound_for.decisions) == (True, True, 3)
    (order,) = playing.orders
    found = json.loads(done.stdout)
    real = RunPlanInput.model_validate_json(Path(found["input"]).read_text())
    document = Rehearsal.model_validate(found["rehearsal"])
    assert [(one.goal, one.workflow_id) for one in order.goals] == [("DeleteBranch", f"{real.business_key()}/act/gone")]
    assert (document.of, real.said and real.said.text, real.lists) == (
        real.digest(),
        "Delete it.",
        {"branch": ("old",)},
    )
    assert [(one.id, one.effects, one.why is None) for one in document.steps] == [("gone", 1, True), ("look", 0, False)]
    assert RunPlanInput.model_validate({**dict(real), "rehearsal": document}).rehearsal == document
    assert "not rehearsed: InspectGpus reaches what is not copied" in done.stderr


def test_a_goal_that_does_not_complete_is_named_and_there_is_no_document(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    played(monkeypatch, [BOUND], Found(outcome="denied", why="nobody may", step="Delete", effects=(EFFECT,)))
    given = RunPlanInput(plan=PLAN).model_dump_json(exclude_defaults=True)
    done = CliRunner().invoke(app, ["rehearse", "RunPlan", "--input", given])
    assert done.exit_code == Exit.FAILED
    assert "the rehearsal of step 'gone' ended as denied at 'Delete', and nothing outside was touched" in done.stderr
    assert not (tmp_path / "s" / "rehearsals").exists()


def test_a_plan_that_cannot_be_bound_is_not_rehearsed(monkeypatch: pytest.MonkeyPatch) -> None:
    playing = played(monkeypatch, [{"outcome": "refused", "reason": "the plan has 1 mistake"}])
    given = RunPlanInput(plan=PLAN).model_dump_json(exclude_defaults=True)
    done = CliRunner().invoke(app, ["rehearse", "RunPlan", "--input", given])
    assert done.exit_code == Exit.INCOMPLETE
    assert "cannot be bound, so nothing was rehearsed: the plan has 1 mistake" in done.stderr
    assert playing.orders == []


def test_what_is_asked_back_is_told_and_nothing_is_rehearsed(monkeypatch: pytest.MonkeyPatch) -> None:
    asks = {"outcome": "refused", "answer": "question", "reason": "the planner asks: which branch?"}
    playing = played(monkeypatch, [asks])
    asking = rehearse_plan.planned(AskForInput(text="Delete it."), None, as_json=True)
    with pytest.raises(typer.Exit):
        asyncio.run(asking)
    assert (len(playing.asked), playing.orders) == (1, [])


def test_a_rehearsal_of_words_waits_for_nothing() -> None:
    done = CliRunner().invoke(app, ["ask", "--rehearse", "--wait", "Delete it."])
    assert (done.exit_code, "--rehearse goes with neither" in done.stderr) == (Exit.USAGE, True)
