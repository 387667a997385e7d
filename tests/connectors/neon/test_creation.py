"""Whatever becomes of the requests that make a branch, and of the worker: there is exactly one, and it is told."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.creation import Created, create_once, mark
from connectors.neon.client import NeonProject, Wanted
from connectors.neon.models import MARK, Branch
from connectors.neon.twin.app import create_twin
from tests.connectors.happening import EVENTS, happens, until_it_ends
from tests.connectors.judged import judged_twin
from tests.connectors.neon.at_neon import AtNeon, config
from tests.connectors.neon.published import NEON

T = TypeVar("T")
_numbers = itertools.count()


@pytest.fixture(scope="module")
def neon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AtNeon]:
    made = create_twin(config(tmp_path_factory.mktemp("neon"), most_branches=10_000))
    with judged_twin(made, NEON) as judged:
        yield AtNeon(judged)


@dataclass
class Trial:
    """A step that is tried until it ends, with what happens at each of its requests."""

    neon: AtNeon
    events: Iterator[str]
    name: str

    @property
    def mark(self) -> str:
        return mark(self.name)

    async def run(self) -> Created[Branch]:
        return await until_it_ends(self._attempt)

    async def _attempt(self, number: int) -> Created[Branch]:
        async with self.neon.project() as project:
            return await self._created(project, again=number > 1)

    async def _created(self, project: NeonProject, *, again: bool) -> Created[Branch]:
        real = project.creation(Wanted(name=self.name))
        creation = replace(
            real,
            find=lambda label: self._happens(lambda: real.find(label)),
            create=lambda label: self._happens(lambda: real.create(label)),
            shows_within=timedelta(seconds=3),  # the twin shows at once, and each look costs time
        )
        made = await create_once(creation, self.mark, again=again, sleep=project.sleep)
        return replace(made, resource=await project.ready(made.resource))

    async def _happens(self, ask: Callable[[], Awaitable[T]]) -> T:
        return await happens(next(self.events, "ok"), self.neon.served, ask, at={"path": "/branches$"})

    def made(self) -> list[str]:
        shown = self.neon.ask("GET", "/branches?limit=10000")
        return [name for name, one in shown["annotations"].items() if one["value"].get(MARK) == self.mark]


@settings(max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(events=st.lists(st.sampled_from(EVENTS), max_size=6))
def test_there_is_exactly_one_whatever_happens(neon: AtNeon, events: list[str]) -> None:
    trial = Trial(neon, iter(events), f"any-{next(_numbers)}")
    created = asyncio.run(trial.run())
    assert trial.made() == [created.resource.id]


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("point", [0, 1])
def test_each_event_at_each_point(neon: AtNeon, event: str, point: int) -> None:
    trial = Trial(neon, iter([*["ok"] * point, event]), f"each-{next(_numbers)}")
    created = asyncio.run(trial.run())
    assert trial.made() == [created.resource.id]
    assert created.adopted is (point == 1 and event in {"drop_after_effect", "killed_after"})
