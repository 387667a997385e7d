"""What reaches a workflow is looked at before its code runs: everybody who can talk to Temporal can send anything.

By default an input too many or too few raises where a handler is called, which fails the *workflow task*: Temporal
tries it again for ever, and neither a timer nor a cancellation gets through. Here such a signal is dropped with a
warning, as the SDK drops one that does not decode; an update and a query are refused; a start ends at once.
What an input must look like is the converter's business, and how many there are this module's.
"""

import inspect
from collections.abc import Sequence
from typing import Final, cast

from pydantic import TypeAdapter, ValidationError
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.worker import (
    ExecuteWorkflowInput,
    HandleQueryInput,
    HandleSignalInput,
    HandleUpdateInput,
    WorkflowInboundInterceptor,
)

from activities.guard.error_types import ErrorType, application_error

_TRACE: Final = "_tracer-data"
_CARRIER: Final = TypeAdapter(dict[str, str])


class RightInputs(WorkflowInboundInterceptor):
    """Lets nothing through to a workflow that its handlers do not take. The outermost interceptor."""

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> object:  # noqa: A002 - the SDK's
        """Called once per run.

        Raises:
            ApplicationError: `InvalidRequest`, which ends the workflow with one line.
        """
        _without_unreadable(input)
        # Unbound: the workflow itself is its first parameter.
        if why := _wrong(input.run_fn, (None, *input.args)):
            raise application_error(ErrorType.INVALID_REQUEST, f"{workflow.info().workflow_type} {why}")
        return await super().execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:  # noqa: A002 - the SDK's
        """Called per signal; a wrong one is as if it had not been sent."""
        _without_unreadable(input)
        handler = cast("object", workflow.get_signal_handler(input.signal))
        if why := _wrong(_telling(handler, input.signal), input.args):
            workflow.logger.warning("a signal was dropped: %r %s", input.signal, why)
            return
        await super().handle_signal(input)

    def handle_update_validator(self, input: HandleUpdateInput) -> None:  # noqa: A002 - the SDK's
        """Called per update, where it has a validator.

        Raises:
            ApplicationError: `InvalidRequest`.
        """
        _without_unreadable(input)
        _require(cast("object", workflow.get_update_handler(input.update)), input.update, input.args)
        super().handle_update_validator(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> object:  # noqa: A002 - the SDK's
        """Called per update.

        Raises:
            ApplicationError: `InvalidRequest`.
        """
        _without_unreadable(input)
        _require(cast("object", workflow.get_update_handler(input.update)), input.update, input.args)
        return await super().handle_update_handler(input)

    async def handle_query(self, input: HandleQueryInput) -> object:  # noqa: A002 - the SDK's
        """Called per query.

        Raises:
            ApplicationError: `InvalidRequest`.
        """
        _without_unreadable(input)
        _require(cast("object", workflow.get_query_handler(input.query)), input.query, input.args)
        return await super().handle_query(input)


def _require(handler: object, name: str, given: Sequence[object]) -> None:
    if why := _wrong(_telling(handler, name), given):
        raise application_error(ErrorType.INVALID_REQUEST, f"{name!r} {why}")


def _telling(handler: object, name: str) -> object:
    """What tells which inputs a handler takes: the SDK binds one that awaits to a function that takes anything."""
    method: object = getattr(workflow.instance(), name, None)
    return method if callable(handler) and inspect.ismethod(method) else handler


def _wrong(handler: object, given: Sequence[object]) -> str | None:
    """Why this handler cannot be called so. None for the SDK's own and for dynamic ones, which take what comes."""
    if not callable(handler):
        return None
    takes = inspect.signature(handler)
    try:
        takes.bind(*given)
    except TypeError:
        return f"takes {len(takes.parameters)} inputs, and got {len(given)}"
    return None


def _without_unreadable(
    input: ExecuteWorkflowInput | HandleSignalInput | HandleUpdateInput | HandleQueryInput,  # noqa: A002 - the SDK's
) -> None:
    """Take out a trace that cannot be read: the interceptor of tracing would raise, before any handler is asked."""
    if _TRACE in input.headers and not _is_trace(input.headers[_TRACE]):
        input.headers = {name: value for name, value in input.headers.items() if name != _TRACE}


def _is_trace(header: Payload) -> bool:
    try:
        _CARRIER.validate_json(header.data)
    except ValidationError:
        return False
    return header.metadata.get("encoding") == b"json/plain"
