"""A trace to be drawn: its spans in reading order, each with its place on the time axis. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from observability.names import ATTR_WORKFLOW_ID
from observability.traces.spans import SERVICE_NAME, failed, service_of, text_of

MAX_ROWS: Final = 2_000
"""Spans that are drawn; a trace with more says so."""
_MAX_INDENT: Final = 16
_TICKS: Final = 5
_COLOURS: Final = 8
_URL_KEYS: Final = frozenset({"url.full", "http.url"})
_MIN_WIDTH: Final = 0.35
_MICROSECOND: Final = 1_000
_MILLISECOND: Final = 1_000_000
_SECOND: Final = 1_000_000_000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE


@dataclass(frozen=True, slots=True)
class EventView:
    """Something that happened within a span."""

    name: str
    at: str
    attributes: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Row:
    """One span. `left` and `width` are percent of the trace's duration."""

    span_id: str
    name: str
    hint: str
    """Which address an HTTP call went to, as its span is named by the method alone."""
    service: str
    colour: int
    kind: str
    depth: int
    left: float
    width: float
    offset: str
    duration: str
    error: bool
    message: str
    attributes: list[tuple[str, str]]
    process: list[tuple[str, str]]
    events: list[EventView]
    links: list[str]
    """Traces that it leads to, such as that of a click."""


@dataclass(frozen=True, slots=True)
class TraceView:
    """One trace, ready to be drawn."""

    trace_id: str
    title: str
    started: datetime
    duration: str
    services: list[tuple[str, int, int]]
    """Name, colour and number of spans of each process, in order of appearance."""
    workflow_id: str | None
    rows: list[Row]
    spans: int
    errors: int
    ticks: list[tuple[float, str]]


@dataclass(frozen=True, slots=True)
class _Node:
    span: Span
    service: str
    process: list[tuple[str, str]]


def view(trace_id: str, data: TracesData) -> TraceView:
    """Lay a trace out. Any set of spans can be: unknown parents and circles become roots."""
    nodes = [
        _Node(span, service_of(batch), _pairs(batch.resource.attributes))
        for batch in data.resource_spans
        for scoped in batch.scope_spans
        for span in scoped.spans
    ]
    start = min(node.span.start_time_unix_nano for node in nodes)
    # Also where a clock jumped under a span, so that it ends before it begins.
    total = max(1, max(max(node.span.start_time_unix_nano, node.span.end_time_unix_nano) for node in nodes) - start)
    ordered = _in_reading_order(nodes)
    colours = {name: n % _COLOURS for n, name in enumerate(dict.fromkeys(node.service for node, _ in ordered))}
    shown = ordered[:MAX_ROWS]
    workflow = (text_of(a.value) for node, _ in ordered for a in node.span.attributes if a.key == ATTR_WORKFLOW_ID)
    return TraceView(
        trace_id=trace_id,
        title=ordered[0][0].span.name,
        started=datetime.fromtimestamp(start / _SECOND, UTC),
        duration=duration(total),
        services=[(name, n, sum(node.service == name for node in nodes)) for name, n in colours.items()],
        workflow_id=next(workflow, None),
        rows=[_row(node, depth, start=start, total=total, colour=colours[node.service]) for node, depth in shown],
        spans=len(nodes),
        errors=sum(failed(node.span) for node in nodes),
        ticks=[(100 * n / _TICKS, duration(total * n // _TICKS)) for n in range(_TICKS)],
    )


def duration(nanoseconds: int) -> str:
    """A time span as people read it, to three digits."""
    if nanoseconds >= _HOUR:
        return f"{nanoseconds // _HOUR} h {nanoseconds % _HOUR // _MINUTE} min"
    if nanoseconds >= _MINUTE:
        return f"{nanoseconds // _MINUTE} min {nanoseconds % _MINUTE // _SECOND} s"
    for unit, name in ((_SECOND, "s"), (_MILLISECOND, "ms"), (_MICROSECOND, "µs")):
        if nanoseconds >= unit:
            return f"{_three_digits(nanoseconds / unit)} {name}"
    return f"{nanoseconds} ns" if nanoseconds else "0"


def _three_digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits before the point


def _in_reading_order(nodes: list[_Node]) -> list[tuple[_Node, int]]:
    """Parents before children, siblings by time; iterative, as a trace may be deeper than Python's stack."""
    by_id = {node.span.span_id: node for node in nodes}
    children: dict[bytes, list[_Node]] = {}
    for node in nodes:
        parent = node.span.parent_span_id
        children.setdefault(parent if parent in by_id else b"", []).append(node)
    ordered: list[tuple[_Node, int]] = []
    seen: set[bytes] = set()
    pending = [(node, 0) for node in _latest_first(children.get(b"", []))]
    # Spans in a circle hang on no root; each circle is entered at its earliest span.
    rest = _latest_first(nodes)
    while pending or rest:
        node, depth = pending.pop() if pending else (rest.pop(), 0)
        if node.span.span_id in seen:
            continue
        seen.add(node.span.span_id)
        ordered.append((node, depth))
        pending += [(child, depth + 1) for child in _latest_first(children.get(node.span.span_id, []))]
    return ordered


def _latest_first(nodes: Iterable[_Node]) -> list[_Node]:
    return sorted(nodes, key=lambda node: (node.span.start_time_unix_nano, -node.span.end_time_unix_nano), reverse=True)


def _row(node: _Node, depth: int, *, start: int, total: int, colour: int) -> Row:
    span = node.span
    length = max(0, span.end_time_unix_nano - span.start_time_unix_nano)
    offset = span.start_time_unix_nano - start
    width = max(_MIN_WIDTH, 100 * length / total)
    return Row(
        span_id=span.span_id.hex(),
        name=span.name or "(no name)",
        hint=_address(span),
        service=node.service,
        colour=colour,
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower() if span.kind else "internal",
        depth=min(depth, _MAX_INDENT),
        left=min(100 * offset / total, 100 - width),
        width=width,
        offset=duration(offset),
        duration=duration(length),
        error=failed(span),
        message=span.status.message if failed(span) else "",
        attributes=_pairs(span.attributes),
        process=node.process,
        events=[_event(event, start) for event in span.events],
        links=list(dict.fromkeys(link.trace_id.hex() for link in span.links)),
    )


def _address(span: Span) -> str:
    if span.kind != Span.SPAN_KIND_CLIENT:
        return ""
    urls = (text_of(item.value) for item in span.attributes if item.key in _URL_KEYS)
    return next((url.partition("?")[0] for url in urls), "").removeprefix("http://").removeprefix("https://")


def _event(event: Span.Event, start: int) -> EventView:
    at = max(0, event.time_unix_nano - start)
    return EventView(name=event.name, at=duration(at), attributes=_pairs(event.attributes))


def _pairs(attributes: Iterable[KeyValue]) -> list[tuple[str, str]]:
    pairs = sorted((item.key, text_of(item.value)) for item in attributes)
    return [pair for pair in pairs if not pair[0].startswith("telemetry.") and pair[0] != SERVICE_NAME]
