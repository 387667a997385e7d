"""The step that finds where the App is installed, as GitHub lists it to the App itself."""

from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from activities.step import Step
from connectors.github import manifest
from hitl.protocol import Effect

MOST_AT_ONCE: Final = 5
"""Of installations, by one step: each is told with its repositories."""
MOST_REPOSITORIES: Final = 500
MOST_KNOWN: Final = 10_000


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class FindInstallationsRequest(_Value):
    """Those that are known need not be told."""

    known: tuple[int, ...] = Field(default=(), max_length=MOST_KNOWN)


class CoveredRepository(_Value):
    """A repository that an installation covers."""

    full_name: str
    id: int
    private: bool = True


class InstallationFound(_Value):
    """An installation, as it stands."""

    number: int
    login: str
    account: int = Field(description="The number of the account that has it.")
    type: str = "Organization"
    all_repositories: bool = False
    permissions: dict[str, str] = Field(default_factory=dict)
    events: tuple[str, ...] = ()
    suspended_at: datetime | None = None
    updated_at: datetime
    repositories: tuple[CoveredRepository, ...] = ()
    more: bool = Field(default=False, description="Whether it covers more than these.")


class InstallationsFound(_Value):
    """The first few that were not known, and how many are left for the next time."""

    installations: tuple[InstallationFound, ...] = ()
    left: int = 0


FIND_INSTALLATIONS: Final = Step(
    name="github.find_installations",
    request=FindInstallationsRequest,
    response=InstallationsFound,
    effect=Effect.READ,
    credential=manifest.READ,
)
