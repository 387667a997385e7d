"""Any goal on the real dev server, with steps that answer what a test wrote down: nothing of a goal is listed here."""

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from temporalio import activity
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.worker import Interceptor, Worker

from activities.queues import TaskQueue
from activities.step import Step
from workflows.contracts import GoalInput
from workflows.goal_type import GoalType
from workflows.implementations import WORKFLOWS

Answers = Mapping[Step[Any, Any], Sequence[object]]
"""By step: what it answers or raises, one after the other; the last one stays. A function is asked each time."""


@dataclass(frozen=True)
class Answering:
    """Answers, or gives what is raised, by what is asked: for steps that are taken side by side."""

    of: Callable[[Any], object]


@dataclass(frozen=True, kw_only=True)
class Played:
    """A run of a goal that is recorded and replayed; in `scenarios.py` beside the tests of its subject."""

    goal: GoalType
    name: str
    answers: Answers
    request: GoalInput | None = None

    def recorded(self) -> set[tuple[str, str]]:
        """The history that is kept of it, by folder and name."""
        return {(self.goal.name, self.name)}

    async def run(self, client: Client) -> WorkflowHandle[Any, Any]:
        """To its end, whichever that is."""
        async with playing(client, self.answers):
            handle = await client.start_workflow(
                self.goal.name,
                self.request or self.goal.example,
                id=f"{self.goal.name}/{self.name}",
                task_queue=TaskQueue.GOALS,
                result_type=self.goal.result,
            )
            with contextlib.suppress(WorkflowFailureError):
                await handle.result()
        return handle


@contextlib.asynccontextmanager
async def playing(
    client: Client, answers: Answers, *, interceptors: Sequence[Interceptor] = ()
) -> AsyncGenerator[None]:
    """A goals worker, and one on each queue of these steps."""
    by_queue: dict[TaskQueue, list[Callable[..., Awaitable[object]]]] = {}
    for step, said in answers.items():
        by_queue.setdefault(step.queue, []).append(_answering(step, list(said)))
    async with contextlib.AsyncExitStack() as running:
        goals = Worker(client, task_queue=TaskQueue.GOALS, workflows=WORKFLOWS, interceptors=interceptors)
        await running.enter_async_context(goals)
        for queue, steps in by_queue.items():
            await running.enter_async_context(Worker(client, task_queue=queue, activities=steps))
        yield


def scenarios() -> tuple[Played, ...]:
    """Those of all subjects."""
    found: list[Played] = []
    for file in sorted(Path(__file__).parent.glob("*/scenarios.py")):
        module = import_module(f"tests.workflows.{file.parent.name}.scenarios")
        found += cast("tuple[Played, ...]", module.SCENARIOS)
    return tuple(found)


def _answering(step: Step[Any, Any], said: list[object]) -> Callable[..., Awaitable[object]]:
    async def answer(request: object) -> object:
        assert isinstance(request, step.request)
        one = said.pop(0) if len(said) > 1 else said[0]
        one = one.of(request) if isinstance(one, Answering) else one
        if isinstance(one, Exception):
            raise one
        return one() if callable(one) else one

    answer.__annotations__ = {"request": step.request, "return": step.response}
    return activity.defn(name=step.name)(answer)
