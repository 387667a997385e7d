"""What answers when nobody knows the goal: without it, a misspelt type would wait in its queue for ever."""

from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType, application_error


@workflow.defn(dynamic=True)
class UnknownGoalWorkflow:
    """Ends every workflow of a type that this worker does not have, with one line that says so."""

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> None:
        """Fail at once.

        Raises:
            ApplicationError: Always; `NotFound`.
        """
        del args
        raise application_error(
            ErrorType.NOT_FOUND,
            f"there is no goal {workflow.info().workflow_type!r}; `banksman goals` lists those there are",
        )
