"""Workflows that say what they are told, begin what they are told, and end or wait: of any type's name."""

from collections.abc import Sequence
from typing import Final

from temporalio import workflow
from temporalio.common import RawValue, SearchAttributePair, TypedSearchAttributes

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel

    from workflows.contracts import REPOSITORY_ATTRIBUTE, REQUESTER_ATTRIBUTE

QUEUE: Final = "pretended-to-be-forgotten"


class Told(BaseModel):
    """What one of them is told.

    Attributes:
        type: Of the workflow.
        id: Of the workflow.
        says: Stands in its history, and nowhere else.
        waits: Whether it runs until it is ended.
        begins: Its children; it waits for each, but for those that wait themselves.
    """

    type: str
    id: str
    repository: str | None = None
    requester: str | None = None
    says: str = ""
    waits: bool = False
    begins: "tuple[Told, ...]" = ()

    def found_by(self) -> TypedSearchAttributes:
        """Its search attributes."""
        said = {REPOSITORY_ATTRIBUTE: self.repository, REQUESTER_ATTRIBUTE: self.requester}
        return TypedSearchAttributes([SearchAttributePair(key, value) for key, value in said.items() if value])


@workflow.defn(dynamic=True)
class PretendedWorkflow:
    """It."""

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> str:
        told: Told = workflow.payload_converter().from_payload(args[0].payload, Told)
        for one in told.begins:
            child = await workflow.start_child_workflow(
                one.type,
                one,
                id=one.id,
                search_attributes=one.found_by(),
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            )
            if not one.waits:
                await child
        if told.waits:
            await workflow.wait_condition(lambda: False)
        return told.says
