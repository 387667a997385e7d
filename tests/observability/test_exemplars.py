"""A number leads to the trace in which it was counted; without a trace there is nothing to lead to."""

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.openmetrics.exposition import generate_latest

from observability.exemplars import exemplar


def exposed(registry: CollectorRegistry) -> str:
    return generate_latest(registry).decode()


def test_what_is_counted_in_a_trace_names_it() -> None:
    registry = CollectorRegistry()
    counted = Counter("clicks", "Clicks.", registry=registry)
    took = Histogram("took_seconds", "Time.", registry=registry)
    with TracerProvider().get_tracer("t").start_as_current_span("a step") as span:
        counted.inc(exemplar=exemplar())
        took.observe(0.1, exemplar())
    trace_id = f"{span.get_span_context().trace_id:032x}"
    assert exposed(registry).count(f'# {{trace_id="{trace_id}"}}') == 2


def test_outside_of_a_trace_and_in_one_that_nobody_keeps_there_is_none() -> None:
    assert exemplar() is None
    with TracerProvider(sampler=ALWAYS_OFF).get_tracer("t").start_as_current_span("a step"):
        assert exemplar() is None
    registry = CollectorRegistry()
    Counter("clicks", "Clicks.", registry=registry).inc(exemplar=exemplar())
    assert "trace_id" not in exposed(registry)
