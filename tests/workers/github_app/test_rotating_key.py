"""An App's key is changed with an overlap: old and new are good, then the new alone, seen to be so."""

from html import unescape
from pathlib import Path

import pytest
from pydantic import SecretStr

from connectors.errors import AuthDenied, InvalidRequest, Unavailable
from connectors.github.registration import MadeApp
from connectors.github.twin.apps import new_key
from tests.connectors.github import making as hands
from tests.workers.github_app.conftest import Place
from workers.github_app.rotating import fingerprint
from workers.github_app.wanted import AppKind

KEY = "private_key"
FORMER = "previous_private_key"


async def one_more(place: Place, app: MadeApp) -> SecretStr:
    return SecretStr(hands.new_key(place.twin, app.slug))


async def test_a_new_key_is_used_and_the_former_one_is_kept_until_github_refuses_it(place: Place) -> None:
    app = await place.has()
    new, rotating = await one_more(place, app), place.rotating()
    await rotating.new_key(AppKind.ORDINARY, new, client_id=None)
    kept = {"client_id": app.client_id, KEY: new.get_secret_value().strip(), FORMER: app.pem.get_secret_value()}
    assert {name: str(value).strip() for name, value in (place.in_vault("github/app") or {}).items()} == {
        name: value.strip() for name, value in kept.items()
    }
    assert "a token for 'acme' was made with it, and given back" in place.said
    assert place.twin.live_tokens == 0

    assert not await rotating.former_key_ends(AppKind.ORDINARY)
    assert FORMER in (place.in_vault("github/app") or {})
    told = place.said[-1]
    assert f"delete {fingerprint(app.pem)}" in told
    assert f"keep   {fingerprint(new)}" in told

    page = unescape(place.twin.hands.get(f"/apps/{app.slug}").text)
    assert fingerprint(app.pem) in page  # as GitHub shows it
    assert fingerprint(new) in page
    hands.delete_oldest_key(place.twin, app.slug)
    assert await rotating.former_key_ends(AppKind.ORDINARY)
    assert FORMER not in (place.in_vault("github/app") or {})
    assert place.said[-1] == "GitHub refuses the former key, and Vault has forgotten it"
    assert "ordinary former key" not in await place.problems()


async def test_a_key_that_github_does_not_take_changes_nothing(place: Place) -> None:
    await place.has()
    before = place.in_vault("github/app")
    other = await place.other_app()
    for key in (SecretStr(new_key()[0]), other.private_key):
        with pytest.raises(AuthDenied, match="refuses the App's private key"):
            await place.rotating().new_key(AppKind.ORDINARY, key, client_id=None)
    with pytest.raises(InvalidRequest, match="no RSA key in PEM"):
        await place.rotating().new_key(AppKind.ORDINARY, SecretStr("a password"), client_id=None)
    assert place.in_vault("github/app") == before


async def test_the_key_in_use_is_no_new_one_and_a_change_that_is_not_over_comes_first(place: Place) -> None:
    app = await place.has()
    with pytest.raises(InvalidRequest, match="the key that is in use"):
        await place.rotating().new_key(AppKind.ORDINARY, app.pem, client_id=None)
    await place.rotating().new_key(AppKind.ORDINARY, await one_more(place, app), client_id=None)
    before = place.in_vault("github/app")
    with pytest.raises(InvalidRequest, match="not over: first `banksman github rotate-key ordinary`"):
        await place.rotating().new_key(AppKind.ORDINARY, await one_more(place, app), client_id=None)
    assert place.in_vault("github/app") == before


async def test_an_outage_does_not_end_the_former_key(place: Place) -> None:
    app = await place.has()
    rotating = place.rotating()
    await rotating.new_key(AppKind.ORDINARY, await one_more(place, app), client_id=None)
    before = place.in_vault("github/app")
    for path in ("^/app$", "access_tokens"):
        place.twin.plant(kind="status", path=path, status=503)
        with pytest.raises(Unavailable):
            await rotating.former_key_ends(AppKind.ORDINARY)
    assert place.in_vault("github/app") == before


async def test_the_former_key_stays_while_the_new_one_does_not_work(place: Place) -> None:
    app = await place.has()
    rotating = place.rotating()
    await rotating.new_key(AppKind.ORDINARY, await one_more(place, app), client_id=None)
    place.at_github(app).keys.pop()  # somebody deleted the wrong one
    with pytest.raises(AuthDenied):
        await rotating.former_key_ends(AppKind.ORDINARY)
    assert FORMER in (place.in_vault("github/app") or {})


async def test_an_app_that_was_made_and_not_kept_is_taken_up_by_its_client_id(place: Place) -> None:
    app = await place.has()
    place.server.admin("DELETE", "banksman/metadata/github/app")
    new = await one_more(place, app)
    with pytest.raises(InvalidRequest, match="name it by --client-id"):
        await place.rotating().new_key(AppKind.ORDINARY, new, client_id=None)
    await place.rotating().new_key(AppKind.ORDINARY, new, client_id=app.client_id)
    kept = place.in_vault("github/app") or {}
    assert ({*kept}, kept["client_id"]) == ({"client_id", KEY}, app.client_id)
    assert await place.rotating().former_key_ends(AppKind.ORDINARY)


async def test_by_the_command_from_a_file_with_a_code_that_says_whether_it_is_over(
    place: Place, tmp_path: Path
) -> None:
    app = await place.has(AppKind.DESTRUCTIVE)
    file = tmp_path / "app.private-key.pem"
    file.write_text((await one_more(place, app)).get_secret_value())
    code, said = await place.run("rotate-key", "destructive", "--key-file", str(file))
    assert (code, "then run `banksman github rotate-key destructive` again" in said) == (6, True), said
    assert not any(line in said for line in file.read_text().splitlines()[1:-1])
    hands.delete_oldest_key(place.twin, app.slug)
    code, said = await place.run("rotate-key", "destructive")
    assert (code, "Vault has forgotten it" in said) == (0, True), said
    code, said = await place.run("rotate-key", "ordinary")
    assert (code, "Vault has no key of the ordinary App" in said) == (1, True)
    code, said = await place.run("rotate-key", "ordinary", "--key-file", str(tmp_path / "none"))
    assert (code, "cannot be read" in said) == (2, True)
