"""The audit log in the console: found, paged, checked and taken; and what is in it hides nothing and runs nowhere."""

import html
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from activities.guard.audit import AuditLog
from hitl.console.audit import book
from tests.activities.guard.collecting import event
from tests.hitl.console.visiting import Console, Visit

pytestmark = pytest.mark.asyncio(loop_scope="session")
EVIL = "<img src=x onerror=alert(1)>\u202e\x1b[31m\r"
TOKEN = "ghp_" + "a1B2c3D4e5" * 4


async def listed(visit: Visit, **wanted: str) -> list[str]:
    """The places in their chains of the events of a page."""
    page = await visit.get(f"/audit?{urlencode(wanted)}")
    assert page.status_code == 200, page.text
    return list(map(place_of, page.text.split('<li class="card event-')[1:]))


def place_of(card: str) -> str:
    """`connectors 3`, as the event's digests are named."""
    return card.split('Digests<span class="unseen"> of ')[1].split("</span>", maxsplit=1)[0]


async def test_events_of_all_processes_are_told_newest_first_and_found_by_what_they_say(console: Console) -> None:
    books = console.books
    books.write("destructive", "1")
    books.logs["connectors"].append(
        event(
            "denied",
            role="connectors",
            action="github.open_pull_request",
            effect="write",
            workflow_type="OpenPullRequest",
            workflow_id="open/acme",
            reason="deny_rule",
            rule="rules[3] (line 9)",
            context={"repository_owner": "acme", "repository_name": "Shop"},
        )
    )
    facts = {"id": "approval/1", "digest": "sha256:d", "requester": "console:alice@acme.test"}
    approval = {**facts, "decisions": [{"person": "bob", "verdict": "approve", "surface": "slack"}]}
    books.logs["destructive"].append(event("allowed", "2", approval=approval))
    await books.look()
    async with console.visit("alice") as alice:
        assert await listed(alice) == ["destructive 3", "connectors 1", "destructive 2", "destructive 1"]
        assert await listed(alice, verdict="denied") == ["connectors 1"]
        assert await listed(alice, effect="destructive", verdict="finished") == ["destructive 2"]
        assert await listed(alice, step="OPEN_PULL") == ["connectors 1"]
        assert await listed(alice, goal="DeleteBranch") == ["destructive 3", "destructive 2", "destructive 1"]
        assert await listed(alice, goal="delete/2") == ["destructive 3"]
        assert await listed(alice, resource="acme/shop") == ["connectors 1"]
        assert await listed(alice, person="bob") == await listed(alice, person="alice") == ["destructive 3"]
        assert await listed(alice, until="2026-01-01") == await listed(alice, since="2999-01-01") == []
        assert len(await listed(alice, since="2020-01-01", until="2998-12-31")) == 4
        page = (await alice.get("/audit?verdict=denied")).text
        nothing = (await alice.get("/audit?resource=nowhere")).text
    assert "rules[3] (line 9)" in page
    assert "/goal?id=open%2Facme&amp;run=run" in page
    assert "No event is like that." in nothing


async def test_pages_go_on_where_the_last_one_ended_whatever_is_written_meanwhile(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hitl.console.audit.pages.MOST", 3)
    monkeypatch.setattr(book, "_BLOCK", 300)  # a line is longer: what is read has to be put together
    books = console.books
    books.write("destructive", "1", "2")
    books.write("connectors", "3", "4")
    await books.look()
    seen: list[str] = []
    async with console.visit("alice") as alice:
        page: str | None = "/audit"
        while page is not None:
            text = (await alice.get(page)).text
            seen += map(place_of, text.split('<li class="card event-')[1:])
            older = text.partition('rel="next" href="')[2].partition('"')[0]
            page = html.unescape(older) or None
            books.write("connectors", "later")
            await books.look()
    assert seen == [f"{role} {seq}" for role in ("connectors", "destructive") for seq in (4, 3, 2, 1)]


async def test_no_more_is_looked_through_at_once_than_there_is_time_for(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "LOOKED_AT", 2)
    console.books.write("destructive", "old", "new")
    await console.books.look()
    async with console.visit("alice") as alice:
        page = (await alice.get("/audit?goal=delete/old")).text
        assert "None among the 2 events" in page
        older = html.unescape(page.partition('rel="next" href="')[2].partition('"')[0])
        assert "goal=delete%2Fold" in older
        assert "destructive 2" in (await alice.get(older)).text


async def test_what_is_in_it_is_no_markup_hides_nothing_and_no_secret_leaves(console: Console) -> None:
    books = console.books
    odd = {"owner": EVIL, "name": f"x {TOKEN}", "password": "hunter2-hunter2"}
    books.logs["connectors"].append(
        event("failed", role="connectors", action=EVIL, workflow_id=EVIL, rule=EVIL, error=EVIL, context=odd)
    )
    await books.look()
    async with console.visit("alice") as alice:
        page, taken = (await alice.get("/audit")).text, await alice.get("/audit/events")
    for secret in (TOKEN, "hunter2"):
        assert secret not in page
        assert secret not in taken.text
    assert "[redacted]" in page
    for raw in ("<img src=x", "\u202e", "\x1b", "\r"):
        assert raw not in page
    assert "\\u202e" in page
    assert taken.headers["content-disposition"] == 'attachment; filename="audit-events.json"'
    assert taken.headers["x-content-type-options"] == "nosniff"


async def test_the_same_events_are_taken_as_json_and_no_more_than_there_may_be(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hitl.console.audit.pages.MOST_TAKEN", 3)
    records = console.books.write("destructive", "1", "2")
    await console.books.look()
    async with console.visit("alice") as alice:
        told = json.loads((await alice.get("/audit/events?effect=destructive")).text)
        rest = json.loads((await alice.get(f"/audit/events?{urlencode({'page': told['next']})}")).text)
    assert [one["hash"] for one in (*told["events"], *rest["events"])] == [one.hash for one in reversed(records)]
    assert (told["filter"], rest["next"]) == ("effect=destructive", None)


async def test_an_edit_is_told_where_it_is_and_by_the_check(console: Console) -> None:
    books = console.books
    books.write("destructive", "1", "2")
    await books.look()
    async with console.visit("alice") as alice:
        assert "<b>Yes</b>" in (await alice.get("/audit/check")).text
    path = books.copy("destructive")
    path.write_bytes(path.read_bytes().replace(b'"delete/1"', b'"delete/9"', 1))
    async with console.visit("alice") as alice:
        page, check = (await alice.get("/audit")).text, (await alice.get("/audit/check")).text
    assert "In the chain of <b>destructive</b>, at byte 0: no record" in page
    assert "<b>No</b>" in check
    assert "line 1: no whole record" in check


async def test_a_chain_written_anew_is_no_answer_to_what_was_signed(console: Console, tmp_path: Path) -> None:
    books = console.books
    books.write("destructive", "1", "2")
    await books.look()
    anew = AuditLog(tmp_path / "anew.jsonl")
    for _ in range(4):
        anew.append(event("denied", "harmless"))
    anew.close()
    books.copy("destructive").write_bytes((tmp_path / "anew.jsonl").read_bytes())
    async with console.visit("alice") as alice:
        check = (await alice.get("/audit/check")).text
    assert "another one than the one signed" in check


async def test_a_check_without_the_key_says_that_nothing_was_checked(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    console.books.write("destructive", "1")
    await console.books.look()
    async with console.visit("alice") as alice:
        monkeypatch.setattr("hitl.console.audit.check.LONGEST", 10)
        long = (await alice.get("/audit/check")).text
    assert "<b>Not checked</b>" in long
    assert "banksman audit verify" in long


@pytest.mark.parametrize(
    "wanted",
    [
        {"verdict": "allowed' OR 1=1"},
        {"effect": "all"},
        {"since": "yesterday"},
        {"until": "2026-13-01"},
        {"step": "x" * 301},
        {"page": "x" * 4001},
    ],
)
async def test_what_cannot_be_looked_for_is_refused(console: Console, wanted: dict[str, str]) -> None:
    async with console.visit("alice") as alice:
        assert (await alice.get(f"/audit?{urlencode(wanted)}")).status_code == 400


@pytest.mark.parametrize("page", ["%", "e30", "W10=", quote('{"x": -1}'), "eyJjb25uZWN0b3JzIjogLTk5fQ=="])
async def test_a_made_up_page_is_none_or_empty(console: Console, page: str) -> None:
    console.books.write("connectors", "1")
    await console.books.look()
    async with console.visit("alice") as alice:
        answer = await alice.get(f"/audit?page={page}")
    assert answer.status_code in {200, 503}
    assert "connectors 1" not in answer.text


async def test_who_is_not_signed_in_or_not_known_reads_nothing(console: Console) -> None:
    console.books.write("destructive", "1")
    await console.books.look()
    async with console.visit() as nobody, console.visit("alice") as alice:
        console.house.path.write_text(console.house.path.read_text().replace("console:alice@acme.test", "slack:U0X"))
        for path in ("/audit", "/audit/events", "/audit/check", "/jobs", "/goal/artifact?id=x", "/goal/log?id=x"):
            assert (await nobody.get(path)).status_code == 303, path
            assert (await alice.get(path)).status_code == 403, path


async def test_an_address_of_a_megabyte_is_refused_before_anything_reads_it(console: Console) -> None:
    for path in ("/audit", "/jobs", "/goal/log", "/live"):
        told: list[Any] = []

        async def receive() -> dict[str, str]:
            raise AssertionError("nothing is read")

        async def send(message: Any) -> None:
            told.append(message)  # noqa: B023 - of this turn

        asked = {"type": "http", "method": "GET", "path": path, "query_string": b"text=" + b"x" * 1_000_000}
        server = {"server": ("127.0.0.1", 8080), "headers": [(b"host", b"127.0.0.1:8080")]}
        await console.app({**asked, **server}, receive, send)
        assert told[0]["status"] == 414
        assert (b"x-content-type-options", b"nosniff") in told[0]["headers"]
