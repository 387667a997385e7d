"""The trace in which something was counted: Prometheus keeps it with the number, and Grafana leads there.

A server gets exemplars where it asks for OpenMetrics, and keeps them where it is started with `exemplar-storage`.
"""

from opentelemetry import trace

from observability.names import LOG_TRACE_ID


def exemplar() -> dict[str, str] | None:
    """For `inc` and `observe` of prometheus-client; None outside of a trace, and where the trace is not kept."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid or not context.trace_flags.sampled:
        return None
    return {LOG_TRACE_ID: trace.format_trace_id(context.trace_id)}
