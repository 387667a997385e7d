"""A stack's plan in Slack: short enough to be read in passing, with the way to the whole of it."""

import pytest

from hitl.plan import Plan
from tests.hitl.console.stacks import a_bit_of_all, digest_of, many, signed
from tests.hitl.gateway.running import Place, buttons, texts
from tests.workflows.approving import Ask

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def message(here: Place, plan: Plan) -> tuple[str, list[str]]:
    async with here.running():
        request = here.house.request().model_copy(update={"plan": plan.text()})
        goal = await here.house.ask(Ask(request=request))
        found = await here.message(await here.house.approval_of(goal))
        await goal.terminate()
    return texts(found), buttons(found)


async def test_the_summary_is_shown_and_digests_are_not(here: Place) -> None:
    whole = digest_of(b"whole")
    shown, offered = await message(here, signed(a_bit_of_all(), whole))
    for expected in (
        "pulumi.update_stack in live · risk high",
        "repository: acme/shop",
        "folder: infrastructure",
        "project: shop",
        "stack: prod",
        "It names 4 resources (1 to replace, 1 to delete, 1 to update, 1 to create). The goal says of it:",
        "“shop/prod at 4f0c2a9d1be8: 1 to replace, 1 to delete, 1 to update, 1 to create, 1 stack outputs to change",
        "“LOSES DATA: orders (the data of the database), exports (the objects in the bucket)”",
        "“Overwrites what was changed by hand: web”",
        "/approval?id=",
    ):
        assert expected in shown, expected
    assert whole not in shown
    assert "v1:AAAA" not in shown
    assert offered == ["approve", "reject", "request_changes"]


async def test_a_plan_with_three_thousand_changes_is_no_longer(here: Place) -> None:
    shown, _ = await message(here, signed(many(3000), digest_of(b"whole")))
    assert "3000" not in shown.partition("The goal says of it")[0]
    assert "60 to delete, 2940 to create" in shown
    assert len(shown) < 4000
