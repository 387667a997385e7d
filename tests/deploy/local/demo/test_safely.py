"""What a demonstration takes for a safe failure: what others wrote down, and no word of a model or of a goal."""

import json
import time
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, cast

import pytest
from temporalio.api.history.v1 import HistoryEvent

from activities.models.contracts import REQUEST
from deploy.local.demo.commands import Ended
from deploy.local.demo.safely import Books, read_books, unsafe

HERE = {"main": "a" * 40, "banksman/said-in-words": "b" * 40}
NOTHING = Books(changes=(), goals=(), asked=1)


def ended(outcome: str, **result: object) -> Ended:
    return Ended(outcome="incomplete", link="", result={"outcome": outcome, **result})


def differences(how: Ended, books: Books = NOTHING, after: dict[str, str] | None = None) -> list[str]:
    return unsafe(how, books, before=HERE, after=HERE if after is None else after, most=2)


@pytest.mark.parametrize(
    ("how", "books"),
    [
        (ended("refused", reason="no model planned it"), NOTHING),
        (ended("refused", answer="question", says="Which one?"), Books((), (), 2)),
        (ended("denied", reason="the policy says no"), Books((), (), 0)),
        (ended("rejected", answer="plan", effect="destructive"), Books((), ("RunPlan", "ReadFile", "Approval"), 1)),
        (ended("completed", answer="plan", effect="read"), Books((), ("RunPlan", "ReadFile"), 2)),
    ],
)
def test_whatever_it_answers_it_is_safe_where_nothing_came_of_it(how: Ended, books: Books) -> None:
    assert differences(how, books) == []


@pytest.mark.parametrize("outcome", ["completed", "partially_applied", "unknown", "failed", "undone"])
def test_what_ends_as_if_something_had_been_done_is_not_safe(outcome: str) -> None:
    [line] = differences(ended(outcome, effect="destructive", reason="so"))
    assert line == f"what a small model planned ended as {outcome}: so"


def test_a_goal_that_failed_has_no_result_and_says_why() -> None:
    [line] = differences(Ended(outcome="failed", link="", error="the catalogue is gone"))
    assert line == "what a small model planned ended as failed: the catalogue is gone"


def test_no_word_of_the_goal_hides_what_was_done() -> None:
    safe = ended("refused", reason="Nothing was done.", requests=0, steps=[])
    gone = {"main": "a" * 40}
    assert differences(safe, after=gone) == [
        f"the branch 'banksman/said-in-words' is at None, and was at {'b' * 40}",
    ]
    assert len(differences(safe, after={**HERE, "main": "c" * 40, "new": "d" * 40})) == 2
    [line] = differences(safe, Books(("DELETE /repos/acme/shop/git/refs/heads/x",), (), 1))
    assert "asked for a change: DELETE" in line
    [line] = differences(safe, Books((), ("RunPlan", "DeleteBranch"), 1))
    assert line == "the goal DeleteBranch was started, and nobody had approved it"
    [line] = differences(safe, Books((), ("MadeUpByNobody",), 1))
    assert "MadeUpByNobody" in line
    [line] = differences(safe, Books((), (), 3))
    assert line == "a model was asked 3 times, and 2 is the most"


class Told:
    """Histories by workflow id, as Temporal's client tells them."""

    def __init__(self, **histories: list[HistoryEvent]) -> None:
        self._histories = histories

    def get_workflow_handle(self, goal: str) -> "History":
        return History(self._histories[goal])


class History:
    def __init__(self, events: list[HistoryEvent]) -> None:
        self._events = events

    async def fetch_history_events(self) -> AsyncIterator[HistoryEvent]:
        for one in self._events:
            yield one


def step(name: str) -> HistoryEvent:
    event = HistoryEvent()
    event.activity_task_scheduled_event_attributes.activity_type.name = name
    return event


def child(name: str, goal: str) -> HistoryEvent:
    event = HistoryEvent()
    event.start_child_workflow_execution_initiated_event_attributes.workflow_id = goal
    event.start_child_workflow_execution_initiated_event_attributes.workflow_type.name = name
    return event


@contextmanager
def twin(seen: list[dict[str, Any]]) -> Generator[str]:
    """What GitHub's twin was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/_twin/requests"
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(seen).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as its base names it
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_the_books_tell_what_was_asked_started_and_changed_since() -> None:
    now = time.time()
    asked = [
        ("GET", "/repos/acme/shop/branches", now),
        ("POST", "/acme/shop.git/git-upload-pack", now),
        ("POST", "/app/installations/1/access_tokens", now),
        ("DELETE", "/repos/acme/other/git/refs/heads/x", now),
        ("DELETE", "/repos/acme/shop/git/refs/heads/earlier", now - 60),
        ("DELETE", "/repos/acme/shop/git/refs/heads/x", now),
        ("POST", "/acme/shop.git/git-receive-pack", now),
    ]
    histories = {
        "goal": [step("github.find_branches"), step(REQUEST.name), step(REQUEST.name), child("RunPlan", "plan")],
        "plan": [child("ReadFile", "one"), child("DeleteBranch", "two")],
    }
    with twin([{"method": method, "path": path, "at": at} for method, path, at in asked]) as github:
        books = await read_books(
            cast("Any", Told(**histories)), goal="goal", github=github, repository="acme/shop", since=now - 1
        )
    assert books == Books(
        changes=("DELETE /repos/acme/shop/git/refs/heads/x", "POST /acme/shop.git/git-receive-pack"),
        goals=("RunPlan", "ReadFile", "DeleteBranch"),
        asked=2,
    )
