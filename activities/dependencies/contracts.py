"""The steps on dependencies as goals call them: one reads a repository's manifests, one joins those of many."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from activities.dependencies.found import Ecosystem
from activities.presets import READ
from activities.step import Step
from connectors.github import manifest
from hitl.protocol import Effect, PolicyContext

MOST_REPOSITORIES: Final = 200
"""That one map is made of."""
MOST_TOLD: Final = 50
"""Rows of each list that a goal's history carries; the whole lies in the artifact store."""
_LONG: Final = replace(READ, start_to_close=timedelta(minutes=5))


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ReadManifestsRequest(_Message):
    """Of which repository, and at which commit."""

    repository: str
    ref: str | None = None

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext.of_repository(self.repository)


class ManifestsRead(_Message):
    """The manifests of one repository. What they say lies in the artifact store."""

    commit: str
    artifact: str = Field(description="All that they name, as JSON.")
    files: int = Field(default=0, description="How many were read.")
    direct: int = Field(default=0, description="Packages that people named.")
    pinned: int = Field(default=0, description="How many of those are fixed: by their file, or by a lock file.")
    locked: int = Field(default=0, description="Packages that lock files name.")
    median_age_days: int | None = Field(default=None, description="Of the versions whose day is known.")
    aged: int = Field(default=0, description="How many those are.")
    mistakes: int = 0


class OfRepository(_Message):
    """Where the manifests of a repository lie."""

    repository: str
    commit: str
    artifact: str


class FindUsersRequest(_Message):
    """What is joined, and what is asked of it."""

    read: tuple[OfRepository, ...]
    package: str | None = None
    ecosystem: Ecosystem | None = None


class User(_Message):
    """A repository that uses the package."""

    repository: str
    ecosystem: Ecosystem
    name: str
    versions: tuple[str, ...] = Field(default=(), description="As it is locked, or written where nothing locks it.")
    pinned: bool = Field(default=False, description="Whether an update has to change a file there.")
    direct: bool = True
    paths: tuple[str, ...] = ()


class UpdateStep(_Message):
    """Repositories that an update has to go through at one time."""

    wave: int = Field(description="From 0; those of one wave need not wait for each other.")
    repositories: tuple[str, ...]
    circle: bool = Field(default=False, description="They use one another: no order is right, so release them as one.")
    through: tuple[str, ...] = Field(default=(), description="By which packages the update comes to them.")


class Counts(_Message):
    """How much there is."""

    repositories: int = 0
    packages: int = 0
    uses: int = 0
    made: int = Field(default=0, description="Packages that the repositories make themselves.")
    internal: int = Field(default=0, description="Pairs of repositories of which one uses what the other makes.")
    mistakes: int = 0
    left_out: int = Field(default=0, description="Uses that no longer fitted into the map.")


class UsersFound(_Message):
    """The map, and the answer. The lists hold the first 50; the artifact holds all."""

    artifact: str
    counts: Counts
    circles: tuple[tuple[str, ...], ...] = ()
    mistakes: tuple[str, ...] = Field(default=(), description="`REPOSITORY: PATH: what is wrong`.")
    made_by: tuple[str, ...] = ()
    users: tuple[User, ...] = ()
    order: tuple[UpdateStep, ...] = ()
    used_by: int = Field(default=0, description="How many repositories use it.")


READ_MANIFESTS: Final = Step(
    name="github.read_manifests",
    request=ReadManifestsRequest,
    response=ManifestsRead,
    effect=Effect.READ,
    credential=manifest.READ,
    tried=_LONG,
)
FIND_USERS: Final = Step(
    name="dependencies.find_users",
    request=FindUsersRequest,
    response=UsersFound,
    effect=Effect.READ,
    tried=_LONG,
)
