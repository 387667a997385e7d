"""Which Pulumi stack is meant, as goals and steps say it."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from hitl.protocol import PolicyContext

_STACK: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")


def _stack(value: str) -> str:
    if not _STACK.fullmatch(value):
        msg = f"{value!r} is not the name of a stack; write for example dev, without its project"
        raise ValueError(msg)
    return value


StackName = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_stack)]


class StackPlace(BaseModel):
    """Which stack, of which project in which repository."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str = Field(description="OWNER/NAME.")
    folder: str = Field(default=".", description="Of the project, from the root of the repository.")
    stack: StackName

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext.of_repository(self.repository).model_copy(update={"resource": self.stack})
