"""A goal in many repositories: a few at a time, each told as it ended, and none any more once enough went wrong."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import ValidationError
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.github.contracts import READ_FILE, FileRead, ReadFileRequest
from activities.github.listing_contracts import LIST_REPOSITORIES, ListRepositoriesRequest, RepositoriesListed
from activities.guard.error_types import ErrorType, application_error
from activities.queues import TaskQueue
from hitl.gateway.fleets import FleetSteps
from tests.hitl.gateway.running import eventually
from tests.workflows.fleet.scenarios import READ
from workflows.contracts import State
from workflows.fleet.goals import RUN_FLEET, RepositoryEnd, RunFleetInput, RunFleetResult, SoFar
from workflows.implementations import WORKFLOWS

pytestmark = pytest.mark.asyncio(loop_scope="session")

Handle = WorkflowHandle[Any, RunFleetResult]


@dataclass
class GitHub:
    """The repositories, and how reading goes in each; the reads wait where a test says so."""

    client: Client
    names: tuple[str, ...] = ("acme/a", "acme/b", "acme/c", "acme/d")
    wrong: dict[str, Exception] = field(default_factory=dict[str, Exception])
    read: list[str] = field(default_factory=list[str])
    asked: list[ListRepositoriesRequest] = field(default_factory=list[ListRepositoriesRequest])
    most: int = 0
    under_way: int = 0
    on: asyncio.Event = field(default_factory=asyncio.Event)

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncGenerator[None]:
        """All workers."""

        @activity.defn(name=LIST_REPOSITORIES.name)
        async def repositories(request: ListRepositoriesRequest) -> RepositoriesListed:
            self.asked.append(request)
            return RepositoriesListed(repositories=self.names)

        @activity.defn(name=READ_FILE.name)
        async def read(request: ReadFileRequest) -> FileRead:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            self.read.append(request.repository)
            try:
                await self.on.wait()
            finally:
                self.under_way -= 1
            if (wrong := self.wrong.get(request.repository)) is not None:
                raise wrong
            return READ

        async with (
            Worker(self.client, task_queue=TaskQueue.GOALS, workflows=WORKFLOWS),
            Worker(self.client, task_queue=TaskQueue.CONNECTORS, activities=[repositories, read]),
            Worker(self.client, task_queue=TaskQueue.HITL, activities=[FleetSteps().check_fleet]),
        ):
            yield

    async def start(self, **asked: Any) -> Handle:
        """A fleet."""
        given = {"goal": "ReadFile", "inputs": {"path": "README.md"}, "repositories": ["acme/*"], **asked}
        return await self.client.start_workflow(
            RUN_FLEET.name,
            RunFleetInput.model_validate(given),
            id=f"fleet-{id(self)}",
            task_queue=TaskQueue.GOALS,
            result_type=RunFleetResult,
        )

    async def run(self, **asked: Any) -> RunFleetResult:
        """A fleet, to its end."""
        self.on.set()
        async with self.at_work():
            return await (await self.start(**asked)).result()


def outcomes(result: RunFleetResult) -> list[str]:
    return [one.outcome for one in result.repositories]


DENIED = application_error(ErrorType.POLICY_DENIED, "acme/b is not to be read")
GONE = application_error(ErrorType.NOT_FOUND, "'acme/c' has no file 'README.md'")


async def test_each_repository_is_told_as_it_ended_there(client: Client) -> None:
    github = GitHub(client, wrong={"acme/b": DENIED, "acme/c": GONE})
    result = await github.run(stop_after=None, topics=["shop"], concurrency=2)
    assert outcomes(result) == ["completed", "denied", "failed", "completed"]
    assert result.outcome is State.PARTIALLY_APPLIED
    assert "1 denied, 1 failed" in str(result.reason)
    assert "has no file 'README.md'" in str(result.repositories[2].reason)
    assert github.asked == [ListRepositoriesRequest(patterns=("acme/*",), topics=("shop",))]
    assert github.most <= 2
    child = await client.get_workflow_handle(str(result.repositories[0].workflow_id)).describe()
    assert child.workflow_type == "ReadFile", "it is the goal itself, with its own page, approvals and end"


async def test_it_stops_at_the_first_failures_and_tells_what_it_did_not_begin(client: Client) -> None:
    github = GitHub(client, wrong={"acme/a": DENIED, "acme/b": DENIED})
    result = await github.run(stop_after=2, concurrency=1)
    assert outcomes(result) == ["denied", "denied", "not_begun", "not_begun"]
    assert result.outcome is State.DENIED, "nothing was done anywhere"
    assert "stopped: 2 did not complete" in str(result.repositories[3].reason)
    assert github.read == ["acme/a", "acme/b"]


async def test_a_canary_goes_alone_and_holds_the_others_back(client: Client) -> None:
    sick = GitHub(client, wrong={"acme/a": GONE})
    result = await sick.run(canary=True, stop_after=None, concurrency=4)
    assert (outcomes(result), sick.read) == (["failed", *["not_begun"] * 3], ["acme/a"])
    well = GitHub(client)
    async with well.at_work():
        fleet = await well.start(canary=True, concurrency=4)
        await eventually(lambda: begun(well, 1))
        assert [one.outcome for one in await fleet.query("progress", result_type=list[RepositoryEnd])] == [
            "running",
            *["not_begun"] * 3,
        ]
        well.on.set()
        assert (await fleet.result()).outcome is State.COMPLETED


async def begun(github: GitHub, count: int) -> bool:
    return len(github.read) >= count


async def test_a_cancelled_fleet_ends_its_goals_and_begins_none(client: Client) -> None:
    github = GitHub(client)
    async with github.at_work():
        fleet = await github.start(concurrency=2)
        await eventually(lambda: begun(github, 2))
        await fleet.cancel()
        with pytest.raises(WorkflowFailureError):
            await fleet.result()
        ends = await fleet.query("progress", result_type=list[RepositoryEnd])
        assert [one.outcome for one in ends] == ["cancelled", "cancelled", "not_begun", "not_begun"]
        for one in ends[:2]:
            found = await client.get_workflow_handle(str(one.workflow_id)).describe()
            assert found.status is WorkflowExecutionStatus.CANCELED
        github.on.set()
    assert sorted(github.read) == ["acme/a", "acme/b"]


async def test_a_fleet_of_many_goes_on_in_another_run_and_forgets_nothing(client: Client) -> None:
    github = GitHub(client, names=tuple(f"acme/n{number:03}" for number in range(27)), wrong={"acme/n001": GONE})
    github.on.set()
    async with github.at_work():
        fleet = await github.start(concurrency=10, stop_after=None)
        result = await fleet.result()
        assert (await client.get_workflow_handle(fleet.id).describe()).run_id != fleet.result_run_id
    assert (len(result.repositories), outcomes(result).count("completed")) == (27, 26)
    assert len(github.read) == len({*github.read}) == 27
    assert len(github.asked) == 1


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"goal": "ReadFiles"}, "no goal 'ReadFiles'"),
        ({"inputs": {}}, "'path' is missing"),
        ({"inputs": {"path": "x", "repository": "acme/a"}}, "not about 'acme/b'"),
        ({"goal": "FlowStatus", "inputs": {"prefix": "acme/"}}, "is the same in each repository"),
    ],
)
async def test_what_cannot_be_meant_is_refused_before_anything_is_begun(
    client: Client, asked: dict[str, Any], says: str
) -> None:
    github = GitHub(client)
    result = await github.run(**asked)
    assert (result.outcome, result.repositories, github.read) == (State.REFUSED, (), [])
    assert says in str(result.reason)


async def test_none_that_fits_and_more_than_can_be_are_refused(client: Client) -> None:
    none = await GitHub(client, names=()).run()
    assert (none.outcome, "no repository" in str(none.reason)) == (State.REFUSED, True)


async def test_nobody_begins_one_in_the_middle(client: Client) -> None:
    github = GitHub(client)
    made_up = SoFar(ends=(RepositoryEnd(repository="acme/a", outcome="completed"),))
    async with github.at_work():
        with pytest.raises(WorkflowFailureError) as caught:
            await (await github.start(so_far=made_up)).result()
    assert isinstance(caught.value.cause, ApplicationError)
    assert "so_far" in str(caught.value.cause)


@pytest.mark.parametrize(
    "asked",
    [
        {"goal": "RunFleet"},
        {"repositories": []},
        {"repositories": ["acme"]},
        {"repositories": ["*/*/*"]},
        {"concurrency": 11},
        {"stop_after": 0},
        {"topics": ["Not A Topic"]},
    ],
)
async def test_an_input_that_is_none_is_refused_where_it_is_typed(asked: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RunFleetInput.model_validate({"goal": "ReadFile", "repositories": ["acme/*"], **asked})


async def test_the_repository_stands_where_it_is_named_and_is_no_part_of_a_text() -> None:
    inputs = {"a": "$repository", "b": ["$repository", {"c": "$repository"}], "d": "x $repository"}
    fleet = RunFleetInput(goal="ReadFile", inputs=inputs, repositories=("acme/*",))  # pyright: ignore[reportArgumentType] - JSON
    filled = {"a": "acme/shop", "b": ["acme/shop", {"c": "acme/shop"}], "d": "x $repository"}
    assert fleet.inputs_for("acme/shop") == filled
