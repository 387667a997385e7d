"""The wait for people, in the trace of the goal: a span of its own, which leads to the clicks that were counted."""

from datetime import datetime
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from opentelemetry import trace
    from opentelemetry.trace import Link

    from observability.names import ATTR_ACTION, ATTR_OUTCOME, ATTR_RISK, SPAN_WAIT_FOR_PEOPLE

_NANOSECONDS: Final = 1_000_000_000


class WaitingSpan:
    """Of one approval. It is made when the wait is over, and once however often that is replayed.

    Args:
        since: When people could be asked.
    """

    def __init__(self, since: datetime) -> None:
        self._since = since
        self._clicks: list[Link] = []

    def click(self) -> None:
        """Remember the current span: of an update, in the trace of whoever sent it."""
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            self._clicks.append(Link(context))

    def end(self, *, action: str, risk: str, outcome: str) -> None:
        """Make the span, below the current one, up to now."""
        span = trace.get_tracer(__name__).start_span(
            SPAN_WAIT_FOR_PEOPLE,
            attributes={ATTR_ACTION: action, ATTR_RISK: risk, ATTR_OUTCOME: outcome},
            links=self._clicks,
            start_time=_nanoseconds(self._since),
        )
        span.end(end_time=_nanoseconds(workflow.now()))


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * _NANOSECONDS)
