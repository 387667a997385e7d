"""How an approved step ended, as its own answer says it. Whatever people are told of it comes from here.

That a step answered does not say that it did what was approved: an update may have been refused, or stopped half way.
Light enough for workflow code.
"""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

Way = Literal["completed", "refused", "partially_applied", "unknown", "denied", "cancelled", "failed"]
"""As goals' outcomes are called, where one is meant; the last three are of steps that gave no answer."""

_NAMED: Final = 3
"""Things of each list that a sentence names; the others are counted."""
_HEADLINES: Final[dict[Way, str]] = {
    "completed": "carried out",
    "refused": "refused, and nothing was changed",
    "partially_applied": "carried out in part",
    "unknown": "in doubt: nobody can say whether it was carried out",
    "denied": "not carried out",
    "cancelled": "cancelled while it was carried out",
    "failed": "not carried out",
}


def headline(way: Way) -> str:
    """How every sentence about such an end begins."""
    return _HEADLINES[way]


class StepEnd(BaseModel):
    """The end of one approved step. Every text was made visible before.

    Attributes:
        way: In one word, for programs.
        why: What stood in its way, the cause first; a refusal names the resource.
        next_step: What a person does now.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    way: Way
    too_late: bool = Field(default=False, description="It was cancelled, and ended so all the same.")
    why: str = ""
    done: tuple[str, ...] = ()
    not_done: tuple[str, ...] = ()
    unplanned: tuple[str, ...] = Field(default=(), description="Done, and not in the plan.")
    failed: tuple[str, ...] = ()
    in_doubt: tuple[str, ...] = ()
    next_step: str = ""

    def sentence(self) -> str:
        """One line for people: how it ended, what was done, what was not and what is in doubt, and why."""
        lists = (
            ("done", self.done),
            ("failed", self.failed),
            ("in doubt", self.in_doubt),
            ("not in the plan and done", self.unplanned),
            ("not done", self.not_done),
        )
        # What was done as planned needs no list; everything else is what a person has to look at.
        counted = [_counted(words, items, named=self.way != "completed") for words, items in lists if items]
        headline = _HEADLINES[self.way] + (", although it was cancelled meanwhile" if self.too_late else "")
        told = headline + (("; " if ":" in headline else ": ") + "; ".join(counted) if counted else "")
        return f"{told}. Why: {self.why}" if self.why else told


class ApprovedAnswer(BaseModel):
    """What a destructive step answers."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def end(self) -> StepEnd:
        """How the step ended. One that answers only where all was done, as most do, needs not say so."""
        return StepEnd(way="completed")


def _counted(words: str, items: tuple[str, ...], *, named: bool) -> str:
    if not named:
        return f"{len(items)} {words}"
    more = f" and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return f"{len(items)} {words} ({', '.join(items[:_NAMED])}{more})"
