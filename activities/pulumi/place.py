"""Which Pulumi stack is meant, as goals and steps say it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hitl.protocol import PolicyContext

StackName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}$")]


class StackPlace(BaseModel):
    """Which stack, of which project in which repository."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str = Field(description="OWNER/NAME.")
    folder: str = Field(default=".", description="Of the project, from the root of the repository.")
    stack: StackName

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext.of_repository(self.repository).model_copy(update={"resource": self.stack})
