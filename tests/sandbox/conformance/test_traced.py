"""A container stands in its goal's trace, and what runs in it can go on with that; nothing else goes in."""

import pytest
from opentelemetry import baggage, trace
from opentelemetry.context import attach, detach
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from sandbox.errors import SandboxError
from tests.sandbox.running import Run

pytestmark = pytest.mark.docker

TOLD = ("sh", "-c", "env | grep -i -e ^trace -e ^baggage; exit 3")


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return exporter


async def test_the_command_finds_the_span_of_its_container(run: Run, spans: InMemorySpanExporter) -> None:
    token = attach(baggage.set_baggage("person", "CANARY"))
    try:
        with trace.get_tracer("t").start_as_current_span("a step") as step:
            result = await run(*TOLD)
    finally:
        detach(token)
    [span] = [one for one in spans.get_finished_spans() if one.name == "sandbox run"]
    assert span.parent == step.get_span_context()
    context = span.get_span_context()
    assert context is not None
    assert (
        result.stdout.text.strip()
        == f"TRACEPARENT=00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    )
    assert dict(span.attributes or {})["banksman.sandbox.ended"] == "exit"
    assert span.status.status_code is StatusCode.UNSET, "a command that fails is a result"
    assert "exit 3" not in str(span.to_json()), "what a command is called is not in the trace"


async def test_where_nobody_traces_there_is_nothing_to_go_on_with(run: Run) -> None:
    assert (await run(*TOLD)).stdout.text == ""


async def test_a_sandbox_that_fails_is_an_error_of_the_span(run: Run, spans: InMemorySpanExporter) -> None:
    with pytest.raises(SandboxError):
        await run("true", purpose="no-such-purpose")
    [span] = spans.get_finished_spans()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "SpecRefused")
    assert dict(span.attributes or {})["banksman.sandbox.purpose"] == "no-such-purpose"
