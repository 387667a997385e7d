"""Whatever becomes of requests, answers and workers: at the end the account has exactly one cluster of a goal."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from connectors.creation import Created, Creation, create_once, mark
from connectors.qdrant.client import Account, Wanted
from connectors.qdrant.models import Cluster
from connectors.qdrant.twin.app import create_twin
from tests.connectors.happening import EVENTS, happens, until_it_ends
from tests.connectors.qdrant.conftest import CONFIG, FREE
from tests.connectors.qdrant.test_client import account
from tests.connectors.serving import ServedTwin, served_twin

T = TypeVar("T")
WANTED: Final = Wanted(name="shop", provider="aws", region="eu-central-1", package_id=FREE, nodes=1)
_numbers = itertools.count()


@dataclass
class Trial:
    """A step that is tried until it ends, with what happens at each of its requests."""

    served: ServedTwin
    events: Iterator[str]
    mark: str

    async def run(self) -> Created[Cluster]:
        return await until_it_ends(self._attempt)

    async def _attempt(self, number: int) -> Created[Cluster]:
        async with account(self.served) as mine:
            return await create_once(self._creation(mine), self.mark, again=number > 1, sleep=self._sleep)

    def _creation(self, mine: Account) -> Creation[Cluster]:
        async def find(label: str) -> Sequence[Cluster]:
            return await self._happens(lambda: mine.marked(label))

        async def create(label: str) -> Cluster:
            return await self._happens(lambda: mine.create_cluster(WANTED, label))

        return Creation(
            what="it", find=find, create=create, id_of=lambda one: one.id, shows_within=timedelta(seconds=2)
        )

    async def _happens(self, ask: Callable[[], Awaitable[T]]) -> T:
        return await happens(next(self.events, "ok"), self.served, ask)

    async def _sleep(self, seconds: float) -> None:
        self.served.http.post("/_twin/clock", json={"advance": seconds}).raise_for_status()


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Starlette, ServedTwin]]:
    app = create_twin(CONFIG)
    with served_twin(app) as served:
        yield app, served


@pytest.mark.timeout(300)
@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(events=st.lists(st.sampled_from(EVENTS), max_size=9))
def test_there_is_exactly_one_whatever_happens(running: tuple[Starlette, ServedTwin], events: list[str]) -> None:
    app, served = running
    trial = Trial(served, iter(events), mark(f"test/{next(_numbers)}"))
    created = asyncio.run(trial.run())
    clusters: dict[str, Any] = app.state.twin.known.clusters
    assert [one.id for one in clusters.values() if one.marked(trial.mark)] == [created.resource.id]
