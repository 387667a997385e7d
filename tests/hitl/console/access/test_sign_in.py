"""Signing in: the provider's answer is checked in every part; outside the embedded environment nobody is anybody."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote_plus, urlencode, urlsplit

import httpx
import pytest
from pydantic import SecretStr, ValidationError
from starlette.types import Receive, Scope, Send
from temporalio.client import Client

from hitl.console.access.tokens import Form, Session, SignIn
from hitl.console.access.visitors import local_path
from hitl.console.settings import ConsoleSettings, OidcSettings
from tests.hitl.console.issuing import CLIENT, CLIENT_SECRET, Issuer, issuing, new_key
from tests.hitl.console.visiting import ORIGIN, SECRET, Console, Visit

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


def console_of(provider: Issuer, client: Client, folder: Path, **oidc: object) -> Console:
    fields = {"issuer": provider.address, "client_id": CLIENT, "client_secret": SecretStr(CLIENT_SECRET)} | oidc
    return Console(client, folder, development=False, oidc=OidcSettings.model_validate(fields))


async def begin(visit: Visit, back: str = "/") -> str:
    """To the provider, and to where it sends the person then."""
    begun = await visit.get(f"/sign-in/begin?back={quote(back, safe='')}")
    assert begun.status_code == 303, begun.text
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(begun.headers["location"])
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


async def test_a_person_signs_in_and_comes_back_to_where_they_were(
    issuer: Issuer, client: Client, tmp_path: Path
) -> None:
    async with console_of(issuer, client, tmp_path).visit() as carol:
        first = await carol.get("/decided?page=")
        assert first.headers["location"] == "/sign-in?back=%2Fdecided%3Fpage%3D"
        offer = await carol.get(first.headers["location"])
        assert 'href="/sign-in/begin?back=/decided%3Fpage%3D"' in offer.text
        back = await carol.get(await begin(carol, "/decided?page="))
        assert (back.status_code, back.headers["location"]) == (303, "/decided?page=")
        cookie = next(one for one in back.headers.get_list("set-cookie") if one.startswith("banksman="))
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        page = await carol.get("/decided")
        assert ">carol<" in page.text
        token = page.text.split('name="form" value="')[1].split('"')[0]
        out = await carol.post("/sign-out", form=token)
        assert (out.status_code, (await carol.get("/")).status_code) == (303, 303)


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another-client"},
        {"aud": [CLIENT, "another"]},
        {"iss": "https://evil.test"},
        {"exp": timedelta(minutes=-2)},
        {"exp": None},
        {"iat": timedelta(minutes=2), "exp": timedelta(minutes=5)},
        {"nbf": timedelta(minutes=2)},
        {"sub": None},
        {"email_verified": False},
        {"email_verified": None},
        {"email": None},
        {"email": "carol @acme.test"},
    ],
    ids=str,
)
async def test_a_wrong_answer_lets_nobody_in(
    issuer: Issuer, client: Client, tmp_path: Path, claims: dict[str, object]
) -> None:
    issuer.claims = claims
    async with console_of(issuer, client, tmp_path).visit() as carol:
        answer = await carol.get(await begin(carol))
        assert (answer.status_code, (await carol.get("/")).status_code) == (403, 303)
    assert not any(one.startswith("banksman=e") for one in answer.headers.get_list("set-cookie"))


@pytest.mark.parametrize("forged", ["other key", "none", "client secret", "published secret"])
async def test_an_answer_that_the_provider_did_not_sign_lets_nobody_in(
    issuer: Issuer, client: Client, tmp_path: Path, forged: str
) -> None:
    """Signed by nobody, by another, or by what is no secret: that the page of keys names it makes it none."""
    if forged == "none":
        issuer.algorithm = "none"
    elif forged == "other key":
        issuer.signs_with = new_key()
    else:
        issuer.algorithm, issuer.shared = "HS256", CLIENT_SECRET * 3
        if forged == "published secret":
            known = base64.urlsafe_b64encode(issuer.shared.encode()).rstrip(b"=").decode()
            issuer.kid = "shared"
            issuer.published = [{"kty": "oct", "kid": "shared", "alg": "HS256", "k": known}]
    async with console_of(issuer, client, tmp_path).visit() as carol:
        assert (await carol.get(await begin(carol))).status_code == 403
        assert (await carol.get("/")).status_code == 303


@pytest.mark.parametrize("ahead", [timedelta(seconds=-40), timedelta(seconds=40)], ids=["behind", "ahead"])
async def test_a_providers_clock_may_be_a_little_off(
    issuer: Issuer, client: Client, tmp_path: Path, ahead: timedelta
) -> None:
    issuer.claims = {"iat": ahead, "exp": ahead + timedelta(seconds=10)}
    async with console_of(issuer, client, tmp_path).visit() as carol:
        assert (await carol.get(await begin(carol))).status_code == 303


@pytest.mark.parametrize("state", ["another", "", None])
async def test_an_answer_without_the_state_of_this_browser_is_refused(
    issuer: Issuer, client: Client, tmp_path: Path, state: str | None
) -> None:
    async with console_of(issuer, client, tmp_path).visit() as carol:
        given = parse_qs(urlsplit(await begin(carol)).query)
        said = {"code": given["code"][0]} | ({} if state is None else {"state": state})
        answer = await carol.get(f"/sign-in/callback?{urlencode(said)}")
        assert (answer.status_code, (await carol.get("/")).status_code) == (403, 303)


async def test_an_answer_that_names_another_provider_is_refused(issuer: Issuer, client: Client, tmp_path: Path) -> None:
    async with console_of(issuer, client, tmp_path).visit() as carol:
        mixed = await carol.get(f"{await begin(carol)}&iss=https%3A%2F%2Fevil.test")
        right = await carol.get(f"{await begin(carol)}&iss={quote(issuer.address, safe='')}")
    assert (mixed.status_code, right.status_code) == (403, 303)


async def test_a_stolen_code_is_worth_nothing_to_another_browser(
    issuer: Issuer, client: Client, tmp_path: Path
) -> None:
    console = console_of(issuer, client, tmp_path)
    async with console.visit() as carol, console.visit() as mallory:
        stolen = parse_qs(urlsplit(await begin(carol)).query)["code"][0]
        mine = parse_qs(urlsplit(await begin(mallory)).query)["state"][0]
        # Her own state passes; the provider sees that her verifier does not belong to the code.
        answer = await mallory.get(f"/sign-in/callback?{urlencode({'code': stolen, 'state': mine})}")
        assert (answer.status_code, (await mallory.get("/")).status_code) == (403, 303)


async def test_nothing_secret_of_a_sign_in_is_in_its_address(issuer: Issuer, client: Client, tmp_path: Path) -> None:
    console = console_of(issuer, client, tmp_path)
    async with console.visit() as carol:
        begun = await carol.get("/sign-in/begin")
        note = console.tokens.read(carol.hands.cookies["banksman-sign-in"], SignIn)
    assert note is not None
    assert len(note.verifier) >= 43
    assert note.verifier not in begun.headers["location"]
    assert CLIENT_SECRET not in unquote_plus(begun.headers["location"])


async def test_a_provider_that_calls_itself_otherwise_is_refused(
    issuer: Issuer, client: Client, tmp_path: Path
) -> None:
    issuer.calls_itself = "https://evil.test"
    async with console_of(issuer, client, tmp_path).visit() as carol:
        answer = await carol.get("/sign-in/begin")
    assert (answer.status_code, "by another name" in answer.text) == (403, True)


async def test_a_rotated_key_is_found(issuer: Issuer, client: Client, tmp_path: Path) -> None:
    async with console_of(issuer, client, tmp_path).visit() as carol:
        assert (await carol.get(await begin(carol))).status_code == 303
        issuer.key, issuer.kid = new_key(), "k2"
        assert (await carol.get(await begin(carol))).status_code == 303


async def test_an_answer_of_another_browsers_sign_in_is_refused(issuer: Issuer, client: Client, tmp_path: Path) -> None:
    console = console_of(issuer, client, tmp_path)
    async with console.visit() as attacker, console.visit() as victim:
        link = await begin(attacker)
        assert (await victim.get(link)).status_code == 403
        await begin(victim)
        assert (await victim.get(link)).status_code == 403
        assert (await victim.get(link.split("&state")[0])).status_code == 403
        assert (await victim.get("/")).status_code == 303


async def test_a_code_works_once_and_only_with_its_verifier(issuer: Issuer, client: Client, tmp_path: Path) -> None:
    console = console_of(issuer, client, tmp_path)
    async with console.visit() as carol:
        link = await begin(carol)
        sealed = carol.hands.cookies["banksman-sign-in"]
        sign_in = console.tokens.read(sealed, SignIn)
        assert sign_in is not None
        other = sign_in.model_copy(update={"verifier": "another"})
        carol.hands.cookies.clear()
        carol.hands.cookies.set("banksman-sign-in", console.tokens.seal(other, lifetime=timedelta(minutes=1)))
        assert (await carol.get(link)).status_code == 403
        carol.hands.cookies.clear()
        carol.hands.cookies.set("banksman-sign-in", sealed)
        assert (await carol.get(link)).status_code == 403


async def test_a_stranger_is_told_which_identity_to_add(issuer: Issuer, client: Client, tmp_path: Path) -> None:
    issuer.claims = {"email": "mallory@acme.test"}
    async with console_of(issuer, client, tmp_path).visit() as mallory:
        await mallory.get(await begin(mallory))
        page = await mallory.get("/")
    assert (page.status_code, "console:mallory@acme.test" in page.text) == (403, True)


async def test_there_is_no_development_sign_in_beside_a_provider(
    issuer: Issuer, client: Client, tmp_path: Path
) -> None:
    async with console_of(issuer, client, tmp_path).visit() as mallory:
        assert (await mallory.post("/sign-in/as", identity="console:alice@acme.test")).status_code == 404
        assert "alice" not in (await mallory.get("/sign-in")).text


async def test_a_provider_that_is_away_is_said_so(issuer: Issuer, client: Client, tmp_path: Path) -> None:
    console = console_of(issuer, client, tmp_path, issuer="http://127.0.0.1:9")
    async with console.visit() as carol:
        answer = await carol.get("/sign-in/begin")
    assert (answer.status_code, "cannot be reached" in answer.text) == (403, True)


@pytest.mark.parametrize(
    "evil",
    [
        "https://evil.test/",
        "//evil.test/",
        "///evil.test/",
        "/\\evil.test/",
        "\\\\evil.test",
        "/\t/evil.test/",
        " //evil.test",
        "javascript:alert(1)",
        "http:evil.test",
        "evil.test",
        "",
        "/\r\nLocation: https://evil.test",
    ],
)
async def test_signing_in_leads_nowhere_else(console: Console, evil: str) -> None:
    assert local_path(evil) == "/"
    async with console.visit() as alice:
        answer = await alice.post("/sign-in/as", identity="console:alice@acme.test", back=evil)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_the_way_back_keeps_an_approvals_id() -> None:
    wanted = "/approval?id=approval%2Fgoal%2Fa%26b"
    assert local_path(wanted) == wanted
    assert parse_qs(urlsplit(local_path(wanted)).query) == {"id": ["approval/goal/a&b"]}


async def test_a_session_is_forged_by_nobody(console: Console) -> None:
    session = Session(id="s", identity="console:alice@acme.test")
    other = console.settings.model_copy(update={"secret": SecretStr("another secret, as long as the other is")})
    forged = type(console.tokens)(other.secret).seal(session, lifetime=timedelta(hours=1))
    form = Form(session="s", path="/", at=datetime.now(UTC))
    for token in (forged, console.tokens.seal(form, lifetime=timedelta(hours=1)), "e30.e30."):
        async with console.visit() as mallory:
            mallory.hands.cookies.set("banksman", token)
            assert (await mallory.get("/")).status_code == 303


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"development": False}, "embedded environment alone"),
        ({"origin": "https://banksman.acme.test"}, "for this machine alone"),
        ({"origin": "http://banksman.acme.test"}, "is not https"),
        ({"origin": f"{ORIGIN}/console"}, "has a path"),
        ({"secret": SecretStr("short")}, "shorter than 32 bytes"),
        ({"listen": "0.0.0.0:8320"}, "on this machine alone"),
        ({"listen": "[::]:8320"}, "on this machine alone"),
        ({"listen": ":8320"}, "is not HOST:PORT"),
        ({"listen": "127.0.0.1"}, "is not HOST:PORT"),
    ],
)
async def test_a_console_that_anybody_could_enter_does_not_start(changes: dict[str, object], told: str) -> None:
    fields = {"origin": ORIGIN, "secret": SecretStr(SECRET), "development": True} | changes
    with pytest.raises(ValidationError, match=told):
        ConsoleSettings.model_validate(fields)


async def test_the_development_sign_in_answers_on_this_machine_alone(console: Console) -> None:
    """Whoever serves it at another address, and whatever the request calls the host."""
    app, answers = console.app, list[int]()

    async def arrive(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "server": (arrived_at, 8080)}, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(arrive), base_url=ORIGIN) as hands:
        for arrived_at in ("192.0.2.7", "::ffff:192.0.2.7", "gateway"):  # noqa: B007 - read where it arrives
            answers.append((await hands.get("/sign-in")).status_code)
    async with console.visit() as here:
        assert (await here.get("/sign-in")).status_code == 200
    assert answers == [403, 403, 403]


async def test_cookies_are_bound_to_the_host_where_there_is_https(
    issuer: Issuer, client: Client, tmp_path: Path
) -> None:
    console = console_of(issuer, client, tmp_path)
    console.settings = console.settings.model_copy(update={"origin": "https://banksman.acme.test"})
    async with console.visit() as carol:
        back = await carol.get(await begin(carol))
        cookies = [one for one in back.headers.get_list("set-cookie") if one.startswith("__Host-banksman=")]
    assert len(cookies) == 1
    assert "Secure" in cookies[0]
