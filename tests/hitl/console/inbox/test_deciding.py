"""Deciding in the console, as people do and as attackers try, on the real server."""

from datetime import timedelta
from urllib.parse import quote

import pytest

from hitl.approval.decision import Surface, Verdict
from hitl.console.access.tokens import Form, Session
from tests.hitl.console.visiting import Console, others_scripts
from tests.workflows.approval.approving import eventually
from workflows.contracts import GoalStatus, State

pytestmark = pytest.mark.asyncio(loop_scope="session")
DECIDE = "/approval/decide"


async def test_two_people_approve_and_the_step_runs(console: Console) -> None:
    house = console.house
    async with house.workers(), console.visit("alice") as alice, console.visit("bob") as bob:
        goal = await house.start()
        approval = await house.approval_of(goal)
        page = await alice.get(f"/approval?id={quote(approval, safe='')}")
        view = await house.view(approval)
        for told in ("<bdi>old</bdi>", "<bdi>acme/shop</bdi>", view.digest, "0 of 2 approved", goal.id, "/history"):
            assert told in page.text
        first = await alice.decide(approval, reason="fine\r\nby me")
        assert (first.status_code, "1 of 2 approved" in first.text) == (200, True)
        assert "2 of 2 approved" in (await bob.decide(approval)).text
        assert (await goal.result()).outcome == "completed"
        decided = await alice.get("/decided")
    assert house.remover.removed == ["old"]
    assert "alice, bob" in decided.text
    click = console.hand.clicks[0]
    assert (click.identity, click.surface, click.reason) == ("console:alice@acme.test", Surface.CONSOLE, "fine by me")


@pytest.mark.parametrize(("verdict", "outcome"), [("reject", "rejected"), ("request_changes", "changes_requested")])
async def test_a_no_wants_a_reason_and_the_goal_hears_it(console: Console, verdict: str, outcome: str) -> None:
    house = console.house
    async with house.workers(), console.visit("alice") as alice:
        goal = await house.start()
        approval = await house.approval_of(goal)
        silent = await alice.decide(approval, verdict)
        assert (silent.status_code, console.hand.clicks) == (422, [])
        hidden = await alice.decide(approval, verdict, reason="fine \u202eenif")
        assert (hidden.status_code, "U+202E" in hidden.text, console.hand.clicks) == (422, True, [])
        assert (await alice.decide(approval, verdict, reason="not on a Friday")).status_code == 200
        result = await goal.result()
    assert (result.outcome, "not on a Friday" in (result.reason or "")) == (outcome, True)


async def test_who_asked_can_withdraw_and_nothing_else(console: Console) -> None:
    house = console.house
    async with house.workers(gateway=True), console.visit("erin") as erin:
        goal = await house.start()
        approval = await house.approval_of(goal)

        async def known() -> bool:
            return (await house.view(approval)).requester == "slack:U0ERIN"

        await eventually(known)
        refused = await erin.get(f"{DECIDE}?id={quote(approval, safe='')}&verdict=approve")
        assert refused.status_code == 409
        assert (await erin.decide(approval, "withdraw")).status_code == 200
        assert (await goal.result()).outcome == "withdrawn"


async def test_looking_decides_nothing_whatever_the_method(console: Console) -> None:
    house = console.house
    async with house.workers(), console.visit("alice") as alice:
        goal = await house.start()
        approval = await house.approval_of(goal)
        token = await alice.asked(approval)
        links = [
            f"{DECIDE}?id={quote(approval, safe='')}&verdict=approve",
            f"{DECIDE}?form={token}&reason=yes",
            f"{DECIDE}?id={quote(approval, safe='')}&verdict=approve&form={token}&confirmed=1",
            f"/approval?id={quote(approval, safe='')}",
            "/",
        ]
        for link in links:
            await alice.get(link)
            await alice.get(link, **{"Sec-Purpose": "prefetch;prerender", "Purpose": "prefetch"})
            await alice.hands.head(link)
            odd = await alice.hands.request("PUT", link, headers={"Origin": alice.origin})
            assert odd.status_code == 405
        view = await house.view(approval)
        await goal.terminate()
    assert (console.hand.clicks, view.decisions) == ([], ())


async def test_a_scanner_that_follows_links_without_a_session_sees_nothing(console: Console) -> None:
    house = console.house
    async with house.workers(), console.visit() as scanner:
        goal = await house.start()
        approval = await house.approval_of(goal)
        for path in ("/", f"/approval?id={quote(approval, safe='')}", "/goals", "/decided"):
            answer = await scanner.get(path)
            assert (answer.status_code, answer.text) == (303, "")
            assert answer.headers["location"].startswith("/sign-in?back=%2F")
        await goal.terminate()


async def test_a_repeated_post_counts_once(console: Console) -> None:
    house = console.house
    async with house.workers(), console.visit("alice") as alice:
        goal = await house.start()
        approval = await house.approval_of(goal)
        token = await alice.asked(approval)
        answers = [await alice.post(DECIDE, form=token) for _ in range(3)]
        view = await house.view(approval)
        # Another click of the same person is told so.
        again = await alice.hands.get(f"{DECIDE}?id={quote(approval, safe='')}&verdict=approve")
        await goal.terminate()
    assert ["1 of 2 approved" in one.text for one in answers] == [True, True, True]
    assert len({click.clicked_at for click in console.hand.clicks}) == 1
    assert ([one.person for one in view.decisions], again.status_code) == (["alice"], 409)


async def test_a_post_from_elsewhere_is_refused_before_anything_is_read(console: Console) -> None:
    house = console.house
    forged: list[dict[str, str]] = [
        {},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8081"},
        {"Origin": "http://127.0.0.1:8080.evil.test"},
        {"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-site"},
    ]
    async with house.workers(), console.visit("alice") as alice:
        goal = await house.start()
        approval = await house.approval_of(goal)
        token = await alice.asked(approval)
        for headers in forged:
            answer = await alice.hands.post(DECIDE, data={"form": token}, headers=headers)
            assert answer.status_code == 403, headers
        assert (console.hand.clicks, (await house.view(approval)).decisions) == ([], ())
        await goal.terminate()


async def test_a_form_is_of_one_session_one_page_one_approval_and_a_short_time(console: Console) -> None:
    house, tokens = console.house, console.tokens
    async with house.workers(), console.visit("alice") as alice, console.visit("bob") as bob:
        goal = await house.start()
        approval = await house.approval_of(goal)
        mine = await alice.asked(approval)
        form = tokens.read(mine, Form)
        assert form is not None
        elsewhere = form.model_copy(update={"path": "/goals/start"})
        forged = [
            "",
            "x",
            mine[:-2],
            await bob.asked(approval),
            tokens.seal(elsewhere, lifetime=timedelta(minutes=1)),
            tokens.seal(form, lifetime=timedelta(seconds=-1)),
            tokens.seal(Session(id=form.session, identity="console:alice@acme.test"), lifetime=timedelta(minutes=1)),
        ]
        for token in forged:
            answer = await alice.post(DECIDE, form=token)
            assert answer.status_code == 403, token
        no_form = await alice.hands.post(DECIDE, json={"form": mine}, headers={"Origin": alice.origin})
        assert no_form.status_code == 415
        # What the form decides is signed: fields beside it change nothing.
        counted = await alice.post(DECIDE, form=mine, verdict="reject", id="other", digest="sha256:0", identity="bob")
        assert counted.status_code == 200
        await goal.terminate()
    [click] = console.hand.clicks
    assert (click.verdict, click.approval_id) == (Verdict.APPROVE, approval)
    assert click.identity == "console:alice@acme.test"


async def test_a_session_that_ended_decides_nothing(console: Console) -> None:
    house = console.house
    async with house.workers(), console.visit("alice") as alice:
        goal = await house.start()
        approval = await house.approval_of(goal)
        token = await alice.asked(approval)
        form = console.tokens.read(token, Form)
        assert form is not None
        session = Session(id=form.session, identity="console:alice@acme.test")
        alice.hands.cookies.set("banksman", console.tokens.seal(session, lifetime=timedelta(seconds=-1)))
        alice.hands.cookies.delete("banksman", domain="127.0.0.1")
        answer = await alice.post(DECIDE, form=token)
        assert (answer.status_code, "session has ended" in answer.text) == (401, True)
        await goal.terminate()
    assert console.hand.clicks == []


async def test_who_left_the_policy_is_out_at_once(console: Console) -> None:
    house = console.house
    async with house.workers(), console.visit("alice") as alice:
        goal = await house.start()
        approval = await house.approval_of(goal)
        token = await alice.asked(approval)
        house.path.write_text(house.path.read_text().replace(", console:alice@acme.test", ""))
        answer = await alice.post(DECIDE, form=token)
        assert (answer.status_code, "console:alice@acme.test" in answer.text) == (403, True)
        await goal.terminate()
    assert console.hand.clicks == []


async def test_a_refusal_and_a_doubt_are_told_apart(console: Console) -> None:
    house = console.house
    async with console.visit("alice") as alice:
        async with house.workers():
            goal = await house.start()
            approval = await house.approval_of(goal)
            first, second = await alice.asked(approval), await alice.asked(approval, "reject")
        console.hand.patience = timedelta(seconds=0.3)
        doubt = await alice.post(DECIDE, form=first)
        assert (doubt.status_code, "Not confirmed yet" in doubt.text, first in doubt.text) == (503, True, True)
        async with house.workers():
            console.hand.patience = timedelta(seconds=10)
            assert (await alice.post(DECIDE, form=first)).status_code == 200
            refused = await alice.post(DECIDE, form=second, reason="changed my mind")
            assert (refused.status_code, "counted already" in refused.text) == (409, True)
            status = await goal.query("status", result_type=GoalStatus)
            view = await house.view(approval)
            await goal.terminate()
    assert (status.state, view.state) == (State.WAITING, State.WAITING)
    assert [one.person for one in view.decisions] == ["alice"]


async def test_nothing_in_a_plan_or_a_reason_is_markup(console: Console) -> None:
    house, evil = console.house, "<img src=x onerror=alert(1)>'\"><script>alert(1)</script>"
    async with house.workers(), console.visit("alice") as alice:
        goal = await house.start(branch=evil)
        approval = await house.approval_of(goal)
        await alice.decide(approval, reason=evil)
        pages = [
            await alice.get(f"/approval?id={quote(approval, safe='')}"),
            await alice.get(f"/approval?id={quote(evil, safe='')}"),
            await alice.get(f"{DECIDE}?id={quote(approval, safe='')}&verdict={quote(evil, safe='')}"),
            await alice.get(f"/goals/start?goal={quote(evil, safe='')}"),
            await alice.get("/"),
        ]
        await goal.terminate()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in pages[0].text
    for page in pages:
        assert others_scripts(page.text) == []
        assert "<img src=x" not in page.text
        assert "/static/keys.js; connect-src" in page.headers["content-security-policy"]
        assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_another_host_name_is_not_answered(console: Console) -> None:
    async with console.visit("alice") as alice:
        for host in ("evil.test", "127.0.0.1.evil.test", "console.test:8080"):
            assert (await alice.get("/", Host=host)).status_code == 400
        assert (await alice.get("/")).status_code == 200


async def test_an_approval_that_is_none_is_not_shown(console: Console) -> None:
    house = console.house
    async with house.workers(), console.visit("alice") as alice:
        goal = await house.start()
        await house.approval_of(goal)
        answers = [await alice.get(f"/approval?id={one}") for one in ("", "approval/none", goal.id)]
        await goal.terminate()
    assert [one.status_code for one in answers] == [404, 404, 404]
