"""Which coding job a pull request is of is told by the server's record of that job, and by nothing on GitHub."""

import contextlib
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import pytest
from temporalio.client import WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from activities.queues import TaskQueue
from hitl.gateway.server import Server
from hitl.github.acting import NotTheirs, Occasion
from hitl.github.commands import Command
from hitl.github.revising import revision_of
from hitl.policy.triggers import SlashCommand
from tests.hitl.gateway.running import Place, eventually
from tests.hitl.github.deciding_cases import NEW
from workers.gateway import Gateway
from workflows.coding.job.goals import CODING_JOB, CodingJobInput
from workflows.contracts import REPOSITORY_ATTRIBUTE

pytestmark = pytest.mark.asyncio(loop_scope="session")

ASKED = CodingJobInput(
    repository="acme/shop", kind="tests", issue=9, base="next", write=("tests/**",), test=("make", "test"), turns=7
)


@contextlib.asynccontextmanager
async def jobs(gateway: Gateway, *ids: str) -> AsyncGenerator[None]:
    """Coding jobs as the server knows them; nobody works on them."""
    client = gateway.deliveries.server.client
    begun: list[WorkflowHandle[object, object]] = []
    for one in ids:
        handle = await client.start_workflow(
            CODING_JOB.name, ASKED, id=one, task_queue=TaskQueue.GOALS, search_attributes=_found()
        )
        begun.append(handle)

    async def listed() -> bool:
        query = f"WorkflowType = 'CodingJob' AND {REPOSITORY_ATTRIBUTE.name} = 'acme/shop'"
        return {*ids} <= {one.id async for one in client.list_workflows(query)}

    try:
        await eventually(listed)
        yield
    finally:
        for handle in begun:
            await handle.terminate()


def _found() -> TypedSearchAttributes:
    return TypedSearchAttributes([SearchAttributePair(REPOSITORY_ATTRIBUTE, "acme/shop")])


def on(branch: str | None, *, repository: str = "acme/shop", number: int | None = 17) -> Occasion:
    return Occasion(guid="g", repository=repository, at=datetime.now(UTC), number=number, commit=NEW, branch=branch)


async def asked_on(server: Server, where: Occasion, words: str = "") -> CodingJobInput:
    wanted = await revision_of(server, Command(word=SlashCommand.REVISE, given=words), where)
    assert isinstance(wanted.request, CodingJobInput)
    return wanted.request


async def test_it_is_asked_for_as_the_job_was_that_made_the_branch(one: Place) -> None:
    async with one.running() as gateway, jobs(gateway, "a-job/goal", "another/goal"):
        server = gateway.deliveries.server
        found = await asked_on(server, on(ASKED.branch("a-job/goal")), "Say it shorter.")
        assert (found.pull, found.revise, found.head, found.text) == (17, True, NEW, "Say it shorter.")
        assert (found.issue, found.base, found.repository) == (None, None, "acme/shop")
        assert (found.kind, found.write, found.test, found.turns) == ("tests", ("tests/**",), ("make", "test"), 7)
        for where, why in (
            (on("banksman/tests-0123456789ab"), "No coding job opened #17"),
            (on(ASKED.branch("a-job/goal").replace("tests", "quality")), "No coding job opened"),
            (on(ASKED.branch("a-job/goal"), repository="acme/site"), "No coding job opened"),
            (on(None), "No coding job opened"),
            (on(None, number=None), "say it there"),
        ):
            with pytest.raises(NotTheirs, match=why):
                await asked_on(server, where)
