"""A fleet is no grant: each of its goals asks people itself, and what they refuse in one place says nothing of another.

Approvals, policy, keys and the guard before the destructive step are the real ones; GitHub is played.
"""

import contextlib
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities.approvals.rules import ApprovalRuleActivities
from activities.github.contracts import (
    DELETE_BRANCH,
    LOOK_AT_BRANCH,
    BranchDeleted,
    BranchSeen,
    DeleteBranchParameters,
    LookAtBranchRequest,
)
from activities.github.listing_contracts import LIST_REPOSITORIES, ListRepositoriesRequest, RepositoriesListed
from activities.guard.granted import GrantedRequest
from activities.guard.grants import ClickCheck
from activities.guard.policy_source import PolicySource
from activities.queues import TaskQueue
from activities.step import implements
from hitl.approval.decision import Verdict
from hitl.approval.plan import read_plan
from hitl.gateway.fleets import FleetSteps
from tests.workflows.approval.approving import House, eventually
from workflows.approval.decision_checks import DecisionChecks
from workflows.contracts import State
from workflows.fleet.goals import RUN_FLEET, RepositoryEnd, RunFleetInput, RunFleetResult
from workflows.implementations import WORKFLOWS

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

A, B, C = "acme/a", "acme/b", "acme/c"
BRANCH, HEAD = "old", "a" * 40

Handle = WorkflowHandle[Any, RunFleetResult]


class Repositories:
    """Three, each with a branch that may go, until the guard lets it be deleted."""

    def __init__(self) -> None:
        self.deleted: list[str] = []

    @activity.defn(name=LIST_REPOSITORIES.name)
    async def repositories(self, request: ListRepositoriesRequest) -> RepositoriesListed:
        del request
        return RepositoriesListed(repositories=(A, B, C))

    @activity.defn(name=LOOK_AT_BRANCH.name)
    async def look(self, request: LookAtBranchRequest) -> BranchSeen:
        return BranchSeen(head=None if request.repository in self.deleted else HEAD)

    @implements(DELETE_BRANCH)
    async def delete(self, request: GrantedRequest) -> BranchDeleted:
        self.deleted.append(read_plan(request.plan).parameters_as(DeleteBranchParameters).repository)
        return BranchDeleted(head=HEAD)


class Fleet(House):
    """All workers, and a fleet that deletes a branch in each repository."""

    def __init__(self, client: Client, folder: Path) -> None:
        super().__init__(client, folder)
        self.github = Repositories()

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncGenerator[None]:
        await self.keys.refresh()
        rules = ApprovalRuleActivities(PolicySource(self.path, environment="live"))
        check = ClickCheck(self.keys, PolicySource(self.path, environment="live"), cluster=self.cluster)
        async with (
            self.guard() as guard,
            Worker(self.client, task_queue=TaskQueue.GOALS, workflows=WORKFLOWS, interceptors=[DecisionChecks(check)]),
            Worker(
                self.client,
                task_queue=TaskQueue.CONNECTORS,
                activities=[self.github.repositories, self.github.look, rules.resolve_rule],
            ),
            Worker(
                self.client,
                task_queue=TaskQueue.DESTRUCTIVE,
                activities=[self.github.delete],
                interceptors=[guard],
            ),
            Worker(self.client, task_queue=TaskQueue.POSTS, activities=[self.messages.post]),
            Worker(
                self.client,
                task_queue=TaskQueue.HITL,
                activities=[FleetSteps().check_fleet, self.messages.update],
            ),
        ):
            yield

    async def begin(self, **asked: Any) -> Handle:
        given = {"goal": "DeleteBranch", "inputs": {"branch": BRANCH}, "repositories": ["acme/*"], **asked}
        return await self.client.start_workflow(
            RUN_FLEET.name,
            RunFleetInput.model_validate(given),
            id=f"fleet-of-approvals-{id(self)}",
            task_queue=TaskQueue.GOALS,
            result_type=RunFleetResult,
        )

    async def asks_in(self, fleet: Handle, repository: str) -> str:
        """The approval that the goal in this repository waits for."""
        child = self.client.get_workflow_handle(f"{fleet.id}/{repository}")
        await eventually(partial(self._is_there, child.id))
        return await self.approval_of(child)

    async def _is_there(self, workflow_id: str) -> bool:
        return await self.status(workflow_id) is not None

    async def status(self, workflow_id: str) -> WorkflowExecutionStatus | None:
        try:
            return (await self.client.get_workflow_handle(workflow_id).describe()).status
        except RPCError:
            return None

    async def approve(self, approval: str) -> None:
        for person in ("alice", "bob"):
            await self.decide(approval, person)

    async def reject(self, approval: str) -> None:
        await self.decide(approval, "alice", verdict=Verdict.REJECT, reason="people still work on it")


async def ends(fleet: Handle) -> dict[str, str]:
    told = await fleet.query("progress", result_type=list[RepositoryEnd])
    return {one.repository: one.outcome for one in told}


async def test_each_goal_of_a_fleet_is_approved_for_itself(client: Client, tmp_path: Path) -> None:
    house = Fleet(client, tmp_path)
    async with house.at_work():
        fleet = await house.begin(concurrency=3)
        approvals = {where: await house.asks_in(fleet, where) for where in (A, B, C)}
        views = {where: await house.view(one) for where, one in approvals.items()}
        assert len({*approvals.values()}) == len({one.digest for one in views.values()}) == 3
        assert {where: one.goal for where, one in views.items()} == {
            where: f"{fleet.id}/{where}" for where in (A, B, C)
        }
        await house.approve(approvals[A])
        await eventually(lambda: ended_as(fleet, A, "completed"))
        assert await ends(fleet) == {A: "completed", B: "running", C: "running"}
        assert house.github.deleted == [A], "a yes in one repository is none in another"
        await house.approve(approvals[B])
        await house.approve(approvals[C])
        result = await fleet.result()
    assert result.outcome is State.COMPLETED
    assert sorted(house.github.deleted) == [A, B, C]


async def ended_as(fleet: Handle, where: str, outcome: str) -> bool:
    return (await ends(fleet))[where] == outcome


async def test_a_yes_of_one_goal_is_refused_for_another_of_its_fleet(client: Client, tmp_path: Path) -> None:
    house = Fleet(client, tmp_path)
    async with house.at_work():
        fleet = await house.begin(concurrency=2)
        first, second = await house.asks_in(fleet, A), await house.asks_in(fleet, B)
        signed = house.sign(await house.decision(first, "alice"))
        assert await house.refused(house.send(second, signed))
        assert (await house.view(second)).decisions == ()
        assert house.github.deleted == []
        await house.reject(first)
        await house.reject(second)
        assert (await fleet.result()).outcome is State.REJECTED


async def test_a_goal_that_people_refuse_is_refused_and_not_broken(client: Client, tmp_path: Path) -> None:
    house = Fleet(client, tmp_path)
    async with house.at_work():
        fleet = await house.begin(concurrency=3, stop_after=None)
        for where, decide in ((A, house.approve), (B, house.reject), (C, house.approve)):
            await decide(await house.asks_in(fleet, where))
        result = await fleet.result()
        child = await house.status(f"{fleet.id}/{B}")
    assert [one.outcome for one in result.repositories] == ["completed", "rejected", "completed"]
    assert "people still work on it" in str(result.repositories[1].reason)
    assert child is WorkflowExecutionStatus.COMPLETED, "a refusal is a result, and no failure"
    assert result.outcome is State.PARTIALLY_APPLIED
    assert "2 completed, 1 rejected" in str(result.reason)
    assert sorted(house.github.deleted) == [A, C]


async def test_a_refusal_stops_the_fleet_as_a_failure_does_and_what_waits_goes_on_waiting(
    client: Client, tmp_path: Path
) -> None:
    house = Fleet(client, tmp_path)
    async with house.at_work():
        fleet = await house.begin(concurrency=2, stop_after=1)
        first, second = await house.asks_in(fleet, A), await house.asks_in(fleet, B)
        await house.reject(first)
        await eventually(lambda: ended_as(fleet, A, "rejected"))
        assert await house.status(f"{fleet.id}/{C}") is None, "no other is begun"
        assert await ends(fleet) == {A: "rejected", B: "running", C: "not_begun"}
        await house.approve(second)
        result = await fleet.result()
    assert [one.outcome for one in result.repositories] == ["rejected", "completed", "not_begun"]
    assert "stopped: 1 did not complete, and 1 is the most" in str(result.repositories[2].reason)
    assert house.github.deleted == [B]


async def test_the_canary_waits_for_people_and_the_others_for_the_canary(client: Client, tmp_path: Path) -> None:
    house = Fleet(client, tmp_path)
    async with house.at_work():
        fleet = await house.begin(concurrency=3, canary=True)
        first = await house.asks_in(fleet, A)
        await house.decide(first, "alice")  # one of two
        assert await ends(fleet) == {A: "running", B: "not_begun", C: "not_begun"}
        assert [await house.status(f"{fleet.id}/{where}") for where in (B, C)] == [None, None]
        await house.decide(first, "bob")
        for where in (B, C):
            await house.approve(await house.asks_in(fleet, where))
        assert (await fleet.result()).outcome is State.COMPLETED


async def test_a_canary_that_people_refuse_holds_the_others_back(client: Client, tmp_path: Path) -> None:
    house = Fleet(client, tmp_path)
    async with house.at_work():
        fleet = await house.begin(concurrency=3, canary=True, stop_after=None)
        await house.reject(await house.asks_in(fleet, A))
        result = await fleet.result()
    assert (result.outcome, [one.outcome for one in result.repositories]) == (
        State.REJECTED,
        ["rejected", "not_begun", "not_begun"],
    )
    assert f"the first one did not complete ({A})" in str(result.repositories[1].reason)
    assert house.github.deleted == []


async def test_a_cancelled_fleet_takes_its_questions_back(client: Client, tmp_path: Path) -> None:
    house = Fleet(client, tmp_path)
    async with house.at_work():
        fleet = await house.begin(concurrency=2)
        approvals = [await house.asks_in(fleet, where) for where in (A, B)]
        await fleet.cancel()
        with pytest.raises(WorkflowFailureError):
            await fleet.result()
        for one in approvals:
            await eventually(partial(is_over, house, one))
            assert (await house.view(one)).decisions == ()
    assert house.github.deleted == []


async def is_over(house: Fleet, approval: str) -> bool:
    return await house.status(approval) is not WorkflowExecutionStatus.RUNNING
