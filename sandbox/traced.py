"""A container in the trace of its goal: one span for each, whose id the command inside can go on with."""

import contextlib
from collections.abc import Generator

from opentelemetry import propagate, trace
from opentelemetry.trace import Span, StatusCode

from observability.names import (
    ATTR_SANDBOX_ENDED,
    ATTR_SANDBOX_IMAGE,
    ATTR_SANDBOX_PURPOSE,
    ATTR_SANDBOX_WARM,
    SPAN_SANDBOX_RUN,
)
from sandbox.result import RunResult
from sandbox.spec import RunSpec

_CARRIED = ("traceparent", "tracestate")


@contextlib.contextmanager
def traced(spec: RunSpec) -> Generator[Span]:
    """The span of one container, which ends with the block; what the command is called and prints is not in it."""
    with trace.get_tracer(__name__).start_as_current_span(
        SPAN_SANDBOX_RUN,
        attributes={ATTR_SANDBOX_IMAGE: spec.image, ATTR_SANDBOX_PURPOSE: spec.purpose or "none"},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_status(StatusCode.ERROR, type(error).__name__)
            raise


def show(span: Span, result: RunResult) -> None:
    """Put on a span how its container ended. A command that fails is a result, and no error of the run."""
    span.set_attribute(ATTR_SANDBOX_ENDED, result.ended)
    span.set_attribute(ATTR_SANDBOX_WARM, result.usage.warm)


def inside() -> dict[str, str]:
    """The current trace, as a command finds it in its environment: `TRACEPARENT`, by the W3C's names in capitals.

    Nothing else of the context goes in: baggage is of this side alone.
    """
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return {name.upper(): carrier[name] for name in _CARRIED if name in carrier}
