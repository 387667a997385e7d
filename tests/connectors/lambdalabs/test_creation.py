"""Whatever becomes of requests, answers and workers: at the end the account has exactly one instance of a goal."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from connectors.creation import Created, Creation, create_once, mark
from connectors.lambdalabs.client import Account, Wanted
from connectors.lambdalabs.models import Instance
from connectors.lambdalabs.twin.app import create_twin
from tests.connectors.happening import EVENTS, happens, until_it_ends
from tests.connectors.judged import judged_twin
from tests.connectors.lambdalabs.conftest import CONFIG, opened_at
from tests.connectors.lambdalabs.published import LAMBDA
from tests.connectors.serving import ServedTwin

T = TypeVar("T")
WANTED = Wanted(name="train", type="gpu_1x_a10", region="us-west-1", ssh_key="k")
_numbers = itertools.count()


@dataclass
class Trial:
    """A step that is tried until it ends, with what happens at each of its requests."""

    served: ServedTwin
    events: Iterator[str]
    mark: str

    async def run(self) -> Created[str]:
        return await until_it_ends(self._attempt)

    async def _attempt(self, number: int) -> Created[str]:
        async with opened_at(self.served.url) as account:
            return await create_once(self._creation(account), self.mark, again=number > 1, sleep=self._sleep)

    def _creation(self, account: Account) -> Creation[str]:
        async def find(label: str) -> Sequence[str]:
            found: list[Instance] = await self._happens(lambda: account.marked(label))
            return [one.id for one in found]

        async def create(label: str) -> str:
            return await self._happens(lambda: account.launch(WANTED, label))

        return Creation(what="it", find=find, create=create, id_of=str, shows_within=timedelta(seconds=2))

    async def _happens(self, ask: Callable[[], Awaitable[T]]) -> T:
        return await happens(next(self.events, "ok"), self.served, ask)

    async def _sleep(self, seconds: float) -> None:
        self.served.http.post("/_twin/clock", json={"advance": seconds}).raise_for_status()


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Starlette, ServedTwin]]:
    many = [one.model_copy(update={"capacity": {"us-west-1": 10_000}}) for one in CONFIG.types]
    app = create_twin(CONFIG.model_copy(update={"types": tuple(many), "most_instances": 10_000, "boots_in": 1e6}))
    with judged_twin(app, LAMBDA) as served:
        served.http.post(
            "/ssh-keys",
            headers={"Authorization": f"Bearer {CONFIG.keys[0]}"},
            json={"name": "k", "public_key": "ssh-ed25519 AAAA"},
        ).raise_for_status()
        yield app, served


def marked(app: Starlette, mark: str) -> list[str]:
    instances: dict[str, Any] = app.state.twin.instances
    return [one.id for one in instances.values() if any(tag.value == mark for tag in one.tags)]


@pytest.mark.timeout(300)
@settings(
    max_examples=12,
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
    assert marked(app, trial.mark) == [created.resource]


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("point", [0, 1])
def test_each_event_at_each_point(running: tuple[Starlette, ServedTwin], event: str, point: int) -> None:
    app, served = running
    trial = Trial(served, iter([*["ok"] * point, event]), mark(f"each/{next(_numbers)}"))
    created = asyncio.run(trial.run())
    assert marked(app, trial.mark) == [created.resource]
    assert created.adopted is (point == 1 and event in {"drop_after_effect", "killed_after"})
