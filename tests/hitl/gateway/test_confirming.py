"""A rule that takes a key: a click in Slack approves nothing and leads to the console; a no counts as ever."""

import pytest

from tests.hitl.approval.authenticator import SoftKey
from tests.hitl.gateway.running import Place, buttons

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_click_in_slack_leads_to_the_console_and_a_no_counts(one: Place) -> None:
    keys = "".join(f"  {name}: [{SoftKey().line()}]\n" for name in ("alice", "bob", "dave", "erin"))
    policy = one.house.path.read_text().replace("quorum: 1\n", "quorum: 1\n        step_up: webauthn\n")
    one.house.path.write_text(f"keys:\n{keys}{policy}")
    async with one.running() as gateway:
        goal, approval, message = await one.asked(gateway)
        assert (await one.click("alice", message))["acknowledged"]
        [told] = await one.told("alice")
        assert ("Not counted" in told, "security key" in told) == (True, True)
        [private] = [found for found in await one.ask("messages", channel="C0OPS", user="U0ALICE") if found["only_for"]]
        assert buttons(private) == ["banksman-confirm"]
        [link] = [part["url"] for block in private["blocks"] for part in block.get("elements", [])]
        assert link.startswith("http://127.0.0.1:8320/approval/decide?id=approval%2F")
        assert link.endswith("&verdict=approve")
        assert (await one.house.view(approval)).decisions == ()
        await one.click("alice", message, "reject")
        await one.submit("alice", "not today")
        assert (await goal.result()).outcome == "rejected"
