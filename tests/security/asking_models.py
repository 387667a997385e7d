"""A workflow that asks a language model once."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.models.contracts import REQUEST, ModelAnswered, RequestModel
    from workflows.execute import execute


@workflow.defn(name="AskOnce")
class AskOnce:
    """Asks, and answers what was answered."""

    @workflow.run
    async def run(self, wanted: RequestModel) -> ModelAnswered:
        """Ask."""
        return await execute(REQUEST, wanted, summary="ask a language model")
