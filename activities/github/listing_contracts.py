"""The step that lists a repository's files, as goals call it."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from activities.step import Step
from connectors.github import manifest
from hitl.protocol import Effect, PolicyContext

MOST_LISTED: Final = 500


class ListFilesRequest(BaseModel):
    """Which files: all, or those with some words in their path."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str
    ref: str | None = None
    contains: str = ""

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext.of_repository(self.repository)


class FilesListed(BaseModel):
    """The list, as text in the artifact store: a path a line, with its bytes. Whoever may push chose the paths."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    commit: str
    artifact: str
    found: int = Field(description="How many there are; 500 at most are in the list.")
    whole: bool = Field(default=True, description="Whether GitHub listed all of them.")


MOST_REPOSITORIES: Final = 500
"""Of one list."""


class ListRepositoriesRequest(BaseModel):
    """Which repositories: those whose name fits a pattern, and that have all of these topics."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    patterns: tuple[str, ...] = Field(description="Of `OWNER/NAME`; `*` is any characters but a slash.")
    topics: tuple[str, ...] = ()


class RepositoriesListed(BaseModel):
    """Those that the App is installed on and that fit, by name."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repositories: tuple[str, ...] = ()
    archived: tuple[str, ...] = Field(default=(), description="Those that fit and are archived, at most 20 of them.")
    whole: bool = Field(default=True, description="Whether these are all; of the others nothing is told.")


LIST_REPOSITORIES: Final = Step(
    name="github.list_repositories",
    request=ListRepositoriesRequest,
    response=RepositoriesListed,
    effect=Effect.READ,
    credential=manifest.READ,
)
LIST_FILES: Final = Step(
    name="github.list_files",
    request=ListFilesRequest,
    response=FilesListed,
    effect=Effect.READ,
    credential=manifest.READ,
)
