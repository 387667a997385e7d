"""Behind the twin's branches are real PostgreSQL clusters: connection strings work, copies are copies, and all of it
starts when somebody connects and not before."""

import asyncio
import subprocess
import time
from ipaddress import IPv4Address
from pathlib import Path

import psutil
import pytest

from connectors.errors import NotFound
from connectors.neon.client import NeonProject, Wanted
from connectors.neon.models import Branch
from connectors.neon.twin.app import create_twin
from tests.connectors.neon.at_neon import MAIN, OLD_IDEA, AtNeon, config, psql
from tests.connectors.serving import served_twin

pytestmark = pytest.mark.timeout(300)
REFUSED = subprocess.CalledProcessError


async def made(project: NeonProject, name: str, parent: str | None = None) -> tuple[Branch, str]:
    """A branch, and how one connects to it."""
    branch = await project.creation(Wanted(name=name, parent=parent)).create(name)
    branch = await project.ready(branch)
    return branch, (await project.connection(branch)).get_secret_value()


def servers(folder: Path) -> int:
    """How many clusters of this twin run."""
    found = {
        one.pid: one.info["ppid"]
        for one in psutil.process_iter(["cmdline", "environ", "ppid"])
        if _of(one, folder) and "-D" in (one.info["cmdline"] or [])
    }
    return sum(parent not in found for parent in found.values())  # a child has its server's words for a moment


def _of(process: psutil.Process, folder: Path) -> bool:
    return (process.info["environ"] or {}).get("HOME", "").startswith(str(folder))


async def test_a_connection_string_works_and_no_other_and_nothing_runs_before_it_is_used(
    neon: AtNeon, tmp_path: Path
) -> None:
    async with neon.project() as project:
        branch, uri = await made(project, "try-it")
        assert servers(tmp_path) == 0
        assert psql(uri, "SELECT current_user, current_database()") == "shop_owner|shop"
        assert servers(tmp_path) == 1
        assert (await project.compute(branch)).current_state == "active"
        assert psql(uri, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == "f"
    password = uri.split(":")[2].split("@")[0]
    for wrong in (uri.replace(password, "other"), uri.replace("shop_owner:", "postgres:")):
        with pytest.raises(REFUSED):
            psql(wrong, "SELECT 1")


async def test_a_child_has_what_its_parent_had_then_with_its_roles_and_their_passwords(neon: AtNeon) -> None:
    async with neon.project() as project:
        parent, above = await made(project, "parent")
        psql(above, "CREATE TABLE orders AS SELECT 1 AS id")
        psql(above, "CREATE ROLE leased LOGIN PASSWORD 'leased-password'; GRANT SELECT ON orders TO leased")
        _, below = await made(project, "child", parent.id)
        psql(above, "INSERT INTO orders VALUES (2)")
        psql(above, "REVOKE ALL ON orders FROM leased; DROP ROLE leased")
    assert psql(below, "SELECT count(*) FROM orders") == "1"
    password = below.split(":")[2].split("@")[0]
    leased = f"shop_owner:{password}"
    assert psql(below.replace(leased, "leased:leased-password"), "SELECT id FROM orders") == "1"
    with pytest.raises(REFUSED):
        psql(above.replace(leased, "leased:leased-password"), "SELECT 1")


async def test_a_suspended_compute_is_a_stopped_cluster_that_a_connection_wakes(neon: AtNeon, tmp_path: Path) -> None:
    async with neon.project() as project:
        branch, uri = await made(project, "try-it")
        psql(uri, "CREATE TABLE kept AS SELECT 7 AS id")
        compute = await project.compute(branch)
        neon.ask("POST", f"/endpoints/{compute.id}/suspend")
        neon.advance(2)
        assert servers(tmp_path) == 0
        assert (await project.compute(branch)).current_state == "idle"
        assert psql(uri, "SELECT id FROM kept") == "7"
        assert (await project.compute(branch)).current_state == "active"


async def test_a_compute_goes_to_sleep_when_nobody_has_come_for_a_while(neon: AtNeon, tmp_path: Path) -> None:
    async with neon.project() as project:
        branch, uri = await made(project, "try-it")
        psql(uri, "SELECT 1")
        neon.advance(200)
        await project.look()
        assert servers(tmp_path) == 1
        deadline = time.monotonic() + 10
        while (await project.compute(branch)).current_state != "idle":
            assert time.monotonic() < deadline, "it stays awake"
            neon.advance(301)  # from when the twin saw that psql had gone, which may be later than psql's end
        while servers(tmp_path):
            assert time.monotonic() < deadline, "it does not end"
            await asyncio.sleep(0.05)


async def test_a_deleted_branch_cannot_be_connected_to_and_a_recovered_one_has_all_it_had(
    neon: AtNeon, tmp_path: Path
) -> None:
    async def looked() -> None:
        """As before."""

    async with neon.project() as project:
        branch, uri = await made(project, "try-it")
        psql(uri, "CREATE TABLE kept AS SELECT 7 AS id")
        await project.delete(branch, last_look=looked)
        assert servers(tmp_path) == 0
        with pytest.raises(REFUSED):
            psql(uri, "SELECT 1")
        neon.ask("POST", f"/branches/{branch.id}/recover")
        assert psql(uri, "SELECT id FROM kept") == "7"


async def test_roles_and_databases_that_the_api_makes_are_there(neon: AtNeon) -> None:
    async with neon.project() as project:
        branch, uri = await made(project, "try-it")
        psql(uri, "SELECT 1")
        role = neon.ask("POST", f"/branches/{branch.id}/roles", json={"role": {"name": "app"}})["role"]
        neon.advance(2)
        wanted = {"database": {"name": "extra", "owner_name": "app"}}
        neon.ask("POST", f"/branches/{branch.id}/databases", json=wanted)
        neon.advance(2)
        extra = (await project.connection(branch, database="extra")).get_secret_value()
        assert psql(extra, "SELECT current_user, pg_has_role('neon_superuser', 'member')") == "app|t"
        neon.ask("POST", f"/branches/{branch.id}/roles/app/reset_password")
        with pytest.raises(REFUSED):
            psql(extra, "SELECT 1")
        renewed = (await project.connection(branch, database="extra")).get_secret_value()
        assert role["password"] not in renewed
        assert psql(renewed, "SELECT 1") == "1"


async def test_schemas_are_compared_as_postgresql_dumps_them(neon: AtNeon) -> None:
    async with neon.project() as project:
        parent, above = await made(project, "parent")
        psql(above, "CREATE TABLE orders (id int)")
        child, below = await made(project, "child", parent.id)
        assert await project.compare_schema(child, base=parent, database="shop") == ""
        psql(below, "ALTER TABLE orders ADD COLUMN paid boolean")
        assert "+    paid boolean" in await project.compare_schema(child, base=parent, database="shop")
        with pytest.raises(NotFound):
            await project.compare_schema(child, base=parent, database="orders")


async def test_a_compute_listens_for_containers_at_an_address_that_need_not_be_there(tmp_path: Path) -> None:
    """`127.0.0.2` is there without being anybody's; of what is not there only the listening can be seen."""
    for address in ("127.0.0.2", "192.0.2.77"):
        with served_twin(create_twin(config(tmp_path / address, containers=IPv4Address(address)))) as served:
            query = {"branch_id": MAIN, "database_name": "shop", "role_name": "shop_owner"}
            uri = str(AtNeon(served).ask("GET", "/connection_uri", params=query)["uri"])
            assert psql(uri, "SELECT 1") == "1"
            if address == "127.0.0.2":
                assert psql(uri.replace("127.0.0.1", address), "SELECT 1") == "1"


async def test_a_snapshot_is_what_a_branch_was_and_becomes_a_branch_again(neon: AtNeon) -> None:
    async with neon.project() as project:
        branch, uri = await made(project, "try-it")
        psql(uri, "CREATE TABLE orders AS SELECT 1 AS id")
        snapshot = neon.ask("POST", f"/branches/{branch.id}/snapshot")["snapshot"]
        psql(uri, "DROP TABLE orders")
        neon.advance(2)
        restored = neon.ask("POST", f"/snapshots/{snapshot['id']}/restore", json={"name": "again"})["branch"]
        neon.advance(2)
        again = await project.by_id(restored["id"])
        await project.compute(again)
        assert psql((await project.connection(again)).get_secret_value(), "SELECT id FROM orders") == "1"


async def test_a_restored_branch_is_what_its_source_is_and_what_it_was_stays_under_another_name(neon: AtNeon) -> None:
    async with neon.project() as project:
        source, above = await made(project, "source")
        target, below = await made(project, "target")
        psql(above, "CREATE TABLE orders AS SELECT 1 AS id")
        psql(below, "CREATE TABLE mine AS SELECT 2 AS id")
        restore = {"source_branch_id": source.id, "preserve_under_name": "before"}
        neon.ask("POST", f"/branches/{target.id}/restore", json=restore)
        neon.advance(2)
        assert psql(below, "SELECT id FROM orders") == "1"
        before = await project.branch("before")
        await project.compute(before)
        assert psql((await project.connection(before)).get_secret_value(), "SELECT id FROM mine") == "2"


async def test_a_branch_that_nobody_ever_used_is_copied_without_a_cluster(neon: AtNeon, tmp_path: Path) -> None:
    async with neon.project() as project:
        await made(project, "child", OLD_IDEA)
    assert not (tmp_path / "clusters").exists()
