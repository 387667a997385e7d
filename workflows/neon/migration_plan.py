"""What people read of a migration before they approve it, and what its result tells."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from activities.neon.contracts import NeonBranchSeen
from activities.neon.migrations.contracts import (
    MIGRATE_DATABASE,
    MigrateDatabaseParameters,
    Rehearsed,
    SchemaCompared,
    TableLocked,
)
from activities.sandbox.contracts import Source
from hitl.approval.plan import Change, Plan, Resource, Risk
from hitl.hidden import visible
from workflows.neon.goals import MigrateDatabaseInput

MOST_LISTED: Final = 200
_MOST_LOCKS: Final = 8
_MOST_LINES: Final = 50
"""Of a plan's summary: what is left of them is for the difference."""
_LONG_LOCK: Final = 1.0
"""Seconds for which nobody reads a table: then it is a risk of its own."""
_ALONE: Final = "AccessExclusiveLock"


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """A migration as it went on a copy.

    Attributes:
        before: The schema's digest before it.
        after: And after it.
        told: How it ended, and what it locked.
        compared: By what the two schemas differ.
    """

    before: str
    after: str
    told: Rehearsed
    compared: SchemaCompared


def plan_of(  # noqa: PLR0913 - all but the first are named by their types
    wanted: MigrateDatabaseInput,
    branch: NeonBranchSeen,
    source: Source,
    tried: Rehearsal,
    *,
    way_back: str,
    why: str = "",
) -> Plan:
    """The plan: exactly this commit, on exactly that schema.

    Args:
        wanted: What is migrated, and how.
        branch: Where.
        source: The commit.
        tried: How it went on a copy.
        way_back: The branch that is made right before.
        why: One line for people, first in the plan.
    """
    resource = f"{branch.name}/{wanted.database}"
    parameters = MigrateDatabaseParameters(
        account=wanted.project,
        resource=resource,
        branch_id=branch.id or "",
        branch_name=branch.name,
        database=wanted.database,
        repository=wanted.repository,
        commit=source.commit,
        pack=source.pack,
        command=list(wanted.command),
        directory=wanted.directory or "",
        timeout_seconds=wanted.timeout_seconds,
        schema_before=tried.before,
        schema_after=tried.after,
        difference=tried.compared.digest,
        way_back=way_back,
        way_back_hours=wanted.way_back_hours,
    )
    restores = restore_command(wanted.project, branch.name, way_back)
    told = (*((why,) if why else ()), *_summary(wanted, source, tried, way_back, restores))
    return Plan(
        action=MIGRATE_DATABASE.name,
        parameters=parameters.model_dump(),
        resources=(Resource(kind="Neon database", name=visible(resource), change=Change.UPDATE),),
        summary=tuple(line[:500] for line in (*told, *_difference(tried.compared, _MOST_LINES - len(told)))),
        risk=_risk(tried),
    )


def restore_command(project: str, branch: str, way_back: str) -> str:
    """What a person runs to have the database as it was. What was written since stays in a branch of its own."""
    kept = f"after-{way_back.removeprefix('before-')}"
    return shlex.join(
        ["neonctl", "branches", "restore", branch, way_back, "--project-id", project, "--preserve-under-name", kept]
    )


def lock_line(lock: TableLocked) -> str:
    """One lock, for people."""
    return f"{lock.mode} on {visible(lock.table)}, seen for {lock.seconds:.2f} s"


def difference_lines(compared: SchemaCompared) -> tuple[str, ...]:
    """The difference, as far as a result holds it."""
    return compared.lines[:MOST_LISTED]


def _summary(
    wanted: MigrateDatabaseInput, source: Source, tried: Rehearsal, way_back: str, restores: str
) -> Iterator[str]:
    yield f"Migrate {wanted.database} with {wanted.repository} at {source.commit[:12]}"
    ran = tried.told.ran
    yield f"Tried on a copy: it took {ran.seconds:.1f} s; it is stopped after {wanted.timeout_seconds} s"
    locks = tried.told.locks
    for lock in locks[:_MOST_LOCKS]:
        yield f"Locks: {lock_line(lock)}"
    if len(locks) > _MOST_LOCKS:
        yield f"Locks: {len(locks) - _MOST_LOCKS} tables more"
    if not locks:
        yield f"Locks: none was seen on a table that was there before, in {tried.told.looks} looks"
    if not tried.told.locks_complete:
        yield "Locks: it could not be looked for them until the end"
    yield f"Way back: the branch {visible(way_back)}, made right before and kept for {wanted.way_back_hours} h"
    yield f"To go back: `{visible(restores)}`"
    if not tried.compared.lines:
        yield "The schema stays as it is; its tables say that other migrations were done"


def _difference(compared: SchemaCompared, room: int) -> Iterator[str]:
    """As much of it as has room, and how much more there is."""
    lines = compared.lines
    shown = lines if len(lines) <= room and not compared.left_out else lines[: room - 1]
    yield from shown
    if more := len(lines) - len(shown) + compared.left_out:
        yield f"and {more} lines more of the schema"


def _risk(tried: Rehearsal) -> Risk:
    goes = any(line.startswith("-") for line in tried.compared.lines)
    waits = any(one.mode == _ALONE and one.seconds >= _LONG_LOCK for one in tried.told.locks)
    return Risk.HIGH if goes or waits or tried.compared.left_out else Risk.MEDIUM
