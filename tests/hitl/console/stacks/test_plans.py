"""A stack's whole plan on the page of its approval: all of it, of any length, and never what is not signed."""

import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio

from connectors.pulumi.approval import DESTROY_ACTION, RESTORE_ACTION
from connectors.pulumi.backup import PUT_BACK
from connectors.pulumi.changes import ChangeKind
from hitl.console.stacks.view import PER_PART
from tests.hitl.console.stacks.shown import (
    COMMIT,
    EVIL,
    HIDDEN,
    a_bit_of_all,
    change,
    differs,
    digest_of,
    kept,
    many,
    signed,
)
from tests.hitl.console.visiting import Console, Visit, others_scripts

pytestmark = pytest.mark.asyncio(loop_scope="session")
_NAMED = re.compile(r'<b class="called"><bdi>(.*?)</bdi></b>')
_TAG = re.compile(r"<[^>]*>")


@pytest_asyncio.fixture(name="alice", loop_scope="session")
async def _alice(console: Console) -> AsyncIterator[Visit]:
    async with console.house.workers(), console.visit("alice") as visit:
        yield visit


def shown_at(approval: str, *, part: int | str | None = None) -> str:
    return f"/approval?id={quote(approval, safe='')}" + (f"&part={part}" if part is not None else "")


def read(page: str) -> str:
    """What a person reads."""
    return " ".join(unescape(_TAG.sub(" ", page)).split())


async def test_the_whole_plan_is_told_the_worst_first(console: Console, alice: Visit) -> None:
    plan = a_bit_of_all()
    whole = await kept(console.artifacts, plan)
    approval = await console.ask(signed(plan, whole))
    page = (await alice.get(shown_at(approval))).text
    told = read(page)
    for expected in (
        "What becomes of shop/prod",
        "1 to replace 1 to delete 1 to update 1 to create 1 output to change 41 unchanged",
        "Data is lost with orders (the data of the database) , exports (the objects in the bucket)",
        "Overwrites what was changed by hand in web",
        f"Commit {COMMIT}",
        "Costs 41.17 USD a month more; no price known for 2: cache, web",
        "house 1.4.0 ; 1 warning",
        "replace orders aws:rds/instance:Instance loses the data of the database the old one is deleted first",
        "Replaced because of engineVersion.",
        "Costs $41.17 a month now, and $82.34 then.",
        "engineVersion forces the replacement 15.4 16.3",
        "instanceClass db.t4g.small db.t4g.medium",
        "password [secret] [secret] another value",
        "The program no longer has it.",
        "desiredCount 2 3",
        "tags.owner nothing shop",
        "note x an empty text",
        "endpoint db.old.example [known after the update]",
        "advisory buckets-are-versioned house 1.4.0 Turn versioning on.",
        "gone gone-job",
        "changed by hand web aws:ecs/service:Service ; the provider calls it unchanged",
        "desiredCount 2 5",
        "1 more is known noise",
        whole,
    ):
        assert expected in told, expected
    assert _NAMED.findall(page)[:4] == ["orders", "exports", "web", "cache"]
    assert page.index("Replaced and deleted") < page.index("Everything else")


async def test_the_page_that_asks_once_more_shows_it_too(console: Console, alice: Visit) -> None:
    plan = a_bit_of_all()
    approval = await console.ask(signed(plan, await kept(console.artifacts, plan)))
    sure = await alice.get(f"/approval/decide?id={quote(approval, safe='')}&verdict=approve")
    assert "engineVersion forces the replacement 15.4 16.3" in read(sure.text)
    assert "Approve this plan?" in sure.text


async def test_a_stack_that_is_destroyed_says_so(console: Console, alice: Visit) -> None:
    plan = a_bit_of_all().model_copy(update={"changes": (change(ChangeKind.DELETE, "exports"),), "outputs": ()})
    made = signed(plan, await kept(console.artifacts, plan), action=DESTROY_ACTION)
    told = read((await alice.get(shown_at(await console.ask(made)))).text)
    assert "The stack is destroyed." in told
    assert "no longer has it" not in told.partition("What is signed")[0]


async def test_a_state_that_is_put_back_touches_nothing_outside_and_says_so(console: Console, alice: Visit) -> None:
    kinds = (ChangeKind.FORGET, ChangeKind.UPDATE, ChangeKind.IMPORT)
    changes = [change(kind, f"{kind}-it").model_copy(update={"op": PUT_BACK}) for kind in kinds]
    plan = a_bit_of_all().model_copy(update={"changes": tuple(changes), "outputs": ()})
    made = signed(plan, await kept(console.artifacts, plan), action=RESTORE_ACTION)
    told = read((await alice.get(shown_at(await console.ask(made)))).text)
    for expected in (
        "Pulumi knows of it no more, and it stays where it is.",
        "Pulumi knows it otherwise; what stands outside is not touched.",
        "Pulumi knows of it again; whether it exists was not looked at.",
    ):
        assert expected in told
    assert "comes under the stack's care" not in told


async def test_an_approval_of_something_else_has_no_such_part(console: Console, alice: Visit) -> None:
    approval = await console.house.approval_of(await console.house.start())
    page = await alice.get(shown_at(approval))
    assert (page.status_code, "whole plan" in page.text) == (200, False)
    for path in ("change", "stack-plan"):
        refused = await alice.get(f"/approval/{path}?id={quote(approval, safe='')}&n=0")
        assert (refused.status_code, "not about a change of a stack" in refused.text) == (404, True)


# What means harm.


async def test_names_and_values_are_no_markup_and_hide_nothing(console: Console, alice: Visit) -> None:
    words = f"{EVIL}{HIDDEN}"
    plan = a_bit_of_all()
    bad = change(
        ChangeKind.REPLACE,
        words,
        words,
        stateful=words,
        forced_by=(words,),
        protected=True,
        properties=[differs(words, words, words + "2")],
    )
    drift = plan.drift
    assert drift is not None
    item = drift.items[1].model_copy(update={"name": words, "properties": (differs(words, words, None),)})
    plan = plan.model_copy(
        update={
            "changes": (bad, change(ChangeKind.OTHER, "odd", op=words)),
            "outputs": (differs(words, None, words),),
            "drift": drift.model_copy(update={"items": (item,), "problems": (words,), "complete": False}),
            "overwrites": (words,),
            "findings": (plan.findings[0].model_copy(update={"policy": words, "message": words, "urn": words}),),
            "policy_packs": {words: words},
        }
    )
    approval = await console.ask(signed(plan, await kept(console.artifacts, plan)))
    pages = [(await alice.get(shown_at(approval))).text]
    pages.append((await alice.get(f"/approval/change?id={quote(approval, safe='')}&n=0")).text)
    for page in pages:
        assert others_scripts(page) == []
        assert ("<img src=x" in page, "\u202e" in page, "\u200b" in page) == (False,) * 3
        assert read(page).count("gpj.\\u202eexe\\u200b") >= 5
    assert read(pages[0]).count("gpj.\\u202eexe\\u200b") >= 18


async def test_three_thousand_changes_are_told_in_parts_and_none_is_left_out(console: Console, alice: Visit) -> None:
    plan = many(3000)
    approval = await console.ask(signed(plan, await kept(console.artifacts, plan)))
    first = await alice.get(shown_at(approval))
    assert "60 to delete 2940 to create" in read(first.text)
    assert f"Changes 1 to {PER_PART} of 3000, the worst first" in read(first.text)
    assert "and 40 more" in read(first.text)
    last = await alice.get(shown_at(approval, part=60))
    assert (len(first.text) < 400_000, len(last.text) < 400_000) == (True, True)
    assert ('rel="next"' in first.text, 'rel="next"' in last.text) == (True, False)
    named = _NAMED.findall(first.text) + _NAMED.findall(last.text)
    assert named == [one.name for one in (*plan.changes[:50], *plan.changes[-50:])]
    for wrong in (0, 61, "١", "9" * 400):
        refused = await alice.get(shown_at(approval, part=wrong))
        assert (refused.status_code, "no part" in refused.text) == (404, True)


async def test_a_change_of_any_length_is_bounded_and_has_a_page_of_its_own(console: Console, alice: Visit) -> None:
    long = [differs("policy", "a" * 1900, "b" * 1900), *(differs(f"p{one:03}", "1", "2") for one in range(300))]
    plan = a_bit_of_all().model_copy(update={"changes": (change(ChangeKind.UPDATE, "wide", properties=long),)})
    approval = await console.ask(signed(plan, await kept(console.artifacts, plan)))
    page = (await alice.get(shown_at(approval))).text
    told = read(page)
    assert "… and 1500 characters more" in told
    assert "And 281 more properties." in told
    [path] = re.findall(r'href="(/approval/change\?[^"]+)"', page)
    alone = await alice.get(unescape(path))
    assert alone.status_code == 200
    for expected in ("a" * 1900, "b" * 1900, "p299"):
        assert expected in alone.text
    for wrong in ("1", "-1", "", "x"):
        missing = await alice.get(f"/approval/change?id={quote(approval, safe='')}&n={wrong}")
        assert (missing.status_code, "no change" in missing.text) == (404, True)


async def test_the_whole_can_be_taken_and_is_what_was_signed(console: Console, alice: Visit) -> None:
    plan = a_bit_of_all()
    whole = await kept(console.artifacts, plan)
    approval = await console.ask(signed(plan, whole))
    taken = await alice.get(f"/approval/stack-plan?id={quote(approval, safe='')}")
    assert f"sha256:{hashlib.sha256(taken.content).hexdigest()}" == whole
    assert taken.headers["content-disposition"] == f'attachment; filename="stack-plan-{whole[7:19]}.json"'
    assert type(plan).model_validate_json(taken.content) == plan


async def test_nobody_takes_it_who_is_not_signed_in(console: Console, alice: Visit) -> None:
    plan = a_bit_of_all()
    approval = await console.ask(signed(plan, await kept(console.artifacts, plan)))
    async with console.visit() as stranger:
        for path in ("change", "stack-plan"):
            answer = await stranger.get(f"/approval/{path}?id={quote(approval, safe='')}&n=0")
            assert (answer.status_code, "sign-in" in answer.headers["location"]) == (303, True)


# An artifact that cannot be used.


def _at(folder: Path, digest: str) -> Path:
    bare = digest.removeprefix("sha256:")
    return folder / bare[:2] / bare


async def _missing(console: Console) -> str:
    del console
    return digest_of(b"never kept")


async def _other_bytes(console: Console) -> str:
    whole = await kept(console.artifacts, a_bit_of_all())
    harmless = a_bit_of_all().model_copy(update={"changes": ()})
    _at(Path(console.artifacts.location), whole).write_bytes(harmless.model_dump_json().encode())
    return whole


async def _no_plan(console: Console) -> str:
    return await console.artifacts.put(b'{"project": "shop", "changes": "<script>alert(1)</script>"}')


async def _no_json(console: Console) -> str:
    return await console.artifacts.put(b"\xff\x00<script>")


async def _of_another_stack(console: Console) -> str:
    return await kept(console.artifacts, a_bit_of_all().model_copy(update={"stack": "dev"}))


async def _of_another_commit(console: Console) -> str:
    return await kept(console.artifacts, a_bit_of_all().model_copy(update={"commit": "f" * 40}))


@pytest.mark.parametrize(
    ("keep", "why"),
    [
        (_missing, "does not hold"),
        (_other_bytes, "holds other bytes"),
        (_no_plan, "no plan of a stack"),
        (_no_json, "no plan of a stack"),
        (_of_another_stack, "the plan of another stack"),
        (_of_another_commit, "of another commit"),
    ],
)
async def test_what_cannot_be_used_is_said_and_the_summary_stays(
    console: Console, alice: Visit, keep: Callable[[Console], Awaitable[str]], why: str
) -> None:
    approval = await console.ask(signed(a_bit_of_all(), await keep(console)))
    page = await alice.get(shown_at(approval))
    told = read(page.text)
    assert (page.status_code, others_scripts(page.text)) == (200, [])
    assert "The whole plan is not here" in told
    assert why in told
    assert "LOSES DATA: orders (the data of the database), exports" in told
    assert "engineVersion forces the replacement" not in told
    refused = await alice.get(f"/approval/stack-plan?id={quote(approval, safe='')}")
    assert (refused.status_code, why in unescape(refused.text)) == (404, True)


async def test_a_plan_that_is_not_of_the_step_is_said(console: Console, alice: Visit) -> None:
    plan = signed(a_bit_of_all(), await kept(console.artifacts, a_bit_of_all()))
    odd = plan.model_copy(update={"parameters": {**plan.parameters, "whole_plan": "../../etc/passwd"}})
    told = read((await alice.get(shown_at(await console.ask(odd)))).text)
    assert "The whole plan is not here" in told
    assert "whole_plan: String should match pattern" in told
