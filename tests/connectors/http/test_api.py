"""One call of any provider: what is sent, what each answer means, and what is told of it."""

import asyncio
import contextlib
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from prometheus_client import REGISTRY

from connectors import errors
from connectors.http import Call
from connectors.limits import PATIENCE, Allowance
from tests.connectors.http.boxes import (
    CREATE_BOX,
    DELETE_BOX,
    GET_BOX,
    KEY_CANARY,
    LIST_BOXES,
    SEARCH,
    Asked,
    NewBox,
    answering,
    silent,
)

GET = Call(GET_BOX, "box 'a/b'", path={"id": "a/b"})
CREATE = Call(CREATE_BOX, "a box 'new'", body=NewBox(name="new"))
FOUND = Call(SEARCH, "boxes called 'new'", body=NewBox(name="new"))
DELETE = Call(DELETE_BOX, "box 'a'", path={"id": "a"})


async def test_a_call_is_sent_as_it_is_declared() -> None:
    asked = answering(201, {"id": "1", "new_field": True})
    assert (await asked.session().ask(CREATE)).id == "1"
    [request] = asked.requests
    assert (request.method, str(request.url)) == ("POST", "https://boxes.example.com/v1/boxes")
    assert json.loads(request.content) == {"name": "new"}
    assert (request.headers["x-key"], request.headers["content-type"]) == (KEY_CANARY, "application/json")
    asked = answering(200, {"id": "a/b"})
    await asked.session().ask(GET)
    assert asked.requests[0].url.raw_path == b"/v1/boxes/a%2Fb"
    assert "content-type" not in asked.requests[0].headers


async def test_an_answer_that_is_not_read_may_be_anything() -> None:
    await answering(204).session().ask(DELETE)
    await Asked(lambda _: httpx.Response(200, content=b"<gone>")).session().ask(DELETE)


@pytest.mark.parametrize(
    ("status", "read", "change"),
    [
        (401, errors.AuthDenied, errors.AuthDenied),
        (402, errors.QuotaExhausted, errors.QuotaExhausted),
        (403, errors.Forbidden, errors.Forbidden),
        (404, errors.NotFound, errors.NotFound),
        (400, errors.InvalidRequest, errors.InvalidRequest),
        (422, errors.InvalidRequest, errors.InvalidRequest),
        (301, errors.InvalidRequest, errors.InvalidRequest),
        (409, errors.Conflict, errors.Conflict),
        (412, errors.Conflict, errors.Conflict),
        (423, errors.Locked, errors.Locked),
        (429, errors.RateLimited, errors.RateLimited),
        (408, errors.Unavailable, errors.OutcomeUnknown),
        (500, errors.Unavailable, errors.OutcomeUnknown),
        (502, errors.Unavailable, errors.OutcomeUnknown),
        (503, errors.Unavailable, errors.Unavailable),
        (504, errors.Unavailable, errors.OutcomeUnknown),
        (507, errors.QuotaExhausted, errors.QuotaExhausted),
    ],
)
async def test_each_status_is_an_error_of_the_tree(
    status: int, read: type[errors.ConnectorError], change: type[errors.ConnectorError]
) -> None:
    calls: list[tuple[Call[Any], type[errors.ConnectorError]]]
    calls = [(GET, read), (FOUND, read), (CREATE, change), (DELETE, change)]
    for call, expected in calls:
        with pytest.raises(errors.ConnectorError) as told:
            await answering(status, {"error": {"message": "why"}}).session().ask(call)
        assert type(told.value) is expected
        assert call.what in str(told.value) or expected is errors.AuthDenied


@pytest.mark.parametrize(
    ("error", "read", "change"),
    [
        (httpx.ConnectError("x"), errors.Unavailable, errors.Unavailable),
        (httpx.ConnectTimeout("x"), errors.Unavailable, errors.Unavailable),
        (httpx.PoolTimeout("x"), errors.Unavailable, errors.Unavailable),
        (httpx.WriteTimeout("x"), errors.Unavailable, errors.OutcomeUnknown),
        (httpx.ReadTimeout("x"), errors.Unavailable, errors.OutcomeUnknown),
        (httpx.ReadError("x"), errors.Unavailable, errors.OutcomeUnknown),
        (httpx.RemoteProtocolError("x"), errors.Unavailable, errors.OutcomeUnknown),
    ],
)
async def test_without_an_answer_there_is_doubt_only_where_something_may_have_happened(
    error: httpx.HTTPError, read: type[errors.ConnectorError], change: type[errors.ConnectorError]
) -> None:
    calls: list[tuple[Call[Any], type[errors.ConnectorError]]]
    calls = [(GET, read), (FOUND, read), (CREATE, change), (DELETE, change)]
    for call, expected in calls:
        with pytest.raises(errors.ConnectorError) as told:
            await silent(error).session().ask(call)
        assert type(told.value) is expected


@pytest.mark.parametrize("body", ["", "[]", '{"name": "canary-of-an-answer"}', "<html>", '{"id": 5}'])
async def test_an_answer_that_is_none_leaves_a_change_in_doubt_and_is_never_quoted(body: str) -> None:
    asked = Asked(lambda _: httpx.Response(200, content=body))
    for call, expected in ((GET, errors.MalformedAnswer), (CREATE, errors.OutcomeUnknown)):
        with pytest.raises(expected) as told:
            await asked.session().ask(call)
        assert "canary-of-an-answer" not in f"{told.value} {told.value.__context__} {told.value.__cause__}"


async def test_the_providers_own_code_goes_before_its_status() -> None:
    refused = answering(400, {"error": {"code": "provider/internal", "message": "later"}})
    with pytest.raises(errors.Unavailable, match="answers 400 to a box 'new': later; it is tried again") as told:
        await refused.session().ask(CREATE)
    assert told.value.code == "provider/internal"
    with pytest.raises(errors.QuotaExhausted):
        await answering(400, {"error": {"code": "quota", "message": ""}}).session().ask(CREATE)


async def test_a_providers_words_are_passed_on_without_secrets_and_not_for_long() -> None:
    words = f"no: ghs_{'a' * 40} {'x' * 1000}"
    with pytest.raises(errors.InvalidRequest) as told:
        await answering(400, {"error": {"code": "c", "message": words}}).session().ask(CREATE)
    assert "no: [redacted github-token]" in str(told.value)
    assert len(str(told.value)) < 400


@pytest.mark.parametrize("body", [None, [], "no", {"error": None}, {"error": {"code": 5}}])
async def test_a_refusal_in_any_form_is_told_by_its_status(body: object) -> None:
    with pytest.raises(errors.Conflict, match="Boxes refuses a box 'new' with 409"):
        await answering(409, body).session().ask(CREATE)


async def test_what_a_404_means_the_call_may_say() -> None:
    call = Call(GET_BOX, "box 'a'", path={"id": "a"}, missing="it went")
    with pytest.raises(errors.NotFound, match=r"^it went$"):
        await answering(404).session().ask(call)


async def test_a_refusal_by_rate_closes_the_account_for_all_its_sessions() -> None:
    asked = answering(429, retry_after="7")
    with pytest.raises(errors.RateLimited) as told:
        await asked.session().ask(GET)
    assert told.value.retry_after == timedelta(seconds=7)
    with pytest.raises(errors.RateLimited, match="was not asked for"):
        asked.turns.require("it")  # pyright: ignore[reportAttributeAccessIssue] - an `Allowance` here
    assert len(asked.requests) == 1


async def test_a_redirection_that_says_when_is_waited_for_and_never_followed() -> None:
    asked = answering(307, location="https://elsewhere.example.com/", retry_after="3")
    with pytest.raises(errors.Unavailable) as told:
        await asked.session().ask(CREATE)
    assert (told.value.retry_after, len(asked.requests)) == (timedelta(seconds=3), 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"operation": GET_BOX},
        {"operation": GET_BOX, "path": {"name": "a"}},
        {"operation": LIST_BOXES, "path": {"id": "a"}},
        {"operation": CREATE_BOX},
        {"operation": LIST_BOXES, "body": NewBox(name="new")},
    ],
)
def test_a_call_that_does_not_fit_its_operation_is_a_mistake_of_ours(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"(GET|POST) /boxes"):
        Call(what="it", **wrong)  # pyright: ignore[reportArgumentType] - that is the point


async def test_a_call_is_a_span_and_a_metric_and_neither_holds_an_id_or_a_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)

    def counted(outcome: str) -> float:
        labels = {"provider": "boxes", "outcome": outcome}
        return REGISTRY.get_sample_value("banksman_provider_requests_total", labels) or 0.0

    before = counted("ok"), counted("NotFound")
    await answering(200, {"id": "a"}).session().ask(GET)
    missing = answering(404)
    with pytest.raises(errors.NotFound):
        await missing.session().ask(GET)
    good, bad = exporter.get_finished_spans()
    assert (good.name, good.status.status_code) == ("boxes GET /boxes/{id}", StatusCode.UNSET)
    assert (bad.status.status_code, bad.status.description) == (StatusCode.ERROR, "NotFound")
    assert dict(bad.attributes or {}) == {
        "banksman.provider": "boxes",
        "http.request.method": "GET",
        "http.response.status_code": 404,
        "url.template": "/boxes/{id}",
    }
    assert bad.events == ()
    assert bad.context is not None
    assert missing.requests[0].headers["traceparent"].split("-")[1] == f"{bad.context.trace_id:032x}"
    assert (counted("ok"), counted("NotFound")) == (before[0] + 1, before[1] + 1)


class _Late(Allowance):
    """Gives out a turn late, or none."""

    def __init__(self, wait: float, *, none: bool = False) -> None:
        super().__init__()
        self._wait, self._none = wait, none

    async def turn(self, what: str, *, patience: timedelta = PATIENCE) -> None:
        del patience
        await asyncio.sleep(self._wait)
        if self._none:
            raise errors.RateLimited(f"{what}: later")


@pytest.mark.parametrize("none", [False, True])
async def test_the_wait_for_a_turn_is_measured_also_where_none_came(none: bool) -> None:
    def waited() -> tuple[float, float]:
        name, labels = "banksman_provider_turn_seconds", {"provider": "boxes"}
        count, seconds = (REGISTRY.get_sample_value(f"{name}_{one}", labels) for one in ("count", "sum"))
        return count or 0.0, seconds or 0.0

    before = waited()
    asked = answering(200, {"id": "a"})
    asked.turns = _Late(0.02, none=none)
    with pytest.raises(errors.RateLimited) if none else contextlib.nullcontext():
        await asked.session().ask(GET)
    after = waited()
    assert after[0] == before[0] + 1
    assert after[1] >= before[1] + 0.02
    assert len(asked.requests) == (0 if none else 1)
