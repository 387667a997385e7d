"""A goal of somebody's own making: whoever reaches Temporal can run any code under the name of one of ours."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.contracts import STATE_ATTRIBUTE


@workflow.defn(name="ReadFile")
class PretendedGoal:
    """Says of itself what it is told."""

    @workflow.run
    async def run(self, word: str) -> None:
        """End so."""
        workflow.upsert_search_attributes([STATE_ATTRIBUTE.value_set(word)])
