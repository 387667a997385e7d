"""What is seen of each call to a provider: a span and metrics, neither of which holds a value of its path or query."""

import contextlib
import time
from collections.abc import Generator
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode

from connectors.errors import ConnectorError
from connectors.http.operation import Operation
from connectors.metrics import REQUESTS, SECONDS
from observability.exemplars import exemplar
from observability.names import ATTR_HTTP_METHOD, ATTR_PROVIDER, ATTR_URL_TEMPLATE


@contextlib.contextmanager
def observed(provider: str, operation: Operation[Any]) -> Generator[Span]:
    """The span of one call, which ends with the block; its outcome is counted by the kind of its error.

    Args:
        provider: Who is asked.
        operation: For what.
    """
    outcome, began = "cancelled", time.monotonic()
    with trace.get_tracer(__name__).start_as_current_span(
        f"{provider} {operation.name}",
        kind=SpanKind.CLIENT,
        attributes={
            ATTR_PROVIDER: provider,
            ATTR_HTTP_METHOD: operation.method,
            ATTR_URL_TEMPLATE: operation.path,
        },
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
            outcome = "ok"
        except ConnectorError as error:
            outcome = type(error).__name__
            span.set_status(StatusCode.ERROR, outcome)
            raise
        finally:
            REQUESTS.labels(provider=provider, outcome=outcome).inc(exemplar=exemplar())
            SECONDS.labels(provider=provider).observe(time.monotonic() - began, exemplar())
