"""Both Apps are made with a person: by a page on this machine or by a code, into Vault and nowhere else."""

import asyncio
import re
from html import unescape
from urllib.parse import urlsplit

import httpx
import pytest

from connectors.errors import AuthDenied, InvalidRequest, NotFound, OutcomeUnknown
from connectors.github.registration import MadeApp, as_app
from tests.connectors.github import making as hands
from tests.connectors.github.twin.server import until
from tests.workers.github_app.conftest import PATHS, WEBHOOK, Place
from workers.github_app.wanted import AppKind


async def until_led(place: Place) -> str:
    await asyncio.to_thread(until, lambda: bool(place.led), "the page listens")
    return place.led[-1]


async def at_github(place: Place, page: str) -> str:
    """Press the button of the page on this machine, and then GitHub's; where GitHub sends the browser back to."""
    action, text = re.search(r'action="([^"]+)"', page), re.search(r'name="manifest" value="([^"]+)"', page)
    assert action is not None
    assert text is not None
    there = unescape(action[1])
    assert there.startswith(place.twin.address)
    async with httpx.AsyncClient() as browser:
        asked = await browser.post(there, data={"manifest": unescape(text[1])})
    return await asyncio.to_thread(hands.pressed, place.twin, asked.text)


async def walked(place: Place, kind: AppKind, *, callback: str | None = None) -> tuple[MadeApp, str]:
    """Go the whole way as a browser; the App, and the last page."""
    making = asyncio.create_task(place.making(callback=callback).by_page(kind))
    address = await until_led(place)
    async with httpx.AsyncClient() as browser:
        first = await browser.get(address)
        assert first.status_code == 200
        last = await browser.get(await at_github(place, first.text))
    return await making, last.text


@pytest.mark.parametrize("kind", AppKind)
async def test_a_person_goes_by_the_page_and_the_key_is_in_vault(place: Place, kind: AppKind) -> None:
    app, told = await walked(place, kind)
    assert f"{app.name} is made" in told
    assert f"/apps/{app.slug}/installations/new" in told
    assert place.in_vault(kind.secret.path) == {
        "client_id": app.client_id,
        "private_key": app.pem.get_secret_value(),
    }
    hook = place.at_github(app).hook
    if kind is AppKind.ORDINARY:
        assert hook is not None
        assert hook.url == WEBHOOK
        assert place.in_vault("github/webhook") == {"secret": hook.secret}
    else:
        assert hook is None
        assert place.in_vault("github/webhook") is None
    assert place.at_github(app).permissions == kind.permissions
    assert tuple(place.at_github(app).events) == kind.events
    with pytest.raises(httpx.ConnectError):  # it has ended by itself
        await asyncio.to_thread(httpx.get, place.led[-1])
    assert "PRIVATE KEY" not in told


async def test_a_page_takes_no_code_but_with_its_state_and_answers_to_its_own_name_alone(place: Place) -> None:
    making = asyncio.create_task(place.making().by_page(AppKind.ORDINARY))
    address = await until_led(place)
    root = f"http://{urlsplit(address).netloc}"
    async with httpx.AsyncClient() as browser:
        page = (await browser.get(address)).text
        back = await at_github(place, page)
        stolen = place.code(name="the attacker's")
        for url, headers in (
            (f"{root}/made?code={stolen}", {}),
            (f"{root}/made?code={stolen}&state=wrong", {}),
            (f"{root}/made?code={stolen}&state=%C3%BC", {}),
            (back.replace("/made", "/made"), {"host": "evil.example"}),
            (back.partition("code=")[0] + "state=" + back.partition("state=")[2], {}),
        ):
            assert (await browser.get(url, headers=headers)).status_code == 400
        for url, headers in ((f"{root}/", {}), (f"{root}/begin", {}), (address, {"host": "evil.example"})):
            assert (await browser.get(url, headers=headers)).status_code == 404
        assert (await browser.post(back)).status_code == 405
        assert not making.done()
        assert place.in_vault("github/app") is None
        assert (await browser.get(back)).status_code == 200
    assert (await making).owner.login == "acme"


async def test_a_page_says_nothing_to_other_pages_and_lets_a_form_lead_to_github_alone(place: Place) -> None:
    making = asyncio.create_task(place.making().by_page(AppKind.ORDINARY))
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(await until_led(place))
    policy = answer.headers["content-security-policy"]
    assert policy.endswith(f"form-action {place.twin.address}")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    with pytest.raises(httpx.ConnectError):
        await asyncio.to_thread(httpx.get, place.led[-1])


async def test_an_app_that_was_made_for_somebody_else_is_not_kept(place: Place) -> None:
    with pytest.raises(InvalidRequest, match="made for 'globex' and not for 'acme': nothing of it is kept; delete it"):
        await place.making().by_code(AppKind.ORDINARY, place.code(owner="globex"))
    assert [place.in_vault(path) for path in PATHS] == [None] * len(PATHS)


async def test_a_code_that_was_used_tells_how_to_go_on(place: Place) -> None:
    code = place.code()
    await place.making().by_code(AppKind.ORDINARY, code)
    with pytest.raises(NotFound, match="generate a private key, and give it to `banksman github rotate-key`"):
        await place.making().by_code(AppKind.ORDINARY, code)


async def test_a_token_that_may_not_write_is_refused_before_anybody_is_sent_to_github(place: Place) -> None:
    made = place.server.admin("POST", "auth/token/create", {"policies": ["gateway"], "ttl": "1h"})
    code, said = await place.run("setup", "acme", "--webhook", WEBHOOK, "--no-browser", token=token_of(made))
    assert code == 1
    assert "Vault" in said
    assert "browser" not in said
    assert place.twin.recorder.lines() == []


async def test_a_key_that_cannot_be_kept_is_told_with_a_way_out(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.github_app.kept._PAUSES", ())
    code = place.code()
    place.server.seal()
    try:
        with pytest.raises(
            OutcomeUnknown, match=r"is made, and its key could not be kept.*rotate-key ordinary --client"
        ):
            await place.making().by_code(AppKind.ORDINARY, code)
    finally:
        place.server.unseal()


async def test_a_person_who_gives_up_when_the_code_is_taken_loses_no_key(place: Place) -> None:
    code = place.code()
    place.twin.plant(kind="delay", path="conversions", seconds=0.2)
    making = asyncio.create_task(place.making().by_code(AppKind.ORDINARY, code))
    reached = "/conversions"
    await asyncio.to_thread(until, lambda: any(reached in str(one) for one in place.twin.requests()), "GitHub is asked")
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    assert place.in_vault("github/app") is not None


# By the command.


async def test_begun_again_it_makes_no_second_app(place: Place) -> None:
    code, said = await place.run("setup", "acme", "--webhook", WEBHOOK, "--app", "ordinary", "--code", place.code())
    assert code == 0, said
    assert "installations/new" in said
    before = place.in_vault("github/app")
    code, said = await place.run("setup", "acme", "--webhook", WEBHOOK, "--app", "ordinary")
    assert (code, "it stays" in said) == (0, True)
    assert place.in_vault("github/app") == before


async def test_anew_makes_another_and_says_so_only_when_it_is_asked_for(place: Place) -> None:
    first = await place.has()
    second = place.code(name="the second")
    code, said = await place.run("setup", "acme", "--app", "ordinary", "--anew", "ordinary", "--code", second)
    assert (code, "the second" in said) == (0, True)
    kept = place.in_vault("github/app")
    assert kept is not None
    assert kept["client_id"] != first.client_id


async def test_a_key_that_github_refuses_makes_no_second_app(place: Place) -> None:
    app = await place.has()
    place.at_github(app).keys[:] = place.twin.app.state.apps.first.keys
    with pytest.raises(AuthDenied, match="rotate-key ordinary`, or make another App by --anew ordinary"):
        await place.making().found(AppKind.ORDINARY)
    code, said = await place.run("setup", "acme", "--webhook", WEBHOOK, "--app", "ordinary")
    assert (code, "it is of no use" in said) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["acme/shop"], "is no organisation"),
        (["acme", "--code", "abc"], "say which App the code is of"),
        (["acme", "--webhook", "ftp://x"], "is no address that GitHub delivers to"),
        (["acme", "--webhook", "http://banksman.example/github/webhooks"], "is no address that GitHub delivers to"),
    ],
)
async def test_what_makes_no_sense_is_refused_before_anything_is_asked(
    place: Place, arguments: list[str], says: str
) -> None:
    code, said = await place.run("setup", *arguments)
    assert (code, says in said) == (2, True), said
    assert place.twin.recorder.lines() == []


async def test_without_a_webhooks_address_the_ordinary_app_is_not_made(place: Place) -> None:
    code, said = await place.run("setup", "acme", "--no-browser")
    assert (code, "say by --webhook where GitHub reaches the gateway" in said) == (1, True)


async def test_no_token_is_refused(place: Place) -> None:
    code, said = await place.run("check", token="")
    assert (code, "standard input is empty" in said) == (2, True)


async def test_nothing_that_is_said_holds_a_secret(place: Place) -> None:
    code = place.code()
    _, said = await place.run("setup", "acme", "--app", "ordinary", "--code", code)
    _, more = await place.run("check")
    kept = [str(value) for path in PATHS for name, value in (place.in_vault(path) or {}).items() if name != "client_id"]
    assert len(kept) == 2
    for secret in (*kept, *kept[0].splitlines()[1:-1], place.token.get_secret_value(), code):
        assert secret not in said + more
    app = await place.vault.app(AppKind.ORDINARY)
    assert app is not None
    assert not any(secret in repr(app) for secret in kept)
    async with as_app(place.twin.github(), app.credentials) as session:
        assert "PRIVATE" not in repr(session)


def token_of(made: object) -> str:
    assert isinstance(made, dict)
    return str(made["auth"]["client_token"])


def test_the_persons_token_reaches_nothing_else(place: Place) -> None:
    assert [place.server.status("GET", f"banksman/data/{path}", place.token) for path in PATHS] == [404] * len(PATHS)
    for method, path in (
        ("GET", "banksman/data/slack/app"),
        ("GET", "banksman/data/payload-keys"),
        ("GET", "banksman/data/github"),
        ("GET", "banksman/metadata/github/app"),
        ("DELETE", "banksman/data/github/app"),
        ("PUT", "transit/sign/approvals"),
        ("PUT", "auth/token/create/github-read"),
        ("PUT", "auth/approle/role/gateway/secret-id"),
    ):
        assert place.server.status(method, path, place.token) == 403, path
