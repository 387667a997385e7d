"""What a step is asked and answers that copies a provider's state, the same for each; every provider declares its own.

    COPY_STATE = copy_step(manifest.UPSTASH.name, manifest.READ, CopyStateRequest)

in its `contracts`, by which a rehearsal finds it. It reads with the credential that reads, and answers no state: that
goes into the artifact store.
"""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field

from activities.step import Step
from connectors.provider import Credential
from hitl.protocol import Effect, PolicyContext


class CopyStateRequest(BaseModel):
    """What to copy."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    part: str = Field(default="", description="A project, a prefix, `@` and a database; empty for the account.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(resource=self.part or None)


class CopyProjectRequest(CopyStateRequest):
    """What to copy, where a part of an account is an account of its own for policies, as everywhere else."""

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(account=self.part or None)


Asked = TypeVar("Asked", bound=CopyStateRequest)


class StateCopied(BaseModel):
    """Where the copy lies."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    described: str = Field(description="The artifact that holds it.")
    size: int = Field(description="Bytes of it.")
    told: str = Field(description="What was copied, and how it stood.")


def copy_step(
    provider: str, credential: Credential, request: type[Asked], *, what: str = "state"
) -> Step[Asked, StateCopied]:
    """The step that copies one provider's state, declared.

    Args:
        provider: Its name.
        credential: One that reads.
        request: What it is asked, by what policies match the part by.
        what: What it copies, where what one database is made of is read with another key.
    """
    return Step(
        name=f"{provider}.copy_{what}", request=request, response=StateCopied, effect=Effect.READ, credential=credential
    )
