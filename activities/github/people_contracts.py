"""The step that asks what a person may do on a repository, as workflows call it."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from activities.step import Step
from connectors.github import manifest
from hitl.protocol import Effect, PolicyContext


class FindPermissionRequest(BaseModel):
    """Whose permission, and where."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str
    login: str = Field(description="As an event of GitHub's tells it.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext.of_repository(self.repository)


class PermissionSeen(BaseModel):
    """What GitHub says that they may do, now. An event's own word on its author is none of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str = Field(description="As it was asked for.")
    login: str = Field(description="As GitHub writes it; as it was asked for where GitHub knows nobody of this name.")
    id: int | None = Field(
        default=None, description="The account's own number: a login can pass to somebody else. None: no such account."
    )
    permission: Literal["admin", "write", "read", "none"] = Field(
        default="none", description="`maintain` counts as `write`, `triage` as `read`."
    )
    role: str = Field(default="none", description="The role's name, which an organisation may have made.")


FIND_PERMISSION: Final = Step(
    name="github.find_permission",
    request=FindPermissionRequest,
    response=PermissionSeen,
    effect=Effect.READ,
    credential=manifest.READ,
)
