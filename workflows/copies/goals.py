"""What a rehearsal asks for before it begins: a copy of what stands at a provider."""

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from connectors.provider import copied
from hitl.hidden import nothing_hidden
from hitl.protocol import Effect
from workflows.contracts import GoalInput, GoalResult
from workflows.goal_type import GoalType

_BY_ITSELF: Final = "github"
"""Its repositories are copied by `CopyRepository`."""


def _copyable(value: str) -> str:
    known = sorted(copied().keys() - {_BY_ITSELF})
    if value not in known:
        raise ValueError(f"{value!r} is not copied by this goal; it copies {', '.join(known)}")
    return value


class CopyStateInput(GoalInput):
    """Copy what stands at a provider into the artifact store, for a rehearsal: no secret, and no data."""

    provider: Annotated[str, AfterValidator(_copyable)] = Field(description="Its name, as in `banksman catalog`.")
    part: Annotated[str, AfterValidator(nothing_hidden)] = Field(
        default="",
        max_length=200,
        description="Of Neon the project; of Qdrant `@` and the cluster whose collections are copied, or the package "
        "that is priced, as PROVIDER/REGION/PACKAGE; of Estuary the prefix. All of the account when left out.",
    )

    def business_key(self) -> str:
        """`copy-state/PROVIDER`, and `/PART`."""
        return f"copy-state/{self.provider}/{self.part}".rstrip("/")

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"Copy {self.part or 'all'} of {self.provider} for a rehearsal"


class CopyStateResult(GoalResult):
    """Where the copy lies."""

    provider: str = Field(description="As it was asked for.")
    part: str = Field(default="", description="As it was asked for.")
    described: str | None = Field(default=None, description="The artifact with the copy.")
    size: int | None = Field(default=None, description="Bytes of it.")
    told: str | None = Field(default=None, description="What was copied, and how it stood.")


COPY_STATE: Final = GoalType(
    name="CopyState",
    input=CopyStateInput,
    result=CopyStateResult,
    effect=Effect.READ,
    example=CopyStateInput(provider="upstash"),
)
