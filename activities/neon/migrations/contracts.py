"""Steps on migrations, as goals ask for them. What a migration prints is a stranger's word: bounded and masked."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from activities.guard.granted import GrantedRequest
from activities.neon.logins.contracts import DATABASE
from activities.presets import MIGRATE, REHEARSE
from activities.queues import TaskQueue
from activities.sandbox.contracts import Source
from activities.step import Step
from activities.step_end import ApprovedAnswer, StepEnd, Way
from connectors.neon import manifest
from hitl.approval.plan import PlanParameters
from hitl.hidden import visible
from hitl.protocol import Effect, PolicyContext
from sandbox.result import Connection, Ended

_PART: Final = r"^[a-z0-9-]{0,20}$"
_DIGEST: Final = r"^sha256:[0-9a-f]{64}$"
MOST_SAID: Final = 4000
"""Characters of each output that go into a history."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class DatabasePlace(_Message):
    """A database of a branch."""

    project: str = Field(pattern=r"^[a-z0-9-]{1,60}$", description="Its id.")
    branch: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$", description="Its id.")
    database: str = Field(pattern=DATABASE, description="Its name.")
    known_as: str = Field(
        default="", description="The branch's name without what the run drew for it, where this goal has made it."
    )

    def policy_context(self) -> PolicyContext:
        """What the policy may match: `br-quiet-1/shop`."""
        return PolicyContext(account=self.project, resource=f"{self.branch}/{self.database}", purpose="migrate")

    def made_by_the_run(self) -> frozenset[str]:
        """Its branch's id, where this goal has made it."""
        return frozenset({"resource"}) if self.known_as else frozenset()

    def recognised_by(self) -> tuple[str, ...]:
        """The database, by what people know its branch as."""
        return (f"database {self.known_as}/{self.database}",) if self.known_as else ()


class SchemaSeen(_Message):
    """What a database's schema is."""

    digest: str = Field(description="Of the schema, and of what its tables say about migrations that were done.")
    tables: tuple[str, ...] = Field(default=(), description="Tables that say which migrations were done.")


class CompareSchema(DatabasePlace):
    """Which two branches to compare."""

    base: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$", description="The id of the branch without the change.")


class SchemaCompared(_Message):
    """What makes one schema the other, without owners and rights."""

    lines: tuple[str, ...] = Field(default=(), description="Those that go, with `-`, and those that come, with `+`.")
    left_out: int = Field(default=0, description="So many more there are.")
    digest: str = Field(description="Of all of them.")


class SealLogin(DatabasePlace):
    """Which login of this goal to seal."""

    part: str = Field(default="", pattern=_PART, description="As it was issued.")


class LoginSealed(_Message):
    """Text that may stand in a history; it opens once, on the sandbox worker."""

    secrets: str


class RehearseMigration(DatabasePlace):
    """A migration to be tried on a copy."""

    source: Source
    command: tuple[str, ...] = Field(min_length=1, max_length=100)
    directory: str = Field(default="", max_length=500, description="Where it starts, below the repository's root.")
    timeout_seconds: int = Field(ge=1, le=3600)
    secrets: str = Field(description="The login, sealed for this workflow run.")


class TableLocked(_Message):
    """The strongest lock that was seen on one table."""

    table: str
    mode: str = Field(description="As PostgreSQL's `pg_locks` names it.")
    seconds: float = Field(description="How long it was seen.")


class Ran(_Message):
    """How a migration's command ended. One that failed is a result."""

    exit_code: int | None = Field(default=None, description="None when the container died.")
    ended: Ended
    seconds: float
    stdout: str = ""
    stderr: str = ""
    connections: tuple[Connection, ...] = Field(default=(), description="What it asked the proxy for, in vain.")

    @property
    def well(self) -> bool:
        """Whether the command says that it did its work."""
        return self.ended == "exit" and self.exit_code == 0

    def sentence(self) -> str:
        """How it ended, for people."""
        if self.ended == "timeout":
            return f"it did not end within its time, after {self.seconds:.0f} s"
        if self.ended == "out_of_memory":
            return "it used up its memory"
        how = f"it ended with {self.exit_code}"
        last = next((line for line in reversed((self.stderr or self.stdout).splitlines()) if line.strip()), "")
        return f"{how}: {visible(last.strip())[:200]}" if last and not self.well else how


class Rehearsed(_Message):
    """A migration that was tried."""

    ran: Ran
    locks: tuple[TableLocked, ...] = ()
    looks: int = Field(default=0, description="How often it was looked for locks.")
    locks_complete: bool = Field(default=True, description="Whether it was looked until the end.")


class MigrateDatabaseParameters(PlanParameters):
    """What people approve."""

    account: str = Field(description="The project's id.")
    resource: str = Field(description="BRANCH/DATABASE, as people call them.")
    branch_id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$")
    branch_name: str = Field(description="What it was called then.")
    database: str = Field(pattern=DATABASE)
    repository: str = Field(description="OWNER/NAME.")
    commit: str = Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")
    pack: str = Field(pattern=_DIGEST, description="The artifact that holds it.")
    command: list[str] = Field(min_length=1, max_length=100)
    directory: str
    timeout_seconds: int = Field(ge=1, le=3600)
    schema_before: str = Field(pattern=_DIGEST, description="Of the database, when it was tried.")
    schema_after: str = Field(pattern=_DIGEST, description="Of the copy, after the migration.")
    difference: str = Field(pattern=_DIGEST, description="Of the lines by which the two differ.")
    way_back: str = Field(description="The branch that is made right before it.")
    way_back_hours: int = Field(ge=1, le=720)

    def place(self) -> DatabasePlace:
        """The database."""
        return DatabasePlace(project=self.account, branch=self.branch_id, database=self.database)


_NEXT: Final[dict[Way, str]] = {
    "refused": "Read what the migration printed, mend it, and ask again.",
    "partially_applied": "Look at the database; the branch of the way back has it as it was. Then mend, and ask again.",
    "unknown": "Look at the database's schema and at its table of migrations before anything else is done.",
}


class DatabaseMigrated(ApprovedAnswer):
    """How a migration ended; by the schema that is there, never by what its command said."""

    way: Literal["completed", "refused", "partially_applied", "unknown"]
    why: str = ""
    ran: Ran | None = Field(default=None, description="None where an earlier attempt ran it, and its worker was lost.")
    schema_now: str | None = Field(default=None, description="None where nobody could look.")

    def end(self) -> StepEnd:
        """By the schema."""
        return StepEnd(way=self.way, why=self.why, next_step=_NEXT.get(self.way, ""))


LOOK_AT_SCHEMA: Final = Step(
    name="neon.look_at_schema",
    request=DatabasePlace,
    response=SchemaSeen,
    effect=Effect.READ,
    credential=manifest.READ,
)
COMPARE_SCHEMA: Final = Step(
    name="neon.compare_schema",
    request=CompareSchema,
    response=SchemaCompared,
    effect=Effect.READ,
    credential=manifest.READ,
)
SEAL_LOGIN: Final = Step(
    name="neon.seal_login",
    request=SealLogin,
    response=LoginSealed,
    effect=Effect.READ,
    credential=manifest.HAND_OVER,
)
REHEARSE_MIGRATION: Final = Step(
    name="neon.rehearse_migration",
    request=RehearseMigration,
    response=Rehearsed,
    effect=Effect.WRITE,
    on=TaskQueue.SANDBOX,
    tried=REHEARSE,
)
MIGRATE_DATABASE: Final = Step(
    name="neon.migrate_database",
    request=GrantedRequest,
    response=DatabaseMigrated,
    effect=Effect.DESTRUCTIVE,
    credential=manifest.MIGRATE,
    tried=MIGRATE,
)
