"""The steps around an investigator, as the goal `Investigate` calls them: what it is told, and what its answer holds.

What a tool found, and every word of the model, is a stranger's text. It lies in the artifact store; a history has the
references.
"""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from activities.agent.planning_contracts import Reference
from activities.step import Step
from hitl.plan_language.mistakes import Mistake
from hitl.protocol import Effect

MOST_RESULT: Final = 16 * 1024
"""Bytes of one tool's result that a model is told; the rest is left out, and it is told so."""
MOST_CLAIMS: Final = 20
MOST_EVIDENCE: Final = 5
"""Pieces of evidence of one claim."""
MOST_WORDS: Final = 500
"""Characters of one claim, of one quotation, of one thing that could not be looked at."""
SHORTEST_QUOTE: Final = 4
"""Characters. Less of a result is no evidence, unless it is all of it."""


class BriefInvestigatorRequest(BaseModel):
    """What was asked, and what may be looked at."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    question: str
    goal: str | None = None
    repositories: tuple[str, ...] = Field(default=(), description="That may be looked into.")


class InvestigatorBriefed(BaseModel):
    """What a model is told first, as artifacts, and what the deployment has to look at."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    instructions: Reference = Field(description="Rules. The reference is their digest.")
    told: Reference = Field(description="What was asked, and what cannot be looked at here.")
    size: int = Field(description="Bytes of both.")
    logs: bool = Field(default=False, description="Whether there is a store of log lines that can be asked.")
    metrics: bool = Field(default=False, description="Whether there is one of numbers.")
    sandbox: bool = Field(default=True, description="Whether a worker runs goals that need the sandbox, or stacks.")
    absent: tuple[str, ...] = Field(default=(), description="What is not there, each with the way to have it.")


class ToKeep(BaseModel):
    """What one tool gave: by reference where it is long."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(description="By which a claim names it, as in `r3`.")
    tool: str
    text: str = ""
    reference: Reference | None = None
    failed: bool = False
    from_line: int = Field(default=1, ge=1, description="What comes before it is left out.")


class KeepResultsRequest(BaseModel):
    """What the tools of one turn gave."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    results: tuple[ToKeep, ...]


class Kept(BaseModel):
    """One of them as a model is told it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    reference: Reference = Field(description="The result between two marks, without secrets, and cut where it is long.")
    size: int = Field(description="Bytes of all that the model is told.")
    cut: bool = False


class ResultsKept(BaseModel):
    """All of them, in their order."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    results: tuple[Kept, ...] = ()


class ReadFindingsRequest(BaseModel):
    """What a model answered, and every result that it was told in this run."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    answer: Reference
    results: dict[str, Reference] = Field(description="By their ids.")
    words: tuple[str, ...] = Field(default=(), description="What people wrote.")


class Evidence(BaseModel):
    """A piece of one result."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    result: str = Field(description="The id of a tool's result in this run, as in `r3`.")
    quote: str = Field(description="What stands there. A stranger's words.")


class Claim(BaseModel):
    """One thing that the model says."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    says: str = Field(description="In its own words.")
    evidence: tuple[Evidence, ...] = ()
    proved: bool = Field(
        default=False,
        description="Whether each quotation stands in the result that is named. That the claim follows from it, "
        "nobody has looked at.",
    )


class SuggestedPlan(BaseModel):
    """A plan of goals that the model suggests. It is shown, and nothing runs it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    plan: dict[str, JsonValue]
    effect: Effect = Field(description="The strongest of its steps.")
    nobody_named: tuple[Mistake, ...] = Field(
        default=(), description="Each value that says what is touched, and stands in no words of people."
    )


class FindingsRead(BaseModel):
    """What an answer comes to."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    usable: bool = Field(default=False, description="Whether it has the form of an answer.")
    claims: tuple[Claim, ...] = ()
    unknown: str = Field(default="", description="Why the question is not answered, in the model's words.")
    not_looked_at: tuple[str, ...] = ()
    suggested: SuggestedPlan | None = None
    mistakes: tuple[Mistake, ...] = Field(default=(), description="What a model is told to mend.")
    more_mistakes: int = Field(default=0, description="How many there are besides.")


BRIEF_INVESTIGATOR: Final = Step(
    name="agent.brief_investigator",
    request=BriefInvestigatorRequest,
    response=InvestigatorBriefed,
    effect=Effect.READ,
)
KEEP_RESULTS: Final = Step(
    name="agent.keep_results", request=KeepResultsRequest, response=ResultsKept, effect=Effect.READ
)
READ_FINDINGS: Final = Step(
    name="agent.read_findings", request=ReadFindingsRequest, response=FindingsRead, effect=Effect.READ
)
