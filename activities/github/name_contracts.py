"""The steps that find names at GitHub: of repositories that the App is installed on, and of their branches."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from activities.step import Step
from connectors.github import manifest
from hitl.protocol import Effect, PolicyContext


class FindRepositoriesRequest(BaseModel):
    """Names of repositories are asked for."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    most: int = Field(default=100, ge=1, le=500)


class RepositoriesFound(BaseModel):
    """Those that the App is installed on, by name."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repositories: tuple[str, ...] = ()


class FindBranchesRequest(BaseModel):
    """Names of branches are asked for, of one repository."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str
    most: int = Field(default=100, ge=1, le=100)

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext.of_repository(self.repository)


class BranchesFound(BaseModel):
    """Its branches. Whoever may push chose their names."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    branches: tuple[str, ...] = ()


FIND_REPOSITORIES: Final = Step(
    name="github.find_repositories",
    request=FindRepositoriesRequest,
    response=RepositoriesFound,
    effect=Effect.READ,
    credential=manifest.READ,
)
FIND_BRANCHES: Final = Step(
    name="github.find_branches",
    request=FindBranchesRequest,
    response=BranchesFound,
    effect=Effect.READ,
    credential=manifest.READ,
)
