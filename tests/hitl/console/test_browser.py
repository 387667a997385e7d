"""The console in a real browser: what people see and do with and without scripts, and pages that mean harm."""

import contextlib
import re
from collections.abc import AsyncIterator, Generator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final, Literal
from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from activities.github.rates_contracts import FoundRate, RatesFound
from activities.leases.contracts import Owner
from connectors.errors import AuthDenied
from connectors.pulumi.changes import ChangeKind
from hitl.console.ports import RatesSeen, SpendingSeen
from tests.connectors.serving import served
from tests.hitl.console.goals.steps_played import Played, playing
from tests.hitl.console.goals.test_timeline import step
from tests.hitl.console.limits.spent import a_week
from tests.hitl.console.stacks.shown import a_bit_of_all, change, differs, kept, many, signed
from tests.hitl.console.test_health import a_name, keep, report
from tests.hitl.console.visiting import Console
from tests.workflows.github.at_github import GitHub
from tests.workflows.leases.leasing import Place
from tests.workflows.leases.sample import MACHINE
from tests.workflows.scripted import Steps, workers
from workflows.contracts import State
from workflows.deploy_feature.goals import Mark
from workflows.leases.contracts import EndLease

pytestmark = pytest.mark.asyncio(loop_scope="session")
_SCHEMES: Final[tuple[Literal["dark", "light"], ...]] = ("dark", "light")
EVIL = "<img src=x onerror=alert(1)>'\"><script>alert(2)</script>"
_PLACES = """() => {
  window.places = [...document.querySelectorAll('a, button, input, select, textarea, summary, [tabindex="0"]')]
    .filter(one => one.type !== 'hidden' && one.checkVisibility());
  return places.length;
}"""
_PLACE = """() => {
  const one = document.activeElement;
  return [places.indexOf(one), one === document.body || getComputedStyle(one).outlineStyle !== 'none'];
}"""
_CONTRASTS = """() => {
  const seen = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = (colour, on) => {
    seen.fillStyle = on; seen.fillRect(0, 0, 1, 1); seen.fillStyle = colour; seen.fillRect(0, 0, 1, 1);
    return [...seen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = parts => {
    const [r, g, b] = parts.map(one => one / 255)
      .map(one => one <= .04045 ? one / 12.92 : ((one + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const behind = one => {
    const lineage = [];
    for (let at = one; at; at = at.parentElement) lineage.unshift(getComputedStyle(at).backgroundColor);
    return lineage.reduce((on, colour) => `rgb(${rgb(colour, on).join()})`, 'rgb(255,255,255)');
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), low = [];
  while (texts.nextNode()) {
    const one = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !one.checkVisibility() || getComputedStyle(one).clipPath !== 'none') continue;
    const ground = behind(one), pair = [light(rgb(getComputedStyle(one).color, ground)), light(rgb(ground, ground))];
    const ratio = (Math.max(...pair) + .05) / (Math.min(...pair) + .05);
    if (ratio < 4.5) low.push(`${texts.currentNode.data.trim()}: ${ratio.toFixed(2)}`);
  }
  return low;
}"""
"""WCAG 2.2, 1.4.3: every text against what is painted behind it, 4.5 to 1 whatever its size."""


class Windows:
    """The browser; what pages complain of is kept."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.browser = browser
        self.address = address
        self.complaints: list[str] = []

    async def open(self, person: str | None = "alice", *, scripts: bool = False, width: int = 1280) -> Page:
        """A browser of their own, signed in through the page where a name is given."""
        context = await self.browser.new_context(
            java_script_enabled=scripts,
            viewport={"width": width, "height": 800},
        )
        page = await context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda told: self.complaints.append(told.text) if told.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        if person:
            await page.goto(f"{self.address}/sign-in")
            await page.get_by_label("You are").select_option(f"console:{person}@acme.test")
            await page.get_by_role("button", name="Sign in").click()
            await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        return page

    def shown_at(self, approval: str) -> str:
        return f"{self.address}/approval?id={quote(approval, safe='')}"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def chromium(chromium_path: str) -> AsyncIterator[Browser]:
    """Chromium without a window; each test has contexts of its own in it."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=chromium_path, chromium_sandbox=False)
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(loop_scope="session")
async def windows(console: Console, chromium: Browser) -> AsyncIterator[Windows]:
    """The console on a port, and windows to look at it."""
    async with console.served() as address:
        yield Windows(chromium, address)
        for context in chromium.contexts:
            await context.close()


@contextlib.contextmanager
def elsewhere(page: str) -> Generator[str]:
    """A page on another port of this machine: another origin, but the same site, so that cookies travel."""

    async def answer(_request: Request) -> HTMLResponse:
        return HTMLResponse(page)

    with served(Starlette(routes=[Route("/", answer)])) as url:
        yield f"{url}/"


async def test_a_person_approves_without_scripts_and_by_keyboard_alone(console: Console, windows: Windows) -> None:
    house = console.house
    async with house.workers():
        goal = await house.start(branch=EVIL)
        approval = await house.approval_of(goal)
        page = await windows.open("alice")
        await page.goto(windows.shown_at(approval))
        await expect(page.get_by_role("list", name="To delete").get_by_text(EVIL)).to_be_visible()
        await page.get_by_role("link", name="Approve…").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Approve this plan?")).to_be_visible()
        await page.get_by_label("A word on it, if you like").focus()
        await page.keyboard.type("fine")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status")).to_contain_text("1 of 2 approved")
        await page.go_back()
        await expect(page.get_by_role("heading", name="Nothing to decide")).to_be_visible()
        view = await house.view(approval)
        await goal.terminate()
    assert [(one.person, one.reason) for one in view.decisions] == [("alice", "fine")]
    assert [one for one in windows.complaints if "409" not in one] == []


async def test_a_rejection_without_a_reason_is_asked_again(console: Console, windows: Windows) -> None:
    house = console.house
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        page = await windows.open("bob")
        await page.goto(windows.shown_at(approval))
        await page.get_by_role("link", name="Reject…").click()
        reason = page.get_by_label("Why?")
        await reason.fill("   ")
        await page.get_by_role("button", name="Reject it").click()
        await expect(page.get_by_role("alert")).to_contain_text("Say why")
        await expect(reason).to_have_attribute("aria-invalid", "true")
        await reason.fill(EVIL)
        await page.get_by_role("button", name="Reject it").click()
        await expect(page.get_by_role("heading", name="Done")).to_be_visible()
        assert (await goal.result()).outcome == "rejected"
        await page.get_by_role("link", name="See how it stands").click()
        await expect(page.locator(".decisions").get_by_text(EVIL)).to_be_visible()
    assert [one for one in windows.complaints if "422" not in one] == []


async def test_names_and_reasons_are_never_markup_in_a_browser_with_scripts(console: Console, windows: Windows) -> None:
    house = console.house
    async with house.workers():
        goal = await house.start(branch=EVIL)
        approval = await house.approval_of(goal)
        await house.decide(approval, "bob", reason=EVIL)
        page = await windows.open("alice", scripts=True)
        for path in (windows.shown_at(approval), f"{windows.address}/", f"{windows.address}/approval?id={quote(EVIL)}"):
            await page.goto(path)
            assert await page.locator("main script, main img, [onerror]").count() == 0
        # Even what would get into a page does not run.
        await page.goto(f"{windows.address}/decided")
        await page.evaluate("document.querySelector('main').innerHTML = `<img src=x onerror=\"alert(3)\">`")
        # Not `wait_for_function`: what it polls with is code from text, which the page's policy refuses too.
        await page.locator("main img").evaluate(
            "image => image.complete || new Promise(done => image.addEventListener('error', done))"
        )
        await goal.terminate()
    assert any("Content Security Policy" in one for one in windows.complaints)
    assert [one for one in windows.complaints if one in {"1", "2", "3"}] == []


async def test_a_page_of_the_same_site_cannot_decide_for_who_is_signed_in(console: Console, windows: Windows) -> None:
    """The cookie travels there: what holds is the origin, and the form that only our pages have."""
    house = console.house
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        page = await windows.open("alice", scripts=True)
        await page.goto(windows.shown_at(approval).replace("/approval?", "/approval/decide?") + "&verdict=approve")
        token = await page.locator("main input[name=form]").input_value()
        decide = f"{windows.address}/approval/decide"
        posting = (
            f'<form method="post" action="{decide}"><input name="form" value="{token}"><button>Win</button></form>'
        )
        with elsewhere(posting) as evil:
            await page.goto(evil)
            await page.get_by_role("button", name="Win").click()
            await expect(page.get_by_text("did not come from a page of this console")).to_be_visible()
        script = f"""<script>
          fetch("{decide}", {{method: "POST", credentials: "include", body: new URLSearchParams({{form: "{token}"}})}})
            .then(answer => document.title = "read " + answer.status, () => document.title = "refused")
        </script>"""
        with elsewhere(script) as evil:
            await page.goto(evil)
            await expect(page).to_have_title("refused")
        view = await house.view(approval)
        await goal.terminate()
    assert (console.hand.clicks, view.decisions, view.state) == ([], (), State.WAITING)


async def test_no_page_frames_or_prefetches_its_way_to_a_decision(console: Console, windows: Windows) -> None:
    house = console.house
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        page = await windows.open("alice", scripts=True)
        link = windows.shown_at(approval).replace("/approval?", "/approval/decide?") + "&verdict=approve"
        lure = f'<link rel="prefetch" href="{link}"><img src="{link}"><iframe src="{link}" title="f"></iframe>'
        with elsewhere(f"{lure}<a href='{link}'>Look</a>") as evil:
            await page.goto(evil, wait_until="networkidle")
            framed = page.frames[1]
            assert await framed.locator("form").count() == 0
            await page.get_by_role("link", name="Look").click()
            await expect(page.get_by_role("heading", name="Approve this plan?")).to_be_visible()
        view = await house.view(approval)
        await goal.terminate()
    assert (console.hand.clicks, view.decisions) == ([], ())


@pytest.mark.parametrize("width", [1280, 320])
async def test_every_page_can_be_read_and_used_by_anybody(console: Console, windows: Windows, width: int) -> None:
    house = console.house
    async with house.workers():
        goal = await house.start(branch="a-branch-with-a-name-" * 8)
        approval = await house.approval_of(goal)
        await house.decide(approval, "bob", reason="fine")
        busy = FoundRate(number=7, account="acme", limit=5000, remaining=9, resets_at=datetime.now(UTC), closed_for=9)
        console.limits._seen = RatesSeen(found=RatesFound(installations=(busy,)), at=datetime.now(UTC))
        console.limits._spending = SpendingSeen(spending=a_week(), at=datetime.now(UTC))
        console.books.write("destructive", "a-long-name-" * 9)
        await console.books.look()
        page = await windows.open("alice", scripts=True, width=width)
        await page.route("**/live?*", lambda route: route.abort())  # what is counted must not come and go
        shown = windows.shown_at(approval)
        for path in (
            f"{windows.address}/",
            f"{windows.address}/decided",
            f"{windows.address}/goals",
            f"{windows.address}/goals/start?goal=OpenPullRequest",
            f"{windows.address}/leases",
            f"{windows.address}/policy?action=github.delete_branch&repository=acme/shop&cost=much",
            f"{windows.address}/policy?action=github.delete_branch&repository=acme/shop",
            f"{windows.address}/limits",
            f"{windows.address}/jobs",
            f"{windows.address}/audit",
            f"{windows.address}/audit/check",
            f"{windows.address}/sign-in",
            f"{windows.address}/nowhere",
            shown,
            shown.replace("/approval?", "/approval/decide?") + "&verdict=reject",
        ):
            await page.goto(path)
            await reads_well(page)
            await works_by_keyboard(page)
            # On a narrow screen a row stands below itself, and its head is gone.
            assert await page.locator(".properties td:not([data-side])").count() == 0
        await goal.terminate()


@pytest.mark.parametrize("width", [1280, 320])
async def test_leases_can_be_read_and_used_by_anybody(
    console: Console, windows: Windows, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.leases.kinds.kinds", lambda: {MACHINE.name: MACHINE})
    place = Place(console.house.client)
    place.machines.there.add(place.mark)
    place.machines.refuses = AuthDenied(f"{EVIL} the key was revoked " * 3)
    async with place.at_work():
        lease = await place.hold(place.request(owner=Owner(workflow_id="use/" + "a-long-name-" * 9)))
        await lease.execute_update("end", EndLease())
        page = await windows.open("alice", scripts=True, width=width)
        await page.route("**/live?*", lambda route: route.abort())  # what is counted must not come and go
        by_hand = page.get_by_text(f"sample stop {place.mark}")
        while not await by_hand.count():
            await page.goto(f"{windows.address}/leases")
        await expect(by_hand).to_be_visible()
        assert await page.locator("main script, main img, [onerror]").count() == 0
        await reads_well(page)
        await works_by_keyboard(page)
        place.machines.refuses = None
        await lease.execute_update("end", EndLease())
        await lease.result()


async def test_the_health_of_a_repository_can_be_read_by_anybody(console: Console, windows: Windows) -> None:
    name = a_name()
    async with workers(console.house.client, Steps()):
        await keep(console.house.client, *(report(name, day, tests=day % 5, size=900 * day) for day in range(1, 12)))
        page = await windows.open("alice", scripts=True)
        for width in (1280, 320):
            await page.set_viewport_size({"width": width, "height": 800})
            for path in ("/health", f"/health/repository?name={name}"):
                await page.goto(f"{windows.address}{path}")
                assert await page.locator("main script, main img, [onerror]").count() == 0
                await reads_well(page)
                await works_by_keyboard(page)
        await expect(page.get_by_role("img", name="Tests: 11 reports, from 1 to 1")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 320])
async def test_the_steps_of_a_goal_can_be_read_and_used_by_anybody_and_change_while_one_looks(
    console: Console, windows: Windows, width: int
) -> None:
    steps = (step(EVIL, Mark.FAILED, 0, 3, EVIL * 5), step("preview " + "a-long-name-" * 9, Mark.RUNNING, 1))
    played = Played(steps=steps, record=(EVIL,), waiting_for=EVIL)
    async with playing(console.house.client, played) as goal:
        page = await windows.open("alice", scripts=True, width=width)
        await page.goto(f"{windows.address}/goal?id={quote(goal.id, safe='')}")
        line = page.get_by_role("region", name="Its steps")
        await expect(line.get_by_role("listitem").first).to_contain_text(EVIL)
        await expect(page.locator("#told")).to_have_text(re.compile("Live|Just updated"))
        assert await page.locator("main script, main img, [onerror]").count() == 0
        await reads_well(page)
        await goal.signal("show", [step("merge", Mark.WAITING, 0)])
        await expect(line.get_by_text("waits for people")).to_be_visible()
        await expect(line.locator("li.step")).to_have_count(1)
        await page.route("**/live?*", lambda route: route.abort())  # what is counted must not come and go
        await page.reload()
        await reads_well(page)
        await works_by_keyboard(page)
    assert [one for one in windows.complaints if "ERR_FAILED" not in one] == []


@pytest.mark.parametrize("width", [1280, 320])
async def test_the_log_behind_a_check_run_can_be_read_by_anybody_and_goes_on_while_one_looks(
    console: Console, windows: Windows, width: int
) -> None:
    github = GitHub(console.house.client)
    async with github.at_work():
        job = await github.start()
        await github.reading.wait()
        page = await windows.open("alice", scripts=True, width=width)
        await page.goto(f"{windows.address}/goal?id={quote(f'{job.id}/goal', safe='')}")
        log = page.get_by_role("region", name="Its log")
        await expect(log.get_by_role("listitem")).to_contain_text("under way")
        await expect(page.locator("#told")).to_have_text(re.compile("Live|Just updated"))
        github.reads_on.set()
        await expect(log.get_by_role("listitem")).to_contain_text("completed")
        await job.result()
        await reads_well(page)
    assert windows.complaints == []


@pytest.mark.parametrize("width", [1280, 320])
async def test_a_stacks_whole_plan_can_be_read_and_used_by_anybody(
    console: Console, windows: Windows, width: int
) -> None:
    plan = a_bit_of_all()
    odd = change(ChangeKind.UPDATE, EVIL, properties=[differs(EVIL * 9, EVIL, "v" * 3000)])
    plan = plan.model_copy(update={"changes": (*plan.changes, odd)})
    async with console.house.workers():
        approval = await console.ask(signed(plan, await kept(console.artifacts, plan)))
        page = await windows.open("alice", scripts=True, width=width)
        await page.goto(windows.shown_at(approval))
        await expect(page.get_by_role("heading", name="What becomes of shop/prod")).to_be_visible()
        await expect(page.get_by_role("row", name="engineVersion")).to_contain_text("15.4")
        await expect(page.get_by_text(EVIL, exact=True).first).to_be_visible()
        assert await page.locator("main script, main img, [onerror]").count() == 0
        await reads_well(page)
        await works_by_keyboard(page)
        await page.get_by_role("link", name="All of this change").click()
        await expect(page.get_by_text("v" * 3000)).to_be_visible()
        await reads_well(page)
    assert windows.complaints == []


async def test_the_parts_of_a_huge_plan_are_turned_without_scripts(console: Console, windows: Windows) -> None:
    plan = many(3000)
    async with console.house.workers():
        approval = await console.ask(signed(plan, await kept(console.artifacts, plan)))
        page = await windows.open("alice")
        await page.goto(windows.shown_at(approval))
        await page.get_by_role("link", name="Part 2").click()
        await expect(page.get_by_text("Changes 51 to 100 of 3000")).to_be_visible()
        folded = page.locator("details.change", has_text="bucket-0000")
        await expect(folded.get_by_role("row", name="tags.t0")).to_be_hidden()
        await folded.locator("summary").focus()
        await page.keyboard.press("Enter")
        await expect(folded.get_by_role("row", name="tags.t0")).to_be_visible()
        await expect(page.get_by_role("link", name="Approve…")).to_be_visible()


async def test_what_happens_is_shown_while_one_looks(console: Console, windows: Windows) -> None:
    """Nobody reloads: a decision of somebody else, the end of the step, and the end of the goal."""
    house = console.house
    async with house.workers():
        goal = await house.start(branch="watched")
        approval = await house.approval_of(goal)
        page, listing = await windows.open("alice", scripts=True), await windows.open("alice", scripts=True)
        await page.goto(windows.shown_at(approval))
        await listing.goto(f"{windows.address}/")
        await expect(page.locator("#told")).to_have_text("Live")
        await expect(listing.locator("#told")).to_have_text(re.compile("Live|Just updated"))
        card = listing.locator(".card", has_text=goal.id)
        await card.get_by_role("link").last.focus()
        await expect(page.get_by_role("heading", name="0 of 2 approved")).to_be_visible()
        await page.locator(".plan details summary").first.click()
        await house.decide(approval, "bob", reason=EVIL)
        await expect(page.get_by_role("heading", name="1 of 2 approved")).to_be_visible()
        await expect(page.locator(".decisions").get_by_text(EVIL)).to_be_visible()
        await expect(card.get_by_text("1 of 2 approved")).to_be_visible()
        await expect(card.get_by_role("link").last).to_be_focused()
        await listing.goto(f"{windows.address}/decided")
        await expect(listing.locator("#told")).to_have_text(re.compile("Live|Just updated"))
        await house.decide(approval, "carol")
        await expect(page.get_by_text("Carried out")).to_be_visible()
        await expect(listing.locator(".card", has_text="watched").get_by_text("carried out")).to_be_visible()
        await expect(page.locator(".plan details").first).to_have_attribute("open", "")
        await goal.result()
    assert windows.complaints == []


async def test_nobody_is_told_anything_who_is_not_signed_in(console: Console, windows: Windows) -> None:
    page = await windows.open(None, scripts=True)
    for path in ("/", "/goals", "/decided"):
        answer = await page.request.get(f"{windows.address}/live?page_path={path}", max_redirects=0)
        assert (answer.status, await answer.text()) == (204, "")


async def reads_well(page: Page) -> None:
    """One title, headings in order, landmarks, names for all that one fills in, contrast, no sideways scrolling."""
    # After a click the text may be there before the style is.
    await page.wait_for_load_state("load")
    assert await page.evaluate("document.documentElement.lang") == "en"
    assert " · Banksman" in await page.title()
    for landmark in ("banner", "main"):
        await expect(page.get_by_role(landmark)).to_have_count(1)
    levels: list[int] = await page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].map(one => Number(one.tagName[1]))"
    )
    assert (levels[0], levels.count(1)) == (1, 1)
    assert all(after - before <= 1 for before, after in pairwise(levels)), levels
    nameless = """[...document.querySelectorAll('input:not([type=hidden]), select, textarea')]
      .filter(one => !one.labels.length || !one.labels[0].textContent.trim()).length"""
    assert await page.evaluate(nameless) == 0
    ids: list[str] = await page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids))
    for scheme in _SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        assert await page.evaluate(_CONTRASTS) == [], scheme
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url


async def works_by_keyboard(page: Page) -> None:
    """Tab comes by everything that can be used, and one sees where one is."""
    places: int = await page.evaluate(_PLACES)
    reached: list[int] = []
    for _ in range(places + 1):
        await page.keyboard.press("Tab")
        place, visibly = await page.evaluate(_PLACE)
        assert visibly, await page.evaluate("document.activeElement.outerHTML")
        reached.append(place)
    assert reached[0] == 0
    assert await page.evaluate("places[0].textContent") == "Skip to the content"
    assert set(reached) - {-1} == set(range(places)), page.url
