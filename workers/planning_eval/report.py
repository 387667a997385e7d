"""The report of an evaluation as one value: kept after every sentence, so that whoever stops loses none. Pure."""

from collections import Counter
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from workers.planning_eval.outcomes import RIGHT, Outcome, Verdict

MICROS: Final = 1_000_000


class Head(BaseModel):
    """What was asked of whom: two parts of one report have to agree in all of it.

    Attributes:
        model: `backend/model`.
        sentences: The digest of the planning set.
        asked: The numbers of the sentences, from 1.
        corrections: How often an answer is given back.
        priced: Whether anybody knows what the model costs.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: str
    sentences: str
    asked: tuple[int, ...]
    corrections: int
    priced: bool


class Figures(BaseModel):
    """What it comes to.

    Attributes:
        asked: Sentences with an outcome.
        right: An exact plan, or a question or refusal in its place.
        plans: Sentences that a plan was to come of.
        exact: Of those, exact ones.
        right_goal: Of those, with the right goals in their order, whatever the inputs.
        no_plans: Sentences that were to be asked back or refused.
        held_back: Of those, how many came to a question or a refusal, the right or the other one.
        wrong_destructive: Plans that destroy and are not what was to come. To be 0.
        corrected: Answers that were mended after they were given back.
        verdicts: How many of each.
        mistakes: How many of each kind, in all answers.
        requests: To the model.
        cost_usd: At most.
        seconds: Of all sentences together.
        prompts: Digests of the instructions: more than one where a release came in between.
        answered_by: Names of the model as the backend says them.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    asked: int
    right: int
    plans: int
    exact: int
    right_goal: int
    no_plans: int
    held_back: int
    wrong_destructive: int
    corrected: int
    verdicts: dict[str, int]
    mistakes: dict[str, int]
    requests: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    seconds: float
    prompts: tuple[str, ...]
    answered_by: tuple[str, ...]


class Report(BaseModel):
    """All of it.

    Attributes:
        began_at: When the first part was begun.
        ended_at: When the last outcome was written down.
        release: Of the command.
        outcomes: Of each sentence that was asked.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    head: Head
    began_at: datetime
    ended_at: datetime
    release: str
    outcomes: tuple[Outcome, ...] = Field(default=())

    def with_one(self, outcome: Outcome, now: datetime) -> "Report":
        """The same with one outcome more, in the order of the set."""
        outcomes = tuple(sorted((*self.outcomes, outcome), key=lambda one: one.number))
        return self.model_copy(update={"outcomes": outcomes, "ended_at": now})

    @property
    def left(self) -> tuple[int, ...]:
        """The numbers of the sentences that are still to be asked; one without an answer is asked anew."""
        done = {one.number for one in self.outcomes}
        return tuple(one for one in self.head.asked if one not in done)

    @property
    def finished(self) -> bool:
        """Whether every sentence has its outcome."""
        return not self.left

    def without_unanswered(self) -> "Report":
        """The same, where sentences without an answer count as not asked: to go on after an outage."""
        kept = tuple(one for one in self.outcomes if one.verdict is not Verdict.NO_ANSWER)
        return self.model_copy(update={"outcomes": kept})

    def figures(self) -> Figures:
        """What it comes to."""
        found = self.outcomes
        plans = [one for one in found if one.expected == "plan"]
        others = [one for one in found if one.expected != "plan"]
        mistakes: Counter[str] = Counter()
        for one in found:
            mistakes.update(one.mistakes)
        return Figures(
            asked=len(found),
            right=sum(one.verdict in RIGHT for one in found),
            plans=len(plans),
            exact=sum(one.verdict is Verdict.EXACT for one in plans),
            right_goal=sum(one.verdict in {Verdict.EXACT, Verdict.OTHER_INPUTS} for one in plans),
            no_plans=len(others),
            held_back=sum(one.verdict in {Verdict.ASKED, Verdict.REFUSED, Verdict.HELD_BACK} for one in others),
            wrong_destructive=sum(one.wrong_destructive for one in found),
            corrected=sum(one.corrected for one in found),
            verdicts={one.value: count for one in Verdict if (count := sum(each.verdict is one for each in found))},
            mistakes=dict(sorted(mistakes.items())),
            requests=sum(one.requests for one in found),
            input_tokens=sum(one.input_tokens for one in found),
            output_tokens=sum(one.output_tokens for one in found),
            cost_usd=sum(one.cost_micros for one in found) / MICROS,
            seconds=round(sum(one.seconds for one in found), 1),
            prompts=tuple(sorted({one.prompt for one in found if one.prompt})),
            answered_by=tuple(sorted({one.answered_by for one in found if one.answered_by})),
        )


class Kept(BaseModel):
    """The report as its file has it: with its figures, for who only reads."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    finished: bool
    figures: Figures
    report: Report

    @classmethod
    def of(cls, report: Report) -> "Kept":
        """With its figures."""
        return cls(finished=report.finished, figures=report.figures(), report=report)
