"""One delivery of GitHub's: it is worked off once, however often it is sent, and its end says what was done with it.

Not a goal: nobody asks for it. What a goal may begin with is decided by the gateway, which reads this workflow's start
from the server and takes nothing from here.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from hitl.github.events import InstallationEvent, InstallationRepositoriesEvent
    from workflows.github.contracts import DELIVERY_WORKFLOW, DeliveryResult, Done, ReceivedDelivery
    from workflows.github.deciding import decide_on
    from workflows.github.following import why_nothing_follows
    from workflows.github.keeping import keep_installation


@workflow.defn(name=DELIVERY_WORKFLOW)
class GitHubDeliveryWorkflow:
    """Its id is the delivery's; one that has ended is not begun again."""

    @workflow.run
    async def run(self, received: ReceivedDelivery) -> DeliveryResult:
        """What was done."""
        if isinstance(received.event, InstallationEvent | InstallationRepositoriesEvent):
            return await keep_installation()
        if why := why_nothing_follows(received.event):
            return DeliveryResult(done=Done.IGNORED, why=why)
        return await decide_on(received.event)
