"""The steps of goals on a stack in Pulumi Cloud: what is approved holds its last update; each bad day is one error."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
import yaml
from pydantic import SecretStr
from temporalio import activity

from activities.guard.withheld import DestructiveSecrets
from activities.pulumi.contracts import PreviewRequest
from activities.pulumi.credentials import StackCredentials
from activities.pulumi.destruction import StackDestruction
from activities.pulumi.looking import StackActivities
from activities.pulumi.sessions import StackSessions
from connectors.artifacts import ArtifactStore
from connectors.errors import Conflict, ConnectorError, InvalidRequest, Unavailable
from connectors.pulumi import identity
from connectors.pulumi.approval import DestroyStackParameters, UpdateStackParameters
from connectors.pulumi.outcome import Ended
from deploy.local.tools import CACHE
from deploy.vault.bootstrap import seed_secret
from hitl.approval.plan import read_plan
from sandbox.docker.container import SandboxOptions
from sandbox.docker.engine import Engine as DockerEngine
from sandbox.docker.provider import DockerSandbox
from sandbox.provisioning import Images
from sandbox.pulumi.request import ACCESS_TOKEN
from sandbox.pulumi.runner import PulumiSandbox
from sandbox.spec import Limits
from tests.connectors.vault.server import House, VaultServer
from tests.sandbox.conftest import leftovers
from tests.sandbox.pulumi.cloud.conftest import GONE, URL, Cloud, Member, kept
from tests.sandbox.pulumi.conftest import Database, Way
from tests.sandbox.pulumi.steps import conftest as steps
from tests.sandbox.pulumi.steps.conftest import SHOP, Shop
from workers.sandbox import Provision
from workers.settings import Settings
from workers.stack_engine import OwnEngine
from workers.stacks import Stacks

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

vault_server = steps.vault_server


@pytest_asyncio.fixture
async def house(vault_server: VaultServer) -> AsyncIterator[House]:
    house = await House.build(vault_server)
    yield house
    await house.close()


MORE = SHOP + 'Database("more", "NAME_more")\n'
WAITING = """
import pulumi
from databases import Database
first = Database("first", "NAME_first")
Database("last", "NAME_last", comment=first.id.apply(lambda _: __import__("time").sleep(600) or "late"))
"""


@pytest.fixture
def url() -> str:
    """Of the API; a test that wants another gives one."""
    return URL


@pytest.fixture
def member(cloud: Cloud) -> Member:
    return cloud.join()


def write_stacks(folder: Path, member: Member, way: Way, url: str) -> Path:
    """The deployment's file."""
    said = {
        "state": {**member.state.model_dump(), "url": url},
        "packages": ["banksman"],
        "relays": {"orders": {"host": way.host, "port": way.port}},
        "environment": {
            "PGHOST": "{orders.host}", "PGPORT": "{orders.port}", "PGUSER": "{state-role}", "PGDATABASE": "postgres",
            "PGSSLMODE": "disable",
        },
        "passwords": [{"relay": "orders", "database": "*", "secret": "orders-password"}],
    }  # fmt: skip
    path = folder / "stacks.yaml"
    path.write_text(yaml.safe_dump(said))
    return path


async def put_secrets(house: House, name: str, token: str) -> None:
    """What Vault holds for a look and for a change: no passphrase, which this backend does not want."""
    for path, role, password in (
        ("look", "look", steps.LOOK_PASSWORD),
        ("change", "change", steps.CHANGE_PASSWORD),
    ):
        values = {ACCESS_TOKEN: token, "state-role": f"{name}_{role}", "orders-password": password}
        secrets = {key: SecretStr(value) for key, value in values.items()}
        await seed_secret(address=house.server.address, token=house.server.root, path=f"pulumi/{path}", values=secrets)


@pytest_asyncio.fixture
async def shop(
    engine: DockerEngine,
    store: ArtifactStore,
    options: SandboxOptions,
    images: Images,
    pulumi_image: str,
    cloud: Cloud,
    member: Member,
    way: Way,
    database: Database,
    house: House,
    tmp_path: Path,
    url: str,
) -> AsyncIterator[Shop]:
    name = f"s{uuid.uuid4().hex[:10]}"
    steps.make_roles(database, name)
    steps.make_state(database, name)
    await put_secrets(house, name, member.token)
    stacks = Stacks.load(write_stacks(tmp_path, member, way, url), environment="live")
    sandbox = DockerSandbox(engine, store, options, stacks.said.opened(cloud.egress(images)))
    limits = Limits(memory_bytes=512 * 2**20, workspace_bytes=256 * 2**20, tmp_bytes=64 * 2**20)
    settings = Settings(sandbox_images=CACHE / "images.json", artifacts=store.location)
    own = OwnEngine(Provision(sandbox, images.base.digest, limits), settings)
    assert (await own.place()).image == pulumi_image
    parts = StackSessions(stacks, own, store)
    destructive = await house.login("destructive")
    before = len(cloud.twin.seen)
    yield Shop(
        name=name,
        looks=StackActivities(parts, await house.login("sandbox")),
        changes=StackDestruction(parts, DestructiveSecrets(destructive)),
        records=destructive,
        seals=StackCredentials(await house.login("connectors")),
        store=store,
        pulumi=PulumiSandbox(sandbox, store, Path(str(identity.__file__))),
        sandbox=sandbox,
        way=way,
        database=database,
        vault=house,
        folder=tmp_path,
    )
    assert {one.peer for one in cloud.twin.seen[before:]} <= await cloud.proxies(engine, options.deployment)
    await sandbox.close()
    assert await leftovers(engine, options.deployment) == []


async def test_what_is_approved_holds_the_last_update(shop: Shop, member: Member) -> None:
    changed = await shop.deploy()
    assert changed.outputs == {"database": f"{shop.name}_shop", "token": "[secret]"}
    assert shop.databases == ["shop"]
    await shop.prepare(MORE)
    previewed = await shop.preview()
    assert previewed.plan is not None
    inputs = read_plan(previewed.plan).parameters_as(UpdateStackParameters).inputs
    assert inputs.update_version == member.stack.version == 1
    look = await shop.look()
    leaving = await shop.run(shop.looks.preview_destroy, PreviewRequest.model_validate(look.model_dump()))
    assert read_plan(leaving.plan or "").parameters_as(DestroyStackParameters).update_version == 1

    member.update_elsewhere()
    with pytest.raises(Conflict, match="somebody made another update of it since"):
        await shop.update(previewed)
    with pytest.raises(Conflict, match="somebody made another update of it since"):
        await shop.run(shop.changes.destroy_stack, shop.grant(leaving))
    assert shop.databases == ["shop"]
    done = await shop.update(await shop.preview())
    assert done.outcome.ended is Ended.APPLIED, done
    assert shop.databases == ["more", "shop"]

    history = await shop.run(shop.looks.read_history, await shop.look())
    assert [one.version for one in history.deployments] == [3, 2, 1]
    assert shop.prepared is not None
    assert [one.commit for one in history.deployments][:2] == [shop.prepared.commit, None]
    written = await kept(shop.folder / "artifacts") + repr((shop.beats, done, history, previewed)).encode()
    assert member.token.encode() not in written
    updates = member.stack.updates.values()
    sent = json.dumps([member.stack.checkpoints, [(one.info, one.events) for one in updates]])
    assert "banksman:postgres:Database" in sent
    for secret in ("output-canary", member.token, steps.LOOK_PASSWORD, steps.CHANGE_PASSWORD):
        assert secret not in sent, "Pulumi Cloud is sent secrets to encrypt, and in no other way"


async def test_an_update_of_somebody_elses_is_told_as_that(shop: Shop, member: Member) -> None:
    await shop.prepare()
    previewed = await shop.preview()
    other = member.begin_elsewhere()
    with pytest.raises(Conflict, match="another update of the stack is in progress at Pulumi Cloud") as caught:
        await shop.run(shop.looks.refresh_stack, await shop.look())
    assert member.token not in str(caught.value)
    with pytest.raises(Conflict, match="somebody made another update"):
        await shop.update(previewed)
    locked = await shop.run(shop.looks.look_at_lock, await shop.look())
    assert locked.owners == (), "Pulumi Cloud does not say whose it is"
    assert member.stack.active is other
    assert shop.databases == []


async def test_a_cancelled_update_gives_its_turn_back(shop: Shop, member: Member) -> None:
    await shop.prepare(WAITING)
    environment = shop.environment()
    step = shop.admitted(shop.changes.update_stack)
    running = asyncio.create_task(environment.run(step, shop.grant(await shop.preview())))
    async with asyncio.timeout(120):
        while "first" not in shop.databases:
            assert not running.done(), running.result()
            await asyncio.sleep(0.2)
    assert member.stack.active is not None
    environment.cancel(activity.ActivityCancellationDetails(cancel_requested=True))
    told = await running
    assert told.outcome.ended is Ended.PARTIALLY_APPLIED
    assert [one.urn.rpartition("::")[2] for one in told.outcome.done] == ["first"]
    assert member.stack.active is None
    assert [one.result for one in member.stack.history] == ["failed"]
    assert member.asked("/complete")[-1].endswith(f"{member.stack.history[0].id}/complete")


async def test_an_engine_that_died_is_told_and_its_update_is_not_made_again(shop: Shop, member: Member) -> None:
    """Its lease goes on for minutes; until then nobody else has a turn."""
    await shop.prepare(WAITING)
    granted = shop.grant(await shop.preview())
    mine: dict[str, object] = {"activity_id": uuid.uuid4().hex[:8], "scheduled_time": datetime.now(UTC)}
    run, running = await shop.begun(granted, **mine)
    async with asyncio.timeout(120):
        while "first" not in shop.databases:
            assert not running.done(), running.result()
            await asyncio.sleep(0.2)
    await shop.kill(run)
    assert (await running).ended == "lost"
    told = await shop.run(shop.changes.update_stack, granted, **mine, attempt=2)
    assert told.outcome.ended in {Ended.PARTIALLY_APPLIED, Ended.UNKNOWN}
    assert "last" in [one.urn.rpartition("::")[2] for one in told.outcome.not_done]
    assert [one.version for one in member.stack.history] == [1], "no other update was begun"
    assert member.stack.active is not None
    with pytest.raises(Conflict, match="ends there by itself, within minutes"):
        await shop.run(shop.looks.refresh_stack, await shop.look())
    member.stack.history[0].expires = 0
    assert (await shop.run(shop.looks.refresh_stack, await shop.look())).complete


async def refused(shop: Shop) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await shop.preview()
    return caught.value


async def test_a_wrong_token_is_named_and_not_shown(shop: Shop, member: Member) -> None:
    await shop.prepare()
    wrong = f"pul-canary-{uuid.uuid4().hex}"
    await put_secrets(shop.vault, shop.name, wrong)
    error = await refused(shop)
    assert isinstance(error, InvalidRequest)
    assert "the state's backend refuses the credentials in Vault" in str(error)
    assert wrong not in str(error)
    assert len(str(error)) < 500
    assert wrong.encode() not in await kept(shop.folder / "artifacts")


@pytest.mark.parametrize("url", [f"https://{GONE}"])
async def test_an_api_that_does_not_answer_is_tried_again(shop: Shop, member: Member, url: str) -> None:
    await shop.prepare()
    error = await refused(shop)
    assert isinstance(error, Unavailable)
    assert "the state's backend does not answer" in str(error)
    assert url in str(error)
    assert member.token not in str(error)
