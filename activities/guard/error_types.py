"""The closed table of errors a step can end with. `ApplicationError.type` is API: goals branch on it alone.

Light enough for workflow code: no connector, no telemetry, nothing that reads or waits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from hitl.protocol import Denial, RefusalReason
from observability.redaction import redact

MAX_MESSAGE_BYTES: Final = 2048
"""The longest message that goes into a workflow's history, in UTF-8 bytes."""

MAX_RETRY_AFTER: Final = timedelta(days=1)
"""A provider that asks for more is asked again after a day; the step's own timeout usually ends it before."""


class ErrorType(StrEnum):
    """Every `type` of an `ApplicationError` that a step raises on purpose."""

    UNAVAILABLE = "Unavailable"
    RATE_LIMITED = "RateLimited"
    AUTH_DENIED = "AuthDenied"
    NOT_FOUND = "NotFound"
    INVALID_REQUEST = "InvalidRequest"
    CONFLICT = "Conflict"
    OUTCOME_UNKNOWN = "OutcomeUnknown"
    QUOTA_EXHAUSTED = "QuotaExhausted"
    POLICY_DENIED = "PolicyDenied"
    SANDBOX_UNAVAILABLE = "SandboxUnavailable"


@dataclass(frozen=True, kw_only=True)
class ErrorRow:
    """One row of the table.

    Attributes:
        type: The error's name.
        comes_from: What happened.
        retryable: Whether Temporal tries the step again.
        retry: The same in words, for the documentation.
        goal_does: What a goal does with it.
        benign: An ordinary end, not a fault: it is neither logged nor counted as one by Temporal's worker.
    """

    type: ErrorType
    comes_from: str
    retryable: bool
    retry: str
    goal_does: str
    benign: bool = False


_ROWS: Final = (
    ErrorRow(
        type=ErrorType.UNAVAILABLE,
        comes_from="network, 5xx, a time-out on a read, a policy file that cannot be read",
        retryable=True,
        retry="yes, by the step's preset",
        goal_does="nothing; when the preset is exhausted it parks",
    ),
    ErrorRow(
        type=ErrorType.RATE_LIMITED,
        comes_from="429 and secondary limits",
        retryable=True,
        retry="yes, after the provider's `Retry-After`",
        goal_does="nothing",
    ),
    ErrorRow(
        type=ErrorType.AUTH_DENIED,
        comes_from="401, 403",
        retryable=False,
        retry="no",
        goal_does="explains, then stops or asks",
    ),
    ErrorRow(
        type=ErrorType.NOT_FOUND,
        comes_from="404",
        retryable=False,
        retry="no",
        goal_does="explains, then stops or asks",
    ),
    ErrorRow(
        type=ErrorType.INVALID_REQUEST,
        comes_from="400, 422",
        retryable=False,
        retry="no",
        goal_does="explains, then stops or asks",
    ),
    ErrorRow(
        type=ErrorType.CONFLICT,
        comes_from="409, 412, a stale head or digest",
        retryable=False,
        retry="no",
        goal_does="plans again; an approval of the old plan is void",
    ),
    ErrorRow(
        type=ErrorType.OUTCOME_UNKNOWN,
        comes_from="a change that was sent and whose answer was lost",
        retryable=False,
        retry="no",
        goal_does="reads what happened, then decides",
    ),
    ErrorRow(
        type=ErrorType.QUOTA_EXHAUSTED,
        comes_from="credits or budget used up",
        retryable=False,
        retry="no",
        goal_does="stops and tells a person",
        benign=True,
    ),
    ErrorRow(
        type=ErrorType.POLICY_DENIED,
        comes_from="the guard: phase, policy or grant",
        retryable=False,
        retry="no",
        goal_does="ends as *denied*: a result, not a failure",
        benign=True,
    ),
    ErrorRow(
        type=ErrorType.SANDBOX_UNAVAILABLE,
        comes_from="the sandbox's provider, not the command in it",
        retryable=True,
        retry="yes, three times",
        goal_does="takes a fresh sandbox",
    ),
)

_BY_TYPE: Final[Mapping[ErrorType, ErrorRow]] = MappingProxyType({row.type: row for row in _ROWS})


def error_catalogue() -> list[ErrorRow]:
    """The whole table in the order it is documented in."""
    return list(_ROWS)


def error_row(error: ErrorType) -> ErrorRow:
    """The row of one error."""
    return _BY_TYPE[error]


def bounded(message: str) -> str:
    """The message as a history may hold it: without secrets, and cut with an ellipsis."""
    encoded = redact.text(message).encode("utf-8", errors="replace")
    if len(encoded) <= MAX_MESSAGE_BYTES:
        return encoded.decode()
    return encoded[: MAX_MESSAGE_BYTES - len("…".encode())].decode(errors="ignore") + "…"


def application_error(
    error: ErrorType, message: str, *, details: tuple[object, ...] = (), retry_after: timedelta | None = None
) -> ApplicationError:
    """The one way an `ApplicationError` of the table is made: whether it is retried follows from its row.

    Args:
        error: Which row.
        message: What happened to which thing, and what to do next; redacted, and cut to 2 kB.
        details: What a goal may read from it, as plain JSON values.
        retry_after: How long to wait before the next attempt; None leaves it to the step's preset.
    """
    row = error_row(error)
    delay = min(retry_after, MAX_RETRY_AFTER) if retry_after is not None and retry_after > timedelta() else None
    return ApplicationError(
        bounded(message),
        *details,
        type=row.type.value,
        non_retryable=not row.retryable,
        next_retry_delay=delay if row.retryable else None,
        category=ApplicationErrorCategory.BENIGN if row.benign else ApplicationErrorCategory.UNSPECIFIED,
    )


def policy_denied(denial: Denial) -> ApplicationError:
    """`PolicyDenied` that carries the refusal, for `denial_of` to read.

    An attempt that nobody waits for is `Unavailable` instead: where somebody does after all, another is to be made.
    """
    kind = ErrorType.UNAVAILABLE if denial.reason is RefusalReason.NOT_CURRENT else ErrorType.POLICY_DENIED
    return application_error(kind, denial.explanation, details=(denial.model_dump(mode="json"),))


def denial_of(error: BaseException | None) -> Denial | None:
    """The refusal that a step ended with, from the `cause` of its `ActivityError`; None for every other error."""
    if not isinstance(error, ApplicationError) or error.type != ErrorType.POLICY_DENIED or not error.details:
        return None
    return Denial.model_validate(error.details[0])
