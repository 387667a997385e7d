"""The step by which a deployment's policy lets something be lost of which no snapshot is made, as goals take it."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from activities.step import Step
from hitl.protocol import Effect, PolicyContext


class WaiveSnapshot(BaseModel):
    """What may be lost."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str = Field(description="OWNER/NAME of the program that would lose it.")
    resource: str = Field(max_length=200, description="What it changes: a stack, as PROJECT/STACK.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match.

        Raises:
            ValueError: The repository is not of the form OWNER/NAME.
        """
        return PolicyContext.of_repository(self.repository).model_copy(update={"resource": self.resource})


class SnapshotWaived(BaseModel):
    """The policy lets people be asked about it without one."""

    model_config = ConfigDict(frozen=True, extra="ignore")


WAIVE_SNAPSHOT: Final = Step(
    name="approval.waive_snapshot", request=WaiveSnapshot, response=SnapshotWaived, effect=Effect.WRITE
)
