"""A goal of many steps between the real pieces: Temporal, OpenBao with its ledger, Slack's twin, the gateway."""

import secrets
from typing import Any

from temporalio.client import WorkflowHandle

from activities.guard.audit import AuditRecord
from hitl.protocol import Effect, RefusalReason
from tests.connectors.slack.workspace import Json
from tests.hitl.gateway.running import Place
from tests.workflows.approval.approving_steps import StepsHouse, TakeDownInput, TakeDownResult, Wrecker
from workers.gateway import Gateway
from workflows.goal_type import GoalType

GOAL = GoalType(
    name="TestTakeDown",
    input=TakeDownInput,
    result=TakeDownResult,
    effect=Effect.DESTRUCTIVE,
    example=TakeDownInput(),
)
Goal = WorkflowHandle[Any, TakeDownResult]


class Steps(Place):
    """A place with a goal of many steps."""

    @property
    def wrecker(self) -> Wrecker:
        """What carries the steps out."""
        assert isinstance(self.house, StepsHouse)
        return self.house.wrecker

    async def take_down(self, gateway: Gateway, **changes: object) -> tuple[Goal, str, Json]:
        request = TakeDownInput.model_validate({"name": f"f-{secrets.token_hex(4)}"} | changes)
        started = await gateway.starts.start(GOAL, request, identity="slack:U0ERIN", asked_as="")
        goal: Goal = self.client.get_workflow_handle(
            started.workflow_id, run_id=started.run_id, result_type=TakeDownResult
        )
        approval = await self.house.approval_of(goal)
        return goal, approval, await self.message(approval)

    async def approve(self, message: Json, *people: str) -> None:
        for person in people or ("bob", "carol"):
            assert (await self.click(person, message))["acknowledged"]

    def refusals(self) -> list[RefusalReason]:
        log = (self.house.folder / "audit.jsonl").read_text().splitlines()
        return [one.reason for one in map(AuditRecord.model_validate_json, log) if one.reason is not None]


def named(goal: Goal, *steps: str) -> list[str]:
    return [f"{goal.id.partition('/')[2]}-{one}" for one in steps]
