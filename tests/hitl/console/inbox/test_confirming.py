"""Confirming with a key: in a real browser with a virtual authenticator, and what an attacker would send instead."""

import json
import re
from collections.abc import AsyncIterator
from html import unescape
from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from hitl.approval.decision import Verdict
from tests.hitl.approval.authenticator import USER_PRESENT, SoftKey
from tests.hitl.console.test_browser import Windows, reads_well, works_by_keyboard
from tests.hitl.console.visiting import ORIGIN, Console, Visit
from workflows.contracts import State

pytestmark = pytest.mark.asyncio(loop_scope="session")
_ASKS = re.compile(r'data-challenge="([^"]+)"')
NAMED = ORIGIN.replace("127.0.0.1", "localhost")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def chromium(chromium_path: str) -> AsyncIterator[Browser]:
    """Chromium without a window."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=chromium_path, chromium_sandbox=False)
        yield chromium
        await chromium.close()


@pytest.fixture
def keys(console: Console) -> dict[str, SoftKey]:
    """Those of the release group; the rule is marked."""
    console.settings = console.settings.model_copy(update={"origin": NAMED})
    made = {name: SoftKey() for name in ("alice", "bob", "dave", "erin")}
    mark(console, {name: key.line() for name, key in made.items()})
    return made


def mark(console: Console, lines: dict[str, str]) -> None:
    policy = console.house.path.read_text()
    if "step_up" not in policy:
        policy = policy.replace("quorum: 2\n", "quorum: 2\n        step_up: webauthn\n")
    policy = "environments" + policy.split("environments", 1)[1] if policy.startswith("keys") else policy
    keys = "".join(f"  {name}: [{line}]\n" for name, line in lines.items())
    console.house.path.write_text(f"keys:\n{keys}{policy}")


async def asked(visit: Visit, approval: str) -> tuple[str, str]:
    """The form's token, and the challenge that goes with it."""
    page = await visit.get(f"/approval/decide?id={quote(approval, safe='')}&verdict=approve")
    assert page.status_code == 200, page.text
    [challenge] = _ASKS.findall(page.text)
    token = unescape(page.text.split('class="decide"')[1].split('name="form" value="')[1].split('"')[0])
    return token, challenge


async def send(visit: Visit, token: str, brought: object) -> tuple[int, str]:
    answer = await visit.post("/approval/decide", form=token, reason="", confirmation=json.dumps(brought))
    return answer.status_code, answer.text


async def test_a_person_makes_a_key_and_approves_with_it(console: Console, chromium: Browser) -> None:
    """The whole way: the lines that the page shows, in the policy, let exactly that key confirm."""
    async with console.house.workers(), console.served(by_name=True) as address:
        windows = Windows(chromium, address)
        page = await windows.open("alice", scripts=True)
        devices = await page.context.new_cdp_session(page)
        await devices.send("WebAuthn.enable")
        virtual = {
            "protocol": "ctap2",
            "transport": "usb",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        await devices.send("WebAuthn.addVirtualAuthenticator", {"options": virtual})
        await page.get_by_role("link", name="Signed in as alice").click()
        await expect(page.get_by_text("None: you cannot approve")).to_be_visible()
        await reads_well(page)
        await page.get_by_role("button", name="Make a key").click()
        lines = await page.get_by_role("region", name="Lines for the policy").inner_text()
        await reads_well(page)
        await works_by_keyboard(page)
        found = dict(re.findall(r'(id|public_key|host): "?([A-Za-z0-9_-]+)"?', lines))
        mine = f'{{id: "{found["id"]}", public_key: "{found["public_key"]}", host: {found["host"]}}}'
        mark(console, {"alice": mine} | {name: SoftKey().line() for name in ("bob", "dave", "erin")})
        goal = await console.house.start(branch="by-key")
        approval = await console.house.approval_of(goal)
        await page.goto(windows.shown_at(approval))
        await page.get_by_role("link", name="Approve…").click()
        await expect(page.get_by_text("The policy wants your security key")).to_be_visible()
        await reads_well(page)
        await page.get_by_role("button", name="Confirm with your key").click()
        await expect(page.get_by_role("heading", name="Done")).to_be_visible()
        view = await console.house.view(approval)
        await goal.terminate()
        await page.context.close()
    assert [one.person for one in view.decisions] == ["alice"]
    [click] = console.hand.clicks
    assert click.step_up is not None
    assert windows.complaints == []


async def test_what_the_key_did_not_confirm_counts_nothing(console: Console, keys: dict[str, SoftKey]) -> None:
    house = console.house
    async with house.workers(), console.visit("alice") as alice, console.visit("bob") as bob:
        goal, other = await house.start(branch="one"), await house.start(branch="two")
        approval, second = await house.approval_of(goal), await house.approval_of(other)
        mine = keys["alice"]
        for wrong in (
            {"origin": "https://evil.test"},
            {"origin": "http://localhost:1"},
            {"host": "evil.test"},
            {"flags": USER_PRESENT},
        ):
            token, challenge = await asked(alice, approval)
            brought = mine.answer(challenge, **({"origin": NAMED} | wrong))  # pyright: ignore[reportArgumentType] - any
            status, text = await send(alice, token, brought)
            assert (status, "Not confirmed" in text) == (422, True), wrong
        token, challenge = await asked(alice, approval)
        elsewhere, _ = await asked(alice, second)
        bobs, _ = await asked(bob, approval)
        right = mine.answer(challenge, origin=NAMED)
        # Of another approval, by another person, by another key, and of no key at all.
        assert (await send(alice, elsewhere, right))[0] == 422
        assert (await send(bob, bobs, right))[0] == 422
        assert (await send(alice, token, keys["bob"].answer(challenge, origin=NAMED)))[0] == 422
        for nothing in ("", {}, [], {"id": mine.id, "response": {}}):
            assert (await send(alice, token, nothing))[0] == 422
        assert console.hand.clicks == []
        assert (await send(alice, token, right))[0] == 200
        # The same once more, and a key that counts less than before.
        status, text = await send(alice, token, right)
        assert (status, "used already" in text) == (422, True)
        again, fresh = await asked(bob, approval)
        keys["bob"].count = 9
        assert (await send(bob, again, keys["bob"].answer(fresh, origin=NAMED)))[0] == 200
        keys["bob"].count = 3
        copied, newer = await asked(bob, second)
        status, text = await send(bob, copied, keys["bob"].answer(newer, origin=NAMED))
        assert (status, "counts less" in text) == (422, True)
        assert (await goal.result()).outcome == "completed"
        await other.terminate()
    assert [(one.identity[8:11], one.verdict) for one in console.hand.clicks] == [
        ("ali", Verdict.APPROVE),
        ("bob", Verdict.APPROVE),
    ]


async def test_a_no_takes_no_key_and_who_has_none_is_told(console: Console, keys: dict[str, SoftKey]) -> None:
    del keys
    house = console.house
    async with house.workers(), console.visit("carol") as carol:
        goal = await house.start(branch="no")
        approval = await house.approval_of(goal)
        page = await carol.get(f"/approval/decide?id={quote(approval, safe='')}&verdict=approve")
        assert "has none of yours for localhost" in page.text
        assert "disabled" in page.text.split('<button class="approve"')[1].split(">")[0]
        assert (await carol.decide(approval, "reject", reason="not today")).status_code == 200
        assert (await goal.result()).outcome == "rejected"


async def test_a_bare_yes_is_no_confirmation(console: Console, keys: dict[str, SoftKey]) -> None:
    """A form of a time before the rule was marked, and one without what the browser brings."""
    del keys
    house, marked = console.house, console.house.path.read_text()
    async with house.workers(), console.visit("alice") as alice:
        house.path.write_text(marked.replace("        step_up: webauthn\n", ""))
        goal = await house.start(branch="bare")
        approval = await house.approval_of(goal)
        bare = await alice.asked(approval)
        house.path.write_text(marked)
        answer = await alice.post("/approval/decide", form=bare, reason="")
        token, _ = await asked(alice, approval)
        without = await alice.post("/approval/decide", form=token, reason="")
        view = await house.view(approval)
        await goal.terminate()
    assert (answer.status_code, without.status_code) == (409, 422)
    assert (view.decisions, view.state) == ((), State.WAITING)


async def test_a_key_that_was_made_elsewhere_is_no_key(console: Console, keys: dict[str, SoftKey]) -> None:
    del keys
    async with console.visit("alice") as alice:
        token = await alice.form("/keys")
        for made in ("", "{}", "[]", '{"id": "a", "rawId": "a", "type": "public-key", "response": {}}'):
            answer = await alice.post("/keys", form=token, made=made)
            assert (answer.status_code, "Lines for the policy" in answer.text) == (422, False)
