"""A workflow of somebody's own under the name of the one that keeps opinions: it says that all was verified."""

from datetime import UTC, datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.opinions.contracts import GivenOpinion, KeptOpinion


@workflow.defn(name="Opinion")
class PretendedOpinion:
    """Asks no step."""

    @workflow.run
    async def run(self, given: GivenOpinion) -> KeptOpinion:
        """Alice's, it says."""
        return KeptOpinion(
            goal=given.goal,
            goal_run=given.goal_run,
            person="alice",
            verdict=given.verdict,
            surface="slack",
            said_at=datetime(2026, 11, 29, tzinfo=UTC),
        )
