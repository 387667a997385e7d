"""Migrations as their workers run them: a real PostgreSQL behind Neon's twin, a real Vault, and containers."""

import asyncio
import dataclasses
import subprocess
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from temporalio.testing import ActivityEnvironment

from activities.guard.granted import GrantedRequest
from activities.guard.withheld import DestructiveTokens
from activities.neon.logins.contracts import ISSUE_LOGIN, OPEN_DATABASE, IssueLogin, OpenDatabase
from activities.neon.migrations.contracts import (
    LOOK_AT_SCHEMA,
    MIGRATE_DATABASE,
    REHEARSE_MIGRATION,
    SEAL_LOGIN,
    DatabaseMigrated,
    DatabasePlace,
    MigrateDatabaseParameters,
    Rehearsed,
    RehearseMigration,
    SealLogin,
)
from activities.neon.migrations.destruction import NeonMigrations
from activities.neon.migrations.looking import NeonSchemas
from activities.neon.migrations.rehearsing import NeonRehearsals
from activities.neon.migrations.running import Workplace
from activities.neon.migrations.sealing import NeonSealing
from activities.sandbox.contracts import Source
from connectors.artifacts import ArtifactStore
from connectors.neon.purposes import Purpose
from connectors.vault import VaultSession
from deploy.local.example import copy_migrations
from sandbox.docker.provider import DockerSandbox
from tests.activities.github.at_work import at_work
from tests.activities.guard.attempts import Records, Waited, admitted
from tests.activities.neon.lending import Bank
from tests.connectors.github.shop import git
from tests.connectors.neon.at_neon import MAIN, PROJECT
from tests.hitl.approval.granting import Gateway, make_plan

GOAL: Final = "migrate-database/1"
RUN: Final = "0b0b0b0b-1111-2222-3333-444455556666"
MIGRATE: Final = ("python3", "migrate.py")


@dataclass
class Workshop:
    """All that the steps have, and a repository with migrations."""

    bank: Bank
    sandbox: DockerSandbox
    place: Workplace
    store: ArtifactStore
    sandbox_vault: VaultSession
    destructive_vault: VaultSession
    tree: Path
    commits: list[str] = field(default_factory=list[str])

    @classmethod
    def repository(cls, folder: Path) -> Path:
        """The example's, with a commit."""
        copy_migrations(folder)
        git("init", "--quiet", "--initial-branch=main", ".", at=folder)
        return folder

    async def workplace(self) -> Workplace:
        """As `MigrationEngine`."""
        return self.place

    async def commit(self, **files: str) -> Source:
        """A commit with these migrations instead of the example's, as a pack in the store."""
        commit, pack = await asyncio.to_thread(self._packed, files)
        return Source(repository="acme/shop-database", commit=commit, pack=await self.store.put(pack))

    def _packed(self, files: Mapping[str, str]) -> tuple[str, bytes]:
        if files:
            for old in (self.tree / "migrations").glob("*.sql"):
                old.unlink()
        for name, text in files.items():
            (self.tree / "migrations" / f"{name}.sql").write_text(text)
        git("add", "--all", "--force", at=self.tree)
        git(
            "-c",
            "user.name=x",
            "-c",
            "user.email=x@example.com",
            "commit",
            "-qm",
            "more",
            "--allow-empty",
            at=self.tree,
        )
        commit = git("rev-parse", "HEAD", at=self.tree)
        objects = git("rev-list", "--objects", "--no-walk", commit, at=self.tree)
        listed = "\n".join(line.split(" ")[0] for line in objects.splitlines())
        packed = subprocess.run(
            ["git", "pack-objects", "--stdout", "-q"], cwd=self.tree, input=listed.encode(), check=True,
            capture_output=True,
        ).stdout  # fmt: skip
        return commit, packed

    def _at(self, step: str, **info: Any) -> ActivityEnvironment:
        return at_work(step, GOAL, workflow_run_id=RUN, **info)

    async def schema(self, branch: str = MAIN) -> str:
        """Its digest, as the goal looks at it."""
        steps = NeonSchemas(self.bank.session, base_url=self.bank.neon.served.url)
        request = DatabasePlace(project=PROJECT, branch=branch, database="shop")
        return (await self._at(LOOK_AT_SCHEMA.name).run(steps.look_at_schema, request)).digest

    async def opened(self, branch: str = MAIN) -> None:
        """The database is ready for logins that migrate."""
        request = OpenDatabase(project=PROJECT, branch=branch, database="shop", purpose=Purpose.MIGRATE)
        await self._at(OPEN_DATABASE.name).run(self.bank.opening.open_database, request)

    async def sealed(self, branch: str = MAIN) -> str:
        """A login of this goal, sealed."""
        await self.opened(branch)
        place = {"project": PROJECT, "branch": branch, "database": "shop"}
        issue = IssueLogin(
            **place, purpose=Purpose.MIGRATE, ends_at=datetime.now(UTC) + timedelta(hours=1), part="try-1"
        )
        await self._at(ISSUE_LOGIN.name).run(self.bank.issuing.issue_login, issue)
        seal = SealLogin(**place, part="try-1")
        return (await self._at(SEAL_LOGIN.name).run(NeonSealing(self.bank.session).seal_login, seal)).secrets

    async def rehearse(
        self, source: Source, *command: str, branch: str = MAIN, seconds: int = 120, secrets: str | None = None
    ) -> Rehearsed:
        """The step of the sandbox worker."""
        request = RehearseMigration(
            project=PROJECT,
            branch=branch,
            database="shop",
            source=source,
            command=command or MIGRATE,
            timeout_seconds=seconds,
            secrets=secrets or await self.sealed(branch),
        )
        steps = NeonRehearsals(self.place, self.sandbox_vault)
        return await self._at(REHEARSE_MIGRATION.name).run(steps.rehearse_migration, request)

    def parameters(self, source: Source, *, before: str, after: str, **changed: Any) -> MigrateDatabaseParameters:
        """What people would approve."""
        return MigrateDatabaseParameters.model_validate(
            {
                "account": PROJECT,
                "resource": "main/shop",
                "branch_id": MAIN,
                "branch_name": "main",
                "database": "shop",
                **source.model_dump(),
                "command": list(MIGRATE),
                "directory": "",
                "timeout_seconds": 120,
                "schema_before": before,
                "schema_after": after,
                "difference": f"sha256:{'0' * 64}",
                "way_back": "main-before",
                "way_back_hours": 24,
                **changed,
            }
        )


class Execution:
    """One execution of the destructive step by one grant; its attempts come one after the other."""

    def __init__(self, workshop: Workshop, folder: Path, parameters: Mapping[str, Any]) -> None:
        self.workshop, self.records = workshop, Records()
        decisions = tuple(Gateway(folder).grant("alice", "bob"))
        plan = make_plan(action=MIGRATE_DATABASE.name, parameters=dict(parameters))
        self.request = GrantedRequest(plan=plan.text(), decisions=decisions)
        self.scheduled, self.attempts = datetime.now(UTC), 0
        self.steps = NeonMigrations(
            DestructiveTokens(workshop.destructive_vault), workshop, base_url=workshop.bank.neon.served.url
        )

    def begin(self, waited: Waited | None = None) -> tuple[ActivityEnvironment, Awaitable[DatabaseMigrated]]:
        """The next attempt, with what it can be cancelled by."""
        self.attempts += 1
        started = self.scheduled + timedelta(milliseconds=self.attempts)
        environment = at_work(
            MIGRATE_DATABASE.name, GOAL, workflow_run_id=RUN, scheduled_time=self.scheduled, started_time=started,
            attempt=self.attempts,
        )  # fmt: skip
        step = admitted(self.steps.migrate_database, self.records, waited)
        return environment, environment.run(step, self.request)

    async def attempt(self, waited: Waited | None = None) -> DatabaseMigrated:
        """The same, to its end."""
        return await self.begin(waited)[1]


def replaced(workshop: Workshop, **changed: Any) -> Workshop:
    """The same with other parts."""
    return dataclasses.replace(workshop, **changed)
