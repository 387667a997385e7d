"""The page in a real browser: what a person sees and does, with the app as the gateway will be on the other side."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, Page, async_playwright, expect

from tests.connectors.slack.workspace import (
    ALICE,
    BORIS,
    CHANNEL,
    Gateway,
    Json,
    Twin,
    approval_blocks,
    confirmation,
    eventually,
    gateway,
    modal,
    posted,
    words,
)


@dataclass
class Window:
    """A window of the browser; `complaints` is what its console and its dialogs said."""

    browser: Browser
    twin: Twin
    complaints: list[str] = field(default_factory=list[str])

    async def open(self, user: str = BORIS, *, scripts: bool = True, **query: str) -> Page:
        """The channel, as a person sees it."""
        context = await self.browser.new_context(java_script_enabled=scripts, viewport={"width": 1280, "height": 800})
        page = await context.new_page()
        page.on("console", lambda told: self.complaints.append(told.text) if told.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        more = "".join(f"&{name}={value}" for name, value in query.items())
        await page.goto(f"{self.twin.address}/client/{CHANNEL}?as={user}{more}")
        return page


@contextlib.asynccontextmanager
async def browser(twin: Twin, program: str) -> AsyncGenerator[Window]:
    """Chromium without a window; a page that complains fails the test."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=program, chromium_sandbox=False)
        window = Window(chromium, twin)
        try:
            yield window
        finally:
            await chromium.close()
    assert window.complaints == []


def decide(app: Gateway) -> None:
    """Approve by a button, reject by a modal, and say so in the message, as the gateway does."""

    async def settle(client: Any, ts: str, text: str) -> None:
        blocks = [*approval_blocks()[:2], {"type": "context", "elements": [words(text, "mrkdwn")]}]
        await client.chat_update(channel=CHANNEL, ts=ts, text=text, blocks=blocks)

    async def approve(ack: Any, body: Json, client: Any) -> None:
        app.heard.append(body)
        await ack()
        await settle(client, body["message"]["ts"], f":white_check_mark: Approved by <@{body['user']['id']}>")

    async def ask(ack: Any, body: Json, client: Any) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=modal(private_metadata=str(body["message"]["ts"])))

    async def reject(ack: Any, body: Json, client: Any) -> None:
        app.heard.append(body)
        reason = body["view"]["state"]["values"]["reason"]["text"]["value"]
        if reason == "no":
            await ack(response_action="errors", errors={"reason": "Say a little more"})
            return
        await ack()
        await settle(client, body["view"]["private_metadata"], f"Rejected: {reason}")

    app.app.action("approve")(approve)
    app.app.action("reject")(ask)
    app.app.view("reject")(reject)


async def test_a_person_approves_after_being_asked(twin: Twin, chromium_path: str) -> None:
    async with gateway(twin) as app, browser(twin, chromium_path) as window:
        decide(app)
        page = await window.open(BORIS)
        await posted(twin, approval_blocks(confirm=confirmation()))
        await page.get_by_role("button", name="Approve").click()
        asked = page.get_by_role("dialog", name="Sure?")
        await asked.get_by_role("link", name="No").click()
        await expect(asked).to_have_count(0)
        assert app.heard == []
        await page.get_by_role("button", name="Approve").click()
        await page.get_by_role("dialog", name="Sure?").get_by_role("button", name="Yes").click()
        await expect(page.get_by_text("✅ Approved by @Boris Tanaka")).to_be_visible()
        await expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    assert [one["user"]["id"] for one in app.heard] == [BORIS]


async def test_everybody_who_looks_sees_the_decision(twin: Twin, chromium_path: str) -> None:
    async with gateway(twin) as app, browser(twin, chromium_path) as window:
        decide(app)
        alices, boriss = await window.open(ALICE), await window.open(BORIS)
        await posted(twin)
        await expect(alices.get_by_role("button", name="Approve")).to_be_visible()
        await boriss.get_by_role("button", name="Approve").click()
        await expect(alices.get_by_text("Approved by @Boris Tanaka")).to_be_visible()


async def test_a_person_rejects_with_a_reason(twin: Twin, chromium_path: str) -> None:
    async with gateway(twin) as app, browser(twin, chromium_path) as window:
        decide(app)
        page = await window.open(BORIS)
        await posted(twin)
        await page.get_by_role("button", name="Reject").click()
        form = page.get_by_role("dialog", name="Reject")
        await form.get_by_role("button", name="Reject it").click()
        await expect(form.get_by_text("Please complete this required field.")).to_be_visible()
        await form.get_by_label("Why?").fill("no")
        await form.get_by_role("button", name="Reject it").click()
        await expect(form.get_by_text("Say a little more")).to_be_visible()
        await expect(form.get_by_label("Why?")).to_have_value("no")
        await form.get_by_label("Why?").fill("Not on a Friday")
        await form.get_by_role("button", name="Reject it").click()
        await expect(page.get_by_text("Rejected: Not on a Friday")).to_be_visible()
        await expect(form).to_have_count(0)


async def test_escape_closes_the_modal(twin: Twin, chromium_path: str) -> None:
    async with gateway(twin) as app, browser(twin, chromium_path) as window:
        decide(app)
        page = await window.open(BORIS)
        await posted(twin)
        await page.get_by_role("button", name="Reject").click()
        await expect(page.locator("dialog:modal")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
    assert twin.hands.get("/_twin/view", params={"user": BORIS}).status_code == 409


async def test_the_whole_way_works_without_scripts(twin: Twin, chromium_path: str) -> None:
    async with gateway(twin) as app, browser(twin, chromium_path) as window:
        decide(app)
        await posted(twin, approval_blocks(confirm=confirmation()))
        page = await window.open(BORIS, scripts=False)
        await page.get_by_role("button", name="Approve").click()
        # A reload while the click still leads somewhere would break that off, and fail.
        async with page.expect_navigation():
            await page.get_by_role("dialog", name="Sure?").get_by_role("button", name="Yes").click()
        await eventually(lambda: twin.messages()[0]["edits"] == 1)
        await page.reload()
        await expect(page.get_by_text("Approved by @Boris Tanaka")).to_be_visible()


async def test_what_a_person_types_stays_when_messages_arrive(twin: Twin, chromium_path: str) -> None:
    async with browser(twin, chromium_path) as window:
        page = await window.open()
        field_ = page.get_by_role("combobox", name="Message to #deployments as Boris Tanaka")
        await field_.press_sequentially("half a sent")
        await posted(twin)
        await expect(page.get_by_role("button", name="Approve")).to_be_visible()
        await field_.press_sequentially("ence")
        await expect(field_).to_have_value("half a sentence")
        await page.get_by_role("button", name="Send", exact=True).click()
        await expect(page.get_by_role("log").get_by_text("half a sentence")).to_be_visible()


async def test_a_command_answers_to_one_person_only(twin: Twin, chromium_path: str) -> None:
    async with gateway(twin) as app, browser(twin, chromium_path) as window:

        async def answer(ack: Any, body: Json) -> None:
            await ack(f"no {body['text']} yet")

        app.app.command("/banksman")(answer)
        page = await window.open(BORIS)
        await page.get_by_role("combobox").fill("/banksman goals")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("no goals yet")).to_be_visible()
        await expect(page.get_by_text("Only visible to you")).to_be_visible()
        await page.get_by_role("navigation", name="Act as").get_by_role("link", name="Alice Moreau").click()
        await expect(page.get_by_role("link", name="Alice Moreau")).to_have_attribute("aria-current", "true")
        await expect(page.get_by_text("no goals yet")).to_have_count(0)


async def test_a_click_that_nobody_takes_says_so(twin: Twin, chromium_path: str) -> None:
    async with browser(twin, chromium_path) as window:
        await posted(twin)
        page = await window.open()
        await expect(page.get_by_text("Banksman is not connected")).to_be_visible()
        await page.get_by_role("button", name="Approve").click()
        await expect(page.get_by_role("alert")).to_have_text(
            "This app is not responding right now. Please try again later."
        )
        await expect(page.get_by_role("button", name="Approve")).to_be_visible()


async def test_a_thread_is_read_and_answered_beside_the_channel(twin: Twin, chromium_path: str) -> None:
    async with browser(twin, chromium_path) as window:
        ts = await posted(twin)
        await twin.client().chat_postMessage(channel=CHANNEL, text="Planned", thread_ts=ts)
        page = await window.open()
        await page.get_by_role("link", name="1 reply").click()
        thread = page.get_by_role("complementary", name="Thread")
        await expect(thread.get_by_text("Planned")).to_be_visible()
        await twin.client().chat_postMessage(channel=CHANNEL, text="Waiting", thread_ts=ts)
        await expect(thread.get_by_text("Waiting")).to_be_visible()
        await thread.get_by_label("Reply as Boris Tanaka").fill("On it")
        await page.keyboard.press("Enter")
        await expect(thread.get_by_text("On it")).to_be_visible()
        await expect(page.get_by_role("link", name="3 replies")).to_be_visible()


async def test_nothing_that_is_sent_runs_in_the_browser(twin: Twin, chromium_path: str) -> None:
    evil = "<img src=x onerror=alert(1)><script>alert(1)</script>"
    async with browser(twin, chromium_path) as window:
        page = await window.open()
        await posted(twin, [{"type": "section", "text": words(evil, "mrkdwn")}, {"type": "markdown", "text": evil}])
        await expect(page.get_by_text("alert(1)")).to_have_count(2)
        assert await page.locator("#messages script, #messages img[src=x]").count() == 0
