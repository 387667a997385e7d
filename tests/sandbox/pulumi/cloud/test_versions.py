"""Which update was the last, from what the CLI prints of a history."""

import json

import pytest
from pydantic import ValidationError

from sandbox.pulumi.inside.versions import update_version
from sandbox.pulumi.request import CloudState
from tests.sandbox.attacks.registry import certificate


def entry(version: int, kind: str = "update", result: str = "succeeded", **changes: int) -> dict[str, object]:
    return {"version": version, "kind": kind, "result": result, "resourceChanges": changes}


def of(*entries: dict[str, object]) -> int:
    return update_version(json.dumps(entries).encode())


def test_it_is_the_newest_but_for_refreshes_that_changed_nothing() -> None:
    assert of() == 0
    assert of(entry(7, same=3), entry(6)) == 7
    assert of(entry(7, "refresh", same=3), entry(6, "refresh", same=3), entry(5, create=1)) == 5
    assert of(entry(7, "refresh", same=3, update=0), entry(6)) == 6


@pytest.mark.parametrize(
    "newest",
    [
        entry(7, "refresh", same=3, update=1),
        entry(7, "refresh", "failed", same=3),
        entry(7, "refresh", "in-progress", same=3),
        entry(7, "refresh"),
        {"version": 7, "kind": "refresh", "result": "succeeded"},
        entry(7, "destroy", same=3),
        entry(7, "import"),
    ],
)
def test_what_may_have_changed_something_counts(newest: dict[str, object]) -> None:
    assert of(newest, entry(6)) == 7


def test_where_nothing_else_is_seen_the_newest_counts() -> None:
    seen = [entry(number, "refresh", same=1) for number in range(30, 10, -1)]
    assert of(*seen) == 30


def test_another_thing_than_certificates_is_no_authority() -> None:
    secret, public = certificate("api.pulumi.example")
    assert CloudState(organization="acme", authority=public + public).authority == public + public
    for wrong in (secret, "/etc/ssl/own.pem", "x" * 70_000):
        with pytest.raises(ValidationError, match="authority"):
            CloudState(organization="acme", authority=wrong)
