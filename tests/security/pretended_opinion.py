"""Workflows of somebody's own beside the one that keeps opinions."""

from datetime import UTC, datetime
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.execute import execute
    from workflows.opinions.contracts import KEEP_OPINION, GivenOpinion, KeepOpinion, KeptOpinion

BORROWED: Final = "BorrowedOpinion"


@workflow.defn(name="Opinion")
class PretendedOpinion:
    """Asks no step, and says that all was verified."""

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


@workflow.defn(name=BORROWED)
class BorrowedOpinion:
    """Has the gateway's step keep what it was started with, under a name of its own."""

    @workflow.run
    async def run(self, given: GivenOpinion) -> KeptOpinion:
        """As the real one does."""
        del given
        return await execute(KEEP_OPINION, KeepOpinion(), summary="Keep opinion")
