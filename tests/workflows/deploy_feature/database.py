"""A database at Neon that is played: branches with a schema and an end, logins, and a migration that changes one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from temporalio import activity

from activities.guard.error_types import ErrorType, application_error
from activities.guard.granted import GrantedRequest
from activities.leases.contracts import LeaseStanding
from activities.neon.contracts import (
    BranchEnded,
    CreateNeonBranchRequest,
    LeasedBranch,
    LookAtNeonBranch,
    NeonBranchCreated,
    NeonBranchSeen,
)
from activities.neon.logins.contracts import (
    DatabaseOpened,
    IssueLogin,
    LeasedLogin,
    LoginEnded,
    LoginIssued,
    LoginsSwept,
    OpenDatabase,
    SweepLogins,
)
from activities.neon.migrations.contracts import (
    MIGRATE_DATABASE,
    CompareSchema,
    DatabaseMigrated,
    DatabasePlace,
    LoginSealed,
    MigrateDatabaseParameters,
    Ran,
    Rehearsed,
    RehearseMigration,
    SchemaCompared,
    SchemaSeen,
    SealLogin,
    TableLocked,
)
from activities.step import implements
from connectors.creation import mark

PROJECT: Final = "shop-quiet-moon-17281"
OLD, NEW, OTHER = (f"sha256:{one * 64}" for one in "bac")
LINE: Final = "+    total_cents bigint DEFAULT 0 NOT NULL"
_END: Final = datetime(2026, 12, 1, tzinfo=UTC)
_RAN: Final = Ran(exit_code=0, ended="exit", seconds=1.5)
FAILED: Final = Rehearsed(ran=Ran(exit_code=1, ended="exit", seconds=0.5, stderr="ERROR: division by zero\n"))


@dataclass
class Branch:
    """One branch."""

    id: str
    name: str
    schema: str
    parent: str | None = None
    mark: str = ""
    expires_at: datetime | None = None


@dataclass
class Database:
    """It has one root, `main`. What a command makes of a schema is written down by its last word.

    Attributes:
        effects: By a command's last word: which schema it makes of which.
        tries: How the next tries on a copy end, where that is not well.
        ends: How the next migrations of the real one end; each is carried out when there is nothing here.
        spoils: What is done to each branch of a way back right after it was made.
        done: What was done to the real one, in order.
    """

    branches: dict[str, Branch] = field(default_factory=lambda: {"br-0": Branch(id="br-0", name="main", schema=OLD)})
    effects: dict[str, dict[str, str]] = field(
        default_factory=lambda: {"migrate.py": {OLD: NEW}, "down.py": {NEW: OLD}}
    )
    tries: list[Rehearsed] = field(default_factory=list[Rehearsed])
    ends: list[DatabaseMigrated | Exception] = field(default_factory=list[DatabaseMigrated | Exception])
    spoils: Callable[[Branch], None] | None = None
    logins: set[str] = field(default_factory=set[str])
    done: list[str] = field(default_factory=list[str])
    created: list[CreateNeonBranchRequest] = field(default_factory=list[CreateNeonBranchRequest])
    rehearsed: list[RehearseMigration] = field(default_factory=list[RehearseMigration])
    made: int = 0

    @property
    def main(self) -> Branch:
        """The one that people use."""
        return self.branches["br-0"]

    @property
    def left(self) -> list[str]:
        """The names of branches beside it."""
        return sorted(one.name for one in self.branches.values() if one is not self.main)

    def connectors(self) -> list[Callable[..., Awaitable[object]]]:
        """Steps of the connectors worker."""
        looks = [self.look_at_branch, self.look_at_schema, self.compare, self.check_branch, self.check_login]
        changes = [self.create, self.sweep, self.open, self.issue, self.seal, self.end_branch, self.end_login]
        return [*looks, *changes]

    @activity.defn(name="neon.look_at_branch")
    async def look_at_branch(self, request: LookAtNeonBranch) -> NeonBranchSeen:
        named = (one for one in self.branches.values() if request.branch in {one.id, one.name})
        found = next(named, None) if request.branch else self.main
        if found is None:
            return NeonBranchSeen(id=None)
        return NeonBranchSeen(
            id=found.id,
            name=found.name,
            parent=found.parent,
            mark=found.mark,
            expires_at=found.expires_at,
            default=found is self.main,
        )

    @activity.defn(name="neon.look_at_schema")
    async def look_at_schema(self, request: DatabasePlace) -> SchemaSeen:
        if request.database != "orders":
            raise application_error(ErrorType.NOT_FOUND, f"there is no database {request.database!r}")
        return SchemaSeen(digest=self.branches[request.branch].schema)

    @activity.defn(name="neon.compare_schema")
    async def compare(self, request: CompareSchema) -> SchemaCompared:
        return SchemaCompared(lines=(LINE,), digest=f"sha256:{'d' * 64}")

    @activity.defn(name="neon.create_branch")
    async def create(self, request: CreateNeonBranchRequest) -> NeonBranchCreated:
        self.made += 1
        self.created.append(request)
        of = self.branches[request.parent or "br-0"]
        marked = mark(activity.info().workflow_id or "", request.part)
        found = Branch(f"br-{self.made}", request.branch, of.schema, of.name, marked, request.expires_at)
        self.branches[found.id] = found
        if self.spoils is not None and request.branch.startswith("before-"):
            self.spoils(found)
        return NeonBranchCreated(id=found.id, name=found.name, endpoint="ep-1")

    @activity.defn(name="neon.sweep_logins")
    async def sweep(self, request: SweepLogins) -> LoginsSwept:
        return LoginsSwept()

    @activity.defn(name="neon.open_database")
    async def open(self, request: OpenDatabase) -> DatabaseOpened:
        return DatabaseOpened(host="ep-1.neon.tech", port=5432, database=request.database)

    @activity.defn(name="neon.issue_login")
    async def issue(self, request: IssueLogin) -> LoginIssued:
        self.logins.add(mark(activity.info().workflow_id or "", request.part))
        return LoginIssued(
            secret="banksman/neon/logins/x", host="h", port=1, database="orders", role="r", expires_at=_END
        )

    @activity.defn(name="neon.seal_login")
    async def seal(self, request: SealLogin) -> LoginSealed:
        return LoginSealed(secrets="sealed")

    @activity.defn(name="neon.check_branch")
    async def check_branch(self, request: LeasedBranch) -> LeaseStanding:
        return LeaseStanding(there=any(one.mark == request.mark for one in self.branches.values()))

    @activity.defn(name="neon.end_branch")
    async def end_branch(self, request: LeasedBranch) -> BranchEnded:
        gone = tuple(one.id for one in self.branches.values() if one.mark == request.mark)
        for one in gone:
            del self.branches[one]
        return BranchEnded(ids=gone)

    @activity.defn(name="neon.check_login")
    async def check_login(self, request: LeasedLogin) -> LeaseStanding:
        return LeaseStanding(there=request.mark in self.logins)

    @activity.defn(name="neon.end_login")
    async def end_login(self, request: LeasedLogin) -> LoginEnded:
        self.logins.discard(request.mark)
        return LoginEnded()

    @activity.defn(name="neon.rehearse_migration")
    async def rehearse(self, request: RehearseMigration) -> Rehearsed:
        self.rehearsed.append(request)
        if self.tries:
            return self.tries.pop(0)
        self._run(self.branches[request.branch], request.command[-1])
        lock = TableLocked(table="public.orders", mode="ShareLock", seconds=0.25)
        return Rehearsed(ran=_RAN, looks=30, locks=(lock,))

    @implements(MIGRATE_DATABASE)
    async def migrate(self, request: GrantedRequest) -> DatabaseMigrated:
        wanted = request.approved().parameters_as(MigrateDatabaseParameters)
        found = self.ends.pop(0) if self.ends else DatabaseMigrated(way="completed", ran=_RAN)
        if isinstance(found, Exception):
            raise found
        branch = self.branches[wanted.branch_id]
        match found.way:
            case "completed":
                self._run(branch, wanted.command[-1])
            case "partially_applied":
                branch.schema = OTHER
            case _:
                return found
        self.done.append(wanted.command[-1])
        return found.model_copy(update={"schema_now": branch.schema})

    def _run(self, branch: Branch, command: str) -> None:
        branch.schema = self.effects.get(command, {}).get(branch.schema, branch.schema)
