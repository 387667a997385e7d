"""The page on this machine and GitHub's, in a real browser without scripts, from the first button on."""

import asyncio

from playwright.async_api import async_playwright, expect

from tests.connectors.github.twin.server import until
from tests.workers.github_app.conftest import Place
from workers.github_app.wanted import AppKind


async def test_a_person_makes_and_installs_the_app_in_a_browser(place: Place, chromium_path: str) -> None:
    complaints: list[str] = []
    making = asyncio.create_task(place.making().by_page(AppKind.ORDINARY))
    await asyncio.to_thread(until, lambda: bool(place.led), "the page listens")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=chromium_path, chromium_sandbox=False)
        context = await chromium.new_context(java_script_enabled=False, viewport={"width": 900, "height": 700})
        page = await context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda told: complaints.append(told.text) if told.type == "error" else None)
        page.on("request", lambda asked: complaints.extend(_leaks(place, asked.url, asked.headers)))

        await page.goto(place.led[-1])
        await expect(page.get_by_role("heading")).to_have_text("Make the ordinary App of Banksman")
        await page.get_by_role("button", name="Go on to GitHub").click()
        await page.get_by_label("GitHub App name").fill("Banksman & friends")
        await page.get_by_role("button", name="Create GitHub App for acme").click()
        await expect(page.get_by_role("heading")).to_have_text("Banksman & friends is made")
        app = await making
        await page.get_by_role("link", name="Install it").click()
        await page.get_by_role("button", name="Install on acme").click()
        await expect(page.get_by_role("heading", name="Banksman & friends")).to_be_visible()
        await chromium.close()
    assert [one for one in complaints if "favicon" not in one] == []
    assert (app.name, app.slug) == ("Banksman & friends", "banksman-friends")
    assert place.in_vault("github/app") is not None
    problems = await place.problems()
    assert [name for name in problems if name.startswith("ordinary")] == []


def _leaks(place: Place, url: str, headers: dict[str, str]) -> list[str]:
    """The page's own address, where it is told to anybody else."""
    way = place.led[-1].rpartition("/")[2]
    told = [value for value in (url.replace(place.led[-1], ""), headers.get("referer", "")) if way in value]
    return [f"{url} was told {one}" for one in told]
