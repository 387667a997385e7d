"""Traces: one per goal, from the command that started it to the last HTTP call.

Loaded only where an OTLP endpoint is set, so that telemetry which is off costs not even the import.
"""

import threading
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, cast

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, Status
from opentelemetry.util.types import Attributes

from observability.lost import Room
from observability.names import SERVICE_NAMESPACE
from observability.redaction import redact

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from temporalio.client import Plugin

_log: Final = structlog.get_logger("banksman.telemetry")
_PATH: Final = "/v1/traces"
_ASGI_MESSAGE: Final = "asgi.event.type"
_EXPORT_SECONDS: Final = 5.0
_DELAY_MILLIS: Final = 1_000.0
_MAX_QUEUE: Final = 4_096
_MAX_BATCH: Final = 256


class BoundedSpans(BatchSpanProcessor):
    """Sends spans in batches, from a thread of its own. What ends while too many wait is lost and counted.

    Args:
        exporter: Takes them.
        room: How many may wait.
    """

    def __init__(self, exporter: SpanExporter, room: Room) -> None:
        super().__init__(
            _Leaving(exporter, room),
            # Never full: the room is smaller.
            max_queue_size=2 * room.most,
            max_export_batch_size=min(_MAX_BATCH, room.most),
            schedule_delay_millis=_DELAY_MILLIS,
        )
        self._room = room

    def on_end(self, span: ReadableSpan) -> None:
        """Take it, where there is room. No step waits here."""
        if span.context is not None and span.context.trace_flags.sampled and self._room.enter():
            super().on_end(span)


class _Leaving(SpanExporter):
    """Tells a room what has left it, and how."""

    def __init__(self, inner: SpanExporter, room: Room) -> None:
        self._inner, self._room = inner, room

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        taken = False
        try:
            result = self._inner.export(spans)
            taken = result is SpanExportResult.SUCCESS
            return result
        finally:
            self._room.leave(len(spans), taken=taken)

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)


class RedactingExporter(SpanExporter):
    """Passes spans on without their secrets; in the exporter's thread, so that no step waits for it."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export the redacted copies, without the spans of single ASGI messages, which tell nothing."""
        kept = [redacted(span) for span in spans if _ASGI_MESSAGE not in (span.attributes or {})]
        return self._inner.export(kept) if kept else SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """End the exporter behind."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the exporter behind."""
        return self._inner.force_flush(timeout_millis)


def redacted(span: ReadableSpan) -> ReadableSpan:
    """A copy of the span whose name, attributes, events, links and status text hold no secret."""
    return ReadableSpan(
        name=redact.text(span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_redacted(span.attributes),
        events=[Event(redact.text(e.name), _redacted(e.attributes), e.timestamp) for e in span.events],
        links=[Link(link.context, _redacted(link.attributes)) for link in span.links],
        kind=span.kind,
        status=Status(span.status.status_code, redact.text(span.status.description or "") or None),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _redacted(attributes: Attributes) -> Attributes:
    return cast("Mapping[str, str]", redact.value(dict(attributes or {})))


class Tracing:
    """This process's traces; there is one per process, as OpenTelemetry's provider is global.

    Args:
        service: The name in every span.
        endpoint: Base URL of an OTLP receiver.
        temporal: Whether this process works with Temporal, which takes a second of processor time to load.

    Attributes:
        plugins: For the Temporal client.
    """

    def __init__(self, service: str, endpoint: str, *, temporal: bool) -> None:
        exporter = OTLPSpanExporter(
            endpoint=traces_url(endpoint), timeout=_EXPORT_SECONDS, compression=Compression.Gzip
        )
        self.plugins: list[Plugin] = []
        if temporal:
            from observability import temporal_tracing  # noqa: PLC0415 - see above

            self._provider = temporal_tracing.provider(_resource(service))
            self.plugins.append(temporal_tracing.plugin())
        else:
            # Our own `shutdown` is bounded; the provider's handler at exit would wait for a collector that is away.
            self._provider = TracerProvider(resource=_resource(service), shutdown_on_exit=False)
        self._room = Room("spans", most=_MAX_QUEUE)
        self._provider.add_span_processor(BoundedSpans(RedactingExporter(exporter), self._room))
        trace.set_tracer_provider(self._provider)
        RequestsInstrumentor().instrument(tracer_provider=self._provider)

    def instrument_app(self, app: "Starlette") -> None:
        """Have the application continue its callers' traces."""
        from opentelemetry.instrumentation.starlette import StarletteInstrumentor  # noqa: PLC0415 - most have none

        StarletteInstrumentor.instrument_app(app, tracer_provider=self._provider)

    def shutdown(self, seconds: float) -> None:
        """Send what is left, within this many seconds; what a collector does not take by then is lost."""
        RequestsInstrumentor().uninstrument()
        # The provider's own time-outs are per step and add up; a daemon thread is left behind instead.
        last = threading.Thread(target=self._provider.shutdown, name="traces-shutdown", daemon=True)
        last.start()
        last.join(seconds)
        if lost := self._room.lost:
            _log.warning("spans are lost: no collector took them", count=lost)


def traces_url(endpoint: str) -> str:
    """The traces' URL of an OTLP base URL; one that is complete already is left as it is."""
    return endpoint if endpoint.rstrip("/").endswith(_PATH) else endpoint.rstrip("/") + _PATH


def _resource(service: str) -> Resource:
    return Resource.create(
        {"service.name": service, "service.namespace": SERVICE_NAMESPACE, "service.version": version("banksman")}
    )
