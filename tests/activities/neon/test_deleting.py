"""The deletion of a branch by a grant: what each attempt does after what the one before may have done."""

import asyncio
import time
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.guard.current_attempt import NotCurrent
from activities.guard.error_types import ErrorType
from activities.guard.granted import GrantedRequest
from activities.neon.contracts import DELETE_BRANCH, DeleteNeonBranchParameters, NeonBranchDeleted
from activities.step import step_of
from connectors.errors import Conflict, InvalidRequest, NotFound, Unavailable
from hitl.approval.plan import PlanError
from hitl.protocol import Effect
from tests.activities.github.at_work import at_work
from tests.activities.guard.attempts import Records, Waited, admitted
from tests.activities.neon.at_neon import House
from tests.connectors.neon.at_neon import MAIN, OLD_IDEA, PROJECT
from tests.hitl.approval.granting import Gateway, make_plan

SENDS = {"method": "DELETE", "path": "/branches/"}
WANTED = DeleteNeonBranchParameters(account=PROJECT, branch=OLD_IDEA, name="old-idea")
DONE = NeonBranchDeleted(id=OLD_IDEA)


def there(house: House, branch: str = OLD_IDEA) -> bool:
    return branch in {one["id"] for one in house.neon.ask("GET", "/branches")["branches"]}


def deletions(house: House) -> list[int | None]:
    return house.neon.statuses("DELETE", f"/projects/{PROJECT}/branches/{OLD_IDEA}")


class Execution:
    """One execution of the step by one grant: its attempts come one after the other, as the server counts them."""

    def __init__(self, house: House, folder: Path, parameters: Mapping[str, JsonValue]) -> None:
        self.house = house
        self.records = Records()
        decisions = tuple(Gateway(folder).grant("alice", "bob"))
        plan = make_plan(action=DELETE_BRANCH.name, parameters=dict(parameters))
        self.request = GrantedRequest(plan=plan.text(), decisions=decisions)
        self.scheduled = datetime.now(UTC)
        self.attempts = 0

    async def attempt(self, waited: Waited | None = None, **info: Any) -> NeonBranchDeleted:
        """The next one."""
        return await self.begin(waited, **info)[1]

    def begin(
        self, waited: Waited | None = None, **info: Any
    ) -> tuple[ActivityEnvironment, Awaitable[NeonBranchDeleted]]:
        """The same, with what it can be cancelled by."""
        self.attempts += 1
        started = self.scheduled + timedelta(milliseconds=self.attempts)
        given: dict[str, Any] = {"scheduled_time": self.scheduled, "started_time": started, "attempt": self.attempts}
        step = admitted(self.house.destruction.delete_branch, self.records, waited)
        environment = at_work(DELETE_BRANCH.name, **{**given, **info})
        return environment, environment.run(step, self.request)


@pytest.fixture
def deletion(house: House, tmp_path: Path) -> Execution:
    return Execution(house, tmp_path, WANTED.model_dump())


async def test_the_branch_that_was_approved_goes(deletion: Execution) -> None:
    assert await deletion.attempt() == DONE
    assert not there(deletion.house)
    assert there(deletion.house, MAIN)
    assert deletion.house.asked == ["neon-delete-branch"]


@pytest.mark.parametrize("info", [{}, {"attempt": 1}], ids=["counted on", "counted from one again"])
async def test_an_attempt_after_a_lost_answer_finds_it_gone_and_is_done(
    deletion: Execution, info: dict[str, Any]
) -> None:
    deletion.house.neon.served.plant(kind="drop_after_effect", **SENDS)
    with pytest.raises(Unavailable):
        await deletion.attempt()
    assert not there(deletion.house)
    assert await deletion.attempt(**info) == DONE
    assert len(deletions(deletion.house)) == 1


async def test_an_attempt_after_one_that_had_no_effect_deletes(deletion: Execution) -> None:
    deletion.house.neon.served.plant(kind="drop", **SENDS)
    with pytest.raises(Unavailable):
        await deletion.attempt()
    assert there(deletion.house)
    assert await deletion.attempt() == DONE
    assert not there(deletion.house)


async def test_a_first_attempt_that_finds_nothing_does_not_say_that_it_deleted(deletion: Execution) -> None:
    deletion.house.neon.ask("DELETE", f"/branches/{OLD_IDEA}")
    with pytest.raises(NotFound):
        await deletion.attempt()


async def test_a_branch_with_another_name_than_people_read_is_kept(deletion: Execution) -> None:
    deletion.house.neon.ask("PATCH", f"/branches/{OLD_IDEA}", json={"branch": {"name": "orders"}})
    with pytest.raises(Conflict, match="it is kept"):
        await deletion.attempt()
    assert there(deletion.house)
    assert deletions(deletion.house) == []


async def test_a_branch_that_got_a_child_meanwhile_is_kept(deletion: Execution) -> None:
    wanted = {"branch": {"name": "child", "parent_id": OLD_IDEA}}
    deletion.house.neon.ask("POST", "/branches", json=wanted)
    with pytest.raises(InvalidRequest, match="has children"):
        await deletion.attempt()
    assert there(deletion.house)


async def test_an_attempt_that_nobody_waits_for_is_given_no_credential(deletion: Execution) -> None:
    with pytest.raises(NotCurrent):
        await deletion.attempt(Waited(until=0))
    assert deletion.house.asked == []
    assert there(deletion.house)


async def test_an_attempt_is_looked_at_once_more_before_it_deletes(deletion: Execution) -> None:
    with pytest.raises(NotCurrent):
        await deletion.attempt(Waited(until=1))
    assert deletions(deletion.house) == []
    assert await deletion.attempt() == DONE


async def test_a_grant_that_is_used_up_deletes_nothing_that_came_back(deletion: Execution) -> None:
    await deletion.attempt()
    deletion.house.neon.advance(2)
    deletion.house.neon.ask("POST", f"/branches/{OLD_IDEA}/recover")
    with pytest.raises(ApplicationError, match="begun already") as refused:
        await deletion.attempt(activity_id="2")
    assert refused.value.type == ErrorType.POLICY_DENIED
    assert there(deletion.house)


async def cancelled(deletion: Execution, *, at: str) -> NeonBranchDeleted:
    """An attempt that hears of a cancellation while the first request of that method is on its way."""
    deletion.house.neon.served.plant(kind="delay", seconds=1, method=at, path="/branches/")
    environment, ending = deletion.begin()
    running = asyncio.ensure_future(ending)
    deadline = time.monotonic() + 10
    while not any(one["method"] == at for one in deletion.house.neon.served.requests()):
        assert time.monotonic() < deadline, "nothing is sent"
        await asyncio.sleep(0.02)
    environment.cancel()
    return await running


async def test_cancelled_meanwhile_it_waits_for_what_it_has_sent_and_says_what_was_done(deletion: Execution) -> None:
    assert await cancelled(deletion, at="DELETE") == DONE
    assert not there(deletion.house)


async def test_cancelled_before_it_has_sent_anything_it_sends_nothing(deletion: Execution) -> None:
    with pytest.raises(asyncio.CancelledError):
        await cancelled(deletion, at="GET")
    assert deletions(deletion.house) == []
    assert there(deletion.house)


@pytest.mark.parametrize("change", [{"name": None}, {"hard": True}], ids=["one too few", "one too many"])
async def test_a_plan_with_other_parameters_than_the_steps_is_given_no_credential(
    house: House, tmp_path: Path, change: dict[str, JsonValue]
) -> None:
    with pytest.raises(PlanError):
        await Execution(house, tmp_path, {**WANTED.model_dump(), **change}).attempt()
    assert house.asked == []
    assert there(house)


def test_it_says_what_it_does(house: House) -> None:
    assert step_of(house.destruction.delete_branch) is DELETE_BRANCH
    assert DELETE_BRANCH.effect is Effect.DESTRUCTIVE
