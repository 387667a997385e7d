"""The wait for people, in the trace of the goal: a span of its own, and one below it for each counted decision.

A decision is told where it was made and what it was, and leads to the click's own trace. Who decided is in the approval
and in the audit log; traces are for more eyes.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from opentelemetry import trace
    from opentelemetry.trace import Link

    from hitl.approval.decision import Decision
    from observability.names import (
        ATTR_ACTION,
        ATTR_OUTCOME,
        ATTR_RISK,
        ATTR_SURFACE,
        ATTR_VERDICT,
        SPAN_DECISION,
        SPAN_WAIT_FOR_PEOPLE,
    )

_NANOSECONDS: Final = 1_000_000_000


@dataclass(frozen=True)
class _Decided:
    """One decision that was counted.

    Attributes:
        since: When it was signed, by the gateway's clock.
        until: When it was counted, by Temporal's.
        click: To the trace that it came in; of somebody who sends none, nothing.
    """

    since: datetime
    until: datetime
    attributes: dict[str, str]
    click: tuple[Link, ...]


class WaitingSpan:
    """Of one approval. It is made when the wait is over, and once however often that is replayed.

    Args:
        since: When people could be asked.
    """

    def __init__(self, since: datetime) -> None:
        self._since = since
        self._decided: list[_Decided] = []

    def decided(self, decision: Decision) -> None:
        """Remember what was counted just now, and the current span: of an update, in the trace of whoever sent it."""
        context, now = trace.get_current_span().get_span_context(), workflow.now()
        attributes = {ATTR_SURFACE: decision.surface.value, ATTR_VERDICT: decision.verdict.value}
        # Two clocks: no span ends before it begins, and none begins before its parent.
        since = min(max(decision.decided_at, self._since), now)
        self._decided.append(_Decided(since, now, attributes, (Link(context),) if context.is_valid else ()))

    def end(self, *, action: str, risk: str, outcome: str) -> None:
        """Make the spans, below the current one, up to now."""
        tracer = trace.get_tracer(__name__)
        span = tracer.start_span(
            SPAN_WAIT_FOR_PEOPLE,
            attributes={ATTR_ACTION: action, ATTR_RISK: risk, ATTR_OUTCOME: outcome},
            links=[link for one in self._decided for link in one.click],
            start_time=_nanoseconds(self._since),
        )
        below = trace.set_span_in_context(span)
        for one in self._decided:
            tracer.start_span(
                SPAN_DECISION,
                context=below,
                attributes=one.attributes,
                links=one.click,
                start_time=_nanoseconds(one.since),
            ).end(end_time=_nanoseconds(one.until))
        span.end(end_time=_nanoseconds(workflow.now()))


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * _NANOSECONDS)
