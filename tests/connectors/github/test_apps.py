"""Apps made by a manifest, at the twin and by our client: codes, keys, permissions, webhook, suspension."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr

from connectors.errors import AuthDenied, InvalidRequest, NotFound, Unavailable
from connectors.github.api import Question
from connectors.github.models import AppCredentials
from connectors.github.places import pages_address
from connectors.github.registration import as_app, is_refused, made_of_code
from connectors.github.twin.apps import Apps, first_app, new_key
from connectors.github.twin.auth import Authority
from tests.connectors.github import making
from tests.connectors.github.conftest import MakeTwin
from tests.connectors.github.description import description
from tests.connectors.github.making import BACK, MANIFEST, asked, install, made, pressed
from tests.connectors.github.recorded import Served


@pytest.fixture
def twin(make_twin: MakeTwin) -> Iterator[Served]:
    """One of the test's own, whose answers must all be as GitHub describes them."""
    twin = make_twin(limits={"hourly": 10**6, "points": 10**6})
    yield twin
    judge = description()
    if judge is None or twin.recorder.faulty:
        return
    said = [one for one in twin.recorder.judged() if re.match(r"/(app|app-manifests|installation|repos)\b", one.path)]
    assert [problem for one in said for problem in judge.problems(one)] == []


def without(*names: str) -> dict[str, object]:
    return {name: value for name, value in MANIFEST.items() if name not in names}


# The flow.


def test_a_page_asks_once_more_and_sends_back_with_a_code_and_the_state(twin: Served) -> None:
    status, page = asked(twin, MANIFEST, state="of the caller")
    assert status == 200
    assert "Create GitHub App for acme" in page
    back = pressed(twin, page)
    assert back.startswith(f"{BACK}?code=")
    assert back.endswith("&state=of+the+caller")


async def test_a_code_is_good_once(twin: Served) -> None:
    code = made(twin)
    app = await made_of_code(twin.github(), code)
    assert (app.name, app.owner.login, app.slug) == ("Banksman of acme", "acme", "banksman-of-acme")
    assert app.pem.get_secret_value().startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert app.webhook_secret is not None
    with pytest.raises(NotFound, match="good once and for an hour"):
        await made_of_code(twin.github(), code)


async def test_a_code_ends_after_an_hour(twin: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    code, apps = made(twin), cast("Apps", twin.app.state.apps)
    now = apps.clock()
    monkeypatch.setattr(apps, "clock", lambda: now + 3601)
    with pytest.raises(NotFound, match="good once and for an hour"):
        await made_of_code(twin.github(), code)


async def test_a_code_of_nobody_is_refused_and_what_is_none_is_not_asked_for(twin: Served) -> None:
    with pytest.raises(NotFound):
        await made_of_code(twin.github(), "0" * 40)
    for code in ("../app", "a/b", "%2e%2e", "", "a code"):
        with pytest.raises(InvalidRequest, match="is no code of GitHub's"):
            await made_of_code(twin.github(), code)
    assert twin.recorder.lines() == [f"POST /app-manifests/{'0' * 40}/conversions 404"]


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ({**MANIFEST, "default_permissions": {"everything": "write"}}, "everything"),
        ({**MANIFEST, "default_permissions": {"contents": "own"}}, "contents"),
        ({**MANIFEST, "default_events": ["coffee"]}, "coffee"),
        ({**MANIFEST, "default_events": ["check_run"]}, "check_run"),
        ({**MANIFEST, "default_events": ["installation"]}, "installation"),
        ({**MANIFEST, "name": "x" * 35}, "name"),
        ({**MANIFEST, "name": "banksman"}, "already taken"),
        ({**MANIFEST, "redirect_url": "javascript:alert(1)"}, "redirect_url"),
        ({**MANIFEST, "surprise": 1}, "surprise"),
        (without("url"), "url"),
        ("no json", "JSON"),
    ],
)
def test_what_no_manifest_is_makes_no_app(twin: Served, manifest: object, says: str) -> None:
    before = len(cast("Apps", twin.app.state.apps).all)
    status, page = asked(twin, manifest)
    assert (status, says in page) == (422, True)
    assert len(cast("Apps", twin.app.state.apps).all) == before


def test_a_page_escapes_what_a_manifest_says(twin: Served) -> None:
    _, page = asked(twin, {**MANIFEST, "name": "<script>alert(1)</script>"})
    assert "<script>" not in page


def test_a_browser_is_sent_nowhere_but_where_the_manifest_says(twin: Served) -> None:
    answer = twin.hands.post("/organizations/acme/settings/apps/new", data={"manifest": json.dumps(MANIFEST)})
    assert answer.headers["content-security-policy"].endswith("form-action 'self' http://127.0.0.1:9")


def test_no_page_is_shown_under_another_host_name(twin: Served) -> None:
    answer = twin.hands.get("/apps/banksman", headers={"host": "evil.example"})
    assert answer.status_code == 404


# What an App may.


async def app_of(twin: Served, manifest: Mapping[str, object] = MANIFEST) -> AppCredentials:
    return (await made_of_code(twin.github(), made(twin, manifest))).credentials()


async def test_an_app_may_what_its_manifest_asked_for_and_where_it_is_installed(twin: Served) -> None:
    app = await app_of(twin)
    with pytest.raises(NotFound, match="not installed"):
        async with twin.github().session(app, repository="acme/shop", permissions={"contents": "read"}):
            pytest.fail("a session where the App is not installed")
    install(twin, "banksman-of-acme")
    async with twin.github().session(app, repository="acme/shop", permissions={"contents": "write"}) as session:
        assert (await session.read_file("README.md")).content
    for repository, permissions in (("acme/shop", {"checks": "write"}), ("globex/shop", {"contents": "read"})):
        with pytest.raises((AuthDenied, NotFound)):
            async with twin.github().session(app, repository=repository, permissions=permissions):
                pytest.fail(f"a session on {repository} with {permissions}")
    assert twin.live_tokens == 0


async def test_an_app_says_who_it_is_and_where_it_is_installed(twin: Served) -> None:
    app = await app_of(twin)
    install(twin, "banksman-of-acme")
    async with as_app(twin.github(), app) as session:
        itself = await session.itself()
        assert dict(itself.permissions) == {"contents": "write", "issues": "write", "metadata": "read"}
        assert itself.events == ("issue_comment", "push")
        [there] = await session.installations()
        assert (there.account.login, there.suspended_at) == ("acme", None)
        await session.tries_a_token(there)
        assert (await session.itself()).id == itself.id  # it asks as the App again
    assert twin.live_tokens == 0


async def test_any_of_its_keys_is_taken_and_none_that_was_deleted(twin: Served) -> None:
    app = await app_of(twin)
    second = app.model_copy(update={"private_key": SecretStr(making.new_key(twin, "banksman-of-acme"))})
    for one in (app, second):
        assert not await is_refused(twin.github(), one)
    assert making.delete_oldest_key(twin, "banksman-of-acme") == 303
    assert await is_refused(twin.github(), app)
    assert not await is_refused(twin.github(), second)
    assert making.delete_oldest_key(twin, "banksman-of-acme") == 422  # its last


async def test_a_key_of_one_app_is_none_of_another(twin: Served) -> None:
    app = await app_of(twin)
    swapped = app.model_copy(update={"client_id": twin.credentials.client_id})
    assert await is_refused(twin.github(), swapped)
    assert not await is_refused(twin.github(), twin.credentials)


async def test_an_outage_does_not_say_that_a_key_is_refused(twin: Served) -> None:
    twin.plant(kind="status", path="^/app$", status=503)
    with pytest.raises(Unavailable):
        await is_refused(twin.github(), twin.credentials)
    with pytest.raises(AuthDenied, match="not an RSA key"):
        await is_refused(twin.github(), AppCredentials(client_id="Iv1", private_key=SecretStr("none")))


async def test_a_suspended_installation_makes_no_token_and_ends_those_there_are(twin: Served) -> None:
    app = await app_of(twin)
    install(twin, "banksman-of-acme")
    async with (
        as_app(twin.github(), app) as session,
        twin.github().session(app, repository="acme/shop", permissions={"contents": "read"}) as reading,
    ):
        [there] = await session.installations()
        await suspension(session.api, there.id, "PUT")
        with pytest.raises(AuthDenied):
            await reading.read_file("README.md")
        [there] = await session.installations()
        assert there.suspended_at is not None
        with pytest.raises(AuthDenied, match="suspended"):
            await session.tries_a_token(there)
        await suspension(session.api, there.id, "DELETE")
        assert (await reading.read_file("README.md")).content


async def suspension(api: Any, installation: int, method: str) -> None:
    path = f"/app/installations/{installation}/suspended"
    await api.ask(Question(what="a suspension", method=method, path=path, missing="", denied=""), str)


# Its webhook.


async def test_a_webhooks_secret_is_changed_and_never_shown(twin: Served) -> None:
    app, secret = await app_of(twin), SecretStr("the next secret of the webhook")
    async with as_app(twin.github(), app) as session:
        before = await session.hook()
        assert before is not None
        assert (before.url, before.content_type) == ("https://banksman.example/github/webhook", "json")
        await session.change_hook(secret=secret)
        assert await session.hook() == before
    [kept] = [one for one in cast("Apps", twin.app.state.apps).all if one.client_id == app.client_id]
    assert kept.hook is not None
    assert (kept.hook.secret, kept.hook.url) == (secret.get_secret_value(), before.url)
    assert all(secret.get_secret_value().encode() not in one.body for one in twin.recorder.everything)


async def test_an_app_without_a_webhook_has_none(twin: Served) -> None:
    app = await made_of_code(twin.github(), made(twin, {**without("hook_attributes"), "default_events": []}))
    assert app.webhook_secret is None
    async with as_app(twin.github(), app.credentials()) as session:
        with pytest.raises(NotFound, match="activate one in its settings"):
            await session.hook()


# What is kept, and what is said.


def test_what_was_made_is_there_after_a_restart(tmp_path: Path) -> None:
    _, public = new_key()
    file = tmp_path / "apps.json"
    apps = Apps(first_app("Iv1", public, {}, made_at=1), file=file)
    other = apps.first.model_copy(update={"number": 2, "slug": "other", "client_id": "Iv2", "on": {}})
    apps.add(other)
    apps.first.suspended["acme"] = 2.0
    apps.keep()
    assert file.stat().st_mode & 0o777 == 0o600
    again = Apps(first_app("Iv1", public, {"contents": "read"}, made_at=9), file=file)
    assert [one.slug for one in again.all] == ["banksman", "other"]
    assert (again.first.suspended, again.first.permissions) == ({"acme": 2.0}, {"contents": "read"})
    anew = Apps(first_app("Iv1", new_key()[1], {}, made_at=9), file=file)
    assert anew.first.suspended == {}


def test_a_token_is_of_githubs_stateless_form() -> None:
    apps = Apps(first_app("Iv1", new_key()[1], {}, made_at=1))
    token, _ = Authority(apps).mint("acme", frozenset({"shop"}), {})
    assert re.fullmatch(r"ghs_1_eyJ[\w-]+\.[\w-]+\.[\w-]+", token)
    assert len(token) > 200


async def test_a_model_of_an_answer_shows_no_key_where_it_cannot_be_read(twin: Served) -> None:
    code = made(twin)
    twin.plant(kind="garbage", path="conversions")
    with pytest.raises(Unavailable) as failed:
        await made_of_code(twin.github(), code)
    assert "PRIVATE" not in "".join(map(repr, (failed.value, failed.value.__cause__, failed.value.__context__)))


@pytest.mark.parametrize(
    ("api", "pages"),
    [
        ("https://api.github.com", "https://github.com"),
        ("https://ghe.example.org/api/v3", "https://ghe.example.org"),
        ("http://127.0.0.1:8300/", "http://127.0.0.1:8300"),
    ],
)
def test_where_people_see_what_an_api_is_of(api: str, pages: str) -> None:
    assert pages_address(api) == pages


def test_no_address_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="BANKSMAN_GITHUB_URL"):
        pages_address("github.com")
