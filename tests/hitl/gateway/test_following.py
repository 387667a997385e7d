"""The step by which a job follows its goal: there is news or it waits, and it tells of no goal but its own."""

import asyncio
import dataclasses
import secrets

import pytest
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from connectors.errors import InvalidRequest, Unavailable
from hitl.gateway.following import FollowingSteps
from hitl.gateway.server import Server
from tests.workflows.github.at_github import GitHub
from workflows.github.following_contracts import FollowGoalRequest, GoalFollowed

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def at(client: Client, job: str) -> ActivityEnvironment:
    """The step of this job's newest run."""
    environment = ActivityEnvironment()
    run = (await client.get_workflow_handle(job).describe()).run_id
    environment.info = dataclasses.replace(environment.info, workflow_id=job, workflow_run_id=run)
    return environment


def asking(client: Client) -> FollowingSteps:
    return FollowingSteps(Server(client, cluster="c"), first=0.02)


async def follow(
    client: Client, environment: ActivityEnvironment, goal: str, *, seen: str = "", pause: float = 0
) -> GoalFollowed:
    request = FollowGoalRequest(goal=goal, run="", seen=seen, pause=pause)
    return await environment.run(asking(client).follow_goal, request)


async def test_it_waits_for_news_and_tells_the_end_at_once_whatever_the_pause(client: Client) -> None:
    github = GitHub(client)
    async with github.at_work():
        job = await github.start()
        await github.reading.wait()
        goal, environment = f"{job.id}/goal", await at(client, job.id)
        first = await follow(client, environment, goal)
        assert [(one.name, one.ended) for one in first.steps] == [("github.read_file", "under way")]
        waiting = asyncio.create_task(follow(client, environment, goal, seen=first.mark, pause=3600))
        again = await follow(client, environment, goal)
        assert (again.mark, waiting.done()) == (first.mark, False)
        github.reads_on.set()
        ended = await waiting
        await job.result()
    assert (ended.ended, ended.state, [one.ended for one in ended.steps]) == (True, "completed", ["completed"])
    assert "one" not in ended.model_dump_json().split()


async def test_a_gateway_that_ends_hands_it_to_another_one(client: Client) -> None:
    github = GitHub(client)
    async with github.at_work():
        job = await github.start()
        await github.reading.wait()
        environment = await at(client, job.id)
        first = await follow(client, environment, f"{job.id}/goal")
        waiting = asyncio.create_task(follow(client, environment, f"{job.id}/goal", seen=first.mark, pause=3600))
        environment.worker_shutdown()
        with pytest.raises(Unavailable, match="another one goes on"):
            await waiting
        github.reads_on.set()
        await job.result()


async def test_of_a_goal_that_is_not_its_own_child_nothing_is_told(client: Client) -> None:
    github = GitHub(client)
    github.reads_on.set()
    async with github.at_work():
        theirs, mine = await github.start(), await github.start()
        await asyncio.gather(theirs.result(), mine.result())
        environment = await at(client, mine.id)
        for goal in (f"{theirs.id}/goal", theirs.id, mine.id, f"nothing/{secrets.token_hex(4)}"):
            with pytest.raises(InvalidRequest, match="is no goal of the workflow that asks"):
                await follow(client, environment, goal)
        assert (await follow(client, environment, f"{mine.id}/goal")).ended
