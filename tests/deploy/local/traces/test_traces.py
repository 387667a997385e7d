import asyncio
import base64
import gzip
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import httpx
import pytest
from google.rpc.status_pb2 import Status as RpcStatus
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceProto
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData
from opentelemetry.proto.trace.v1.trace_pb2 import Status as StatusProto
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Status, StatusCode
from starlette.applications import Starlette

from deploy.local.traces.app import MAX_BODY, MAX_UNPACKED, create_app
from deploy.local.traces.store import Limits, TraceStore
from observability.traces.view import MAX_ROWS, duration, view

_PROTOBUF = {"content-type": "application/x-protobuf"}
_NOW = time.time_ns()


class Client:
    """Calls an ASGI application without a server."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def get(self, path: str, **options: "Mapping[str, str | int]") -> httpx.Response:
        return self._ask("GET", path, params=options.get("params"), headers=options.get("headers"))

    def post(self, path: str, content: bytes, headers: Mapping[str, str]) -> httpx.Response:
        return self._ask("POST", path, content=content, headers=headers)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        content: bytes = b"",
        params: "Mapping[str, str | int] | None" = None,
        headers: "Mapping[str, str | int] | None" = None,
    ) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                named = {name: str(value) for name, value in (headers or {}).items()}
                return await client.request(method, path, content=content, params=params, headers=named)

        return asyncio.run(ask())


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    app = create_app(tmp_path / "traces.db", temporal_ui="http://127.0.0.1:8233/", console="http://localhost:8320/")
    yield Client(app)
    cast("TraceStore", app.state.store).close()


def spans(*, workflow_id: str = "read-file/acme/shop", name: str = "RunWorkflow:ReadFile") -> list[ReadableSpan]:
    """Spans of the real SDK: a parent, a failed child, an event."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": "banksman-goals"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")
    with (
        tracer.start_as_current_span(name, attributes={"temporal.workflow_id": workflow_id}),
        tracer.start_as_current_span("github.read_file", attributes={"n": 3, "ok": True, "names": ["a", "b"]}) as child,
    ):
        child.add_event("asked", {"path": "README.md"})
        child.set_status(Status(StatusCode.ERROR, "the file is gone"))
    return list(exporter.get_finished_spans())


def body_of(found: list[ReadableSpan]) -> bytes:
    return encode_spans(found).SerializeToString()


def made(
    number: int, *, parent: int = 0, start: int = _NOW, name: str = "x", attributes: dict[str, str] | None = None
) -> Span:
    return Span(
        trace_id=b"\x01" * 16,
        span_id=number.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        name=name,
        start_time_unix_nano=start,
        end_time_unix_nano=start + 1_000_000,
        attributes=[KeyValue(key=k, value=AnyValue(string_value=v)) for k, v in (attributes or {}).items()],
    )


def request_of(*found: Span, service: str = "s") -> ExportTraceServiceRequest:
    resource = ResourceProto(attributes=[KeyValue(key="service.name", value=AnyValue(string_value=service))])
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=resource, scope_spans=[ScopeSpans(spans=found)])]
    )


@pytest.mark.parametrize("packed", [False, True])
def test_what_the_sdk_sends_is_found_again(client: Client, packed: bool) -> None:
    sent = spans()
    body, headers = body_of(sent), dict(_PROTOBUF)
    if packed:
        body, headers["content-encoding"] = gzip.compress(body), "gzip"

    answer = client.post("/v1/traces", content=body, headers=headers)

    assert answer.status_code == 200
    assert ExportTraceServiceResponse.FromString(answer.content) == ExportTraceServiceResponse()
    trace_id = f"{sent[0].context.trace_id:032x}" if sent[0].context else ""
    [found] = client.get("/api/search", params={"tags": "temporal.workflow_id=read-file/acme/shop"}).json()["traces"]
    assert found["traceID"] == trace_id
    assert found["rootTraceName"] == "RunWorkflow:ReadFile"
    assert found["rootServiceName"] == "banksman-goals"
    [batch] = client.get(f"/api/traces/{trace_id}").json()["batches"]
    assert [s["name"] for s in batch["scopeSpans"][0]["spans"]] == ["RunWorkflow:ReadFile", "github.read_file"]
    assert base64.b64decode(batch["scopeSpans"][0]["spans"][0]["traceId"]).hex() == trace_id


def test_json_is_understood_with_its_hex_ids(client: Client) -> None:
    span = {
        "traceId": "0AF7651916CD43DD8448EB211C80319C",
        "spanId": "b7ad6b7169203331",
        "parentSpanId": "",
        "name": "from json",
        "kind": 3,
        "startTimeUnixNano": str(_NOW),
        "endTimeUnixNano": str(_NOW + 5),
        "attributes": [{"key": "x", "value": {"stringValue": "y z"}}],
        "unknownField": 1,
    }
    answer = client.post(
        "/v1/traces",
        json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode(),
        {"content-type": "application/json"},
    )

    assert answer.json() == {}
    [found] = client.get("/api/search", params={"tags": 'x="y z"'}).json()["traces"]
    assert found["traceID"] == "0af7651916cd43dd8448eb211c80319c"


def test_the_same_span_again_replaces_the_first(tmp_path: Path) -> None:
    store = TraceStore(tmp_path / "t.db")
    store.add(request_of(made(1, name="before")))
    store.add(request_of(made(1, name="after")))

    [found] = store.search()
    store.close()

    assert (found.spans, found.name) == (1, "after")


@pytest.mark.parametrize(
    ("content", "headers", "status", "says"),
    [
        (b"x", {"content-type": "text/plain"}, 415, "text/plain"),
        (b"{", {"content-type": "application/json"}, 400, "OTLP"),
        (b"[]", {"content-type": "application/json"}, 400, "OTLP"),
        (b'{"resourceSpans": 1}', {"content-type": "application/json"}, 400, "OTLP"),
        (b"[" * 100_000, {"content-type": "application/json"}, 400, "OTLP"),
        (b'{"traceId": "zz"}', {"content-type": "application/json"}, 400, "OTLP"),
        (b"\xff\xff\xff", _PROTOBUF, 400, "OTLP"),
        (b"not gzip", {**_PROTOBUF, "content-encoding": "gzip"}, 400, "gzip"),
        (gzip.compress(b"x" * 1000)[:-9], {**_PROTOBUF, "content-encoding": "gzip"}, 400, "cut off"),
        (b"", {**_PROTOBUF, "content-encoding": "br"}, 415, "br"),
        (b"x" * (MAX_BODY + 1), _PROTOBUF, 413, "smaller"),
        (gzip.compress(b"\0" * (MAX_UNPACKED + 1)), {**_PROTOBUF, "content-encoding": "gzip"}, 413, "smaller"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_reason(
    client: Client, content: bytes, headers: dict[str, str], status: int, says: str
) -> None:
    answer = client.post("/v1/traces", content=content, headers=headers)

    assert answer.status_code == status
    protobuf = headers["content-type"] == _PROTOBUF["content-type"]
    assert says in (RpcStatus.FromString(answer.content).message if protobuf else cast("str", answer.json()["message"]))


def test_spans_without_ids_are_counted_and_left_out(client: Client) -> None:
    bad = [Span(trace_id=b"\0" * 16, span_id=b"\1" * 8), Span(trace_id=b"\1", span_id=b"\1" * 8), made(5, start=0)]

    answer = client.post("/v1/traces", content=request_of(made(1), *bad).SerializeToString(), headers=_PROTOBUF)

    assert ExportTraceServiceResponse.FromString(answer.content).partial_success.rejected_spans == 3
    assert len(client.get("/api/search").json()["traces"]) == 1


@pytest.mark.parametrize("limits", [Limits(spans=20), Limits(bytes=4_000)])
def test_the_oldest_traces_give_way(tmp_path: Path, limits: Limits) -> None:
    store = TraceStore(tmp_path / "t.db", limits)
    for number in range(1, 61):
        span = made(1, start=_NOW + number, attributes={"padding": "x" * 100})
        span.trace_id = number.to_bytes(16, "big")
        store.add(request_of(span))
    kept = [int(found.trace_id, 16) for found in store.search(limit=100)]
    store.close()

    assert kept == sorted(kept, reverse=True)
    assert kept[0] == 60
    assert 5 <= len(kept) <= 20


def test_traces_survive_a_restart_and_belong_to_their_owner(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    store = TraceStore(path)
    store.add(request_of(made(1)))
    store.close()
    again = TraceStore(path)
    found = again.search()
    again.close()

    assert len(found) == 1
    assert path.stat().st_mode & 0o777 == 0o600


_EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}"


def test_pages_escape_everything(client: Client) -> None:
    span = made(1, name=_EVIL, attributes={_EVIL: _EVIL, "temporal.workflow_id": _EVIL, "url.full": _EVIL})
    span.kind = Span.SPAN_KIND_CLIENT
    span.status.message = _EVIL
    span.status.code = StatusProto.STATUS_CODE_ERROR
    span.events.append(Span.Event(name=_EVIL, time_unix_nano=_NOW, attributes=span.attributes))
    client.post("/v1/traces", content=request_of(span, service=_EVIL).SerializeToString(), headers=_PROTOBUF)

    pages = [
        client.get("/"),
        client.get("/", params={"workflow_id": _EVIL}),
        client.get("/", params={"workflow_id": _EVIL + "none"}),
        client.get("/trace/" + "01" * 16),
        client.get("/trace/<script>"),
        client.get("/", params={"before": _EVIL}),
    ]

    for page in pages:
        assert "<script" not in page.text
        assert "<img" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "http" not in page.headers["content-security-policy"]
        # Nothing is fetched from elsewhere.
        assert not [word for word in ("src=", "@import", "url(", "<link") if word in page.text.replace(_escaped(), "")]
    assert [page.status_code for page in pages] == [200, 200, 200, 200, 404, 400]
    assert "{{ 7*7 }}" in pages[3].text


def _escaped() -> str:
    return "src=x onerror=alert(1)"


def test_the_trace_page_tells_the_story(client: Client) -> None:
    client.post("/v1/traces", content=body_of(spans()), headers=_PROTOBUF)
    [found] = client.get("/api/search").json()["traces"]

    page = client.get(f"/trace/{found['traceID'].lstrip('0')}").text

    for text in ("RunWorkflow:ReadFile", "github.read_file", "the file is gone", "banksman-goals", "README.md", "a, b"):
        assert text in page
    assert page.index("RunWorkflow:ReadFile") < page.index("github.read_file")
    assert "http://127.0.0.1:8233/namespaces/default/workflows?query=" in page
    assert "http://localhost:8320/goal?id=read-file" in page
    assert page.count("<details") == 2


def test_the_list_is_filtered_and_paged(client: Client) -> None:
    for number in range(1, 53):
        span = made(
            1, start=_NOW + number, name=f"run goal-{number}-", attributes={"temporal.workflow_id": f"w{number % 2}"}
        )
        span.trace_id = number.to_bytes(16, "big")
        client.post("/v1/traces", content=request_of(span).SerializeToString(), headers=_PROTOBUF)

    first = client.get("/").text
    older = client.get("/", params={"before": _NOW + 3}).text
    filtered = client.get("/", params={"workflow_id": "w1"}).text

    assert "goal-52-" in first
    assert "goal-2-" not in first
    assert f"before={_NOW + 3}" in first
    assert "goal-2-" in older
    assert "Newest" in older
    assert "goal-51-" in filtered
    assert "goal-52-" not in filtered


def keep(client: Client, number: int, *names: str, workflow_ids: tuple[str, ...] = ()) -> None:
    """A trace of its own with these spans, the first of which is the root."""
    found = [made(n, parent=int(n > 1), start=_NOW + number, name=name) for n, name in enumerate(names, start=1)]
    for span, workflow_id in zip(found, workflow_ids, strict=False):
        span.attributes.append(KeyValue(key="temporal.workflow_id", value=AnyValue(string_value=workflow_id)))
    for span in found:
        span.trace_id = number.to_bytes(16, "big")
    client.post("/v1/traces", content=request_of(*found).SerializeToString(), headers=_PROTOBUF)


def test_goals_come_before_what_processes_do_by_themselves(client: Client) -> None:
    keep(client, 1, "run ReadFile", workflow_ids=("read-file/acme/shop/README.md",))
    keep(client, 2, "StartWorkflow", "RunWorkflow:DetectDrift")
    keep(client, 3, "StartWorkflow", "RunWorkflow:Approval")
    for number in range(4, 64):
        keep(client, number, "POST /chat.postMessage")

    page, rest = client.get("/").text, client.get("/?kind=other").text

    assert page.count("<tr>") == 2 + 2 + 10  # headings, goals, a few of the rest
    assert page.index("run ReadFile") < page.index("POST /chat.postMessage")
    assert "run ReadFile" not in rest
    assert "kind=other" in rest
    older = client.get("/", params={"kind": "other", "before": _NOW + 14}).text
    assert older.count("POST /chat.postMessage") + older.count("StartWorkflow") == 11


def test_a_goal_is_told_by_its_own_workflow_and_not_by_its_approvals(client: Client) -> None:
    ids = ("approval/delete-branch/x/1", "delete-branch/x", "stack/p/dev")
    keep(client, 1, "run DeleteBranch", "RunWorkflow:Approval", "RunWorkflow:StackLock", workflow_ids=ids)
    assert "<code>delete-branch/x</code>" in client.get("/").text


def test_a_child_that_waited_its_turn_is_no_failure(client: Client) -> None:
    """To find the stack's lock under way is how a goal gets into its line."""
    there = "WorkflowAlreadyStartedError: Workflow execution already started"
    found_ = [made(1, name="run PreviewAndUp"), made(2, parent=1, name="StartChildWorkflow:StackLock")]
    found_ += [made(3, parent=1, name="RunActivity:pulumi.preview_stack")]
    for span, message in zip(found_[1:], (there, "it did not work"), strict=True):
        span.status.CopyFrom(StatusProto(code=StatusProto.STATUS_CODE_ERROR, message=message))
    client.post("/v1/traces", content=request_of(*found_).SerializeToString(), headers=_PROTOBUF)
    [found] = client.get("/api/search").json()["traces"]

    assert "1 failed" in client.get("/").text
    page = client.get(f"/trace/{found['traceID']}").text
    assert page.count('class="span error"') == 1
    assert "it did not work" in page
    assert there not in page


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "limit=501", "tags=a", "tags=%22a", "q=%7B%7D", "tags=" + "a=b+" * 9]
)
def test_a_wrong_search_says_what_is_right(client: Client, query: str) -> None:
    answer = client.get(f"/api/search?{query}")

    assert answer.status_code == 400
    assert answer.text


def test_other_host_names_are_refused(client: Client) -> None:
    assert client.get("/", headers={"host": "rebound.example"}).status_code == 400
    assert client.get("/healthz").text == "ok"


def test_any_set_of_spans_can_be_drawn() -> None:
    circle = [made(1, parent=2), made(2, parent=1), made(3, parent=3), made(4, parent=99)]
    chain = [made(n, parent=n - 1 if n > 10 else 0) for n in range(10, 3_000)]

    for found in (circle, chain):
        data = TracesData(resource_spans=request_of(*found).resource_spans)
        drawn = view("x", data)
        assert len(drawn.rows) == min(len(found), MAX_ROWS)
        assert len({row.span_id for row in drawn.rows}) == len(drawn.rows)
        assert all(0 <= row.left <= 100 and row.left + row.width <= 100.001 for row in drawn.rows)
        assert drawn.spans == len(found)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0"), (999, "999 ns"), (1_500, "1.5 µs"), (12_345_678, "12.3 ms"), (999_400_000, "999 ms"),
        (1_310_000_000, "1.31 s"), (61_000_000_000, "1 min 1 s"), (3_660_000_000_000, "1 h 1 min"),
    ],
)  # fmt: skip
def test_durations_are_read_by_people(nanoseconds: int, text: str) -> None:
    assert duration(nanoseconds) == text


def test_the_answer_of_json_is_json(client: Client) -> None:
    answer = client.post("/v1/traces", content=b"nonsense", headers={"content-type": "application/json; charset=utf-8"})

    assert json.loads(answer.content)["message"]
