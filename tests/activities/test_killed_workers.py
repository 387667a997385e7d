"""A worker that is killed at a hundred points of one provider's creations: each ends with exactly one resource."""

import asyncio
import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.activities.creating import PROVIDERS, Creating, shows_at_once
from tests.connectors.happening import KILLS, happening, until_it_ends

A_HUNDRED: Final = 100


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


@pytest.mark.timeout(300)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_hundred_kills_leave_exactly_one_of_each(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twins show at once what they have, so nothing is looked for twice; and no account's turn is waited for."""
    shows_at_once(monkeypatch)
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
