"""Saying on a goal's page what one thinks of it: as who is signed in, by a form of ours, and nothing by a link."""

import re
from html import unescape
from urllib.parse import urlencode

import pytest

from hitl.gateway.decisions import Kind, Outcome
from tests.hitl.console.goals.test_goals import played
from tests.hitl.console.visiting import Console, Visit, others_scripts

pytestmark = pytest.mark.asyncio(loop_scope="session")
SAY = "/goal/opinion"
HOSTILE = '<script>alert(1)</script> "onmouseover="x" \u202egnp.exe'


async def ended(console: Console) -> tuple[str, str, str]:
    """A goal: its id, its run, and the address of its page."""
    async with played(console.house.client) as goals:
        handle = await goals.start("completed")
        await handle.result()
        run = handle.first_execution_run_id or ""
        return handle.id, run, f"/goal?{urlencode({'id': handle.id, 'run': run})}"


async def token(visit: Visit, page: str) -> str:
    """Of the form on the goal's page."""
    text = (await visit.get(page)).text
    [found] = re.findall(rf'action="{SAY}".*?name="form" value="([^"]+)"', text, re.DOTALL)
    return unescape(found)


async def test_what_somebody_says_is_theirs_and_shows_on_the_page(console: Console) -> None:
    goal, run, page = await ended(console)
    async with console.visit("alice") as alice:
        assert "Nobody has said anything yet." in (await alice.get(page)).text
        answer = await alice.post(SAY, form=await token(alice, page), verdict="wrong", words="Not that one.")
        assert (answer.status_code, answer.headers["location"]) == (303, page)
        shown = (await alice.get(page)).text
    [kept] = console.said.kept
    assert (kept.goal, kept.goal_run, kept.person, kept.verdict) == (goal, run, "alice", "wrong")
    assert "<b>alice</b> finds it wrong (console," in shown
    assert "Not that one." in shown


async def test_words_are_no_html_and_hide_nothing(console: Console) -> None:
    _, _, page = await ended(console)
    async with console.visit("alice") as alice:
        await alice.post(SAY, form=await token(alice, page), verdict="wrong", words=HOSTILE.replace("\u202e", ""))
        shown = (await alice.get(page)).text
    assert others_scripts(shown) == []
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown


async def test_a_form_made_for_somebody_else_says_nothing(console: Console) -> None:
    _, _, page = await ended(console)
    async with console.visit("alice") as alice, console.visit("bob") as bob:
        stolen = await token(alice, page)
        answer = await bob.post(SAY, form=stolen, verdict="useful")
    assert (answer.status_code, console.said.kept) == (403, [])


async def test_a_form_of_another_page_says_nothing(console: Console) -> None:
    async with console.visit("alice") as alice:
        other = await alice.form("/goals/start?goal=ReadFile")
        answer = await alice.post(SAY, form=other, verdict="useful")
    assert (answer.status_code, console.said.kept) == (403, [])


async def test_nothing_is_said_by_opening_a_link_or_from_another_site(console: Console) -> None:
    _, _, page = await ended(console)
    async with console.visit("alice") as alice:
        form = await token(alice, page)
        assert (await alice.get(f"{SAY}?{urlencode({'form': form, 'verdict': 'useful'})}")).status_code == 405
        there = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        answer = await alice.hands.post(SAY, data={"form": form, "verdict": "useful"}, headers=there)
        assert answer.status_code == 403
    assert console.said.kept == []


async def test_without_a_session_nothing_is_said(console: Console) -> None:
    _, _, page = await ended(console)
    async with console.visit("alice") as alice, console.visit() as nobody:
        answer = await nobody.post(SAY, form=await token(alice, page), verdict="useful")
    assert (answer.status_code, console.said.kept) == (401, [])


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"verdict": "superb"}, "nothing that one can say"), ({"verdict": "wrong", "words": "x" * 501}, "at most 500")],
)
async def test_what_cannot_be_said_is_refused(console: Console, fields: dict[str, str], said: str) -> None:
    _, _, page = await ended(console)
    async with console.visit("alice") as alice:
        answer = await alice.post(SAY, form=await token(alice, page), **fields)
    assert (answer.status_code, said in answer.text, console.said.kept) == (400, True, [])


@pytest.mark.parametrize(("kind", "status"), [(Kind.REFUSED, 409), (Kind.UNCONFIRMED, 503)])
async def test_what_was_not_kept_is_said_so(console: Console, kind: Kind, status: int) -> None:
    _, _, page = await ended(console)
    console.said.answer = Outcome(kind=kind, words="Not counted: no.")
    async with console.visit("alice") as alice:
        answer = await alice.post(SAY, form=await token(alice, page), verdict="useful")
    assert (answer.status_code, "Not counted: no." in answer.text) == (status, True)


async def test_a_goals_page_is_there_while_opinions_cannot_be_read(console: Console) -> None:
    _, _, page = await ended(console)
    console.said.away = True
    async with console.visit("alice") as alice:
        answer = await alice.get(page)
    assert (answer.status_code, "That cannot be read now." in answer.text) == (200, True)
