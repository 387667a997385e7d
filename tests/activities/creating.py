"""What each provider makes for a goal, by steps as their workers have them: for tests of what befalls all of them."""

import dataclasses
import secrets
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr

from activities.estuary.contracts import ExpectedSpec, PublishFlowRequest
from activities.lambdalabs.contracts import LeasedGpu
from activities.neon.contracts import CREATE_BRANCH, CreateNeonBranchRequest
from activities.qdrant.contracts import CreateClusterRequest
from activities.redis.contracts import DatabaseRequest
from connectors.creation import mark
from connectors.estuary.manifest import ACCOUNT
from connectors.estuary.models import NOT_THERE
from connectors.lambdalabs.manifest import KEY as LAMBDA_KEY
from connectors.lambdalabs.twin.app import create_twin as create_lambda
from connectors.neon.manifest import KEY
from connectors.neon.twin.app import create_twin as create_neon
from connectors.qdrant.manifest import WRITING_KEY
from connectors.qdrant.twin.app import create_twin as create_qdrant
from connectors.twins.problems import basic
from tests.activities.estuary import house as of_estuary
from tests.activities.github.at_work import at_work
from tests.activities.lambdalabs import at_work as of_lambda
from tests.activities.neon import at_neon as of_neon
from tests.activities.played_vault import PlayedVault
from tests.activities.qdrant import at_work as of_qdrant
from tests.activities.redis import at_work as of_redis
from tests.connectors.lambdalabs.conftest import CONFIG as OF_LAMBDA
from tests.connectors.neon.at_neon import KEY_CANARY, PROJECT, AtNeon, config
from tests.connectors.qdrant.conftest import CONFIG, PAID
from tests.connectors.serving import ServedTwin, served_twin


@dataclass(frozen=True)
class Creating:
    """One provider's creation.

    Attributes:
        twin: Where it is made.
        attempt: One attempt of a goal's step, with a worker of its own; answers the id.
        made: What the provider has for that goal, by id.
        account: Who asks for it.
    """

    twin: ServedTwin
    attempt: Callable[[str, int], Awaitable[str]]
    made: Callable[[str], Awaitable[Sequence[str]]]
    account: "Account"


@dataclass(frozen=True)
class Account:
    """The account that steps use, at the twin and in Vault.

    Attributes:
        known: The twin itself.
        vault: Where its key is.
        secret: At this path.
        field: In this field.
        takes: Has the twin take this key, and the earlier one no longer.
    """

    known: Any
    vault: PlayedVault
    secret: str
    field: str
    takes: Callable[[str], None]

    def revoke(self) -> None:
        """End the key that Vault has."""
        self.takes(secrets.token_hex(16))

    def renew(self) -> None:
        """Make a key, and put it into Vault."""
        key = secrets.token_hex(16)
        self.takes(key)
        held = self.vault.held
        held[self.secret] = {**held[self.secret], self.field: SecretStr(key)}

    def set_off(self, seconds: float) -> None:
        """The provider's clock goes so much ahead from now on; what it counts by the second it counts anew."""
        self.known.clock.ahead += seconds
        self.known._buckets.clear()


def configured(known: Any, name: str) -> Callable[[str], None]:
    """Of a twin whose configuration says its key."""

    def takes(key: str) -> None:
        known._config = known._config.model_copy(update={name: key})

    return takes


@contextmanager
def neon(folder: Path) -> Generator[Creating]:
    end = datetime.now(UTC) + timedelta(days=3)
    app = create_neon(config(folder, operation_seconds=0.02))
    with served_twin(app) as twin:
        house, known = of_neon.House(AtNeon(twin)), app.state.twin

        def takes(key: str) -> None:
            known._config = known._config.model_copy(update={"keys": (KEY_CANARY, key)})

        account = Account(known, house, KEY.path, "key", takes)
        account.renew()

        async def attempt(goal: str, number: int) -> str:
            request = CreateNeonBranchRequest(project=PROJECT, branch=goal, expires_at=end)
            step = at_work(CREATE_BRANCH.name, goal, attempt=number)
            return (await step.run(house.making.create_branch, request)).id

        async def made(goal: str) -> list[str]:
            return [one["id"] for one in house.neon.ask("GET", "/branches")["branches"] if one["name"] == goal]

        yield Creating(twin, attempt, made, account)


@contextmanager
def qdrant(_folder: Path) -> Generator[Creating]:
    app = create_qdrant(CONFIG)
    with served_twin(app) as twin:
        vault, known = of_qdrant.Vault(twin), app.state.twin

        async def attempt(goal: str, number: int) -> str:
            request = CreateClusterRequest(
                name=goal, provider="aws", region="eu-central-1", package_id=PAID, nodes=2, millicents_per_hour=7_500
            )
            step = of_qdrant.at_work("qdrant.create_cluster", attempt=number, workflow_id=goal)
            return (await step.run(vault.clusters.create_cluster, request)).id

        async def made(goal: str) -> list[str]:
            return [key for key, one in known.known.clusters.items() if one.name == goal]

        yield Creating(
            twin, attempt, made, Account(known, vault, WRITING_KEY.path, "api_key", configured(known, "writing_key"))
        )


@contextmanager
def redis(provider: str) -> Generator[Creating]:
    with of_redis.houses(provider) as house:
        house.seller = dataclasses.replace(house.seller, shows_within=timedelta())
        create = house.seller.steps.create
        request = DatabaseRequest.model_validate(house.request)

        async def attempt(goal: str, number: int) -> str:
            made = await of_redis.at_work(create.name, goal, attempt=number).run(house.method(create), request)
            house.advance(60)  # Redis Cloud lets few be pending at once
            return made.id

        assert create.credential is not None
        secret, known = create.credential.secret.path, house.known

        def takes(key: str) -> None:
            if provider == "rediscloud":
                configured(known, "owner")(key)
            else:
                email = house.vault.held[secret]["email"].get_secret_value()
                known._keys = [basic(email, key)]

        account = Account(known, house.vault, secret, "secret_key" if provider == "rediscloud" else "api_key", takes)

        async def made(goal: str) -> list[str]:
            async with house.seller.opening(house.vault.held[secret]) as cloud:
                return [one.id for one in await cloud.carrying(request, mark(goal))]

        yield Creating(house.twin, attempt, made, account)


@contextmanager
def estuary(_folder: Path) -> Generator[Creating]:
    with of_estuary.houses() as house:

        async def attempt(goal: str, number: int) -> str:
            spec = ExpectedSpec(
                name=f"acme/shop/{goal}",
                type="collection",
                model={"schema": {"type": "object"}, "key": ["/id"]},
                expect=NOT_THERE,
            )
            step = of_estuary.at_work("estuary.publish_flow", attempt=number, workflow_run_id=goal)
            told = await step.run(house.flows.publish_flow, PublishFlowRequest(specs=(spec,)))
            return told.publication or ""

        def takes(key: str) -> None:
            accounts = house.known._config.accounts
            changed = {**accounts, "publisher": accounts["publisher"].model_copy(update={"secret": key})}
            house.known._config = house.known._config.model_copy(update={"accounts": changed})
            house.known._tokens.clear()

        before = set[str | None]()

        async def made(goal: str) -> list[str]:
            new = [one.pub_id for one in house.published() if one.pub_id not in before]
            before.update(new)
            assert new == [house.pub_id(f"acme/shop/{goal}")]
            return [one or "" for one in new]

        account = Account(house.known, house, ACCOUNT.path, "secret", takes)
        yield Creating(house.twin, attempt, made, account)


@contextmanager
def lambdalabs(_folder: Path) -> Generator[Creating]:
    many = [one.model_copy(update={"capacity": {"us-west-1": 1_000}}) for one in OF_LAMBDA.types]
    app = create_lambda(OF_LAMBDA.model_copy(update={"types": tuple(many), "most_instances": 1_000, "boots_in": 1e6}))
    with served_twin(app) as twin:
        vault, known = of_lambda.Vault(twin), app.state.twin

        def takes(key: str) -> None:
            known.keys = {key}

        async def attempt(goal: str, number: int) -> str:
            place = LeasedGpu(mark=mark(goal), name="train")
            step = of_lambda.at_work("lambdalabs.add_ssh_key", attempt=number, workflow_id=goal)
            await step.run(vault.making.add_ssh_key, place)
            step = of_lambda.at_work("lambdalabs.launch_instance", attempt=number, workflow_id=goal)
            return (await step.run(vault.making.launch_instance, of_lambda.WANTED)).id

        async def made(goal: str) -> list[str]:
            there = [one for one in known.instances.values() if one.ssh_key_names == (mark(goal),)]
            return [one.id for one in there]

        yield Creating(twin, attempt, made, Account(known, vault, LAMBDA_KEY.path, "key", takes))


PROVIDERS: Final = {
    "lambdalabs": lambdalabs,
    "neon": neon,
    "qdrant": qdrant,
    "upstash": lambda _: redis("upstash"),
    "rediscloud": lambda _: redis("rediscloud"),
    "estuary": estuary,
}


def shows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twins show at once what they have, so nothing is looked for twice; and no account's turn is waited for."""

    async def at_once(*_: object, **_given: object) -> None:
        """No waiting."""

    monkeypatch.setattr("connectors.limits.Allowance.turn", at_once)
    for module in ("connectors.neon.client._", "activities.qdrant.clusters.", "activities.lambdalabs.making."):
        monkeypatch.setattr(f"{module}SHOWS_WITHIN", timedelta(microseconds=1))
