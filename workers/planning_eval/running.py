"""Asks the sentences of an evaluation, by a worker of its own for the workflow and the deployment's for every step."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.exceptions import TimeoutError as TookTooLong
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities.models.contracts import ModelFound
from hitl.plan_language.catalogue import Catalogue
from workers.planning_eval.contracts import PLAN_SENTENCE, PlanSentence, SentencePlanned
from workers.planning_eval.outcomes import Outcome, Verdict, outcome_of
from workers.planning_eval.report import MICROS, Report
from workers.planning_eval.sentence import PlanSentenceWorkflow
from workers.planning_eval.sentences import REPOSITORIES, STACKS, Sentence

IN_VAIN: Final = 5
"""Sentences without an answer, one after the other, after which no further one is asked."""
_LONGEST: Final = timedelta(minutes=30)

Keep = Callable[[Report], None]
"""Writes the report down, after each outcome."""
Tell = Callable[[Outcome, Report], None]


class Stopped(Exception):
    """It cannot go on. The message says why; what is done is kept."""


@dataclass
class Evaluation:
    """One evaluation, or what is left of it.

    Attributes:
        client: Of Temporal.
        model: Who is asked.
        sentences: The whole set.
        catalogue: The goals of this release.
        keep: See `Keep`.
        tell: Likewise, for who watches.
        at_once: How many sentences are asked beside each other.
        most_usd: Once so much is spent, no further sentence is begun; None for no limit.
    """

    client: Client
    model: ModelFound
    sentences: Sequence[Sentence]
    catalogue: Catalogue
    keep: Keep
    tell: Tell
    at_once: int = 1
    most_usd: float | None = None
    _name: str = field(default_factory=lambda: secrets.token_hex(6))
    _in_vain: int = 0

    async def run(self, report: Report) -> Report:
        """Ask all that is left.

        Args:
            report: As far as it is.

        Raises:
            Stopped: Nobody answers, a step of the planner's own fails, or the money is spent.
        """
        left = list(report.left)
        async with self._worker() as queue:
            under_way: set[asyncio.Task[Outcome]] = set()
            try:
                while left or under_way:
                    while left and len(under_way) < self.at_once:
                        self._require_money(report)
                        under_way.add(asyncio.create_task(self._ask(left.pop(0), report.head.corrections, queue)))
                    done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                    for one in done:
                        report = self._noted(report, one.result())
            finally:
                for one in under_way:
                    one.cancel()
                await asyncio.gather(*under_way, return_exceptions=True)
        return report

    def _noted(self, report: Report, outcome: Outcome) -> Report:
        report = report.with_one(outcome, datetime.now(UTC))
        self.keep(report)
        self.tell(outcome, report)
        self._in_vain = self._in_vain + 1 if outcome.verdict is Verdict.NO_ANSWER else 0
        if self._in_vain >= IN_VAIN:
            raise Stopped(f"{self._in_vain} sentences one after the other had no answer; the last: {outcome.answer}")
        return report

    def _require_money(self, report: Report) -> None:
        spent = sum(one.cost_micros for one in report.outcomes) / MICROS
        if self.most_usd is not None and spent >= self.most_usd:
            raise Stopped(f"${spent:.4f} are spent, and ${self.most_usd:g} was the most")

    @asynccontextmanager
    async def _worker(self) -> AsyncGenerator[str]:
        queue = f"banksman-eval-{self._name}"
        async with Worker(self.client, task_queue=queue, workflows=[PlanSentenceWorkflow]):
            yield queue

    async def _ask(self, number: int, corrections: int, queue: str) -> Outcome:
        sentence = self.sentences[number - 1]
        request = PlanSentence(
            text=sentence.ask, repositories=REPOSITORIES, stacks=STACKS, corrections=corrections, model=self.model
        )
        handle = await self.client.start_workflow(
            PLAN_SENTENCE,
            request,
            id=f"eval/{self._name}/{number}",
            task_queue=queue,
            execution_timeout=_LONGEST,
            result_type=SentencePlanned,
        )
        try:
            planned = await self._planned(handle)
        except asyncio.CancelledError:
            with contextlib.suppress(RPCError):  # it ends by itself, then
                await handle.terminate("the evaluation was stopped")
            raise
        return outcome_of(number, sentence, planned, self.catalogue)

    async def _planned(self, handle: WorkflowHandle[Any, SentencePlanned]) -> SentencePlanned:
        try:
            return await handle.result()
        except WorkflowFailureError as error:
            if isinstance(error.cause, TookTooLong):
                return SentencePlanned(why=f"there was no answer within {_LONGEST.total_seconds() / 60:g} minutes")
            raise Stopped(f"the planner's own steps fail: {_message(error.cause)}") from error


def _message(cause: BaseException | None) -> str:
    return cause.message if isinstance(cause, ApplicationError | FailureError) else str(cause)
