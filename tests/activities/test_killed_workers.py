"""A worker that is killed at a hundred points of one provider's creations: each ends with exactly one resource."""

import asyncio
import dataclasses
import itertools
import random
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from activities.estuary.contracts import ExpectedSpec, PublishFlowRequest
from activities.neon.contracts import CREATE_BRANCH, CreateNeonBranchRequest
from activities.qdrant.contracts import CreateClusterRequest
from activities.redis.contracts import DatabaseRequest
from connectors.creation import mark
from connectors.estuary.models import NOT_THERE
from connectors.neon.twin.app import create_twin as create_neon
from connectors.qdrant.twin.app import create_twin as create_qdrant
from tests.activities.estuary import house as of_estuary
from tests.activities.github.at_work import at_work
from tests.activities.neon import at_neon as of_neon
from tests.activities.qdrant import at_work as of_qdrant
from tests.activities.redis import at_work as of_redis
from tests.connectors.happening import KILLS, happening, until_it_ends
from tests.connectors.neon.at_neon import PROJECT, AtNeon, config
from tests.connectors.qdrant.conftest import CONFIG, PAID
from tests.connectors.serving import ServedTwin, served_twin

A_HUNDRED: Final = 100


@dataclass(frozen=True)
class Creating:
    """One provider's creation.

    Attributes:
        twin: Where it is made.
        attempt: One attempt of a goal's step, with a worker of its own; answers the id.
        made: What the provider has for that goal, by id.
    """

    twin: ServedTwin
    attempt: Callable[[str, int], Awaitable[str]]
    made: Callable[[str], Awaitable[Sequence[str]]]


@contextmanager
def neon(folder: Path) -> Generator[Creating]:
    end = datetime.now(UTC) + timedelta(days=3)
    with served_twin(create_neon(config(folder, operation_seconds=0.02))) as twin:
        house = of_neon.House(AtNeon(twin))

        async def attempt(goal: str, number: int) -> str:
            request = CreateNeonBranchRequest(project=PROJECT, branch=goal, expires_at=end)
            step = at_work(CREATE_BRANCH.name, goal, attempt=number)
            return (await step.run(house.making.create_branch, request)).id

        async def made(goal: str) -> list[str]:
            return [one["id"] for one in house.neon.ask("GET", "/branches")["branches"] if one["name"] == goal]

        yield Creating(twin, attempt, made)


@contextmanager
def qdrant(_folder: Path) -> Generator[Creating]:
    app = create_qdrant(CONFIG)
    with served_twin(app) as twin:
        vault = of_qdrant.Vault(twin)

        async def attempt(goal: str, number: int) -> str:
            request = CreateClusterRequest(
                name=goal, provider="aws", region="eu-central-1", package_id=PAID, nodes=2, millicents_per_hour=7_500
            )
            step = of_qdrant.at_work("qdrant.create_cluster", attempt=number, workflow_id=goal)
            return (await step.run(vault.clusters.create_cluster, request)).id

        async def made(goal: str) -> list[str]:
            return [key for key, one in app.state.twin.known.clusters.items() if one.name == goal]

        yield Creating(twin, attempt, made)


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

        async def made(goal: str) -> list[str]:
            assert create.credential is not None
            async with house.seller.opening(house.vault.secrets[create.credential.secret.path]) as cloud:
                return [one.id for one in await cloud.carrying(request, mark(goal))]

        yield Creating(house.twin, attempt, made)


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

        before = set[str | None]()

        async def made(goal: str) -> list[str]:
            new = [one.pub_id for one in house.published() if one.pub_id not in before]
            before.update(new)
            assert new == [house.pub_id(f"acme/shop/{goal}")]
            return [one or "" for one in new]

        yield Creating(house.twin, attempt, made)


PROVIDERS: Final = {
    "neon": neon,
    "qdrant": qdrant,
    "upstash": lambda _: redis("upstash"),
    "rediscloud": lambda _: redis("rediscloud"),
    "estuary": estuary,
}


class Fate:
    """What happens at each request: every third one kills its worker, until so many are killed."""

    def __init__(self, seed: str, many: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - the same points in each run
        self.left = many

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self.left or self._chance.random() > 1 / 3:
            return "ok"
        self.left -= 1
        return self._chance.choice(KILLS)


async def at_once(*_: object) -> None:
    """No waiting."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_hundred_kills_leave_exactly_one_of_each(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twins show at once what they have, so nothing is looked for twice; and no account's turn is waited for."""
    monkeypatch.setattr("connectors.limits.Allowance.turn", at_once)
    for place in ("connectors.neon.client._SHOWS_WITHIN", "activities.qdrant.clusters.SHOWS_WITHIN"):
        monkeypatch.setattr(place, timedelta())
    fate = Fate(provider, A_HUNDRED)
    with PROVIDERS[provider](tmp_path) as creating:
        for number in itertools.count():
            asyncio.run(one_creation(creating, f"goal-{number}", fate))
            if not fate.left:
                return


async def one_creation(creating: Creating, goal: str, fate: Fate) -> None:
    with happening(creating.twin, fate):
        created = await until_it_ends(lambda number: creating.attempt(goal, number))
    assert await creating.made(goal) == [created]
