"""What each App must be follows from what steps ask for and from what the gateway listens to."""

import pytest

from connectors.github.manifest import APP, DESTRUCTIVE_APP
from connectors.github.permissions import missing, of_app
from connectors.github.twin.manifests import _ALWAYS, EVENT_NEEDS
from hitl.github.events import LISTENED_TO
from workers.github_app.wanted import _EVENTS_NEED, AppKind, app_manifest, is_login

HOOK = "https://banksman.example/github/webhooks"


def manifest(kind: AppKind, organisation: str = "acme") -> dict[str, object]:
    return app_manifest(
        kind, organisation, homepage="https://acme.example", back="http://127.0.0.1:1/made", webhook=HOOK
    )


def test_the_ordinary_app_hears_all_that_is_listened_to_and_may_hear_it() -> None:
    asked = AppKind.ORDINARY.events
    assert {*asked} == LISTENED_TO == {*_EVENTS_NEED}
    assert not {*asked} & _ALWAYS  # GitHub refuses a manifest that asks for these
    for event in asked:
        assert any(one in AppKind.ORDINARY.permissions for one in EVENT_NEEDS[event]), event


def test_each_may_what_its_steps_ask_for() -> None:
    assert missing(AppKind.ORDINARY.permissions, of_app(APP)) == {}
    assert AppKind.DESTRUCTIVE.permissions == of_app(DESTRUCTIVE_APP)
    assert "administration" not in {*AppKind.ORDINARY.permissions, *AppKind.DESTRUCTIVE.permissions}


def test_the_destructive_app_hears_nothing() -> None:
    made = manifest(AppKind.DESTRUCTIVE)
    assert made["default_events"] == []
    assert "hook_attributes" not in made


@pytest.mark.parametrize("organisation", ["a", "acme", "o" * 39])
def test_a_name_is_no_longer_than_github_takes_and_tells_them_apart(organisation: str) -> None:
    names = [str(manifest(kind, organisation)["name"]) for kind in AppKind]
    assert all(len(one) <= 34 for one in names)
    assert len({*names}) == len(AppKind)
    assert not any(manifest(kind, organisation)["public"] for kind in AppKind)


def test_what_no_organisation_is_called() -> None:
    assert is_login("acme-2")
    for name in ("", "-acme", "acme/shop", "a b", "a?x=1", "a" * 40, "ünicode"):
        assert not is_login(name)
