"""The bad days of a language model, as a cue of the score names them.

Some refuse the request, before it costs anything. The others spoil an answer that is billed.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from connectors.models.twin.refusals import Kind, Refusal


class _Fault(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Refusing(_Fault):
    """Instead of an answer, and not billed."""


class RateLimited(_Refusing):
    """Too many requests."""

    kind: Literal["rate_limited"]
    retry_after: float | None = Field(default=None, ge=0, description="Seconds; None: nothing is said of it.")


class Overloaded(_Refusing):
    """The provider has no capacity: 529 at Anthropic, 503 elsewhere."""

    kind: Literal["overloaded"]
    retry_after: float | None = Field(default=None, ge=0, description="Seconds; None: nothing is said of it.")


class ContextTooLong(_Refusing):
    """The conversation does not fit the model, in the provider's words."""

    kind: Literal["context_too_long"]


class Failing(_Refusing):
    """An error inside the provider."""

    kind: Literal["failing"]


class Slow(_Fault):
    """The first byte comes late. Who hangs up meanwhile is not billed: the request was still in the queue."""

    kind: Literal["slow"]
    seconds: float = Field(ge=0, le=600)


class Silent(_Fault):
    """Nothing is ever answered, and it is billed."""

    kind: Literal["silent"]


class Cut(_Fault):
    """The answer ends in its middle."""

    kind: Literal["cut"]
    after: int | None = Field(default=None, ge=0, description="Events that still arrive; None: half of them.")
    politely: bool = Field(
        default=False, description="Whether HTTP ends as it should: a stream without its last events."
    )


class Interrupted(_Fault):
    """A stream that has begun ends with the event of an error; in place of an answer in one piece it is overloaded."""

    kind: Literal["interrupted"]
    after: int | None = Field(default=None, ge=0, description="Events that still arrive; None: half of them.")


class BrokenArguments(_Fault):
    """The arguments of a call end in their middle.

    Where a wire carries them as an object they are empty, and the answer says that its length ended it. Ollama tells
    as text what it cannot read as a call.
    """

    kind: Literal["broken_arguments"]


class WrongUsage(_Fault):
    """The answer tells other tokens than are billed."""

    kind: Literal["wrong_usage"]
    input: int = Field(ge=0)
    output: int = Field(ge=0)


class Filtered(_Fault):
    """A filter ends the answer after its first words."""

    kind: Literal["filtered"]


class Refused(_Fault):
    """The model declines, and what it would have said is its reason."""

    kind: Literal["refused"]


Refusing = RateLimited | Overloaded | ContextTooLong | Failing
Spoiling = Slow | Silent | Cut | Interrupted | BrokenArguments | WrongUsage | Filtered | Refused
Fault = Annotated[Refusing | Spoiling, Field(discriminator="kind")]

_KINDS: Final[dict[type[_Refusing], Kind]] = {
    RateLimited: Kind.RATE_LIMITED,
    Overloaded: Kind.OVERLOADED,
    ContextTooLong: Kind.TOO_LONG,
    Failing: Kind.FAILING,
}


def refusal(fault: Refusing) -> Refusal:
    """How the stage refuses."""
    retry_after = fault.retry_after if isinstance(fault, RateLimited | Overloaded) else None
    return Refusal(_KINDS[type(fault)], retry_after=retry_after)
