"""The engine of an update is killed at each of its stages: what people are told is what was done, and no lock stays."""

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from connectors.pulumi.outcome import Ended
from sandbox.errors import SandboxError
from tests.sandbox.pulumi.conftest import LOCKS, ONE_LOOP
from tests.sandbox.pulumi.steps.conftest import Shop

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300), ONE_LOOP]

WAITS_AT_ITS_END = """
from databases import Database
first = Database("first", "NAME_first")
last = Database("last", "NAME_last", comment=first.id)
last.id.apply(lambda _: __import__("time").sleep(600))
"""


def engine_of(shop: Shop) -> str:
    """The update's, once it is there."""
    live = [name for name in shop.sandbox.containers.live if name.startswith("banksman-run-") and "u-engine" in name]
    return live[0].removeprefix("banksman-run-").partition("-engine")[0] if live else ""


def made(shop: Shop) -> bool:
    """Everything is there, and the program still runs."""
    return shop.databases == ["first", "last"]


def locked(shop: Shop) -> bool:
    """Pulumi has taken its lock."""
    return there(shop) and shop.database.asked(LOCKS, shop.name) == "1"


def there(shop: Shop) -> bool:
    """Its container runs."""
    return bool(engine_of(shop))


@pytest.mark.parametrize("stage", [there, locked, made], ids=lambda stage: stage.__name__)
async def test_an_engine_lost_at_a_stage_is_told_as_it_is(shop: Shop, stage: Callable[[Shop], bool]) -> None:
    previewed = await shop.planned(WAITS_AT_ITS_END)
    running = asyncio.create_task(shop.update(previewed))
    async with asyncio.timeout(120):
        while not stage(shop):
            assert not running.done(), running.result()
            await asyncio.sleep(0.05)
        while True:
            with contextlib.suppress(SandboxError):  # not started yet
                await shop.kill(engine_of(shop))
                break
    told = await running
    done, in_doubt = (
        {one.urn.rpartition("::")[2] for one in ones} for ones in (told.outcome.done, told.outcome.in_doubt)
    )
    assert done <= set(shop.databases) <= done | in_doubt, "nothing is told that is not so, and nothing is kept back"
    assert told.said.startswith("Pulumi's container was lost")
    if stage is made:
        assert told.outcome.ended in {Ended.PARTIALLY_APPLIED, Ended.UNKNOWN}
    else:
        assert (told.outcome.ended, shop.databases) == (Ended.REFUSED, [])
    assert shop.database.asked(LOCKS, shop.name) == "0"
