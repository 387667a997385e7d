"""A clock that jumps under what is measured: a trace can still be drawn, and no number grows backwards."""

from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData
from prometheus_client import CollectorRegistry, Histogram

from observability.durations import seconds_between
from observability.traces.view import view

_SECOND = 1_000_000_000
_AT = 1_764_000_000 * _SECOND


def trace(*spans: tuple[int, int]) -> TracesData:
    """Spans by when each begins and ends, in seconds; the first is the parent of the others."""
    made = [
        Span(
            trace_id=b"t" * 16,
            span_id=bytes([number] * 8),
            parent_span_id=bytes([1] * 8) if number > 1 else b"",
            name=f"span {number}",
            start_time_unix_nano=_AT + begins * _SECOND,
            end_time_unix_nano=_AT + ends * _SECOND,
        )
        for number, (begins, ends) in enumerate(spans, start=1)
    ]
    return TracesData(resource_spans=[ResourceSpans(resource=Resource(), scope_spans=[ScopeSpans(spans=made)])])


@pytest.mark.parametrize(
    "spans",
    [
        [(0, 10), (5, -3600)],
        [(0, -86_400)],
        [(0, 10), (86_400, 86_401)],
        [(86_400, 0), (0, 86_400), (100, 50)],
    ],
)
def test_spans_that_end_before_they_begin_are_drawn_within_the_picture(spans: list[tuple[int, int]]) -> None:
    drawn = view("t", trace(*spans))
    assert len(drawn.rows) == len(spans)
    assert not drawn.duration.startswith("-")
    for row in drawn.rows:
        assert 0 <= row.left <= 100
        assert 0 < row.width <= 100
        assert row.left + row.width <= 100.001
        assert not row.duration.startswith("-")
        assert not row.offset.startswith("-")


def test_a_time_that_two_clocks_measured_is_never_less_than_nothing() -> None:
    now = datetime.now(UTC)
    assert seconds_between(now, now + timedelta(seconds=3)) == 3
    assert seconds_between(now, now - timedelta(days=2)) == 0
    histogram = Histogram("waited_seconds", "Waited.", registry=(registry := CollectorRegistry()))
    for ends in (now + timedelta(seconds=5), now - timedelta(days=2)):
        histogram.observe(seconds_between(now, ends))
    assert registry.get_sample_value("waited_seconds_sum") == 5, "a sum that shrinks is a restart to Prometheus"
