"""A step's creation of what costs: marked by the goal, looked for first, and for longer from the second attempt on."""

from typing import TypeVar

from temporalio import activity

from connectors.creation import Created, Creation, create_once, mark

Resource = TypeVar("Resource")


async def created_for_step(creation: Creation[Resource], part: str = "") -> Created[Resource]:
    """See that the goal of the step that runs now has exactly one such resource.

    Args:
        creation: How one is found and made.
        part: Which of them, where the goal has several of one kind.

    Raises:
        ConnectorError: As `create_once`.
    """
    info = activity.info()
    return await create_once(creation, mark(info.workflow_id or "", part), again=info.attempt > 1)
