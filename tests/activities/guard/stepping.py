"""A destructive worker's guard over plans of many steps, with real signatures and keys, and a real policy file."""

import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Awaitable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.approvals.giving_up import GivingUp
from activities.approvals.giving_up_contracts import GIVE_UP_STEPS, GivenUp
from activities.guard.audit import AuditLog, AuditRecord
from activities.guard.current_attempt import Use, current_attempt
from activities.guard.error_types import denial_of
from activities.guard.grant_use import GrantRecords
from activities.guard.granted import GiveUpRequest, GrantedRequest
from activities.guard.grants import SignedGrants
from activities.guard.interceptor import GuardInterceptor
from activities.guard.key_ring import KeyRing
from activities.guard.policy_source import PolicySource
from activities.guard.safeguards import Safeguards
from activities.step import DESTRUCTIVE_EFFECTS, Step, implements
from activities.step_end import ApprovedAnswer, StepEnd, Way
from hitl.approval.decision import SignedDecision
from hitl.approval.sequence import SequencePlan, step_id_at
from hitl.protocol import Effect, RefusalReason
from tests.activities.guard.attempts import Waited
from tests.hitl.approval.granting import NOW
from tests.hitl.approval.granting_steps import BASE, BRANCH, POLICY, STEP_ID, StepsGateway

WORKFLOW, RUN = "delete-branch/acme/shop/old", "run-1"
"""Those that the signing hand signs for."""


class Done(ApprovedAnswer):
    """How it ended, as the step says it."""

    way: Way = "completed"

    def end(self) -> StepEnd:
        """As told."""
        return StepEnd(way=self.way)


class Killed(Exception):
    """The worker went away, with its answer."""


def declared(action: str) -> Step[GrantedRequest, Done]:
    return Step(name=action, request=GrantedRequest, response=Done, effect=Effect.DESTRUCTIVE)


class Destroyer:
    """Destructive steps that keep what they did, and read before they act again."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.uses: list[Use] = []
        self.ends: Way = "completed"
        self.dies: Literal["", "before", "after"] = ""
        """When its worker goes away: before the effect, or after it and before anybody hears of it."""

    @implements(declared(BRANCH))
    async def delete_branch(self, request: GrantedRequest) -> Done:
        return self._act(request)

    @implements(declared(BASE))
    async def delete_base(self, request: GrantedRequest) -> Done:
        return self._act(request)

    def _act(self, request: GrantedRequest) -> Done:
        name = str(request.approved().parameters["branch"])
        self.uses.append(use := current_attempt().use)
        if self.dies == "before":
            raise Killed
        if use is Use.FIRST or name not in self.done:
            self.done.append(name)
        if self.dies == "after":
            raise Killed
        return Done(way=self.ends)


class _Call(ActivityInboundInterceptor):
    def __init__(self) -> None: ...

    async def execute_activity(self, input: ExecuteActivityInput) -> object:  # noqa: A002 - the SDK's
        return await input.fn(*input.args)


class Steps:
    """One worker, and the hand that signs."""

    def __init__(self, folder: Path, records: GrantRecords, plan: SequencePlan | None = None) -> None:
        hand = folder / "gateway"  # which reads a copy of its own
        hand.mkdir(exist_ok=True)
        self.gateway = StepsGateway(hand, plan)
        self.path = folder / "policy.yaml"
        self.path.write_text(POLICY)
        self.log = folder / "audit.jsonl"
        self.audit = AuditLog(self.log)
        self.now = NOW
        self.keys = KeyRing(self._published, clock=lambda: 0.0)
        self.destroyer = Destroyer()
        self.records = records
        self.waited = Waited()
        grants = SignedGrants(self.keys, cluster="cluster-1", clock=lambda: self.now)
        self.guard = GuardInterceptor(
            PolicySource(self.path, environment="live"),
            self.audit,
            role="destructive",
            effects=DESTRUCTIVE_EFFECTS,
            safeguards=Safeguards(grants=grants, records=records, attempts=self.waited),
        )
        self._began = datetime.now(UTC)
        self._executions = 0

    async def _published(self) -> Mapping[int, bytes]:
        return {version: key.public_bytes(Encoding.Raw, PublicFormat.Raw) for version, key in self.gateway.keys.items()}

    @classmethod
    @contextlib.asynccontextmanager
    async def at_work(
        cls, folder: Path, records: GrantRecords, plan: SequencePlan | None = None
    ) -> AsyncGenerator["Steps"]:
        made = cls(folder, records, plan)
        await made.keys.refresh()
        try:
            yield made
        finally:
            made.audit.close()

    def grant(self, *people: str, **changes: object) -> tuple[SignedDecision, ...]:
        return tuple(self.gateway.approved(*people, **changes))

    def request(self, position: int | None, grant: tuple[SignedDecision, ...]) -> GrantedRequest:
        return GrantedRequest(plan=self.gateway.plan.text(), decisions=grant, position=position)

    def execution(self, position: int = 1) -> dict[str, object]:
        """A new execution of a step, as its goal would schedule it; the same for all its attempts."""
        self._executions += 1
        action = self.gateway.plan.at(position).action if position <= len(self.gateway.plan.steps) else BRANCH
        scheduled = self._began + timedelta(microseconds=self._executions)
        return {
            "activity_type": action,
            "activity_id": step_id_at(STEP_ID, position),
            "scheduled_time": scheduled,
        }

    async def run(self, request: GrantedRequest, **info: object) -> Done:
        """One attempt at the step that the request names, or at what `info` says."""
        given = self.execution(request.position or 1) | info
        method = {BRANCH: self.destroyer.delete_branch, BASE: self.destroyer.delete_base}[str(given["activity_type"])]
        answer = await self._execute(method, request, given)
        assert isinstance(answer, Done)
        return answer

    async def _execute(self, fn: Any, request: object, info: dict[str, object]) -> object:
        environment = ActivityEnvironment()
        given: dict[str, object] = {
            "namespace": "default",
            "workflow_id": WORKFLOW,
            "workflow_run_id": RUN,
            "started_time": datetime.now(UTC),
            "start_to_close_timeout": timedelta(minutes=10),
        }
        environment.info = dataclasses.replace(environment.info, **(given | info))  # pyright: ignore[reportArgumentType] - any field
        call = ExecuteActivityInput(fn=fn, args=(request,), executor=None, headers={})
        inbound = self.guard.intercept_activity(_Call())
        return await environment.run(inbound.execute_activity, call)

    async def refused(self, request: GrantedRequest, **info: object) -> RefusalReason:
        """That nothing was done, and why."""
        before = list(self.destroyer.done)
        reason = await self.reason(self.run(request, **info))
        assert self.destroyer.done == before
        return reason

    async def reason(self, running: Awaitable[object]) -> RefusalReason:
        with pytest.raises(ApplicationError) as caught:
            await running
        denial = denial_of(caught.value)
        assert denial is not None, caught.value
        assert caught.value.non_retryable
        return denial.reason

    async def give_up(self, grant: tuple[SignedDecision, ...], **info: object) -> GivenUp:
        request = GiveUpRequest(plan=self.gateway.plan.text(), decisions=grant, why="a test gives up")
        given: dict[str, object] = {
            "activity_type": GIVE_UP_STEPS.name,
            "activity_id": f"{STEP_ID}/given-up",
            "scheduled_time": self._began,
        }
        answer = await self._execute(GivingUp(self.records).give_up_steps, request, given | info)
        assert isinstance(answer, GivenUp)
        return answer

    def events(self) -> list[AuditRecord]:
        return [AuditRecord.model_validate_json(line) for line in self.log.read_text().splitlines()]
