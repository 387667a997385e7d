"""The base of twins, by a twin of a provider that is none."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from pydantic import JsonValue, TypeAdapter
from starlette.applications import Starlette
from starlette.requests import Request

from connectors.http import Operation
from connectors.limits import Rate
from connectors.twins.app import Twin
from connectors.twins.clock import TwinClock
from connectors.twins.handlers import handles
from connectors.twins.problems import Problem, basic
from tests.connectors.serving import ServedTwin, served, served_twin
from tests.connectors.twins.boxes import CREATE_BOX, GET_BOX, KEY_CANARY, LIST_BOXES, BoxesTwin, create_twin

AUTH = {"authorization": f"Bearer {KEY_CANARY}"}


class Time:
    """A clock that stands until it is set."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def calling(app: Starlette, headers: Mapping[str, str] = AUTH) -> Generator[httpx.Client]:
    with served(app) as url, httpx.Client(base_url=url, headers=headers, timeout=10) as http:
        yield http


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with calling(create_twin()) as found:
        yield found


def error(answer: httpx.Response) -> tuple[int, str, str]:
    told: dict[str, Any] = answer.json()["error"]
    return answer.status_code, told["code"], told["message"]


def test_what_is_asked_is_answered_with_the_operations_status(http: httpx.Client) -> None:
    made = http.post("/boxes", json={"label": "a", "unknown": 1})
    assert (made.status_code, made.json()) == (201, {"id": "box-1", "label": "a", "state": "building"})
    assert http.get("/boxes/box-1").json() == made.json()
    gone = http.delete("/boxes/box-1")
    assert (gone.status_code, gone.content, gone.headers["x-gone"]) == (204, b"", "box-1")
    assert error(http.get("/boxes/box-1")) == (404, "boxes/none", "no box box-1")


def test_a_path_of_its_own_goes_before_one_with_a_parameter(http: httpx.Client) -> None:
    for size in (3, 9, 5):
        http.post("/boxes", json={"label": "a", "size": size})
    assert http.get("/boxes/largest").json()["size"] == 9


def test_a_query_is_read_with_its_lists(http: httpx.Client) -> None:
    http.post("/boxes", json={"label": "a"})
    assert len(http.get("/boxes?label=a").json()["boxes"]) == 1
    assert http.get("/boxes?label=b").json()["boxes"] == []
    assert http.get("/boxes?limit=1&limit=2").status_code == 422


@pytest.mark.parametrize(
    ("send", "said"),
    [
        (lambda http: http.post("/boxes", json={"size": 1}), "label: Field required"),
        (lambda http: http.post("/boxes", json={"label": "a", "size": 0}), "size: Input should be greater"),
        (lambda http: http.post("/boxes", content=b"{"), "body: Invalid JSON"),
        (lambda http: http.post("/boxes"), "body: Invalid JSON"),
        (lambda http: http.post("/boxes", json=[]), "body: Input should be an object"),
        (lambda http: http.get("/boxes?limit=none"), "limit: Input should be a valid integer"),
    ],
)
def test_a_request_that_does_not_fit_is_refused_as_the_provider_does(
    http: httpx.Client, send: Callable[[httpx.Client], httpx.Response], said: str
) -> None:
    status, _, message = error(send(http))
    assert status == 422
    assert said in message


def test_a_refused_value_is_not_told_again(http: httpx.Client) -> None:
    assert "canary" not in http.post("/boxes", json={"label": "canary" * 10}).text


def test_who_may_not_call_is_refused_before_all_else() -> None:
    with calling(create_twin(), {}) as http:
        for path in ("/boxes", "/unknown"):
            assert error(http.get(path)) == (401, "key", "no such key")
            assert error(http.get(path, headers={"authorization": "Bearer other"})) == (401, "key", "no such key")


def test_a_handler_can_look_at_the_caller_and_the_request(http: httpx.Client) -> None:
    assert http.get("/who", headers={"user-agent": "it"}).json() == {"caller": "it", "path": "/who"}


@pytest.mark.parametrize(("method", "path"), [("PUT", "/boxes"), ("GET", "/crates"), ("PATCH", "/boxes/box-1")])
def test_what_it_does_not_know_it_says_in_the_providers_form(http: httpx.Client, method: str, path: str) -> None:
    assert error(http.request(method, path)) == (501, "", f"this twin does not know {method} {path}")


def test_an_answer_that_is_none_does_not_leave(http: httpx.Client) -> None:
    assert error(http.get("/broken")) == (500, "", "Internal error")


def test_an_operation_ends_when_its_time_has_come() -> None:
    time = Time()
    with calling(create_twin(clock=TwinClock(time))) as http:
        http.post("/boxes", json={"label": "a"})
        time.now += 59
        assert http.get("/boxes/box-1").json()["state"] == "building"
        time.now += 1
        assert http.get("/boxes/box-1").json()["state"] == "ready"


def test_a_test_lets_time_go_by(http: httpx.Client) -> None:
    http.post("/boxes", json={"label": "a"})
    before = http.get("/_twin/clock").json()
    after = http.post("/_twin/clock", json={"advance": 86_400}).json()
    assert after["now"] - before["now"] >= 86_400
    assert (before["ahead"], after["ahead"]) == (0, 86_400)
    assert http.get("/boxes/box-1").json()["state"] == "ready"
    for wrong in ({}, {"advance": -1}, {"advance": "soon"}, {"advance": 1, "more": 1}):
        assert http.post("/_twin/clock", json=wrong).status_code == 422
    assert http.delete("/_twin/clock").status_code == 200


def test_the_rate_is_the_accounts_and_the_operations() -> None:
    time = Time()
    rates = {None: Rate(per_second=1, burst=3), CREATE_BOX: Rate(per_second=1 / 12)}
    with calling(create_twin(clock=TwinClock(time), rates=rates)) as http:
        assert http.post("/boxes", json={"label": "a"}).status_code == 201
        refused = http.post("/boxes", json={"label": "b"})
        assert (error(refused), refused.headers["retry-after"]) == ((429, "", "Too many requests"), "12")
        assert http.get("/boxes").status_code == 200
        assert http.get("/boxes").status_code == 429
        time.now += 12
        assert http.post("/boxes", json={"label": "b"}).status_code == 201
        assert [one["id"] for one in http.get("/boxes").json()["boxes"]] == ["box-1", "box-2"]


@pytest.fixture
def twin() -> Iterator[ServedTwin]:
    with served_twin(create_twin()) as found:
        yield found


def test_a_planted_rate_limit_is_told_as_the_providers_own(twin: ServedTwin) -> None:
    twin.plant(kind="rate_limit", seconds=6.5)
    answer = twin.http.get("/boxes", headers=AUTH)
    assert (error(answer), answer.headers["retry-after"]) == ((429, "", "Too many requests"), "7")
    assert twin.http.get("/boxes", headers=AUTH).status_code == 200


@pytest.mark.parametrize(("after_effect", "kept"), [(False, 0), (True, 1)])
def test_silence_ends_when_the_client_hangs_up(twin: ServedTwin, after_effect: bool, kept: int) -> None:
    twin.plant(kind="silence", after_effect=after_effect)
    with pytest.raises(httpx.ReadTimeout):
        twin.http.post("/boxes", json={"label": "a"}, headers=AUTH, timeout=0.3)
    assert len(twin.http.get("/boxes", headers=AUTH).json()["boxes"]) == kept
    assert twin.requests()[0]["status"] is None


def test_a_twin_says_what_it_knows() -> None:
    assert {LIST_BOXES, CREATE_BOX, GET_BOX} < set(BoxesTwin().operations)
    assert basic("a", "b") == "Basic YTpi"


class _Nobody(Twin):
    def authorise(self, request: Request) -> None:
        return None

    def problem(self, problem: Problem) -> JsonValue:
        return None


def test_a_handler_that_takes_what_no_request_has_is_a_mistake_told_at_once() -> None:
    path = Operation("GET", "/a/{b}", TypeAdapter(int))

    class Missing(_Nobody):
        @handles(path)
        def it(self) -> int:
            return 1

    class More(_Nobody):
        @handles(path)
        def it(self, b: str, c: str) -> int:
            return 1

    class Silent(_Nobody):
        @handles(path)
        def it(self, b: str):  # noqa: ANN202 - that is the point
            return 1

    for wrong in (Missing, More, Silent):
        with pytest.raises(TypeError, match=r"for GET /a/\{b\}"):
            wrong().application()
