"""Pulumi stacks on the running stack: real databases, made after a click, on a real PostgreSQL."""

import asyncio
import json
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import pytest
import yaml
from pydantic import SecretBytes

from connectors.artifacts import ArtifactStore
from connectors.pulumi.empty_state import EMPTY_STATE_REFERENCE
from connectors.pulumi.identity import NO_STATE
from deploy.local.postgres import find_postgres
from deploy.local.processes.control import Ask, ask
from deploy.local.seeded_person import Message, SeededPerson
from sandbox.docker.container import SandboxOptions
from sandbox.docker.engine import Engine
from sandbox.docker.provider import DockerSandbox
from sandbox.egress.purposes import EgressSettings, RelayTarget
from sandbox.provisioning import EngineFound, Images
from sandbox.spec import MIB, Limits, RunSpec
from tests.stack.running import OF_STACKS, Running, eventually

FIRST_TIME: Final = 3000
PATIENCE: Final = 400
# The first use on a machine installs an engine, and builds images and Pulumi from source.
pytestmark = [pytest.mark.stack, pytest.mark.docker, pytest.mark.timeout(FIRST_TIME + 600)]

ROOMY: Final = Limits(memory_bytes=256 * MIB, workspace_bytes=32 * MIB, tmp_bytes=32 * MIB, wall_seconds=60)
LOG_IN: Final = """
import os
import pg8000.native
host, _, port = os.environ["BANKSMAN_RELAY_STATE"].rpartition(":")
for role, database, secret in [line.split() for line in LINES]:
    password = open("/run/secrets/" + secret).read()
    try:
        found = pg8000.native.Connection(role, host=host, port=int(port), database=database, password=password)
        print(*found.run("SELECT session_user, current_user")[0])
    except pg8000.native.DatabaseError as error:
        print(error.args[0]["M"])
"""
LOCKS: Final = "SELECT count(*) FROM pulumi_state WHERE key LIKE '%/.pulumi/locks/%'"


@pytest.fixture(scope="module", autouse=True)
def ready(stack: Running) -> EngineFound:
    """Until stacks can be run; the first time on a machine that takes minutes."""

    def there() -> bool:
        reply = asyncio.run(ask(stack.home / "control.sock", Ask(op="status")))
        notes = reply.notes if reply else ()
        if missing := [note for note in notes if note.startswith("there is no ")]:
            pytest.skip(missing[0])
        return "Pulumi is ready" in notes and stack.pid("state-database") is not None

    eventually(there, seconds=FIRST_TIME, what="Pulumi")
    return EngineFound.model_validate_json((stack.home / "engine.json").read_bytes())


@dataclass
class Server:
    """The PostgreSQL of the stack, as its owner sees it."""

    folder: str
    port: str
    psql: Path

    def ask(self, sql: str, *, database: str = "postgres") -> str:
        argv = [str(self.psql), "-h", self.folder, "-p", self.port, "-U", "postgres", "-d", database, "-XAtwqc", sql]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @property
    def databases(self) -> list[str]:
        return self.ask("SELECT datname FROM pg_database").splitlines()

    @property
    def roles(self) -> list[str]:
        return self.ask("SELECT rolname FROM pg_roles").splitlines()

    def comment(self, database: str) -> str:
        said = self.ask("SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database")
        return dict(line.split("|", 1) for line in said.splitlines())[database]


@pytest.fixture(scope="module")
def server(stack: Running, ready: EngineFound) -> Server:
    del ready
    at = stack.state["state_database"]
    found = asyncio.run(find_postgres(stack.home / "db" / "data"))
    return Server(at["socket"], at["address"].rpartition(":")[2], found.programs / "psql")


@pytest.fixture
def alice(stack: Running) -> SeededPerson:
    return SeededPerson(str(stack.state["twins"]["slack"]["url"]), "U0ALICE")


@dataclass
class Infra:
    """A clone of the example's repository, in which a stack has a database of the test's own."""

    clone: Path
    stack: str

    def name_database(self, name: str) -> str:
        """In the stack's settings; the commit."""
        settings = f"config:\n  local-postgres:database: {name}\n"
        return self.write(settings, to=f"Pulumi.{self.stack}.yaml", message=f"The database {name}")

    def write(self, text: str, *, to: str, message: str) -> str:
        """Commit and push; the commit."""
        (self.clone / to).write_text(text)
        self.git("add", "--all")
        self.git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", message)
        self.git("push", "--quiet", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", "-C", str(self.clone), *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    @property
    def asked(self) -> dict[str, str]:
        return {"repository": "acme/infra", "stack": self.stack}


@pytest.fixture
def infra(stack: Running, goal_id: str) -> Iterator[Infra]:
    name = f"t{goal_id[5:13]}"
    with tempfile.TemporaryDirectory(prefix="bm-infra-") as folder:
        bare = stack.home / "repositories" / "acme" / "infra.git"
        subprocess.run(["git", "clone", "--quiet", str(bare), f"{folder}/clone"], check=True, capture_output=True)
        infra = Infra(Path(folder) / "clone", name)
        infra.name_database(f"shop_{name}")
        yield infra


def start(stack: Running, goal: str, kind: str, asked: dict[str, Any]) -> None:
    done = stack.banksman("run", kind, "--input", json.dumps(asked), "--id", goal, "--json")
    assert done.returncode == 0, done.stderr


def approved(stack: Running, alice: SeededPerson, goal: str, kind: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Ask for it, click, and wait for the end."""
    start(stack, goal, kind, asked)
    alice.click(alice.wait_for(goal, seconds=PATIENCE), "approve")
    return stack.result(goal, seconds=PATIENCE)


async def log_in(ready: EngineFound, stack: Running, *lines: str) -> list[str]:
    """From a container, through a relay whose one target is the state database.

    Args:
        ready: The engine.
        stack: The stack.
        lines: Role, database, and which password.
    """
    said = yaml.safe_load((stack.home / "stacks.yaml").read_text())["state"]
    images = Images.model_validate_json(Path(ready.images).read_bytes())
    assert images.pulumi is not None
    target = RelayTarget(host=said["host"], port=said["port"])
    egress = EgressSettings(relays={"look": {"state": target}}, proxy_image=images.proxy.digest)
    secrets = {**json.loads((stack.home / "pulumi.json").read_text()), "guessed": "guessed"}
    spec = RunSpec(
        run_id="log-in",
        image=images.pulumi.digest,
        argv=("python3", "-c", f"LINES = {lines!r}\n{LOG_IN}"),
        limits=ROOMY,
        purpose="look",
    )
    engine = Engine(ready.host)
    with tempfile.TemporaryDirectory() as folder:
        options = SandboxOptions(deployment=f"test-{uuid.uuid4().hex[:8]}")
        sandbox = DockerSandbox(engine, ArtifactStore(folder), options, egress)
        try:
            ran = await sandbox.run(spec, secrets={name: SecretBytes(kept.encode()) for name, kept in secrets.items()})
        finally:
            await sandbox.close()
            await engine.close()
    assert ran.exit_code == 0, ran.stderr.text
    return ran.stdout.text.splitlines()


def test_containers_log_in_with_a_password_and_share_the_state(ready: EngineFound, stack: Running) -> None:
    said = asyncio.run(
        log_in(
            ready,
            stack,
            "banksman_look pulumi_local look",
            "banksman_change pulumi_local change",
            "banksman_change postgres change",
            "banksman_look pulumi_local guessed",
            "banksman_change pulumi_local look",
            "postgres postgres guessed",
            "banksman_look template1 look",
        )
    )
    assert said[:3] == [
        "banksman_look banksman_state",
        "banksman_change banksman_state",
        "banksman_change banksman_change",
    ]
    assert ["password authentication failed" in line for line in said[3:5]] == [True, True], said
    assert ["no pg_hba.conf entry" in line for line in said[5:]] == [True, True], said


def test_the_state_database_listens_for_containers_alone(stack: Running) -> None:
    pid = stack.pid("state-database")
    listening = [one for one in psutil.Process(pid).net_connections() if one.status == psutil.CONN_LISTEN]
    said = yaml.safe_load((stack.home / "stacks.yaml").read_text())["state"]
    assert [(one.laddr.ip, one.laddr.port) for one in listening] == [(said["host"], said["port"])]
    assert stack.state["state_database"]["address"] == f"{said['host']}:{said['port']}"
    assert psutil.Process(pid).uids().effective != 0


def test_what_opens_the_states_is_in_vault_and_in_one_closed_file(stack: Running) -> None:
    kept = json.loads((stack.home / "pulumi.json").read_text())
    assert (stack.home / "pulumi.json").stat().st_mode & 0o777 == 0o600
    for file in ("stack.json", "stacks.yaml", "engine.json", "logs/state-database.log", "logs/supervisor.log"):
        text = (stack.home / file).read_text()
        assert not [name for name, value in kept.items() if value in text], file


def test_a_stack_from_its_first_day_to_its_last(
    stack: Running, alice: SeededPerson, server: Server, goal_id: str
) -> None:
    """As the goals' examples say: a stack without settings of its own, and the database that the program names."""
    asked, database = {"repository": "acme/infra", "stack": "dev"}, "shop"
    told = {goal["name"]: goal["example"] for goal in json.loads(stack.banksman("goals", "--json").stdout)}
    assert {name: told[name] for name in OF_STACKS} == {
        **dict.fromkeys(OF_STACKS, asked),
        "RollBackStack": {**asked, "version": 1},
        "RestoreState": {**asked, "exported": EMPTY_STATE_REFERENCE},
    }
    first = approved(stack, alice, goal_id, "PreviewAndUp", asked)
    assert first["outcome"] == "completed", first
    assert first["outputs"]["database"] == database
    assert database in server.databases
    made = server.comment(database)

    start(stack, f"{goal_id}-again", "PreviewAndUp", asked)
    again = stack.result(f"{goal_id}-again", seconds=PATIENCE)
    assert (again["outcome"], again["done"] or []) == ("completed", []), again
    assert list(alice.offered(f"{goal_id}-again", "approve")) == [], "nobody is asked about nothing"

    start(stack, f"{goal_id}-told", "InspectStack", asked)
    seen = stack.result(f"{goal_id}-told", seconds=PATIENCE)
    assert (seen["outputs"]["database"], seen["locked_by"] or []) == (database, []), seen
    # The second run looked at what is there first, which is an entry too.
    ups = [one for one in seen["deployments"] if one["kind"] == "update"]
    assert [(one["version"], one["commit"]) for one in ups] == [(1, first["commit"])]

    server.ask(f"COMMENT ON DATABASE {database} IS 'changed by hand'")
    start(stack, f"{goal_id}-drift", "DetectDrift", asked)
    drift = stack.result(f"{goal_id}-drift", seconds=PATIENCE)
    assert (drift["outcome"], drift["drifted"], drift["complete"]) == ("completed", 1, True), drift
    assert "changed by hand" in "\n".join(drift["lines"])

    back = approved(stack, alice, f"{goal_id}-back", "RollBackStack", told["RollBackStack"])
    assert back["outcome"] == "completed", back
    assert server.comment(database) == made

    forgot = approved(stack, alice, f"{goal_id}-forget", "RestoreState", told["RestoreState"])
    assert (forgot["outcome"], forgot["state"]) == ("completed", NO_STATE), forgot
    assert database in server.databases
    known = {**asked, "exported": forgot["state_before"]}
    again = approved(stack, alice, f"{goal_id}-known", "RestoreState", known)
    assert (again["outcome"], again["state_before"]) == ("completed", forgot["state_after"]), again

    start(stack, f"{goal_id}-lock", "UnlockStack", asked)
    assert stack.result(f"{goal_id}-lock", seconds=PATIENCE)["released"] is False

    gone = approved(stack, alice, f"{goal_id}-gone", "DestroyStack", asked)
    assert gone["outcome"] == "completed", gone
    assert database not in server.databases
    assert f"{database}_owner" not in server.roles
    assert server.ask(LOCKS, database="pulumi_local") == "0"


def test_a_program_that_changed_after_the_approval_is_not_applied(
    stack: Running, alice: SeededPerson, infra: Infra, server: Server, goal_id: str
) -> None:
    start(stack, goal_id, "PreviewAndUp", infra.asked)
    message = alice.wait_for(goal_id, seconds=PATIENCE)
    before = server.databases
    infra.name_database(f"mine_{infra.stack}")
    alice.click(message, "approve")

    def offered() -> list[Message]:
        return [one for one in alice.offered(goal_id, "approve") if one.approval != message.approval]

    eventually(offered, seconds=PATIENCE, what="another plan")
    assert server.databases == before, "nothing at all was applied"
    alice.click(offered()[-1], "reject")
    alice.submit(reason="not this one")
    assert stack.result(goal_id)["outcome"] == "rejected"
    assert server.databases == before
