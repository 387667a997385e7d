"""What attacks on approvals and those on their grants need: people who approve, and a grant to steal."""

from hitl.approval.decision import SignedDecision
from tests.workflows.approval.approving import ACTION, Ask, Asked, House

STEP = f"{ACTION}/1"


async def approve(house: House, approval: str, *people: str) -> None:
    for person in people or ("alice", "bob"):
        await house.decide(approval, person)


async def granted(house: House, *, branch: str = "old") -> tuple[str, list[SignedDecision]]:
    """A good grant for the step of a run that waits before it: the workflow, and what was stolen from it."""
    asking = await house.ask(Ask(request=house.request(branch), wait=True, step_ids=[STEP]))
    approval = await house.approval_of(asking)
    decisions = [house.sign(await house.decision(approval, person)) for person in ("alice", "bob")]
    for signed in decisions:
        await house.send(approval, signed)
    return asking.id, decisions


async def go(house: House, workflow_id: str) -> Asked:
    handle = house.client.get_workflow_handle(workflow_id, result_type=Asked)
    await handle.signal("go")
    return await handle.result()
