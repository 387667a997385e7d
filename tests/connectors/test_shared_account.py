"""Two processes in the name of one account, each counting its own turns: refusals cost time, and nothing else."""

import asyncio
from datetime import timedelta

from connectors.errors import RateLimited
from connectors.http import Api, Call, HeaderAuth, Session
from connectors.limits import Allowance, Rate
from tests.connectors.serving import served_twin
from tests.connectors.twins.boxes import CREATE_BOX, DIALECT, KEY_CANARY, BoxesTwin, NewBox

THEIRS = Rate(per_second=2)
OURS = Rate(per_second=20)
EACH = 3


async def create(session: Session, label: str) -> int:
    """Create as Temporal would have it tried: until it is done; how often it was refused."""
    for refused in range(1_000):
        try:
            await session.ask(Call(CREATE_BOX, "a box", body=NewBox(label=label)))
        except RateLimited:
            await asyncio.sleep(0.01)
        else:
            return refused
    raise AssertionError("it never gets a turn")


async def test_an_account_that_two_processes_use_makes_each_resource_once() -> None:
    twin = BoxesTwin(rates={CREATE_BOX: THEIRS})
    with served_twin(twin.application()) as served:

        async def process(name: str) -> None:
            api = Api(DIALECT, base_url=served.url, turns=_Impatient(OURS))
            async with api.open(HeaderAuth({"Authorization": f"Bearer {KEY_CANARY}"})) as session:
                await asyncio.gather(*(create(session, f"{name}-{number}") for number in range(EACH)))

        await asyncio.gather(process("a"), process("b"))
        refused = [one["status"] for one in served.requests()].count(429)
    assert sorted(one.label for one in twin.kept.values()) == sorted(
        f"{name}-{n}" for name in "ab" for n in range(EACH)
    )
    assert refused > 0


class _Impatient(Allowance):
    """Closes for a moment only, where the twin says a whole second."""

    def close(self, wait: timedelta | None) -> None:
        super().close(timedelta(seconds=0.05))
