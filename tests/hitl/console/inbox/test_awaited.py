"""For whom an approval waits: whoever is told 'for you' can decide on it, and nobody else is told so."""

import pytest

from tests.hitl.console.inbox.test_looking import listed, shown_at
from tests.hitl.console.visiting import Console
from tests.workflows.approval.approving import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def told(console: Console, approval: str, person: str) -> str:
    """Whom the list says that it waits for, as this person sees it; the approval's page offers the same."""
    async with console.visit(person) as visit:
        card = await listed(visit, "/", approval)
        whole = (await visit.get(shown_at(approval))).text
    offered = "verdict=approve" in whole
    assert offered == ("waits for you" in card)
    return "you" if offered else card.split("waits for ")[1].split("<")[0] if "waits for " in card else ""


async def asked(console: Console, *, emergency: bool = False) -> tuple[str, object]:
    goal = await console.house.start(break_glass=emergency)
    approval = await console.house.approval_of(goal)

    async def known() -> bool:
        return (await console.house.view(approval)).requester is not None

    await eventually(known)
    return approval, goal


async def test_it_waits_for_those_who_can_decide_and_for_their_group_to_everybody_else(console: Console) -> None:
    house = console.house
    async with house.workers(gateway=True):
        approval, _ = await asked(console)
        assert [await told(console, approval, one) for one in ("alice", "dave", "erin")] == [
            "you",
            "release",
            "release",
        ]
        await house.decide(approval, "alice")
        assert [await told(console, approval, one) for one in ("alice", "bob")] == ["release", "you"]
        # Of the policy in force, not of the rule as it was asked.
        house.path.write_text(house.path.read_text().replace("release: [alice, bob, carol]", "release: [alice, carol]"))
        assert [await told(console, approval, one) for one in ("bob", "carol")] == ["release", "you"]


async def test_who_asked_is_not_waited_for_and_can_take_it_back(console: Console) -> None:
    """Erin asks, and is one of those who may break the glass."""
    house = console.house
    async with house.workers(gateway=True):
        approval, _ = await asked(console, emergency=True)
        assert [await told(console, approval, one) for one in ("erin", "dave", "alice")] == [
            "emergency",
            "you",
            "emergency",
        ]
        async with console.visit("erin") as erin:
            whole = (await erin.get(shown_at(approval))).text
    assert "You asked for it" in whole
    assert ("verdict=withdraw" in whole, "verdict=reject" in whole) == (True, False)


async def test_what_the_policy_no_longer_knows_can_only_be_rejected(console: Console) -> None:
    house = console.house
    async with house.workers(gateway=True):
        approval, _ = await asked(console)
        house.path.write_text(house.path.read_text().replace("action: github.delete_branch", "action: github.other"))
        async with console.visit("alice") as alice:
            whole = (await alice.get(shown_at(approval))).text
    assert ("verdict=reject" in whole, "verdict=approve" in whole) == (True, False)
