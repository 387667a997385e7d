"""Every published payload is read; what is too long is cut or refused; and what is not listened to is not read."""

import json
from typing import Any

import pytest
from pydantic import TypeAdapter

from hitl.github.events import (
    EVENTS,
    MAX_BODY,
    MAX_PATHS,
    NOBODY,
    AnyEvent,
    IssueCommentEvent,
    PullRequestEvent,
    PushEvent,
    RepositoryEvent,
    read_event,
)
from hitl.github.other_events import OTHER_EVENTS
from tests.connectors.description import FOLDER
from tests.hitl.github.payloads import comment_payload, push_payload

_EXAMPLES = FOLDER / "github-webhook-examples.json"
_DESCRIBED = FOLDER / "github-webhooks.json"
_MOST_KEPT = 120_000
Json = dict[str, Any]
_ANY: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)


def published_payloads() -> list[tuple[str, Json]]:
    if not (_EXAMPLES.exists() and _DESCRIBED.exists()):
        return []
    examples: list[Json] = json.loads(_EXAMPLES.read_text(encoding="utf-8"))
    found = [(one["name"], payload) for one in examples for payload in one["examples"]]
    described: Json = json.loads(_DESCRIBED.read_text(encoding="utf-8"))["components"]["examples"]
    return found + [("ping" if key == "ping" else "check_run", one["value"]) for key, one in described.items()]


published = pytest.mark.skipif(not published_payloads(), reason="github-webhook-examples.json is not at hand")


@published
def test_every_published_payload_is_read_by_the_model_of_its_event() -> None:
    read: set[str] = set()
    for name, payload in published_payloads():
        event = read_event(name, json.dumps(payload).encode())
        assert (event is None) == (name not in EVENTS), name
        if event is not None:
            read.add(name)
            assert (event.event, event.action) == (name, payload.get("action", ""))
            assert event.sender.id == payload["sender"]["id"]
            assert _ANY.validate_json(event.model_dump_json()) == event, "it goes through a workflow's input"
    assert read == set(EVENTS)


@published
def test_every_published_event_that_is_not_listened_to_has_a_name_to_be_counted_by() -> None:
    described: Json = json.loads(_DESCRIBED.read_text(encoding="utf-8"))["webhooks"]
    operations = [str(one["post"]["operationId"]).partition("/")[0] for one in described.values()]
    names = {name for name, _ in published_payloads()} | {one.replace("-", "_") for one in operations}
    assert names - set(EVENTS) <= OTHER_EVENTS
    assert not OTHER_EVENTS & set(EVENTS)


@published
def test_what_a_repository_s_event_says_is_kept() -> None:
    by_name = {(name, payload.get("action")): payload for name, payload in published_payloads()}
    comment = _read("issue_comment", by_name["issue_comment", "created"])
    assert isinstance(comment, IssueCommentEvent)
    assert comment.comment.body == by_name["issue_comment", "created"]["comment"]["body"]
    assert not comment.issue.is_pull
    renamed = _read("repository", by_name["repository", "renamed"])
    assert isinstance(renamed, RepositoryEvent)
    assert renamed.formerly == by_name["repository", "renamed"]["changes"]["repository"]["name"]["from"]
    opened = _read("pull_request", by_name["pull_request", "opened"])
    assert isinstance(opened, PullRequestEvent)
    assert not opened.pull_request.from_fork


def test_what_people_wrote_is_cut_and_what_identifies_is_refused() -> None:
    said = comment_payload(body="x" * 65_536)
    event = _read("issue_comment", said)
    assert isinstance(event, IssueCommentEvent)
    assert len(event.comment.body) == MAX_BODY
    said["sender"]["login"] = "x" * 300
    with pytest.raises(ValueError, match="login"):
        _read("issue_comment", said)


@pytest.mark.parametrize("name", ["one", "a/b/c", "../x/..", "a/b\n", "a/b' OR '1'='1"])
def test_a_repository_s_name_is_one(name: str) -> None:
    said = comment_payload()
    said["repository"]["full_name"] = name
    with pytest.raises(ValueError, match="full_name"):
        _read("issue_comment", said)


def test_a_push_of_many_files_says_that_it_does_not_tell_of_all() -> None:
    commits = [{"added": [f"a/{number}"], "modified": ["same"], "removed": [7]} for number in range(2048)]
    event = _read("push", push_payload(commits=commits))
    assert isinstance(event, PushEvent)
    assert (len(event.paths), event.paths_complete) == (MAX_PATHS, False)
    assert event.paths[:3] == ("a/0", "same", "a/1")
    assert len(event.model_dump_json()) < _MOST_KEPT
    few = _read("push", push_payload(commits=commits[:2]))
    assert isinstance(few, PushEvent)
    assert (few.paths, few.paths_complete) == (("a/0", "same", "a/1"), True)


def test_what_no_account_did_nobody_did() -> None:
    said = push_payload()
    del said["sender"]
    event = _read("push", said)
    assert event is not None
    assert event.sender == NOBODY
    assert event.sender.is_bot, "it has no person's rights"


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"action": "created"}', b"{", b'{"a": "\xff"}', b"[" * 10_000])
def test_what_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="validation error"):
        read_event("issue_comment", body)


def test_a_payload_cannot_say_that_it_is_of_another_event() -> None:
    event = _read("issue_comment", {**comment_payload(), "event": "push"})
    assert isinstance(event, IssueCommentEvent)


@pytest.mark.parametrize("kind", ["Bot", "Organization", "Mannequin"])
def test_only_a_user_is_a_person(kind: str) -> None:
    said = comment_payload()
    said["sender"]["type"] = kind
    event = _read("issue_comment", said)
    assert event is not None
    assert event.sender.is_bot


def _read(name: str, payload: Json) -> AnyEvent | None:
    return read_event(name, json.dumps(payload).encode())
