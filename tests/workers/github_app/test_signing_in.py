"""The set-up gives the ordinary App the console's callback and keeps its client secret, and of no other App."""

import asyncio
import logging
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import JsonValue

from connectors.errors import OutcomeUnknown
from connectors.github.models import SignInCredentials
from connectors.github.registration import MadeApp
from hitl.console.access.code_flow import begin
from hitl.console.access.github import GitHubDoor
from hitl.console.access.tokens import Door
from hitl.console.settings import GitHubSignIn
from tests.workers.github_app.conftest import CALLBACK, WEBHOOK, Place
from tests.workers.github_app.test_making import walked
from workers.github_app.kept import KeptInVault
from workers.github_app.wanted import AppKind

CONSOLE = "https://banksman.example"
ORDINARY = ("setup", "acme", "--webhook", WEBHOOK, "--app", "ordinary")
OTHER: dict[str, JsonValue] = {"client_id": "Iv23liAnother", "client_secret": "of another App"}


def kept(place: Place) -> dict[str, object] | None:
    found = place.in_vault("github/sign-in")
    return dict(found) if found is not None else None


def secret_of(place: Place, app: MadeApp) -> str:
    secret = place.at_github(app).client_secret
    assert secret
    return secret


async def signed_in(place: Place, credentials: SignInCredentials, login: str) -> str:
    """Who GitHub says that is, by the console's own door."""
    there = place.twin.address
    settings = GitHubSignIn(
        pages=there, api=there, client_id=credentials.client_id, client_secret=credentials.client_secret
    )
    door, sign_in = GitHubDoor(settings, redirect_uri=CALLBACK), begin(Door.GITHUB, "/")
    asked = {name: value[0] for name, value in parse_qs(urlsplit(door.address(sign_in)).query).items()}
    async with httpx.AsyncClient() as browser:
        answer = await browser.post(f"{there}/login/oauth/authorize", data={**asked, "login": login})
    assert answer.status_code == 302, answer.text
    back = urlsplit(answer.headers["location"])
    assert f"{back.scheme}://{back.netloc}{back.path}" == CALLBACK
    return (await door.finish(sign_in, code=parse_qs(back.query)["code"][0])).login


async def test_who_went_by_the_page_can_sign_in_to_the_console_by_that_app(place: Place) -> None:
    app, told = await walked(place, AppKind.ORDINARY, callback=CALLBACK)
    assert place.at_github(app).callbacks == [CALLBACK]
    assert kept(place) == {"client_id": app.client_id, "client_secret": secret_of(place, app)}
    assert "client secret" not in told
    found = await place.vault.sign_in()
    assert found is not None
    assert await signed_in(place, found.credentials, "alice") == "alice"


async def test_the_gateways_own_login_reads_it_and_the_steps_tokens_do_not(place: Place) -> None:
    await place.making(callback=CALLBACK).by_code(AppKind.ORDINARY, place.code(callback_urls=[CALLBACK]))
    for policy, status in (("gateway", 200), ("connectors", 403), ("step-github-read", 403), ("destructive", 403)):
        token = place.token_with(policy)
        assert place.server.status("GET", "banksman/data/github/sign-in", token) == status, policy
        assert place.server.status("POST", "banksman/data/github/sign-in", token) == 403, policy


async def test_the_destructive_app_gets_no_callback_and_nobody_signs_in_by_it(place: Place) -> None:
    app, told = await walked(place, AppKind.DESTRUCTIVE, callback=CALLBACK)
    assert place.at_github(app).callbacks == []
    assert kept(place) is None
    assert CALLBACK not in told
    code, said = await place.run(
        *("setup", "acme", "--app", "destructive", "--console", CONSOLE),
        *("--anew", "destructive", "--code", place.code(AppKind.DESTRUCTIVE, name="the second")),
    )
    assert (code, "sign in" in said) == (0, False), said
    assert kept(place) is None


async def test_without_a_console_there_is_no_callback_no_secret_and_the_person_is_told(place: Place) -> None:
    app, _ = await walked(place, AppKind.ORDINARY)
    assert place.at_github(app).callbacks == []
    code, said = await place.run(*ORDINARY, "--anew", "ordinary", "--code", place.code(name="the second"))
    assert code == 0, said
    assert "nobody signs in to the console by it: where that is was said neither by --console" in said
    assert kept(place) is None


async def test_the_consoles_address_may_be_that_of_the_settings(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BANKSMAN_CONSOLE_URL", CONSOLE)
    code, said = await place.run(*ORDINARY, "--code", place.code(callback_urls=[CALLBACK]))
    assert (code, f"people can sign in to the console by it, at {CALLBACK}" in said) == (0, True), said
    assert kept(place) is not None


async def test_a_second_run_changes_nothing_of_the_first(place: Place) -> None:
    code, said = await place.run(*ORDINARY, "--console", CONSOLE, "--code", place.code(callback_urls=[CALLBACK]))
    assert code == 0, said
    before = kept(place)
    assert before is not None
    for again in ((), ("--console", "https://elsewhere.example")):
        code, said = await place.run(*ORDINARY, *again)
        assert (code, "it stays" in said) == (0, True), said
    assert kept(place) == before


async def test_another_app_in_its_place_is_signed_in_by_from_then_on(place: Place) -> None:
    first, _ = await walked(place, AppKind.ORDINARY, callback=CALLBACK)
    second = place.code(name="the second", callback_urls=[CALLBACK])
    code, said = await place.run(*ORDINARY, "--console", CONSOLE, "--anew", "ordinary", "--code", second)
    assert code == 0, said
    now, ordinary = kept(place), place.in_vault("github/app")
    assert now is not None
    assert ordinary is not None
    assert now["client_id"] == ordinary["client_id"] != first.client_id
    assert now["client_secret"] != secret_of(place, first)


async def test_an_app_of_its_own_that_people_sign_in_by_stays(place: Place) -> None:
    place.server.admin("POST", "banksman/data/github/sign-in", {"data": OTHER})
    app, _ = await walked(place, AppKind.ORDINARY, callback=CALLBACK)
    assert (kept(place), place.at_github(app).callbacks) == (OTHER, [])
    code, said = await place.run(
        *ORDINARY, "--console", CONSOLE, "--anew", "ordinary", "--code", place.code(name="second")
    )
    assert (code, "by another App, Iv23liAnother: that stays" in said) == (0, True), said
    assert kept(place) == OTHER
    code, said = await place.run("check", "--app", "ordinary")
    assert "✓ ordinary App, sign-in: is another App's, Iv23liAnother" in said


async def test_the_secret_is_said_and_logged_nowhere(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    _, said = await place.run(*ORDINARY, "--console", CONSOLE, "--code", place.code(callback_urls=[CALLBACK]))
    _, more = await place.run("check")
    found = kept(place)
    assert found is not None
    secret = str(found["client_secret"])
    assert "✓ ordinary App, sign-in: people can sign in to the console by it" in more
    assert secret not in said + more + caplog.text
    seen = await place.vault.sign_in()
    assert secret not in repr(seen)


async def test_a_token_of_before_is_refused_before_anybody_is_sent_to_github(place: Place) -> None:
    place.server.admin(
        "PUT",
        "sys/policies/acl/github-setup-of-before",
        {
            "policy": "\n".join(
                f'path "banksman/data/github/{one}" {{ capabilities = ["create", "read", "update"] }}'
                for one in ("app", "destructive-app", "webhook")
            )
            + '\npath "sys/capabilities-self" { capabilities = ["update"] }'
        },
    )
    token = place.token_with("github-setup-of-before").get_secret_value()
    code, said = await place.run(*ORDINARY, "--console", CONSOLE, "--no-browser", token=token)
    assert (code, "may not read" in said or "refuses" in said) == (1, True), said
    assert ("browser" in said, place.twin.recorder.lines()) == (False, [])


async def test_a_client_secret_that_cannot_be_kept_is_told_with_a_way_out_and_the_key_is_kept(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.github_app.kept._PAUSES", ())
    keep = KeptInVault.keep_app

    async def and_then_the_seal(self: KeptInVault, *given: object, **more: object) -> None:
        await keep(self, *given, **more)  # type: ignore[arg-type]
        await asyncio.to_thread(place.server.seal)

    monkeypatch.setattr(KeptInVault, "keep_app", and_then_the_seal)
    try:
        with pytest.raises(OutcomeUnknown, match=r"its key is in Vault, but its client secret.*github/sign-in"):
            await place.making(callback=CALLBACK).by_code(AppKind.ORDINARY, place.code(callback_urls=[CALLBACK]))
    finally:
        place.server.unseal()
    assert (place.in_vault("github/app") is None, kept(place)) == (False, None)


@pytest.mark.parametrize(
    ("console", "says"),
    [
        ("http://banksman.example", "is not https"),
        ("https://banksman.example/console", "has a path"),
        ("banksman.example", "is not an address"),
        ("https://banksman.example?x=1", "has a path"),
    ],
)
async def test_what_no_console_can_be_at_is_refused_before_anything_is_asked(
    place: Place, console: str, says: str
) -> None:
    code, said = await place.run(*ORDINARY, "--console", console)
    assert (code, says in said) == (2, True), said
    assert place.twin.recorder.lines() == []
