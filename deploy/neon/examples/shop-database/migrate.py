"""Brings the database up to date: each file of `migrations/` once, in the order of their names, each as a whole.

With `down` it undoes the newest one that was run instead, by the file of the same name in `migrations/down/`.

The driver lies in `vendor/`, for a migration reaches its database and nothing to install from. Where the database is
stands in libpq's variables; the password in the file that PGPASSFILE names.
"""

import os
import ssl
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "vendor"))

import pg8000.native  # noqa: E402 - it lies there


def connect() -> Any:
    """As the role that may change this database, and nothing else."""
    password = Path(os.environ["PGPASSFILE"]).read_text().strip().rsplit(":", 1)[1]
    return pg8000.native.Connection(
        os.environ["PGUSER"],
        host=os.environ["PGHOST"],
        port=int(os.environ["PGPORT"]),
        database=os.environ["PGDATABASE"],
        password=password,
        ssl_context=None if os.environ["PGSSLMODE"] == "disable" else ssl.create_default_context(),
    )


def up(database: Any, done: set[str]) -> None:
    """Run what was not run yet."""
    for file in sorted((HERE / "migrations").glob("*.sql")):
        if file.stem in done:
            continue
        print(f"migrating to {file.stem}", flush=True)
        database.run("BEGIN")
        database.run(file.read_text())
        database.run("INSERT INTO schema_migrations VALUES (:version)", version=file.stem)
        database.run("COMMIT")


def down(database: Any, done: set[str]) -> None:
    """Undo the newest that was run."""
    newest = max(done)
    print(f"undoing {newest}", flush=True)
    database.run("BEGIN")
    database.run((HERE / "migrations" / "down" / f"{newest}.sql").read_text())
    database.run("DELETE FROM schema_migrations WHERE version = :version", version=newest)
    database.run("COMMIT")


def main(*words: str) -> None:
    """One of both."""
    database = connect()
    database.run("CREATE TABLE IF NOT EXISTS schema_migrations (version text PRIMARY KEY)")
    done = {row[0] for row in database.run("SELECT version FROM schema_migrations")}
    (down if words == ("down",) else up)(database, done)
    database.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
