"""An opinion that is kept, and one that nobody vouches for: the gateway's step is played."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from temporalio import activity
from temporalio.client import Client, WorkflowFailureError, WorkflowHistory
from temporalio.worker import Worker

from activities.guard.error_types import ErrorType, application_error
from activities.queues import TaskQueue
from tests.workflows.scripted import Steps, workers
from workflows.opinions.contracts import (
    KEEP_OPINION,
    OPINION_WORKFLOW,
    GivenOpinion,
    KeepOpinion,
    KeptOpinion,
    opinions_on,
)

RUN: Final = "01a22766-9817-7000-8000-000000000000"
GIVEN: Final = GivenOpinion(goal="read-file/acme/shop/README.md", goal_run=RUN, verdict="wrong", words="not this one")
KEPT: Final = KeptOpinion(
    goal=GIVEN.goal,
    goal_run=RUN,
    person="alice",
    verdict="wrong",
    words=GIVEN.words,
    surface="slack",
    said_at=datetime(2026, 11, 29, 12, tzinfo=UTC),
)


@dataclass(frozen=True)
class Judging:
    """One run.

    Attributes:
        name: The file's name.
        answer: What the gateway says.
    """

    name: str
    answer: KeptOpinion | None

    def recorded(self) -> set[tuple[str, str]]:
        """The history that is kept of it, by folder and name."""
        return {(OPINION_WORKFLOW, self.name)}

    async def run(self, client: Client) -> WorkflowHistory:
        """Run it to its end."""
        async with workers(client, Steps()), self._gateway(client):
            handle = await client.start_workflow(
                OPINION_WORKFLOW, GIVEN, id=f"{opinions_on(RUN)}{self.name}", task_queue=TaskQueue.GOALS
            )
            with contextlib.suppress(WorkflowFailureError):
                await handle.result()
            return await handle.fetch_history()

    @contextlib.asynccontextmanager
    async def _gateway(self, client: Client) -> AsyncGenerator[None]:
        @activity.defn(name=KEEP_OPINION.name)
        async def keep(request: KeepOpinion) -> KeptOpinion:
            del request
            if self.answer is None:
                raise application_error(ErrorType.INVALID_REQUEST, "nobody vouches for who says this")
            return self.answer

        async with Worker(client, task_queue=TaskQueue.HITL, activities=[keep]):
            yield


JUDGINGS: Final = (Judging("kept", KEPT), Judging("nobodys", None))
