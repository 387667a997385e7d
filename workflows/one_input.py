"""Workflows that are started with exactly one input."""

from typing import Self

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType, application_error


class OneInput:
    """A workflow that is started with one input. For those that take it in `@workflow.init`, before any interceptor."""

    def __new__(cls, *inputs: object) -> Self:
        """Refuse a start with no input or with several.

        Raises:
            ApplicationError: `InvalidRequest`, which ends the workflow with one line.
        """
        if len(inputs) != 1:
            raise application_error(
                ErrorType.INVALID_REQUEST,
                f"{workflow.info().workflow_type} takes exactly one input, and got {len(inputs)}. "
                "`banksman goals` shows an example.",
            )
        return super().__new__(cls)
