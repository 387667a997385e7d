"""Whatever becomes of requests, answers and workers: at the end there is one database at each provider, and no more."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from connectors.creation import Created, Creation, create_once, mark
from connectors.http import Api
from connectors.limits import Allowance, Rate
from connectors.redis.cloud import Cloud, is_marked, marked, no_look
from connectors.redis.models import Found, Wanted
from connectors.rediscloud import client as rediscloud
from connectors.rediscloud.twin.app import create_twin as create_rediscloud
from connectors.upstash import client as upstash
from connectors.upstash.twin.app import create_twin as create_upstash
from tests.connectors.happening import EVENTS, happens, until_it_ends
from tests.connectors.rediscloud import conftest as of_rediscloud
from tests.connectors.serving import ServedTwin, served_twin
from tests.connectors.upstash import conftest as of_upstash

T = TypeVar("T")
WANTED: Final = Wanted(name="cache", region="eu-west-1", subscription="shop", most_usd=100_000)
_numbers = itertools.count()


@dataclass
class Trial:
    """A step that is tried until it ends, with what happens at each of its looks and creates."""

    served: ServedTwin
    opened: Callable[[ServedTwin], AsyncGenerator[Cloud]]
    names: Callable[[], list[str]]
    dry_runs: bool

    async def run(self, events: Iterator[str], label: str) -> Created[Found]:
        async def attempt(number: int) -> Created[Found]:
            async with asynccontextmanager(self.opened)(self.served) as cloud:
                try:
                    creation = self._creation(cloud, events)
                    return await create_once(creation, label, again=number > 1, sleep=self.sleep)
                finally:
                    self.served.http.delete("/_twin/faults")

        return await until_it_ends(attempt)

    def _creation(self, cloud: Cloud, events: Iterator[str]) -> Creation[Found]:
        async def create(label: str) -> Found:
            dry_run: dict[str, object] = {"method": "POST", "path": "/databases$", "kind": "delay", "seconds": 0}
            before = [dry_run] if self.dry_runs else []
            return await self._happens(
                events, before, "POST", lambda: cloud.create(WANTED, marked("cache", label), last_look=no_look)
            )

        return Creation(
            what="a database",
            find=lambda label: self._happens(events, [], "GET", lambda: cloud.carrying(WANTED, label)),
            create=create,
            id_of=lambda one: one.id,
            shows_within=timedelta(seconds=8),
        )

    async def _happens(
        self, events: Iterator[str], before: list[dict[str, object]], method: str, ask: Callable[[], Awaitable[T]]
    ) -> T:
        at = {"method": method, "path": "/databases?$"}
        return await happens(next(events, "ok"), self.served, ask, at=at, before=before)

    async def sleep(self, seconds: float) -> None:
        self.served.http.post("/_twin/clock", json={"advance": max(seconds, 1.0)}).raise_for_status()

    def made(self, label: str) -> int:
        return sum(is_marked(one, label) for one in self.names())


@pytest.fixture(scope="module", params=["upstash", "rediscloud"])
def trial(request: pytest.FixtureRequest) -> Iterator[Trial]:
    unlimited = Rate(per_second=1e6, burst=1_000_000)
    if request.param == "upstash":
        app = create_upstash(of_upstash.CONFIG)

        async def opened(served: ServedTwin) -> AsyncGenerator[Cloud]:
            auth = upstash.account({"email": SecretStr(of_upstash.EMAIL), "api_key": SecretStr(of_upstash.KEY_CANARY)})
            async with Api(upstash.DIALECT, base_url=served.url).open(auth) as session:
                yield upstash.UpstashCloud(session)

        names = lambda: [one.database_name for one in app.state.twin.kept.values()]  # noqa: E731 - beside the other
    else:
        told = {"provisioning_seconds": 1e6, "processing_seconds": 0.5, "most_pending": 1000}
        app = create_rediscloud(of_rediscloud.CONFIG.model_copy(update=told))

        async def opened(served: ServedTwin) -> AsyncGenerator[Cloud]:
            keys = {"api_key": SecretStr(of_rediscloud.API_KEY), "secret_key": SecretStr(of_rediscloud.OWNER)}
            api = Api(rediscloud.DIALECT, base_url=served.url, turns=Allowance(unlimited))

            async def sleep(seconds: float) -> None:
                served.http.post("/_twin/clock", json={"advance": max(seconds, 1.0)}).raise_for_status()

            async with api.open(rediscloud.account(keys)) as session:
                yield rediscloud.RedisCloud(session, sleep)

        names = lambda: [one.name for one in app.state.twin.state.databases.values()]  # noqa: E731 - beside the other
    try:
        with served_twin(app) as served:
            yield Trial(served, opened, names, request.param == "rediscloud")
    finally:
        app.state.twin.stop()


@settings(max_examples=10, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(events=st.lists(st.sampled_from(EVENTS), max_size=7))
def test_there_is_exactly_one_whatever_happens(trial: Trial, events: list[str]) -> None:
    label = mark(f"test/{next(_numbers)}")
    created = asyncio.run(trial.run(iter(events), label))
    assert trial.made(label) == 1
    assert is_marked(created.resource.name, label)


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("point", [0, 1, 2])
def test_each_event_at_each_point(trial: Trial, event: str, point: int) -> None:
    label = mark(f"test/{next(_numbers)}")
    created = asyncio.run(trial.run(iter([*["ok"] * point, event]), label))
    assert trial.made(label) == 1
    assert created.adopted is (point == 1 and event in {"drop_after_effect", "killed_after"})
