"""What the Apps may do: said once, enough for every step, and no more than one asks for."""

import pytest

from connectors.github.manifest import APP, DELETE_BRANCH, DESTRUCTIVE_APP, GITHUB, READ, WRITE
from connectors.github.permissions import AT_MOST, missing, of_app, require_within, together


def test_every_credential_says_what_its_tokens_may() -> None:
    assert {*AT_MOST} == {*GITHUB.credentials}


def test_an_app_has_what_its_credentials_want_at_the_highest_level_and_no_more() -> None:
    assert of_app(APP) == {
        "checks": "write",
        "contents": "write",
        "issues": "write",
        "metadata": "read",
        "pull_requests": "write",
    }
    assert of_app(DESTRUCTIVE_APP) == {"contents": "write", "metadata": "read", "pull_requests": "read"}
    for credential, permissions in AT_MOST.items():
        assert missing(of_app(credential.secret), permissions) == {}


def test_no_reading_credential_writes() -> None:
    assert {*AT_MOST[READ].values()} == {"read"}


def test_a_step_cannot_ask_for_more_than_its_credential_is_for() -> None:
    require_within(READ, {"contents": "read"})
    require_within(WRITE, {"contents": "read", "checks": "write"})
    for credential, wanted in (
        (READ, {"contents": "write"}),
        (WRITE, {"administration": "read"}),
        (WRITE, {"contents": "admin"}),
        (DELETE_BRANCH, {"contents": "write", "issues": "read"}),
    ):
        with pytest.raises(ValueError, match=rf"'{credential.name}' are not for .*declare it in"):
            require_within(credential, wanted)


def test_an_unknown_level_grants_nothing() -> None:
    assert missing({"contents": "everything"}, {"contents": "read"}) == {"contents": "read"}
    assert together({"contents": "read"}, {"contents": "write", "issues": "read"}) == {
        "contents": "write",
        "issues": "read",
    }
