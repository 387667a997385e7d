"""Which databases a deployment migrates, and how, in the words of the goal that migrates one. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from workflows.manifest.commands import Command, Migration
from workflows.manifest.manifest import Manifest
from workflows.manifest.needs import NeonNeed
from workflows.manifest.words import seconds
from workflows.neon.goals import MigrateDatabaseInput

WAY_BACK_HOURS: Final = 168
"""So long the branch is kept that has a database as it was: a week, in which somebody notices."""


@dataclass(frozen=True, kw_only=True)
class Database:
    """One database that is migrated.

    Attributes:
        need: As the manifest names it.
        index: Its place in `needs.neon`.
        environments: Those that use it, in the order in which they are deployed.
    """

    need: NeonNeed
    index: int
    environments: tuple[str, ...]


def databases_of(manifest: Manifest, environments: Sequence[str]) -> tuple[Database, ...]:
    """Those that `migrate` is about, in the order of the environments that use them first.

    Args:
        manifest: Valid.
        environments: Where the feature goes, in order.
    """
    migrate = manifest.migrate
    if migrate is None:
        return ()
    found: dict[int, list[str]] = {}
    for environment in environments:
        index = _index(manifest, migrate, environment)
        if index is not None:
            found.setdefault(index, []).append(environment)
    needs = manifest.needs.neon
    return tuple(Database(need=needs[at], index=at, environments=tuple(used)) for at, used in found.items())


def migration_input(repository: str, command: Command, need: NeonNeed) -> MigrateDatabaseInput:
    """What the goal would be asked that runs this command on this database.

    Args:
        repository: OWNER/NAME.
        command: That of `migrate`, or of `rollback.down`.
        need: The database. Where it names no branch, the input's is empty, and means the default one.

    Raises:
        ValueError: That goal would refuse it.
    """
    wanted = MigrateDatabaseInput(
        project=need.project,
        branch=need.branch or "main",
        database=need.database or "",
        repository=repository,
        command=command.command,
        directory=command.directory,
        timeout_seconds=seconds(command.limits.time),
        way_back_hours=WAY_BACK_HOURS,
    )
    return wanted if need.branch else wanted.model_copy(update={"branch": ""})


def _index(manifest: Manifest, migrate: Migration, environment: str) -> int | None:
    for index, need in enumerate(manifest.needs.neon):
        is_meant = migrate.database in {None, need.name}
        if is_meant and (need.environments is None or environment in need.environments):
            return index
    return None
