"""The embedded environment's trace store: an OTLP receiver, the two reads of Tempo's API that scripts use, and pages.

It keeps what it is sent, bounded, and shows it without scripts and without anything from elsewhere. It listens on
loopback; requests under any other host name are refused, so that no web page can reach it by DNS rebinding.
"""

import base64
import binascii
import json
import secrets
import shlex
import sqlite3
import zlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final, cast

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status as RpcStatus
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from deploy.local.traces.store import Kind, Limits, TraceStore, TraceSummary
from observability.names import ATTR_WORKFLOW_ID
from observability.traces.view import MAX_ROWS, duration, view

MAX_BODY: Final = 8 * 1024 * 1024
"""Bytes of one request as it comes over the wire."""
MAX_UNPACKED: Final = 32 * 1024 * 1024
"""Bytes of one request after gzip: a small body may unpack to anything."""
LOOPBACK_HOSTS: Final = ("127.0.0.1", "localhost")
_PROTOBUF: Final = "application/x-protobuf"
_JSON: Final = "application/json"
_POLICY: Final = "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_PAGE: Final = 50
_FEW: Final = 10
_MAX_LIMIT: Final = 500
_MAX_TAGS: Final = 8
_MAX_DEPTH: Final = 64
_TRACE_ID_CHARACTERS: Final = 32
_SECOND: Final = 1_000_000_000


class RefusedError(Exception):
    """A request that is not kept; the sender is told why."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Pages:
    """Renders the templates beside this file; everything in them is escaped."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["duration"] = duration

    def render(self, name: str, status: HTTPStatus = HTTPStatus.OK, **values: object) -> HTMLResponse:
        nonce = secrets.token_urlsafe(16)
        policy = f"default-src 'none'; style-src 'nonce-{nonce}'; {_POLICY}"
        headers = {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }
        page = self._environment.get_template(name).render(nonce=nonce, **values)
        return HTMLResponse(page, status_code=status, headers=headers)


class _Traces:
    """The routes, over one store."""

    def __init__(self, store: TraceStore, *, temporal_ui: str | None, console: str | None) -> None:
        self._store = store
        self._pages = _Pages()
        self._temporal_ui = temporal_ui.rstrip("/") if temporal_ui else None
        self._console = console.rstrip("/") if console else None

    async def receive(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            _require_known(kind)
            body = _unpack(await _read(request), request.headers.get("content-encoding", "identity"))
            sent = await run_in_threadpool(_decode, body, kind)
            refused = await run_in_threadpool(self._store.add, sent)
        except RefusedError as refusal:
            return _answer(RpcStatus(message=str(refusal)), kind, refusal.status)
        except sqlite3.OperationalError as error:
            message = f"the trace store cannot be written ({error})"
            return _answer(RpcStatus(message=message), kind, HTTPStatus.SERVICE_UNAVAILABLE)
        answer = ExportTraceServiceResponse()
        if refused:
            message = "spans without valid ids or times were not kept"
            answer.partial_success.CopyFrom(ExportTracePartialSuccess(rejected_spans=refused, error_message=message))
        return _answer(answer, kind, HTTPStatus.OK)

    def trace(self, request: Request) -> Response:
        data = self._store.trace(_trace_id(request))
        if data is None:
            return PlainTextResponse("trace not found", status_code=HTTPStatus.NOT_FOUND)
        batches = json_format.MessageToDict(data).get("resourceSpans", [])
        return JSONResponse({"batches": batches})

    def search(self, request: Request) -> Response:
        try:
            tags = _tags(request)
            limit = _number(request, "limit", _PAGE, most=_MAX_LIMIT)
        except RefusedError as refusal:
            return PlainTextResponse(str(refusal), status_code=refusal.status)
        found = self._store.search(tags, limit=limit)
        return JSONResponse({"traces": [_found(trace) for trace in found], "metrics": {}})

    def index(self, request: Request) -> Response:
        workflow_id = request.query_params.get("workflow_id", "").strip()
        tags = {ATTR_WORKFLOW_ID: workflow_id} if workflow_id else {}
        try:
            before = _number(request, "before", 2**63 - 1, most=2**63 - 1)
        except RefusedError as refusal:
            return self._pages.render("message.html", refusal.status, title="Not a page", message=str(refusal))
        newest = "before" not in request.query_params
        # What processes do by themselves, by the hundred, must not stand before what people asked for.
        kind: Kind = "other" if request.query_params.get("kind") == "other" else "goal"
        found = self._store.search(tags, limit=_PAGE + 1, before=before, kind=kind)
        shown = found[:_PAGE]
        rest = self._store.search(tags, limit=_FEW, kind="other") if newest and kind == "goal" else []
        return self._pages.render(
            "traces.html",
            kind=kind,
            traces=[_dated(trace) for trace in shown],
            rest=[_dated(trace) for trace in rest],
            workflow_id=workflow_id,
            older=shown[-1].start if len(found) > _PAGE else None,
            newest=newest,
        )

    def page(self, request: Request) -> Response:
        trace_id = _trace_id(request)
        data = self._store.trace(trace_id)
        if data is None:
            message = (
                f"There is no trace {trace_id!r} here. It may still be on its way, or have given way to newer ones."
            )
            return self._pages.render("message.html", HTTPStatus.NOT_FOUND, title="No such trace", message=message)
        shown = view(trace_id, data)
        return self._pages.render(
            "trace.html", trace=shown, temporal_ui=self._temporal_ui, console=self._console, most=MAX_ROWS
        )


def create_app(
    store_path: Path,
    *,
    temporal_ui: str | None = None,
    console: str | None = None,
    limits: Limits | None = None,
    allowed_hosts: Sequence[str] = LOOPBACK_HOSTS,
) -> Starlette:
    """The trace store over one SQLite file, as an ASGI application to be served on loopback.

    Args:
        store_path: The file; made when absent.
        temporal_ui: Where the Temporal UI is, for links from a trace to its workflow.
        console: Where the console is, for links from a trace to its goal, and from there to what people decided.
        limits: How much is kept.
        allowed_hosts: The host names it answers to.
    """
    store = TraceStore(store_path, limits)
    routes = _Traces(store, temporal_ui=temporal_ui, console=console)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        yield
        store.close()

    app = Starlette(
        lifespan=lifespan,
        routes=[
            Route("/", routes.index),
            Route("/trace/{trace_id}", routes.page),
            Route("/v1/traces", routes.receive, methods=["POST"]),
            Route("/api/traces/{trace_id}", routes.trace),
            Route("/api/search", routes.search),
            Route("/healthz", _health),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(allowed_hosts))],
    )
    app.state.store = store
    return app


def _health(_request: Request) -> Response:
    return PlainTextResponse("ok")


def _require_known(kind: str) -> None:
    if kind not in {_PROTOBUF, _JSON}:
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"content type {kind!r}; send {_PROTOBUF} or {_JSON}")


async def _read(request: Request) -> bytes:
    """The body, given up as soon as it is too long, whatever the headers promised."""
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > MAX_BODY:
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MAX_BODY} bytes; send smaller batches")
    return bytes(chunks)


def _unpack(body: bytes, encoding: str) -> bytes:
    if encoding.lower() in {"", "identity"}:
        return body
    if encoding.lower() != "gzip":
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"content encoding {encoding!r}; send gzip or none")
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(body, MAX_UNPACKED)
    except zlib.error as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "the body is not gzip") from error
    if unpacker.unconsumed_tail:
        raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MAX_UNPACKED} bytes; send smaller batches")
    if not unpacker.eof:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "the gzip body is cut off")
    return unpacked


def _decode(body: bytes, kind: str) -> ExportTraceServiceRequest:
    try:
        if kind == _PROTOBUF:
            return ExportTraceServiceRequest.FromString(body)
        message = _with_base64_ids(json.loads(body), _MAX_DEPTH)
        if not isinstance(message, dict):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "the body is not an OTLP trace request, which is an object")
        fields = cast("dict[str, object]", message)
        return json_format.ParseDict(fields, ExportTraceServiceRequest(), ignore_unknown_fields=True)
    except (DecodeError, json_format.ParseError, ValueError, RecursionError, TypeError, AttributeError) as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "the body is not an OTLP trace request") from error


def _with_base64_ids(value: object, depth: int) -> object:
    """OTLP's JSON writes ids in hex where protobuf's own JSON, which parses it, expects base64."""
    if depth == 0:
        raise ValueError("nested too deeply")
    match value:
        case dict():
            items = cast("dict[str, object]", value).items()
            return {key: _id(item) if key in _ID_FIELDS else _with_base64_ids(item, depth - 1) for key, item in items}
        case list():
            return [_with_base64_ids(item, depth - 1) for item in cast("list[object]", value)]
        case _:
            return value


_ID_FIELDS: Final = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"})


def _id(value: object) -> str:
    try:
        return base64.b64encode(binascii.unhexlify(str(value))).decode()
    except (binascii.Error, ValueError) as error:
        raise ValueError("an id is not hexadecimal") from error


def _answer(message: ExportTraceServiceResponse | RpcStatus, kind: str, status: HTTPStatus) -> Response:
    if kind == _PROTOBUF:
        return Response(message.SerializeToString(), status_code=status, media_type=_PROTOBUF)
    return JSONResponse(json_format.MessageToDict(message), status_code=status)


def _trace_id(request: Request) -> str:
    """The id in the path; Tempo's clients leave leading zeros out."""
    return str(request.path_params["trace_id"]).lower().rjust(_TRACE_ID_CHARACTERS, "0")[:_TRACE_ID_CHARACTERS]


def _tags(request: Request) -> dict[str, str]:
    """Tempo's `tags`: `key=value` pairs apart by spaces, values with spaces in quotes."""
    if "q" in request.query_params:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "TraceQL is not spoken here; use tags='key=value'")
    try:
        words = shlex.split(request.query_params.get("tags", ""))
    except ValueError as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "tags have an open quote") from error
    pairs = [word.partition("=") for word in words]
    if len(pairs) > _MAX_TAGS or any(not key or not equals for key, equals, _ in pairs):
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"tags are up to {_MAX_TAGS} pairs key=value")
    return {key: value for key, _, value in pairs}


def _number(request: Request, name: str, default: int, *, most: int) -> int:
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= most:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"{name} is a number from 1 to {most}")
    return int(text)


def _dated(trace: TraceSummary) -> tuple[TraceSummary, datetime]:
    return trace, datetime.fromtimestamp(trace.start / _SECOND, UTC)


def _found(trace: TraceSummary) -> Mapping[str, str | int]:
    return {
        "traceID": trace.trace_id,
        "rootServiceName": trace.service,
        "rootTraceName": trace.name,
        "startTimeUnixNano": str(trace.start),
        "durationMs": (trace.end - trace.start) // 1_000_000,
    }
