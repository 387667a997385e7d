"""How steps ended and how long they took, as the guard sees every one of them. Labels are closed sets."""

from typing import Final

from prometheus_client import Counter, Histogram

from activities.guard.audit import Outcome
from activities.guard.error_types import ErrorType
from activities.guard.rules import Execution
from activities.step_end import ApprovedAnswer
from observability import names
from observability.exemplars import exemplar

_OURS: Final = frozenset(ErrorType)
_SECONDS: Final = Histogram(
    names.METRIC_STEP_SECONDS,
    "How long attempts at steps took, without the guard.",
    ("effect", "outcome"),
    buckets=(0.01, 0.05, 0.25, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0),
)
_FAILURES: Final = Counter(
    names.METRIC_STEP_FAILURES,
    "Attempts that failed, by the table of errors; `other` is none of it, and a fault of ours.",
    ("action", "error"),
)
_ENDS: Final = Counter(
    names.METRIC_STEP_ENDS, "Approved steps that answered, by what they say of their end.", ("action", "end")
)


def count_attempt(execution: Execution, outcome: Outcome) -> None:
    """An attempt at an allowed step is over."""
    took = (outcome.duration_ms or 0.0) / 1000
    _SECONDS.labels(effect=execution.effect or "undeclared", outcome=outcome.event).observe(took, exemplar())
    if outcome.event == "failed":
        error = outcome.error if outcome.error in _OURS else None
        _FAILURES.labels(action=execution.action, error=error or "other").inc(exemplar=exemplar())


def count_answer(execution: Execution, answer: object) -> None:
    """A step answered: that it did what was approved, only its answer says."""
    if isinstance(answer, ApprovedAnswer):
        _ENDS.labels(action=execution.action, end=answer.end().way).inc(exemplar=exemplar())
