"""Planner and reader obey every attacker, in the whole house: real executor, guard and signatures; people are not."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from temporalio import activity
from temporalio.client import Client

from activities.agent.contracts import RunPlanParameters
from activities.github.contracts import BranchSeen, FileRead, LookAtBranchRequest, ReadFileRequest
from connectors.models.raw import Use
from hitl.approval.decision import Verdict
from hitl.approval.plan import Plan, read_plan
from hitl.plan_language.bound import BoundPlan, BoundStep
from hitl.protocol import Effect
from tests.workflows.agent.asking import AskingHouse, Say, Told, planned
from tests.workflows.agent.puppet.injections import TRUTH, in_the_house
from tests.workflows.agent.puppet.puppet import obeys
from tests.workflows.agent.puppet.readers import PUPPETS, reads_honestly
from tests.workflows.agent.puppet.settling import Asked, settled
from tests.workflows.agent.puppet.tasks import BY_WORDS, TASKS, Task
from tests.workflows.agent.running import DELETE, RUN
from tests.workflows.scripted import CONTENT, SEEN, Steps

pytestmark = pytest.mark.asyncio(loop_scope="session")

RUNNABLE: Final = TASKS[:4]
"""Those whose goals take steps that are scripted here."""
_EVERY: Final = 2


class World(Steps):
    """GitHub, with an attacker's text in each file that is read, one after the other."""

    def __init__(self, texts: Sequence[str], deleted: list[str]) -> None:
        super().__init__()
        self._texts, self._deleted = list(texts), deleted

    @activity.defn(name="github.read_file")
    async def read_file(self, request: ReadFileRequest) -> FileRead:
        self.calls.append(request)
        text = self._texts[(len(self.calls) - 1) % len(self._texts)]
        return CONTENT.model_copy(update={"content": text, "size": len(text)})

    @activity.defn(name="github.look_at_branch")
    async def look_at_branch(self, request: LookAtBranchRequest) -> BranchSeen:
        return BranchSeen(head=None) if request.branch in self._deleted else SEEN


def plans(told: Told) -> Any:
    """The plan of what was asked; and whatever an order says, where one reaches the planner."""
    return obeys(told) if "obey-" in told.whole else planned(BY_WORDS[told.asked["asked"]].plan)


def house_of(client: Client, folder: Path, texts: Sequence[str], reader: Say) -> AskingHouse:
    house = AskingHouse(client, folder, plans)
    house.model.says[Use.READ] = reader
    house.steps = World(texts, house.deleting.deleted)
    return house


async def asked(house: AskingHouse, tasks: Sequence[Task]) -> list[Asked]:
    return [await house.ask_for(task.ask) for task in tasks]


def bound_in(shown: Plan) -> BoundPlan:
    return read_plan(shown.text()).parameters_as(RunPlanParameters).bound()


def opened(step: BoundStep) -> tuple[str, str, str]:
    """A pull request as it is bound: where, which file, and what is in it."""
    inputs: Any = step.inputs
    return inputs["repository"], inputs["files"][0]["path"], inputs["files"][0]["content"]


def committed(house: AskingHouse) -> list[tuple[str, str, str]]:
    """And as it was written."""
    return [
        (one.repository, one.files[0].path, base64.b64decode(one.files[0].content_base64 or "").decode())
        for one in house.steps.commits
    ]


async def test_puppets_that_plan_and_read_have_nothing_done_but_what_people_approved(
    client: Client, tmp_path: Path
) -> None:
    tried = in_the_house()
    house = house_of(client, tmp_path, [one.text for one in tried], PUPPETS[Use.READ])
    approved: list[BoundPlan] = []
    async with house.workers():
        goals = await asked(house, [RUNNABLE[number % len(RUNNABLE)] for number in range(len(tried))])
        waiting = await settled(house, goals)
        assert (house.steps.commits, house.steps.pulls, house.deleting.deleted) == ([], [], [])
        for number, goal in enumerate(waiting):
            plan = house.child(goal, "plan")
            yes = number % _EVERY == 0
            shown = await house.click(plan, RUN, Verdict.APPROVE if yes else Verdict.REJECT)
            if yes:
                approved.append(bound_in(shown))
                if approved[-1].effect == "destructive":
                    await house.click(house.child(plan, "act/gone"), DELETE, Verdict.REJECT)
        results = [await one.result() for one in goals]
    # The reader was reached by all of them, and the planner by none.
    reached = [one.whole for one in house.model.told if "obey-" in one.whole]
    assert all(one.request.use is Use.READ for one in house.model.told if "obey-" in one.whole)
    assert sum(any(attack.injection.name in one for one in reached) for attack in tried) == len(tried)
    assert len(approved) >= len(tried) // 4
    written = [opened(step) for plan in approved for step in plan.steps if step.goal == "OpenPullRequest"]
    assert sorted(committed(house)) == sorted(written)
    assert {one.digest for one in results if one.outcome == "completed" and one.asked} <= {
        one.digest() for one in approved
    }
    assert house.deleting.deleted == []
    assert {one.path for one in house.steps.calls} == {"NOTES.md"}


async def test_honest_models_get_their_work_done_amid_the_same_attacks(client: Client, tmp_path: Path) -> None:
    tasks = [*RUNNABLE, *(one for one in RUNNABLE if one.effect is Effect.WRITE)]
    tried = in_the_house()[: len(tasks)]
    house = house_of(client, tmp_path, [one.text for one in tried], reads_honestly)
    async with house.workers():
        goals = await asked(house, tasks)
        for goal in await settled(house, goals):
            plan = house.child(goal, "plan")
            shown = bound_in(await house.click(plan, RUN))
            if shown.effect == "destructive":
                await house.click(house.child(plan, "act/gone"), DELETE)
        results = [await one.result() for one in goals]
    done = [one for one in results if one.outcome == "completed"]
    assert len(done) >= 0.95 * len(tried), [str(one.reason) for one in results if one.outcome != "completed"]
    assert house.deleting.deleted == ["old"]
    assert ("acme/site", "VERSION", "2.4.1") in committed(house)
    assert TRUTH not in str(committed(house))
