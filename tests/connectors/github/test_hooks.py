"""What happens at the twin is told to Apps as GitHub tells it: signed, in payloads as published, once."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.github.client import app_jwt
from connectors.github.twin.pulls import Check, Pull
from hitl.github.events import (
    CheckRunEvent,
    IssueCommentEvent,
    IssuesEvent,
    PullRequestEvent,
    PullRequestReviewCommentEvent,
    PullRequestReviewEvent,
    PushEvent,
)
from tests.connectors.description import FOLDER, Description
from tests.connectors.github.at_the_twin import kept_by
from tests.connectors.github.conftest import MakeTwin
from tests.connectors.github.description import description
from tests.connectors.github.listening import SECRET, Came, Listener, listening
from tests.connectors.github.recorded import Served
from tests.connectors.github.shop import Shop, git

_PUBLISHED = FOLDER / "github-webhooks.json"
ALICE = {"repository": "acme/shop", "person": "alice"}


@pytest.fixture(scope="module")
def published() -> Description:
    if not _PUBLISHED.exists():
        pytest.skip("github-webhooks.json: published description is not at hand")
    return Description({**json.loads(_PUBLISHED.read_text(encoding="utf-8")), "paths": {}})


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as made:
        yield made


@pytest.fixture
def twin(make_twin: MakeTwin, listener: Listener) -> Iterator[Served]:
    hook = {"url": listener.address, "secret": SECRET.get_secret_value()}
    twin = make_twin(limits={"hourly": 10**6, "points": 10**6}, hook=hook)
    yield twin
    judge = description()
    said = [one for one in twin.recorder.judged() if one.path.startswith("/app/")]
    assert judge is None or [problem for one in said for problem in judge.problems(one)] == []


@pytest.fixture
def pull(twin: Served, shop: Shop) -> Pull:
    kept = kept_by(twin, shop)
    made = Pull(
        number=7, title="T", body=None, head="feature/cart", base="main", draft=False, at="2026-11-30T08:00:00Z"
    )
    kept.pulls.append(made)
    return made


def act(twin: Served, **what: object) -> dict[str, Any]:
    """A person does something at GitHub."""
    answer = twin.hands.post("/_github/acts", json={**ALICE, **what})
    assert answer.status_code == 201, answer.text
    return answer.json()


def deliveries(twin: Served, **query: str) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {app_jwt(twin.credentials)}"}
    answer = twin.hands.get("/app/hook/deliveries", params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def again(twin: Served, delivery: int) -> int:
    headers = {"Authorization": f"Bearer {app_jwt(twin.credentials)}"}
    return twin.hands.post(f"/app/hook/deliveries/{delivery}/attempts", headers=headers).status_code


def problems(published: Description, came: Came) -> list[str]:
    event, action = came.what
    name = "-".join(part.replace("_", "-") for part in ("webhook", event, action) if part)
    schema = {"$ref": f"#/components/schemas/{name}"}
    return [f"{name}: {error.json_path}: {error.message[:200]}" for error in _errors(published, schema, came)]


def _errors(published: Description, schema: dict[str, str], came: Came) -> list[Any]:
    return list(published._validator(schema, sent=False).iter_errors(came.payload))


def test_what_a_person_does_is_told_in_their_name_and_as_published(
    twin: Served, shop: Shop, pull: Pull, listener: Listener, published: Description
) -> None:
    act(twin, act="label", number=7, label="banksman:plan")
    said = act(twin, act="comment", number=7, body="/banksman help")
    act(twin, act="edit", comment=said["id"], body="/banksman status")
    tree = git("rev-parse", "feature/cart^{tree}", at=shop.bare)
    old = git("rev-parse", "feature/cart", at=shop.bare)
    new = git("commit-tree", tree, "-p", old, "-m", "More", at=shop.bare)
    git("update-ref", "refs/heads/feature/cart", new, at=shop.bare)
    act(twin, act="label", number=7, label="urgent")
    act(twin, act="close", number=7)
    came = listener.wait(7)
    git("update-ref", "refs/heads/feature/cart", old, at=shop.bare)
    assert [one.what for one in came] == [
        ("pull_request", "labeled"),
        ("issue_comment", "created"),
        ("issue_comment", "edited"),
        ("push", ""),
        ("pull_request", "synchronize"),
        ("pull_request", "labeled"),
        ("pull_request", "closed"),
    ]
    assert all(one.signed for one in came)
    events = [one.read() for one in came]
    assert {one.sender.login for one in events} == {"alice"}
    assert not any(one.sender.is_bot for one in events)
    comment, push, synchronized = events[1], events[3], events[4]
    assert isinstance(comment, IssueCommentEvent)
    assert (comment.comment.body, comment.issue.is_pull, comment.comment.by_app) == ("/banksman help", True, False)
    assert isinstance(push, PushEvent)
    assert (push.before, push.after, push.ref, push.forced) == (old, new, "refs/heads/feature/cart", False)
    assert isinstance(synchronized, PullRequestEvent)
    assert (synchronized.before, synchronized.after) == (old, new)
    assert sorted({problem for one in came for problem in problems(published, one)}) == []


def test_issues_reviews_and_words_on_lines_are_told_as_published(
    twin: Served, shop: Shop, pull: Pull, listener: Listener, published: Description
) -> None:
    number = act(twin, act="issue", title="It burns", body="Help.")["number"]
    act(twin, act="comment", number=number, body="/banksman help")
    act(twin, act="review", number=7, state="CHANGES_REQUESTED", body="Not yet.")
    first = act(twin, act="review_comment", number=7, path="README.md", line=1, body="/banksman revise")["id"]
    act(twin, act="review_comment", number=7, reply_to=first, body="As above.")
    beside = {**ALICE, "act": "review_comment", "number": 7, "path": "README.md", "line": 99, "body": "?"}
    assert twin.hands.post("/_github/acts", json=beside).status_code == 422
    came = listener.wait(5)
    [opened, said, judged, line, reply] = [one.read() for one in came]
    assert isinstance(opened, IssuesEvent)
    assert (opened.action, opened.issue.title, opened.sender.login) == ("opened", "It burns", "alice")
    assert isinstance(said, IssueCommentEvent)
    assert (said.issue.is_pull, said.issue.number) == (False, number)
    assert isinstance(judged, PullRequestReviewEvent)
    assert (judged.action, judged.review.body, judged.review.state) == ("submitted", "Not yet.", "changes_requested")
    assert (judged.sender.login, judged.review.user) == ("alice", judged.sender)
    assert isinstance(line, PullRequestReviewCommentEvent)
    assert isinstance(reply, PullRequestReviewCommentEvent)
    assert (line.comment.line, line.comment.path, line.pull_request.number) == (1, "README.md", 7)
    assert (line.comment.diff_hunk[:3], reply.comment.in_reply_to_id) == ("@@ ", first)
    assert sorted({problem for one in came for problem in problems(published, one)}) == []


def test_a_person_merges_at_the_twin_only_what_can_be_merged(twin: Served, shop: Shop, pull: Pull) -> None:
    before = git("rev-parse", "main", at=shop.bare)
    made = act(twin, act="merge", number=7)["sha"]
    again = twin.hands.post("/_github/acts", json={**ALICE, "act": "merge", "number": 7})
    now = git("rev-parse", "main", at=shop.bare)
    git("update-ref", "refs/heads/main", before, at=shop.bare)
    assert (now, pull.stands, again.status_code) == (made, "merged", 405)


async def test_what_our_app_does_is_a_bots_doing(twin: Served, pull: Pull, listener: Listener) -> None:
    permissions = {"pull_requests": "write", "checks": "write"}
    async with twin.github().session(twin.credentials, repository="acme/shop", permissions=permissions) as session:
        headers = {"Authorization": f"Bearer {session._api.bearer}"}
        twin.hands.post("/repos/acme/shop/issues/7/comments", json={"body": "Done."}, headers=headers)
    [came] = listener.wait(1)
    event = came.read()
    assert isinstance(event, IssueCommentEvent)
    assert (event.sender.login, event.sender.is_bot, event.comment.by_app) == ("banksman[bot]", True, True)


async def test_what_is_done_at_once_is_told_of_each_in_their_own_name(
    twin: Served, pull: Pull, listener: Listener
) -> None:
    """A comment of a person's that was told as the App's own would begin nothing: nobody would hear of it again."""
    path, count = "/repos/acme/shop/issues/7/comments", 20
    async with twin.github().session(
        twin.credentials, repository="acme/shop", permissions={"pull_requests": "write"}
    ) as session:
        headers = {"Authorization": f"Bearer {session._api.bearer}"}

        def says(number: int) -> None:
            act(twin, act="comment", number=7, body=f"by alice {number}")

        def answers(number: int) -> None:
            twin.hands.post(path, json={"body": f"by banksman[bot] {number}"}, headers=headers)

        await asyncio.gather(*(asyncio.to_thread(one, number) for number in range(count) for one in (says, answers)))
    events = [one.read() for one in listener.wait(2 * count)]
    told = [(one.comment.body, one.sender.login) for one in events if isinstance(one, IssueCommentEvent)]
    assert len(told) == 2 * count
    assert [(body, sender) for body, sender in told if body.split(" ")[1] != sender] == []


def test_a_button_of_a_check_run_is_told_with_who_pressed_it(twin: Served, listener: Listener) -> None:
    missing = twin.hands.post("/_github/acts", json={**ALICE, "act": "press", "check": 5})
    assert (missing.status_code, missing.json()["message"]) == (404, "there is no check run 5")
    assert listener.came == []


def test_what_was_not_taken_is_listed_and_delivered_again_under_its_guid(
    twin: Served, pull: Pull, listener: Listener
) -> None:
    listener.answers = [503]
    act(twin, act="comment", number=7, body="one")
    act(twin, act="comment", number=7, body="two")
    listener.wait(2)
    [failed] = until(twin, 1, status="failure")
    assert (failed["status_code"], failed["redelivery"], failed["event"]) == (503, False, "issue_comment")
    assert again(twin, failed["id"]) == 202
    came = listener.wait(3)
    assert came[2].guid == came[0].guid == failed["guid"]
    assert came[2].body == came[0].body
    told = until(twin, 3)
    assert [(one["redelivery"], one["status"]) for one in told][:1] == [(True, "OK")]
    assert again(twin, 10**6) == 404


def until(twin: Served, count: int, **query: str) -> list[dict[str, Any]]:
    """What is listed, once there is so much: it is noted after the answer came."""
    for _ in range(1000):
        if len(found := deliveries(twin, **query)) == count:
            return found
    raise AssertionError(deliveries(twin, **query))


def test_while_nobody_listens_nothing_is_sent(make_twin: MakeTwin, shop: Shop) -> None:
    twin = make_twin()
    kept_by(twin, shop).pulls.append(
        Pull(number=7, title="T", body=None, head="feature/cart", base="main", draft=False, at="2026-11-30T08:00:00Z")
    )
    act(twin, act="comment", number=7, body="one")
    assert deliveries(twin) == []


def test_a_check_run_that_is_pressed(twin: Served, shop: Shop, listener: Listener, published: Description) -> None:
    head = git("rev-parse", "main", at=shop.bare)
    kept_by(twin, shop).checks.append(
        Check(
            id=5,
            name="banksman",
            head_sha=head,
            external_id="x",
            status="completed",
            conclusion="success",
            title=None,
            summary=None,
            at="2026-11-30T08:00:00Z",
        )
    )
    act(twin, act="press", check=5, action="retry")
    [pressed] = listener.wait(1)
    event = pressed.read()
    assert isinstance(event, CheckRunEvent)
    assert event.requested_action is not None
    assert (event.action, event.requested_action.identifier, event.sender.login) == (
        "requested_action",
        "retry",
        "alice",
    )
