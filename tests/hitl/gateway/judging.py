"""Goals that people judge, and what is kept of it, on the real server with a real gateway."""

import contextlib
import json
import secrets
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from activities.guard.opinion_facts import OpinionFacts
from activities.queues import TaskQueue
from hitl.gateway import opinions
from tests.connectors.slack.workspace import Json
from tests.hitl.gateway.parking import REQUEST
from tests.hitl.gateway.running import GOAL, Place, eventually, judging, slack_id
from tests.workflows.scripted import Steps, workers
from workers.gateway import Gateway
from workflows.catalogue import find_goal
from workflows.opinions.contracts import KeptOpinion, opinions_on

Goal = WorkflowHandle[Any, Any]


def know_the_tests_goal(monkeypatch: pytest.MonkeyPatch) -> None:
    """`TestRemove` is a goal of the catalogue, as far as the gateway is concerned."""
    monkeypatch.setattr(opinions, "find_goal", lambda name: GOAL if name == GOAL.name else find_goal(name))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType] - a name


@contextlib.asynccontextmanager
async def at_work(here: Place) -> AsyncGenerator[Gateway]:
    """Every worker and one gateway."""
    async with workers(here.client, Steps()), here.gateway() as gateway:
        yield gateway


async def ended_goal(here: Place) -> tuple[str, str]:
    """One that has ended: its id and its run."""
    goal = await here.client.start_workflow(
        "ReadFile", REQUEST, id=f"read-file/{secrets.token_hex(4)}", task_queue=TaskQueue.GOALS
    )
    await goal.result()
    return goal.id, (await goal.describe()).run_id


def kept(here: Place) -> list[OpinionFacts]:
    """What the gateway's audit file has, in its order."""
    path = here.folder / "audit" / "gateway.jsonl"
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [OpinionFacts.model_validate(one["opinion"]) for one in found if one.get("opinion")]


async def runs_of(here: Place, goal_run: str) -> int:
    """How many workflows there are that would keep an opinion on it, once the server's index is so far."""
    query = f"WorkflowType = 'Opinion' AND WorkflowId STARTS_WITH '{opinions_on(goal_run)}'"
    return (await here.client.count_workflows(query)).count


async def indexed(here: Place, goal_run: str, said: int) -> None:
    """Wait until the server's index has as many as were said: an earlier one may be there before a later one is."""

    async def so() -> bool:
        return await runs_of(here, goal_run) == said

    await eventually(so)


async def shown(gateway: Gateway, goal_run: str, *, count: int) -> list[KeptOpinion]:
    """What holds on a run, once there are so many."""
    found: list[KeptOpinion] = []

    async def so() -> bool:
        found[:] = await gateway.opinions.on(goal_run)
        return len(found) == count

    await eventually(so)
    return found


async def over(here: Place, gateway: Gateway) -> tuple[Goal, Json]:
    """A goal that an approval let go on, and its message when it is over."""
    goal, approval, message = await here.asked(gateway)
    await here.click("alice", message)
    await goal.result()
    return goal, await here.message(approval, lambda one: bool(judging(one)))


async def say_wrong(here: Place, person: str, message: Json, words: str) -> Json:
    """Open the form, and send it."""
    await here.click(person, message, "wrong")
    return await here.twin.act("submit", user=slack_id(person), values={"words": words})
