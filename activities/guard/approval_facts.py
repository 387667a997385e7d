"""What the audit log keeps of an approval: who decided what. Light enough for workflow code.

Of a destructive step these are the decisions that the guard has just verified. Of the messages about an approval they
are what the approval tells of itself: good for following it, and no proof of anything.
"""

from typing import Annotated, Final, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

_MOST: Final = 50
"""As many decisions as a grant holds at most."""

Short = Annotated[str, StringConstraints(max_length=300)]


class DecidedBy(BaseModel):
    """One person's decision. Their words are not kept: they may hold anything."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    person: Short
    verdict: Short
    surface: Short


class ApprovalFacts(BaseModel):
    """One approval."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Short
    digest: Short = Field(description="Of the plan.")
    state: Short | None = Field(default=None, description="How it stands; None where its grant is used.")
    requester: Short | None = Field(default=None, description="Who asked.")
    rule: Short | None = Field(
        default=None,
        exclude_if=lambda value: value is None,  # so that lines from before it are spelled as they were
        description="The digest of the rule that was decided under, where decisions say it.",
    )
    decisions: Annotated[tuple[DecidedBy, ...], Field(max_length=_MOST)] = ()


@runtime_checkable
class HasApprovalFacts(Protocol):
    """A request that is about an approval."""

    def approval_facts(self) -> ApprovalFacts | None:
        """What to keep of it; None where it says too little or too much.

        Raises:
            ValueError: It is not one of this release.
        """
        ...
