"""What the Apps lack is told, each with its way out; what is in order is not a problem."""

import json

import pytest
from pydantic import SecretStr

from connectors.github.manifest import WEBHOOK
from tests.connectors.github import making as hands
from tests.workers.github_app.conftest import Place
from workers.github_app.wanted import AppKind


async def test_an_empty_vault_lacks_both_apps(place: Place) -> None:
    assert await place.problems() == {
        "ordinary key": "Vault has no key at github/app",
        "destructive key": "Vault has no key at github/destructive-app",
    }
    assert {one.way_out for one in await place.findings()} == {"banksman github setup ORGANISATION"}


async def test_two_apps_that_were_set_up_and_installed_lack_nothing(place: Place) -> None:
    for kind in AppKind:
        await place.has(kind)
    assert await place.problems() == {}
    assert not any(one.way_out for one in await place.findings())
    code, said = await place.run("check", "--json")
    assert code == 0
    assert {one["ok"] for one in json.loads(said)} == {True}


async def test_an_app_that_is_installed_nowhere_says_where_to_install_it(place: Place) -> None:
    app = await place.has(installed=False)
    [found] = [one for one in await place.findings() if one.what == "installation"]
    assert (found.ok, found.way_out) == (False, f"{place.twin.address}/apps/{app.slug}/installations/new")


async def test_what_the_app_and_what_its_installation_lacks_are_told_apart(place: Place) -> None:
    app = await place.has()
    there = place.at_github(app)
    del there.permissions["checks"]
    there.permissions["issues"] = "read"
    assert (await place.problems())["ordinary permissions"] == "the App lacks checks: write, issues: write"
    there.permissions.update(app.permissions)
    assert there.on is not None
    there.on["acme"]["contents"] = "read"
    problems = await place.problems()
    assert problems["ordinary installation"] == "that on 'acme' has not accepted contents: write"
    assert "ordinary permissions" not in problems
    [found] = [one for one in await place.findings() if one.what == "installation"]
    assert "/settings/installations/" in found.way_out
    hands.install(place.twin, app.slug)
    assert "ordinary installation" not in await place.problems()


async def test_more_than_is_needed_is_said_and_no_problem(place: Place) -> None:
    app = await place.has()
    place.at_github(app).permissions["administration"] = "write"
    [found] = [one for one in await place.findings() if one.what == "permissions"]
    assert (found.ok, found.says) == (True, "all that this release needs, and more: administration: write")


async def test_events_that_it_is_not_told_of(place: Place) -> None:
    app = await place.has()
    place.at_github(app).events.remove("issue_comment")
    assert (await place.problems())["ordinary events"] == "the App is not told of issue_comment"


async def test_a_suspended_installation(place: Place) -> None:
    app = await place.has()
    place.at_github(app).suspended["acme"] = 1.0
    assert (await place.problems())["ordinary installation"] == "that on 'acme' is suspended"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"url": "https://elsewhere.example/x"}, "it goes to https://elsewhere.example/x"),
        ({"content_type": "form"}, "it is sent as a form"),
        ({"insecure_ssl": "1"}, "GitHub would believe any certificate"),
        ({"secret": None}, "it is not signed"),
    ],
)
async def test_a_webhook_that_is_not_as_it_must_be(place: Place, change: dict[str, str | None], says: str) -> None:
    app = await place.has()
    there = place.at_github(app)
    assert there.hook is not None
    there.hook = there.hook.model_copy(update=change)
    assert (await place.problems())["ordinary webhook"] == says


async def test_an_app_without_a_webhook_and_a_vault_without_its_secret(place: Place) -> None:
    app = await place.has()
    place.at_github(app).hook = None
    place.server.admin("DELETE", f"banksman/metadata/{WEBHOOK.path}")
    problems = await place.problems()
    assert problems["ordinary webhook"] == "the App has none"
    assert problems["ordinary webhook secret"] == "Vault has nothing to verify webhooks by"


async def test_changes_that_are_not_over(place: Place) -> None:
    await place.has()
    kept, webhook = await place.vault.app(AppKind.ORDINARY), await place.vault.webhook()
    assert kept is not None
    assert webhook is not None
    await place.vault.keep_app(AppKind.ORDINARY, kept.credentials, after=kept, previous=SecretStr("the former key"))
    await place.vault.keep_webhook(webhook.secret, after=webhook, previous=SecretStr("the former secret"))
    problems = await place.problems()
    assert "the key before this one" in problems["ordinary former key"]
    assert problems["ordinary webhook secret"] == "two are good: a change is under way"


async def test_a_key_that_github_refuses(place: Place) -> None:
    app = await place.has()
    place.at_github(app).keys[:] = place.twin.app.state.apps.first.keys
    [found] = [one for one in await place.findings() if one.app is AppKind.ORDINARY]
    assert (found.ok, found.way_out) == (False, "banksman github rotate-key ordinary")


async def test_one_app_for_both_is_no_separation(place: Place) -> None:
    app = await place.has()
    await place.vault.keep_app(AppKind.DESTRUCTIVE, app.credentials(), after=None)
    assert "whoever may write may delete" in (await place.problems())["destructive App"]


async def test_the_command_tells_them_and_ends_with_1(place: Place) -> None:
    await place.has()
    code, said = await place.run("check")
    assert code == 1
    assert "✗ destructive App, key: Vault has no key at github/destructive-app" in said
    assert "✓ ordinary App, key: GitHub takes it" in said
    code, said = await place.run("check", "--app", "ordinary")
    assert (code, "destructive" in said) == (0, False)


async def test_an_outage_is_one_line_and_no_finding(place: Place) -> None:
    await place.has()
    place.twin.plant(kind="status", path="^/app$", status=503)
    code, said = await place.run("check")
    assert (code, said.count("\n"), "GitHub answers 503" in said) == (1, 1, True)
