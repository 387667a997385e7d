"""Runs a migration in the sandbox: on a commit, with a login to one database, and with a way to that one alone.

The password lies in files: `.pgpass` for libpq and its like, and a connection string for those that read one. Neither
is in the environment, which a program passes on to whatever it starts.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import SecretBytes
from temporalio import activity

from activities.neon.migrations.contracts import MOST_SAID, Ran
from activities.sandbox.contracts import Source
from activities.sandbox.output import LiveOutput, masked
from activities.sandbox.source import CHECK_OUT, MARK, PACK, checked_out
from connectors.errors import InvalidRequest
from connectors.postgres.session import Server
from observability.redaction import redact
from sandbox.egress.targets import DATABASE
from sandbox.protocol import LastLook, Sandbox
from sandbox.result import RunResult
from sandbox.spec import InputArtifact, Limits, RunSpec, Target

URL_FILE: Final = "DATABASE_URL_FILE"
"""The variable that names the file with the connection string."""
_MOST_TOLD: Final = 50
_SECRETS: Final = "/run/secrets"
_RUN: Final = f"""\
{CHECK_OUT}
cd "./$1"; shift
export PGHOST="${{BANKSMAN_TARGET%:*}}" PGPORT="${{BANKSMAN_TARGET##*:}}" PGPASSFILE={_SECRETS}/pgpass
export {URL_FILE}={_SECRETS}/database-url
(umask 377; printf 'postgresql://%s:%s@%s:%s/%s?sslmode=%s' "$PGUSER" "$(cat {_SECRETS}/password)" "$PGHOST" \
  "$PGPORT" "$PGDATABASE" "$PGSSLMODE" > {_SECRETS}/database-url)
exec "$@"
"""


@dataclass(frozen=True)
class Workplace:
    """Where migrations run.

    Attributes:
        sandbox: An engine that passed its self-test.
        image: What they run in, by digest.
        limits: What each may use; the time is the request's.
    """

    sandbox: Sandbox
    image: str
    limits: Limits


@dataclass(frozen=True, kw_only=True)
class Migration:
    """What is run.

    Attributes:
        source: The commit.
        command: Program and arguments.
        directory: Where it starts, below the repository's root; empty for the root.
        timeout_seconds: Then everything in the container ends.
    """

    source: Source
    command: Sequence[str]
    directory: str
    timeout_seconds: int


async def _nobody_looks() -> None:
    """Before a copy is changed nobody is asked."""


async def run_migration(
    place: Workplace, migration: Migration, server: Server, *, last_look: LastLook = _nobody_looks
) -> Ran:
    """Run it to its end.

    Args:
        place: Where.
        migration: What.
        server: The database, and the login to it.
        last_look: Awaited right before it begins.

    Raises:
        InvalidRequest: The commit cannot be checked out, or the command cannot be run.
        SandboxError: The sandbox failed; it may have run in part.
    """
    password = server.password.get_secret_value()
    hidden = (password.encode(),)
    live = LiveOutput(hidden, beat=activity.heartbeat)
    secrets = {
        "pgpass": SecretBytes(f"*:*:*:*:{password}\n".encode()),
        "password": SecretBytes(password.encode()),
    }
    result = await place.sandbox.run(
        _spec(place, migration, server), secrets=secrets, on_output=live.take, last_look=last_look
    )
    live.end()
    if result.ended == "exit" and not checked_out(result):
        raise InvalidRequest(
            f"{migration.source.repository!r} at {migration.source.commit} could not be checked out in the sandbox: "
            f"{redact.tail(masked(result.stderr.text, hidden), 300)!r}"
        )
    return _told(result, hidden)


def _spec(place: Workplace, migration: Migration, server: Server) -> RunSpec:
    source = migration.source
    try:
        return RunSpec(
            run_id=_run_id(),
            image=place.image,
            argv=("sh", "-euc", _RUN, "sh", source.commit, migration.directory or ".", *migration.command),
            inputs=(InputArtifact(reference=source.pack, path=PACK),),
            artifacts=(MARK,),
            environment={
                "PGUSER": server.role,
                "PGDATABASE": server.database,
                "PGSSLMODE": server.sslmode,
                "PGSSLROOTCERT": "/etc/ssl/certs/ca-certificates.crt",
                "PGAPPNAME": "banksman-migration",
            },
            purpose=DATABASE,
            work="migration",
            target=Target(host=server.host, port=server.port),
            limits=Limits.model_validate(place.limits.model_dump() | {"wall_seconds": migration.timeout_seconds}),
        )
    except ValueError as error:
        raise InvalidRequest(f"this migration cannot be run: {error}") from error


def _run_id() -> str:
    """Of this step and attempt: known again, and none of another one's."""
    info = activity.info()
    said = re.sub(r"[^a-z0-9]", "", (info.workflow_run_id or "").lower())[:24]
    which = hashlib.sha256(f"{info.activity_id}/{info.attempt}".encode()).hexdigest()[:10]
    return f"m{said}-{which}"


def _told(result: RunResult, hidden: tuple[bytes, ...]) -> Ran:
    return Ran(
        exit_code=result.exit_code,
        ended=result.ended,
        seconds=round(result.usage.run_seconds, 2),
        stdout=redact.tail(masked(result.stdout.text, hidden), MOST_SAID),
        stderr=redact.tail(masked(result.stderr.text, hidden), MOST_SAID),
        connections=result.connections[:_MOST_TOLD],
    )
