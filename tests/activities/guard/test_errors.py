"""What Temporal is told about each error, and what never reaches a history."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from pydantic import BaseModel, ValidationError
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, DefaultPayloadConverter
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory, CancelledError

from activities.guard.error_types import (
    MAX_MESSAGE_BYTES,
    MAX_RETRY_AFTER,
    ErrorType,
    application_error,
    bounded,
    denial_of,
    error_catalogue,
    policy_denied,
)
from activities.guard.errors import error_type_of, mapped_errors
from connectors import errors
from hitl.protocol import Denial, RefusalReason

# Put together here, for a stack shows the source's lines and must not be what the search finds.
CANARY = "ghs_" + "canary"


def raised(exc: BaseException) -> BaseException:
    with pytest.raises(BaseException) as caught, mapped_errors():  # noqa: PT011 - whatever it becomes is looked at
        raise exc
    return caught.value


def mapped(exc: BaseException) -> ApplicationError:
    found = raised(exc)
    assert isinstance(found, ApplicationError)
    return found


def tree(root: type[errors.ConnectorError] = errors.ConnectorError) -> Iterator[type[errors.ConnectorError]]:
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from tree(child)


def history(exc: BaseException) -> str:
    """Everything that the server would keep of it."""
    failure = Failure()
    DefaultFailureConverter().to_failure(exc, DefaultPayloadConverter(), failure)
    return str(failure)


TABLE = [
    (errors.Unavailable, "Unavailable", True, False),
    (errors.Locked, "Unavailable", True, False),
    (errors.MalformedAnswer, "Unavailable", True, False),
    (errors.RateLimited, "RateLimited", True, False),
    (errors.AuthDenied, "AuthDenied", False, False),
    (errors.Forbidden, "AuthDenied", False, False),
    (errors.NotFound, "NotFound", False, False),
    (errors.InvalidRequest, "InvalidRequest", False, False),
    (errors.Conflict, "Conflict", False, False),
    (errors.OutcomeUnknown, "OutcomeUnknown", False, False),
    (errors.QuotaExhausted, "QuotaExhausted", False, True),
]


@pytest.mark.parametrize(("cls", "name", "retried", "benign"), TABLE)
def test_each_error_of_the_tree_has_its_row(
    cls: type[errors.ConnectorError], name: str, retried: bool, benign: bool
) -> None:
    error = mapped(cls("'acme/shop' did not answer; try later"))
    assert error.type == name
    assert error.message == "'acme/shop' did not answer; try later"
    assert error.non_retryable is not retried
    assert (error.category is ApplicationErrorCategory.BENIGN) is benign
    assert error.next_retry_delay is None
    assert error.__cause__ is not None


def test_no_error_of_the_tree_is_left_out() -> None:
    assert set(tree()) == {row[0] for row in TABLE}


def test_an_heir_is_mapped_as_its_nearest_ancestor() -> None:
    class VaultSealed(errors.Unavailable):
        pass

    assert mapped(VaultSealed("sealed")).type == "Unavailable"
    assert error_type_of(errors.ConnectorError("nobody raises the root")) is None


@pytest.mark.parametrize("asked", [timedelta(0), timedelta(seconds=-5), None])
def test_without_a_wait_the_preset_says_when_to_try_again(asked: timedelta | None) -> None:
    assert mapped(errors.RateLimited("slow down", retry_after=asked)).next_retry_delay is None


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        (timedelta(seconds=1), timedelta(seconds=1), timedelta(seconds=2)),
        (timedelta(seconds=30), timedelta(seconds=30), timedelta(seconds=36)),
        (timedelta.max, MAX_RETRY_AFTER, MAX_RETRY_AFTER),
    ],
)
def test_all_whom_a_provider_refused_wait_as_it_asks_and_come_back_apart(
    asked: timedelta, least: timedelta, most: timedelta
) -> None:
    delays = [mapped(errors.RateLimited("slow down", retry_after=asked)).next_retry_delay for _ in range(50)]
    waits = [one for one in delays if one is not None]
    assert len(waits) == 50
    assert all(least <= one <= most for one in waits)
    assert len(set(waits)) > 40 or least == most


def test_the_catalogue_is_the_whole_table_and_every_row_is_raised_by_it() -> None:
    rows = error_catalogue()
    assert [row.type for row in rows] == list(ErrorType)
    for row in rows:
        error = application_error(row.type, "x", retry_after=timedelta(seconds=1))
        assert (error.type, error.non_retryable) == (row.type.value, not row.retryable)
        assert (error.next_retry_delay is not None) is row.retryable
        assert row.retry.startswith("yes" if row.retryable else "no")
        assert row.comes_from
        assert row.goal_does


@pytest.mark.parametrize("text", ["x" * 5000, "€" * 5000, "\ud800" * 5000])
def test_a_long_message_is_cut_in_bytes_and_says_so(text: str) -> None:
    for error in (mapped(errors.NotFound(text)), raised(RuntimeError(text)), raised(ValueError(text))):
        message = error.message if isinstance(error, ApplicationError) else str(error)
        assert message.endswith("…")
        assert MAX_MESSAGE_BYTES - 4 <= len(message.encode()) <= MAX_MESSAGE_BYTES


def test_a_short_message_stays() -> None:
    assert bounded("a" * MAX_MESSAGE_BYTES) == "a" * MAX_MESSAGE_BYTES


def test_a_bug_passes_unchanged() -> None:
    bug = KeyError("colour")
    assert raised(bug) is bug
    assert bug.__cause__ is None


def test_a_long_bug_keeps_its_type() -> None:
    assert mapped(RuntimeError("x" * 5000)).type == "RuntimeError"


def test_cancellation_and_errors_meant_for_temporal_pass_unchanged() -> None:
    for exc in (CancelledError("stop"), ApplicationError("x", type="Conflict"), KeyboardInterrupt()):
        assert raised(exc) is exc


class _Account(BaseModel):
    number: int


def test_nothing_foreign_reaches_a_history_but_its_type_and_stack() -> None:
    def fetch() -> None:
        try:
            try:
                raise OSError(f"https://x-access-token:{CANARY}@github.test/ refused")  # noqa: TRY301 - a short chain, read best in one place
            except OSError as error:
                raise RuntimeError(f"{CANARY} in a header") from error
        except RuntimeError as error:
            raise errors.Unavailable("GitHub cannot be reached; it is tried again") from error

    with pytest.raises(ApplicationError) as caught, mapped_errors():
        fetch()
    kept = history(caught.value)
    assert CANARY not in kept
    for part in ("GitHub cannot be reached", '"Unavailable"', '"RuntimeError"', '"OSError"', "in fetch"):
        assert part in kept


def test_the_context_of_an_error_is_outlined_like_its_cause() -> None:
    def fetch() -> None:
        try:
            raise OSError(CANARY)  # noqa: TRY301 - a short chain, read best in one place
        except OSError:
            {}["colour"]

    with pytest.raises(KeyError) as caught, mapped_errors():
        fetch()
    kept = history(caught.value)
    assert CANARY not in kept
    assert "colour" in kept


def test_a_refused_value_is_not_quoted() -> None:
    with pytest.raises(ValidationError) as refused:
        _Account.model_validate({"number": CANARY})
    assert CANARY in str(refused.value)
    kept = history(mapped(refused.value))
    assert CANARY not in kept
    assert "number: Input should be a valid integer" in kept
    assert '"ValidationError"' in kept


def test_a_denial_is_read_from_its_error_and_from_no_other() -> None:
    denial = Denial(
        reason=RefusalReason.PHASE, action="github.merge", effect=None, environment="live", explanation="No."
    )
    error = policy_denied(denial)
    assert denial_of(error) == denial
    assert (error.type, error.non_retryable, error.message) == ("PolicyDenied", True, "No.")
    assert error.category is ApplicationErrorCategory.BENIGN
    assert denial_of(ApplicationError("No.", type="Conflict")) is None
    assert denial_of(None) is None
