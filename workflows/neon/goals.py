"""What people ask for at Neon, and how it ended."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints
from temporalio.common import SearchAttributeKey

from activities.neon.logins.contracts import DATABASE
from connectors.neon.purposes import Purpose
from hitl.hidden import nothing_hidden
from hitl.protocol import Effect
from workflows.contracts import (
    REPOSITORY_ATTRIBUTE,
    DestructiveGoalInput,
    GitRef,
    GoalInput,
    GoalResult,
    RepositoryName,
    RepositoryPath,
)
from workflows.goal_type import GoalType
from workflows.repository.goals import LONGEST_COMMAND, CommandPart

LONGEST_HOURS: Final = 720

ProjectId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,60}$")]
BranchName = Annotated[
    str, StringConstraints(pattern=r"^[^\s/][^\r\n\t]{0,254}$", strip_whitespace=True), AfterValidator(nothing_hidden)
]


class CreateNeonBranchInput(GoalInput):
    """Make a branch of a Neon project with a compute of its own, which Neon deletes by itself in the end."""

    project: ProjectId = Field(description="The project's id, as its settings in Neon's console show it.")
    name: BranchName = Field(description="Of the branch; no other of the project may have it.")
    parent: BranchName | None = Field(
        default=None, description="Name or id of the branch that it is a copy of; the default branch when left out."
    )
    database: str | None = Field(
        default=None, max_length=63, description="To which the connection is kept; its first one when left out."
    )
    hours: int = Field(
        default=24, ge=1, le=LONGEST_HOURS, description="Then Neon deletes it, recoverably for a week more."
    )
    max_cu: float | None = Field(
        default=None, ge=0.25, le=8, description="Compute units at most; as the project says when left out."
    )

    def business_key(self) -> str:
        """`create-neon-branch/PROJECT/NAME`."""
        return f"create-neon-branch/{self.project}/{self.name}"

    def reaches(self) -> Mapping[str, str]:
        """The project."""
        return {"neon": self.project}

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"Create the branch {self.name} of the Neon project {self.project}"


class CreateNeonBranchResult(GoalResult):
    """The branch, and where its connection is kept. No password is in it."""

    project: str = Field(description="As it was asked for.")
    name: str = Field(description="Of the branch.")
    id: str | None = Field(default=None, description="Neon's id of the branch.")
    parent_id: str | None = Field(default=None, description="The id of the branch that it is a copy of.")
    endpoint: str | None = Field(default=None, description="Neon's id of its compute.")
    host: str | None = Field(default=None, description="Where it is reached, directly and not by the pooler.")
    port: int | None = Field(default=None, description="Where it is reached.")
    database: str | None = Field(default=None, description="To which the connection is kept.")
    role: str | None = Field(default=None, description="Who connects by it.")
    secret: str | None = Field(default=None, description="Where in Vault the connection is: the field `uri`.")
    expires_at: datetime | None = Field(default=None, description="When Neon deletes it.")
    adopted: bool | None = Field(default=None, description="Whether this goal had made it before.")
    lease: str | None = Field(default=None, description="What ends it sooner: `banksman leases end LEASE`.")


class DeleteNeonBranchInput(DestructiveGoalInput):
    """Delete one branch of a Neon project, once people approved exactly that."""

    project: ProjectId = Field(description="The project's id, as its settings in Neon's console show it.")
    branch: BranchName = Field(description="Name or id of the branch. The one of that id is approved, and goes.")

    def business_key(self) -> str:
        """`delete-neon-branch/PROJECT/BRANCH`; in an emergency one of its own, beside what may wait for days."""
        kind = "delete-neon-branch-break-glass" if self.break_glass else "delete-neon-branch"
        return f"{kind}/{self.project}/{self.branch}"

    def reaches(self) -> Mapping[str, str]:
        """The project."""
        return {"neon": self.project}

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        emergency = "BREAK GLASS: " if self.break_glass else ""
        return f"{emergency}Delete the branch {self.branch} of the Neon project {self.project}"


class DeleteNeonBranchResult(GoalResult):
    """What became of the branch."""

    project: str = Field(description="As it was asked for.")
    branch: str = Field(description="As it was asked for.")
    id: str | None = Field(default=None, description="Neon's id of it: by it the branch can be had back for a week.")
    name: str | None = Field(default=None, description="What it was called.")


class IssueNeonLoginInput(GoalInput):
    """Issue a login to one database of a Neon branch, which lives for some hours and is ended then."""

    project: ProjectId = Field(description="The project's id, as its settings in Neon's console show it.")
    branch: BranchName = Field(description="Name or id of the branch.")
    database: str = Field(pattern=DATABASE, description="Its name, of forty letters, digits, `_` and `-` at most.")
    purpose: Purpose = Field(
        default=Purpose.READ,
        description="`read` every table, `write` rows, too, or `migrate`: change the schema, as its owner may.",
    )
    hours: int = Field(default=8, ge=1, le=LONGEST_HOURS, description="Then it is ended.")

    def business_key(self) -> str:
        """`issue-neon-login/PROJECT/BRANCH/DATABASE/PURPOSE`."""
        return f"issue-neon-login/{self.project}/{self.branch}/{self.database}/{self.purpose}"

    def reaches(self) -> Mapping[str, str]:
        """The project."""
        return {"neon": self.project}

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"Issue a login to {self.purpose} {self.database} on {self.branch} of the Neon project {self.project}"


class IssueNeonLoginResult(GoalResult):
    """The login, and where it is kept. No password is in it."""

    project: str = Field(description="As it was asked for.")
    branch: str = Field(description="As it was asked for.")
    database: str = Field(description="As it was asked for.")
    purpose: Purpose = Field(description="As it was asked for.")
    secret: str | None = Field(
        default=None, description="Where in Vault it is: the fields `uri`, `username` and `password`."
    )
    host: str | None = Field(default=None, description="Where the database is reached, directly and not by the pooler.")
    port: int | None = Field(default=None, description="Where it is reached.")
    role: str | None = Field(default=None, description="Who connects by it.")
    expires_at: datetime | None = Field(default=None, description="When it ends by itself.")
    lease: str | None = Field(default=None, description="What ends it sooner: `banksman leases end LEASE`.")


class MigrateDatabaseInput(DestructiveGoalInput):
    """Migrate a database's schema: tried on a copy first, then, once people approved what it changes, on itself."""

    project: ProjectId = Field(description="The project's id, as its settings in Neon's console show it.")
    branch: BranchName = Field(description="Name or id of the branch.")
    database: str = Field(pattern=DATABASE, description="Its name, of forty letters, digits, `_` and `-` at most.")
    repository: RepositoryName = Field(description="OWNER/NAME of the repository that has the migrations.")
    ref: GitRef | None = Field(default=None, description="Branch, tag or commit; the default branch when left out.")
    command: tuple[CommandPart, ...] = Field(
        min_length=1,
        max_length=100,
        description="What migrates, program and arguments, each by itself: no shell stands between. It finds the "
        "database by libpq's variables.",
    )
    directory: RepositoryPath | None = Field(
        default=None, description="Where it starts; the root of the repository when left out."
    )
    timeout_seconds: int = Field(
        default=600, ge=1, le=LONGEST_COMMAND, description="Then it is stopped, on the copy as on the database."
    )
    way_back_hours: int = Field(
        default=72,
        ge=1,
        le=LONGEST_HOURS,
        description="How long the branch is kept that is made right before, and has the database as it was.",
    )

    def business_key(self) -> str:
        """`migrate-database/PROJECT/BRANCH/DATABASE`; in an emergency one of its own."""
        kind = "migrate-database-break-glass" if self.break_glass else "migrate-database"
        return f"{kind}/{self.project}/{self.branch}/{self.database}"

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        emergency = "BREAK GLASS: " if self.break_glass else ""
        return f"{emergency}Migrate {self.database} on {self.branch} of the Neon project {self.project}"

    def search_attributes(self) -> Mapping[SearchAttributeKey[str], str]:
        """Found by its repository."""
        return {REPOSITORY_ATTRIBUTE: self.repository}


class MigrateDatabaseResult(GoalResult):
    """What the migration changed, and the way back."""

    project: str = Field(description="As it was asked for.")
    branch: str = Field(description="As it was asked for.")
    database: str = Field(description="As it was asked for.")
    repository: str = Field(description="As it was asked for.")
    commit: str | None = Field(default=None, description="Whose migrations they are.")
    difference: tuple[str, ...] = Field(
        default=(), description="What goes of the schema, with `-`, and what comes, with `+`, as it was on the copy."
    )
    locks: tuple[str, ...] = Field(default=(), description="Tables that were locked on the copy, and for how long.")
    rehearsed_seconds: float | None = Field(default=None, description="How long it took on the copy.")
    seconds: float | None = Field(default=None, description="How long it took on the database itself.")
    said: str = Field(default="", description="The end of what it printed last, with the password masked.")
    way_back: str | None = Field(default=None, description="The branch that has the database as it was before.")
    way_back_until: datetime | None = Field(default=None, description="When that branch is ended.")
    restore: str = Field(default="", description="The command by which a person has the database as it was before.")
    lease: str | None = Field(default=None, description="What ends it sooner: `banksman leases end LEASE`.")
    next_step: str = Field(default="", description="What a person does now.")


_NEON: Final = frozenset({"neon"})

CREATE_NEON_BRANCH: Final = GoalType(
    name="CreateNeonBranch",
    input=CreateNeonBranchInput,
    result=CreateNeonBranchResult,
    rehearses=_NEON,
    effect=Effect.WRITE,
    example=CreateNeonBranchInput(project="shop-quiet-moon-17281", name="try-it"),
)
DELETE_NEON_BRANCH: Final = GoalType(
    name="DeleteNeonBranch",
    input=DeleteNeonBranchInput,
    result=DeleteNeonBranchResult,
    rehearses=_NEON,
    effect=Effect.DESTRUCTIVE,
    example=DeleteNeonBranchInput(project="shop-quiet-moon-17281", branch="old-idea"),
)
ISSUE_NEON_LOGIN: Final = GoalType(
    name="IssueNeonLogin",
    input=IssueNeonLoginInput,
    result=IssueNeonLoginResult,
    rehearses=_NEON,
    effect=Effect.WRITE,
    example=IssueNeonLoginInput(project="shop-quiet-moon-17281", branch="main", database="shop"),
)
MIGRATE_DATABASE_GOAL: Final = GoalType(
    name="MigrateDatabase",
    input=MigrateDatabaseInput,
    result=MigrateDatabaseResult,
    effect=Effect.DESTRUCTIVE,
    example=MigrateDatabaseInput(
        project="shop-quiet-moon-17281",
        branch="main",
        database="shop",
        repository="acme/shop-database",
        command=("python3", "migrate.py"),
    ),
    needs="sandbox",
)
