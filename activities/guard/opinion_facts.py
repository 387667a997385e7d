"""What the audit log keeps of an opinion: who said what of which goal. Their words are kept as a digest alone."""

from typing import Annotated, Final, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, StringConstraints

from hitl.canonical import tagged_digest

OpinionVerdict = Literal["useful", "wrong"]
WORDS_TAG: Final = "banksman-opinion-words/v1"
"""Before the words that are digested: by it, whoever has them can make the digest again."""


class OpinionFacts(BaseModel):
    """One person's opinion of one run of a goal, as the gateway verified it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    goal: Annotated[str, StringConstraints(max_length=1000)]
    goal_run: Annotated[str, StringConstraints(max_length=100)]
    person: Annotated[str, StringConstraints(max_length=100)]
    verdict: OpinionVerdict
    words: Annotated[str, StringConstraints(max_length=100)]
    surface: Annotated[str, StringConstraints(max_length=30)]
    said_at: Annotated[str, StringConstraints(max_length=40)]
    """In UTC, with microseconds: of two opinions of one person the later one counts, in whatever order they came."""


@runtime_checkable
class HasOpinionFacts(Protocol):
    """An answer that is a verified opinion."""

    def opinion_facts(self) -> OpinionFacts:
        """What to keep of it."""
        ...


def words_digest(words: str) -> str:
    """Of what a person wrote."""
    return tagged_digest(WORDS_TAG, words)
