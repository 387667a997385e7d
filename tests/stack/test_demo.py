"""`make demo` in all its ways on one environment, and what a person sees of it in a real browser."""

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from deploy.local.demo.failing import Failure
from deploy.local.example import SERVICE_REPOSITORY
from deploy.local.seeded_person import CHANNEL
from deploy.local.small_model.found import small_model_folder
from deploy.local.tools import DEFAULT_CACHE
from tests.stack.running import ROOT, Running, eventually
from tests.stack.services import require_services
from tests.stack.test_stacks import FIRST_TIME

pytestmark = [pytest.mark.stack, pytest.mark.timeout(FIRST_TIME + 900)]

_WRONG: Final = ("Traceback", "error", "make:")
_GOAL: Final = re.compile(r"watch it: (\S+)")
_SECONDS: Final = 400
_AGAIN: Final = 5


class Making:
    """One `make demo` under way; what it says is read as it comes."""

    def __init__(self, running: Running, *settings: str, home: Path | None = None) -> None:
        kept = {key: value for key, value in running.environment.items() if not key.startswith(("MAKE", "MFLAGS"))}
        if home is not None:  # of a person who has something else in their cache
            kept["HOME"] = str(home)
        line = ["make", "--no-print-directory", "-o", "install", "demo", *settings]
        self._process = subprocess.Popen(
            line,
            env={**kept, "PYTHONUNBUFFERED": "1"},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._lines: list[str] = []
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        self._lines += self._process.stdout

    @property
    def said(self) -> str:
        """By now."""
        return "".join(self._lines)

    def says(self, words: str, *, seconds: float = _SECONDS) -> None:
        """Wait until it has."""
        eventually(lambda: words in self.said or self._process.poll() is not None, seconds=seconds, what=words)
        assert words in self.said, self.said

    @property
    def page(self) -> str:
        """The goal's page in the console, which it names last."""
        self.says("watch it: ")
        return _GOAL.findall(self.said)[-1]

    def stop(self) -> None:
        """What Ctrl-C does."""
        os.killpg(self._process.pid, signal.SIGINT)

    def end(self) -> int:
        """Wait for its end; the exit code."""
        code = self._process.wait(_SECONDS)
        self._reading.join(30)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code


def demo(running: Running, *settings: str, home: Path | None = None) -> Making:
    """One that has ended well."""
    made = Making(running, *settings, home=home)
    assert made.end() == 0, made.said
    assert [word for word in _WRONG if word in made.said] == [], made.said
    return made


@pytest.fixture
def chromium(chromium_path: str) -> Iterator[Browser]:
    """Of one test: as long as it is there, nothing else has a loop in this thread."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, chromium_sandbox=False)
        yield browser
        browser.close()


@pytest.fixture
def window(stack: Running, chromium: Browser) -> Iterator[Page]:
    """Signed in to the console as Alice."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{stack.state['console']['url']}/sign-in")
    page.get_by_label("You are").select_option("console:alice@example.com")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    yield page
    context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def shop(stack: Running) -> Running:
    """Where services can be deployed."""
    require_services(stack)
    return stack


def visit(window: Page, address: str) -> None:
    """Open a page; a browser drops its connections when the network of a sandbox comes or goes."""
    for _ in range(_AGAIN):
        with contextlib.suppress(PlaywrightError):
            window.goto(address)
            return
    window.goto(address)


def columns(shop: Running, window: Page) -> list[str]:
    """What the shop's page says of each of its goods in a browser, which its database, cache and collection know."""
    visit(window, f"{shop.state['platform']['url']}/storefront-staging/")
    expect(window.get_by_role("cell", name="Hard hat")).to_be_visible()
    expect(window.get_by_text(re.compile(r"seen \d+ times"))).to_be_visible()
    expect(window.get_by_text("Like Hard hat: ")).to_be_visible()
    return window.get_by_role("columnheader").all_inner_texts()


def marks(window: Page) -> dict[str, str]:
    """How each step of the timeline stands."""
    steps = window.get_by_role("region", name="Its steps").locator("li.step")
    told = [(one.locator("b").inner_text(), one.get_attribute("class") or "") for one in steps.all()]
    return {name: style.partition("mark-")[2] for name, style in told}


def open_pulls(shop: Running) -> set[str]:
    """Branches of pull requests that are open, and were opened by a demonstration."""
    kept = json.loads((shop.home / "twins" / "github" / f"{SERVICE_REPOSITORY.replace('/', '.')}.json").read_text())
    bare = shop.home / "repositories" / f"{SERVICE_REPOSITORY}.git"
    listed = subprocess.run(["git", "-C", str(bare), "branch", "--list"], capture_output=True, text=True, check=True)
    branches = {line.strip("* \n") for line in listed.stdout.splitlines()}
    return {one["head"] for one in kept["pulls"] if one["state"] == "open" and one["head"].startswith("banksman/")} & (
        branches
    )


def untouched(shop: Running) -> None:
    """Nothing of a demonstration is left: no open pull request, no goal, nothing that fails."""
    assert open_pulls(shop) == set()
    listed = shop.temporal("workflow", "list", "--query", _UNDER_WAY, "--output", "json").stdout
    assert json.loads(listed or "[]") == []
    assert httpx.get(f"{shop.github}/_twin/faults").json() == []


_UNDER_WAY: Final = (
    "WorkflowType = 'DeployNewFeature' AND ExecutionStatus = 'Running' "
    f"AND WorkflowId STARTS_WITH 'deploy-new-feature/{SERVICE_REPOSITORY}/'"
)


@pytest.mark.docker
def test_a_person_clicks_in_a_browser_and_the_page_changes(shop: Running, window: Page) -> None:
    """Without a person nothing goes on; who clicks is in the twin's page, and the timeline tells of it."""
    made = Making(shop)
    made.says("A feature: ")  # the shop is there by now, deployed with a click where it was not
    made.says("it waits for you, as Alice")
    before = columns(shop, window)
    visit(window, made.page)
    expect(window.get_by_text("waits for you")).to_be_visible()
    assert (marks(window)["tests"], marks(window)["approval"]) == ("done", "waiting")
    visit(window, f"{shop.state['twins']['slack']['url']}/client/{CHANNEL}?as=U0ALICE")
    window.get_by_role("button", name="Approve", exact=True).last.click()
    window.get_by_role("dialog").get_by_role("button", name="Approve").click()
    visit(window, made.page)
    expect(window.get_by_text("under way").first).to_be_visible(timeout=60_000)
    assert made.end() == 0, made.said
    visit(window, made.page)
    expect(window.get_by_text("Carried out")).to_be_visible()
    assert set(marks(window).values()) == {"done"}
    assert "people were asked once" in made.said
    assert [words for words in (*IN_WORDS, *on_a_small_model(), "it is taken back") if words not in made.said] == []
    assert "20 of 20 visitors see it" in made.said
    assert [words for words in _TOLD if not any(words in one for one in told_in_slack(shop))] == []
    shown = [one for one in map(json.dumps, messages(shop)) if "Step 2 of 3, pulumi.update_stack" in one]
    assert shown
    assert [word for word in ("salt: ", "plan_file", "prepared: ") if word in shown[-1]] == []
    after = columns(shop, window)
    assert after[-1] not in before
    untouched(shop)


IN_WORDS: Final = (
    'banksman ask "Delete the branch banksman/said-in-words of acme/shop."',
    "Planned by twin-openai/scripted:1",
    "1. delete: DeleteBranch, which DESTROYS",
)

_ON_A_SMALL_MODEL: Final = (
    "The same, planned by SmolLM2-135M",
    "refused: no model planned it: small/smollm2-135m: what it is told does not fit into its context",
    "it was asked once, and may be asked 2 times; that cost $0.0000",
    "nothing was changed: all ",
)


def on_a_small_model() -> tuple[str, ...]:
    """What a demonstration says of the small model, once it has looked for it: left out only where there can be none.

    What it is told are more of its tokens than it takes. Where that changes, it answers, and ends in another way.
    """
    if (small_model_folder(DEFAULT_CACHE) / "whole").exists():
        return _ON_A_SMALL_MODEL
    return ("Left out: the same sentence, planned by a real, small model, because ",)


_TOLD: Final = (
    "alice approved (slack)",
    "It is approved. The goal goes on.",
    "steps are done",
    "The step ended: carried out",
)


def told_in_slack(shop: Running) -> list[str]:
    """What people read there, below the messages too."""
    return [str(one["text"]) for one in messages(shop)]


def messages(shop: Running) -> list[dict[str, Any]]:
    """All of the channel, with blocks and buttons."""
    slack = shop.state["twins"]["slack"]["url"]
    return httpx.get(f"{slack}/_twin/messages", params={"channel": CHANNEL}).json()


_SEEN: Final = {
    Failure.MIGRATION: ("Refused", {"tests": "done", "rehearse staging": "failed"}),
    Failure.TESTS: ("Refused", {"tests": "failed"}),
    Failure.VERIFY: ("Taken back", {"tests": "done", "verify staging": "failed", "undo staging": "done"}),
    Failure.DRIFT: ("Carried out", {"approval": "done", "update staging": "done", "merge": "done"}),
    Failure.CRASH: ("Carried out", {"preview staging": "done", "merge": "done"}),
    Failure.PROVIDER: ("Carried out", {"verify staging": "done", "merge": "done"}),
}


@pytest.mark.docker
@pytest.mark.parametrize("way", list(_SEEN))
def test_each_failure_ends_as_promised_and_leaves_nothing(shop: Running, window: Page, way: Failure) -> None:
    before = columns(shop, window)
    made = demo(shop, "APPROVE=auto", f"FAIL={way}")
    ended, steps = _SEEN[way]
    visit(window, made.page)
    expect(window.get_by_text(ended).first).to_be_visible()
    seen = marks(window)
    assert {name: seen[name] for name in steps} == steps
    changed = way in {Failure.DRIFT, Failure.CRASH, Failure.PROVIDER}
    assert (columns(shop, window) != before) == changed
    untouched(shop)


@pytest.mark.docker
def test_ctrl_c_takes_back_what_was_begun(shop: Running, window: Page) -> None:
    made = Making(shop)
    made.says("it waits for you, as Alice")
    page, before = made.page, columns(shop, window)
    made.stop()
    assert made.end() != 0
    assert "what it had begun is taken back" in made.said
    visit(window, page)
    expect(window.get_by_text("Withdrawn").first).to_be_visible()
    assert columns(shop, window) == before
    untouched(shop)
    again = Making(shop)  # of the very same feature: by the same pull request, or another where that is closed by now
    again.says("it waits for you, as Alice")
    again.stop()
    assert again.end() != 0
    untouched(shop)


@pytest.mark.docker
def test_what_is_wrong_is_one_sentence(shop: Running) -> None:
    policy = shop.home.parent / "policy.yaml"
    kept = policy.read_text()
    policy.write_text(kept.replace("phase: production", "phase: read_only"))
    try:
        made = Making(shop, "APPROVE=auto", "FAIL=tests")
        assert made.end() != 0
    finally:
        policy.write_text(kept)
    said = [line for line in made.said.splitlines() if line.startswith("error: ")]
    assert len(said) == 1
    assert said[0].startswith("error: OpenPullRequest ended as denied: ")
