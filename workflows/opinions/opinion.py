"""One opinion of one person: it has the gateway verify and keep it, and ends. Another one is another run."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.execute import execute
    from workflows.opinions.contracts import KEEP_OPINION, OPINION_WORKFLOW, GivenOpinion, KeepOpinion, KeptOpinion


@workflow.defn(name=OPINION_WORKFLOW)
class OpinionWorkflow:
    """Its input is the opinion's own text: the gateway reads it where it was started, and takes nothing from here."""

    @workflow.run
    async def run(self, given: GivenOpinion) -> KeptOpinion:
        """The opinion, once it is kept.

        Raises:
            ActivityError: Nobody vouches for who says it, or it is of no goal.
        """
        del given
        return await execute(KEEP_OPINION, KeepOpinion(), summary="Keep opinion")
