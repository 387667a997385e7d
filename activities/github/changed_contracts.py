"""The step that tells whether what a pull request changes fits patterns of paths, as workflows call it.

Only that is told: a stranger chose the paths, and of three thousand nobody has to know more.
"""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from activities.step import Step
from connectors.github import manifest
from hitl.protocol import Effect, PolicyContext

MOST_CHANGED: Final = 3000
"""GitHub lists no more files of a pull request."""

Patterns = tuple[str, ...]


class MatchChangedFilesRequest(BaseModel):
    """Which pull request, and lists of patterns, as a trigger's `paths`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str
    number: int
    filters: Annotated[tuple[Patterns, ...], Field(max_length=50)]

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext.of_repository(self.repository)


class ChangedFilesMatched(BaseModel):
    """Which of the lists fit a file that is changed; where GitHub does not list every file, all of them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    fitting: tuple[bool, ...] = Field(description="One for each list, in their order.")
    files: int = Field(description="How many were looked at.")
    whole: bool = Field(default=True, description="Whether GitHub listed all of them.")


MATCH_CHANGED_FILES: Final = Step(
    name="github.match_changed_files",
    request=MatchChangedFilesRequest,
    response=ChangedFilesMatched,
    effect=Effect.READ,
    credential=manifest.READ,
)
