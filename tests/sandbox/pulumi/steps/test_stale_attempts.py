"""A worker that goes on with a change of a stack after nobody waits for it any more: nothing is changed."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from activities.guard.current_attempt import NotCurrent
from activities.guard.granted import GrantedRequest
from activities.pulumi.contracts import PreviewRequest, RestoreLook
from connectors.pulumi.empty_state import EMPTY_STATE
from tests.activities.guard.attempts import Waited
from tests.sandbox.pulumi.conftest import LOCKS, ONE_LOOP
from tests.sandbox.pulumi.steps.conftest import Shop
from tests.sandbox.pulumi.steps.test_bad_days import MORE, unlocking

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300), ONE_LOOP]

LEASED, ORDERED = 0, 1
"""So many times the server is asked before the credential is leased, and before the container has its order."""


@dataclass
class Change:
    """One of the steps, with what it was granted."""

    step: Callable[[GrantedRequest], Awaitable[object]]
    granted: GrantedRequest


async def test_no_stack_is_changed_that_nobody_waits_for(shop: Shop) -> None:
    """Each of the steps that change stacks, at both of its moments."""
    await shop.deployed()
    await shop.prepare(MORE)
    before = await state(shop)
    for change in [await updating(shop), await destroying(shop), await restoring(shop), await taking_a_lock(shop)]:
        for waits in (LEASED, ORDERED):
            server = Waited(until=waits)
            with pytest.raises(NotCurrent):
                await shop.environment().run(shop.admitted(change.step, server), shop.granted(change.granted.plan))
            assert server.asked == waits + 1
    assert shop.databases == ["shop"]
    assert await state(shop) == before
    assert shop.database.asked(LOCKS, shop.name) == "0"


async def state(shop: Shop) -> str | None:
    return (await shop.run(shop.looks.read_outputs, await shop.look())).state


async def updating(shop: Shop) -> Change:
    return Change(shop.changes.update_stack, shop.grant(await shop.planned(MORE)))


async def destroying(shop: Shop) -> Change:
    look = await shop.look()
    planned = await shop.run(shop.looks.preview_destroy, PreviewRequest.model_validate(look.model_dump()))
    return Change(shop.changes.destroy_stack, shop.grant(planned))


async def restoring(shop: Shop) -> Change:
    kept, look = await shop.store.put(EMPTY_STATE), await shop.look()
    compared = await shop.run(shop.looks.preview_restore, RestoreLook(backup=kept, **look.model_dump()))
    return Change(shop.changes.restore_state, shop.grant(compared))


async def taking_a_lock(shop: Shop) -> Change:
    return Change(shop.changes.unlock_stack, unlocking(shop, "pulumi-somebody-else"))
