"""What people ask of the dependencies of many repositories, and what came of it."""

import re
from fnmatch import fnmatchcase
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from activities.dependencies.contracts import Counts, UpdateStep, User
from activities.dependencies.found import Ecosystem
from hitl.hidden import nothing_hidden
from hitl.protocol import Effect
from workflows.contracts import GoalInput, GoalResult
from workflows.goal_type import GoalType

_PATTERN: Final = re.compile(r"[A-Za-z0-9*?-]{1,39}/[A-Za-z0-9._*?-]{1,100}")


def _pattern(value: str) -> str:
    if not _PATTERN.fullmatch(value):
        raise ValueError(f"{value!r} matches no repository; write OWNER/NAME, with * for any part, as in acme/*")
    return value


RepositoryPattern = Annotated[str, StringConstraints(min_length=3, max_length=140), AfterValidator(_pattern)]
PackageName = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(nothing_hidden)]


class MapDependenciesInput(GoalInput):
    """Tell who uses what across repositories, and in which order an update of a package goes through them."""

    repositories: RepositoryPattern = Field(
        default="*/*",
        description="Which of those that the GitHub App is installed on, as in acme/* or acme/shop; all when left out.",
    )
    package: PackageName | None = Field(
        default=None,
        description="Whose users are wanted: a package, module, image or action, by its name; the map alone when left "
        "out.",
    )
    ecosystem: Ecosystem | None = Field(
        default=None, description="Where packages of several kinds have that name; every kind when left out."
    )

    @model_validator(mode="after")
    def _of_a_package(self) -> "MapDependenciesInput":
        if self.ecosystem is not None and self.package is None:
            raise ValueError("'ecosystem' says of which kind 'package' is: write both, or none")
        return self

    def covers(self, repository: str) -> bool:
        """Whether the pattern has it. GitHub knows no capitals in names."""
        return fnmatchcase(repository.lower(), self.repositories.lower())

    def business_key(self) -> str:
        """`map-dependencies/PATTERN`, and `/PACKAGE`."""
        asked = "/".join(one for one in (self.ecosystem, self.package) if one)
        return f"map-dependencies/{self.repositories}/{asked}".rstrip("/")

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        if self.package is None:
            return f"Map the dependencies of {self.repositories}"
        return f"Find who uses {self.package} in {self.repositories}"


class Unread(BaseModel):
    """A repository that could not be read."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str
    why: str


class MapDependenciesResult(GoalResult):
    """The answer, and where the whole map lies. Lists hold the first 50; names and versions are strangers' words."""

    repositories: str = Field(description="As it was asked for.")
    package: str | None = Field(default=None, description="As it was asked for.")
    counts: Counts = Field(default=Counts(), description="How much was found.")
    made_by: tuple[str, ...] = Field(default=(), description="The repositories that make the package.")
    used_by: int = Field(default=0, description="How many repositories use the package.")
    users: tuple[User, ...] = Field(default=(), description="Who uses it, at which version, and where that is written.")
    order: tuple[UpdateStep, ...] = Field(
        default=(), description="In which order its update goes through repositories, wave by wave."
    )
    circles: tuple[tuple[str, ...], ...] = Field(default=(), description="Repositories that use one another.")
    mistakes: tuple[str, ...] = Field(default=(), description="What is wrong with which manifest.")
    unread: tuple[Unread, ...] = Field(default=(), description="Repositories that could not be read, and why.")
    left_out: int = Field(default=0, description="Repositories that match and are more than the 200 of one map.")
    artifact: str | None = Field(default=None, description="The whole map, as JSON in the artifact store.")


MAP_DEPENDENCIES: Final = GoalType(
    name="MapDependencies",
    input=MapDependenciesInput,
    result=MapDependenciesResult,
    effect=Effect.READ,
    example=MapDependenciesInput(repositories="acme/*", package="pulumi"),
    data=("repository",),
)
