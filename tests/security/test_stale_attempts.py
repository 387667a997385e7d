"""A worker that goes on with a destructive step after nobody waits for it any more, on the real server."""

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetActivityRequest
from temporalio.client import WorkflowFailureError, WorkflowHandle

from activities.guard.audit import AuditRecord
from activities.guard.current_attempt import AttemptsOnServer, NotCurrent, Use, current_attempt
from activities.guard.error_types import ErrorType, application_error
from activities.guard.granted import GrantedRequest
from activities.guard.withheld import DestructiveSecrets
from activities.step import implements
from connectors.provider import Credential, Secret
from hitl.approval.plan import read_plan
from hitl.protocol import RefusalReason
from tests.activities.guard.attempts import Records
from tests.security.stealing import STEP, approve
from tests.workflows.approval.approving import REMOVE, BranchParameters, House, Removed, Remover, eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

End = Callable[[WorkflowHandle[Any, Any]], Awaitable[None]]
ENDS = pytest.mark.parametrize("end", [WorkflowHandle.cancel, WorkflowHandle.terminate], ids=["cancel", "terminate"])


class Gate:
    """Where a test holds a worker."""

    def __init__(self) -> None:
        self.reached, self.opened = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> None:
        self.reached.set()
        await self.opened.wait()


class Vault:
    """Makes tokens, and says how many it made."""

    def __init__(self) -> None:
        self.made: list[str] = []

    @asynccontextmanager
    async def step(self, action: str, *, metadata: Mapping[str, str], ttl: timedelta) -> AsyncGenerator["Vault"]:
        del metadata, ttl
        self.made.append(action)
        yield self

    async def read(self, path: str) -> Mapping[str, SecretStr]:
        return {"key": SecretStr(path)}

    def release_soon(self) -> object:
        return None


DELETES = Credential(
    name="test-delete", secret=Secret(path="test/key", holds="a key", destroys=True), purpose="removes a branch"
)


class CarefulRemover(Remover):
    """As a step of ours is: its credential, some work, the last look, the effect."""

    def __init__(self) -> None:
        super().__init__()
        self.vault = Vault()
        self.gate = Gate()
        self.infos: list[activity.Info] = []

    @implements(REMOVE)
    async def remove(self, request: GrantedRequest) -> Removed:
        self.infos.append(activity.info())
        secret = await DestructiveSecrets(self.vault).read(DELETES)
        await self.gate()
        await secret.last_look()
        branch = read_plan(request.plan).parameters_as(BranchParameters).branch
        self.removed.append(branch)
        return Removed(branch=branch)


@pytest.fixture
def careful(house: House) -> CarefulRemover:
    house.remover = remover = CarefulRemover()
    return remover


def records(house: House) -> list[AuditRecord]:
    return [AuditRecord.model_validate_json(line) for line in (house.folder / "audit.jsonl").read_text().splitlines()]


async def refused(house: House) -> None:
    async def written() -> bool:
        return any(one.reason is RefusalReason.NOT_CURRENT for one in records(house))

    await eventually(written)


async def over(goal: WorkflowHandle[Any, Any]) -> None:
    with pytest.raises(WorkflowFailureError):
        await goal.result()


@ENDS
async def test_a_goal_that_ended_before_the_effect_is_the_last_word(
    house: House, careful: CarefulRemover, end: End
) -> None:
    async with house.workers():
        goal = await house.start()
        await approve(house, await house.approval_of(goal))
        await careful.gate.reached.wait()
        await end(goal)
        await over(goal)
        careful.gate.opened.set()
        await refused(house)
    assert careful.vault.made == ["test-delete"]
    assert careful.removed == []
    assert records(house)[-1].event == "failed"


@ENDS
async def test_a_goal_that_ended_before_the_lease_gets_none(house: House, careful: CarefulRemover, end: End) -> None:
    """The worker sleeps while the guard looks; everything that it verified is still so."""
    gate = Gate()

    class Slow(Records):
        async def write_once(self, path: str, text: str) -> str:
            await gate()
            return await super().write_once(path, text)

    house.records = Slow()
    async with house.workers():
        goal = await house.start()
        await approve(house, await house.approval_of(goal))
        await gate.reached.wait()
        await end(goal)
        await over(goal)
        gate.opened.set()
        await refused(house)
    assert careful.vault.made == []
    assert careful.removed == []


async def test_while_somebody_waits_it_is_done(house: House, careful: CarefulRemover) -> None:
    careful.gate.opened.set()
    async with house.workers():
        goal = await house.start()
        await approve(house, await house.approval_of(goal))
        assert (await goal.result()).branch == "old"
    assert careful.removed == ["old"]


@pytest.mark.parametrize("wait", [False, True], ids=["another attempt", "another execution"])
async def test_what_is_not_the_very_attempt_that_is_waited_for_is_told(
    house: House, careful: CarefulRemover, *, wait: bool
) -> None:
    server = AttemptsOnServer(house.client)
    async with house.workers():
        goal = await house.start()
        await approve(house, await house.approval_of(goal))
        await careful.gate.reached.wait()
        [mine] = careful.infos
        await server.require(mine)
        changed = {"started_time": mine.started_time + timedelta(microseconds=1)} if wait else {"attempt": 2}
        with pytest.raises(NotCurrent, match="given up meanwhile"):
            await server.require(_replaced(mine, **changed))
        for one, why in (("activity_id", "does not wait for"), ("workflow_run_id", "there is no run")):
            other = STEP + "0" if one == "activity_id" else "01a22136-a23d-7570-98ba-4e39667027f0"
            with pytest.raises(NotCurrent, match=why):
                await server.require(_replaced(mine, **{one: other}))
        careful.gate.opened.set()
        await goal.result()
    with pytest.raises(NotCurrent, match="it is completed"):
        await server.require(mine)


class BrokenRemover(Remover):
    """It acts, and its answer is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.tries: list[tuple[int, Use]] = []

    @implements(REMOVE)
    async def remove(self, request: GrantedRequest) -> Removed:
        self.tries.append((activity.info().attempt, current_attempt().use))
        branch = read_plan(request.plan).parameters_as(BranchParameters).branch
        if len(self.tries) == 1:
            self.removed.append(branch)
            raise application_error(ErrorType.UNAVAILABLE, "no answer", retry_after=timedelta(minutes=1))
        return Removed(branch=branch)


async def test_a_step_that_somebody_resets_reads_what_it_did_before_it_acts_again(house: House) -> None:
    house.remover = remover = BrokenRemover()
    async with house.workers():
        goal = await house.start()
        await approve(house, await house.approval_of(goal))

        async def waits() -> bool:
            pending = (await goal.describe()).raw_description.pending_activities
            return any(one.activity_id == STEP and one.HasField("last_failure") for one in pending)

        await eventually(waits)
        run = WorkflowExecution(workflow_id=goal.id, run_id=goal.first_execution_run_id or "")
        await house.client.workflow_service.reset_activity(
            ResetActivityRequest(namespace=house.client.namespace, execution=run, id=STEP)
        )
        assert (await goal.result()).outcome == "completed"
    assert remover.tries == [(1, Use.FIRST), (1, Use.RETRY)]


def _replaced(info: activity.Info, **changes: object) -> activity.Info:
    return dataclasses.replace(info, **changes)  # pyright: ignore[reportArgumentType] - any field
