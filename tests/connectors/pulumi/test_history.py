"""A stack's history, as the CLI prints it, and the line by which our own entries are known again."""

import json

import pytest

from connectors.pulumi.history import MOST, Made, made_message, read_history, read_message
from tests.connectors.pulumi.machine import Stack

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MADE = Made(repository="acme/shop", commit=COMMIT, folder="infra/the shop")


def test_what_was_written_is_read_again() -> None:
    assert read_message(made_message(MADE)) == MADE
    assert read_message(f"  {made_message(MADE)}\n") == MADE


@pytest.mark.parametrize(
    "message",
    [
        "",
        "by hand",
        f"Banksman: acme/shop at {COMMIT}",
        f"Banksman: acme/shop at {COMMIT[:-1]} in .",
        f"Banksman: acme at {COMMIT} in .",
        f"fake\nBanksman: acme/shop at {COMMIT} in .",
        f"Banksman: acme/shop at {COMMIT} in .\nand more",
    ],
)
def test_other_messages_are_nobody_s(message: str) -> None:
    assert read_message(message) is None


def entry(**fields: object) -> dict[str, object]:
    return {
        "version": 0,
        "kind": "update",
        "startTime": "2026-11-21T12:00:00.000Z",
        "message": "",
        "config": {},
    } | fields


def test_without_versions_the_oldest_is_the_first() -> None:
    printed = [entry(message=f"entry {number}", result="succeeded") for number in range(MOST + 20, 0, -1)]
    found = read_history(json.dumps(printed).encode())
    assert len(found) == MOST
    assert [(one.version, one.message) for one in found[:2]] == [(120, "entry 120"), (119, "entry 119")]


def test_versions_of_the_backend_stay() -> None:
    found = read_history(json.dumps([entry(version=7), entry(version=3)]).encode())
    assert [one.version for one in found] == [7, 3]


@pytest.mark.parametrize("printed", [b"", b"{}", b"[1]", b"nonsense"])
def test_what_is_no_history_is_an_error(printed: bytes) -> None:
    with pytest.raises(ValueError, match="stack history"):
        read_history(printed)


def test_what_the_real_cli_prints_is_read(stack: Stack) -> None:
    stack.run("up", "--yes", "--skip-preview", f"--message={made_message(MADE)}").must()
    found = read_history(stack.run("stack", "history", "--json", "--page-size=0").must().text.encode())
    assert [(one.version, one.kind, one.result) for one in found] == [
        (2, "update", "succeeded"),
        (1, "update", "succeeded"),
    ]
    assert found[0].made == MADE
    assert found[1].made is None
    assert found[0].started is not None
    assert found[1].changes["create"] > 0
    assert "hunter2" not in repr(found)
