"""A stack's plan in Slack: short enough to be read in passing, with the way to the whole of it."""

import pytest

from hitl.approval.plan import Plan
from tests.hitl.console.stacks.shown import a_bit_of_all, digest_of, many, signed
from tests.hitl.gateway.running import OFFERED, Place, buttons, texts
from tests.workflows.approval.approving import Ask

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
        "Approval needed: update stack shop/prod of acme/shop?",
        "*What*\nUpdate stack `shop/prod`",
        "*Risk*\n*high*",
        "pulumi.update_stack, whole under the same digest in the plan that is linked below:",
        "repository: acme/shop",
        "folder: infrastructure",
        "project: shop",
        "stack: prod",
        "It names 4 resources: 1 to replace, 1 to delete, 1 to update, 1 to create.\n• replace ",
        "“shop/prod at 4f0c2a9d1be8: 1 to replace, 1 to delete, 1 to update, 1 to create, 1 stack outputs to change",
        "“LOSES DATA: orders (the data of the database), exports (the objects in the bucket)”",
        "“Overwrites what was changed by hand: web”",
        "/approval?id=",
        "|The goal, step by step>",
        "/goal?id=",
    ):
        assert expected in shown, expected
    assert whole not in shown
    assert "v1:AAAA" not in shown
    assert offered == OFFERED


async def test_a_plan_with_three_thousand_changes_is_no_longer(here: Place) -> None:
    shown, _ = await message(here, signed(many(3000), digest_of(b"whole")))
    assert "It names 500 resources: " in shown
    assert "All of them are in the whole plan; the worst 10:\n• delete " in shown
    assert "…" not in shown.partition("The goal says of it")[0]
    assert "60 to delete, 2940 to create" in shown
    assert len(shown) < 4000
