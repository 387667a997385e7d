"""Goals that are looked for: by text, state, kind, person and time, also when they have long ended."""

import contextlib
import html
import secrets
import shlex
from collections.abc import AsyncGenerator
from datetime import timedelta
from urllib.parse import quote, urlencode

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.queues import TaskQueue
from hitl.console.goals.filter import GoalFilter, quoted
from hitl.console.server_lists import fetch_page
from tests.hitl.console.visiting import Console, Visit
from tests.replay.scenarios import exhausted, until_parked
from tests.workflows.approval.approving import eventually
from tests.workflows.scripted import workers
from workflows.contracts import REPOSITORY_ATTRIBUTE, REQUESTER_ATTRIBUTE, STATE_ATTRIBUTE, GoalResult
from workflows.repository.goals import ReadFileInput

pytestmark = pytest.mark.asyncio(loop_scope="session")
ALICE = "console:alice@acme.test"


@workflow.defn(name="ReadFile", sandboxed=False)
class PlayedReadFile:
    """Ends as its path says, as the goal of that name would."""

    @workflow.run
    async def run(self, request: ReadFileInput) -> GoalResult:
        workflow.upsert_search_attributes([REPOSITORY_ATTRIBUTE.value_set(request.repository)])
        if request.path == "wait":
            workflow.upsert_search_attributes([STATE_ATTRIBUTE.value_set("parked")])
            await workflow.wait_condition(lambda: False)
        if request.path == "go on":
            workflow.continue_as_new(request.model_copy(update={"path": "completed"}))
        ended = "failed" if request.path == "fail" else request.path
        workflow.upsert_search_attributes([STATE_ATTRIBUTE.value_set(ended)])
        if request.path == "fail":
            raise ApplicationError("GitHub <b>said</b> no", type="AuthDenied", non_retryable=True)
        return GoalResult.model_validate({"outcome": ended, "reason": None if ended == "completed" else "by the rule"})


class Played:
    """Goals of one repository that no other test has."""

    def __init__(self, client: Client, queue: str) -> None:
        self.client = client
        self.queue = queue
        self.repository = f"acme/{queue}"

    async def start(self, path: str, *, identity: str = ALICE) -> WorkflowHandle[object, object]:
        request = ReadFileInput(repository=self.repository, path=path)
        return await self.client.start_workflow(
            "ReadFile",
            request,
            id=request.business_key(),
            task_queue=self.queue,
            execution_timeout=timedelta(minutes=2),
            search_attributes=TypedSearchAttributes([SearchAttributePair(REQUESTER_ATTRIBUTE, identity)]),
        )


@contextlib.asynccontextmanager
async def played(client: Client) -> AsyncGenerator[Played]:
    queue = f"played-{secrets.token_hex(4)}"
    own = Worker(client, task_queue=queue, workflows=[PlayedReadFile])
    async with own:
        yield Played(client, queue)


async def test_a_goal_that_went_on_as_another_run_is_a_row_like_any(console: Console) -> None:
    async with played(console.house.client) as goals, console.visit("alice") as alice:
        handle = await goals.start("go on")
        await handle.result()
        assert len(await found(alice, text=goals.repository)) == 2
        page = await alice.get(f"/goal?{urlencode({'id': handle.id, 'run': handle.first_execution_run_id or ''})}")
        assert page.status_code == 200


async def found(visit: Visit, **wanted: str) -> list[str]:
    """The paths of the goals on the page."""
    page = await visit.get(f"/goals?{urlencode(wanted)}")
    assert page.status_code == 200, page.text
    cards = page.text.split('<li class="card goal-')[1:]
    return sorted(card.split("<code>")[1].split("</code>")[0].rpartition("/")[2] for card in cards)


async def test_goals_are_kept_with_how_they_ended_and_found_by_anything(console: Console) -> None:
    ends = ["completed", "denied", "refused", "unknown"]
    async with played(console.house.client) as goals, console.visit("alice") as alice:
        for path in ends:
            await (await goals.start(path)).result()
        failed = await goals.start("fail", identity="console:bob@acme.test")
        waits = await goals.start("wait")
        every = {"text": goals.repository}
        await eventually(lambda: _is(alice, [*ends, "fail", "wait"], **every))
        await eventually(lambda: _is(alice, ["fail"], state="failed", **every))
        await eventually(lambda: _is(alice, ["wait"], state="parked", **every))
        for state in ends:
            assert await found(alice, state=state, **every) == [state]
        assert await found(alice, state="running", **every) == []
        assert await found(alice, text=goals.queue.upper()[7:]) == sorted([*ends, "fail", "wait"])
        assert await found(alice, text=f"{goals.queue}/denied") == ["denied"]
        assert await found(alice, requester="bob", **every) == ["fail"]
        assert await found(alice, requester="alice", state="unknown", **every) == ["unknown"]
        assert await found(alice, action="DeleteBranch", **every) == []
        assert len(await found(alice, action="ReadFile", within="hour", **every)) == 6
        page = await alice.get(f"/goals?{urlencode({'state': 'failed', **every})}")
        assert "GitHub &lt;b&gt;said&lt;/b&gt; no" in page.text
        whole = await alice.get(f"/goal?id={quote(failed.id, safe='')}")
        assert ("Failed" in whole.text, "GitHub &lt;b&gt;said&lt;/b&gt; no" in whole.text) == (True, True)
        await waits.terminate(reason="enough")
        await eventually(lambda: _is(alice, ["wait"], state="terminated", **every))
        assert await found(alice, state="parked", **every) == []


async def test_one_that_is_parked_shows_the_command_that_lets_it_go_on_so_that_it_can_be_pasted(
    console: Console,
) -> None:
    client = console.house.client
    async with workers(client, exhausted()), console.visit("alice") as alice:
        request = ReadFileInput(repository="acme/shop", path="README.md")
        name = f"read $(it)/{secrets.token_hex(4)}"
        goal = await client.start_workflow("ReadFile", request, id=name, task_queue=TaskQueue.GOALS)
        await until_parked(goal)
        page = await alice.get(f"/goal?id={quote(name, safe='')}")
        await goal.terminate()
    assert "Vault is sealed" in page.text
    assert f"banksman resume {html.escape(shlex.quote(name))}".replace("&#x27;", "&#39;") in page.text


async def _is(visit: Visit, paths: list[str], **wanted: str) -> bool:
    return await found(visit, **wanted) == sorted(paths)


async def test_who_asked_is_told_where_somebody_vouches_for_it_and_nowhere_else(console: Console) -> None:
    """The search attribute is whoever's who starts a goal by hand."""
    async with played(console.house.client) as goals, console.visit("alice") as alice:
        forged = await goals.start("completed")
        await forged.result()
        page = await alice.get(f"/goal?id={quote(forged.id, safe='')}")
        assert "nobody vouches for who asked" in page.text
        assert ALICE not in page.text.split("<main")[1]


@pytest.mark.parametrize(
    "wanted",
    [
        {"state": "' OR ''='"},
        {"state": "completed' OR ExecutionStatus='Running"},
        {"action": "ReadFile') OR WorkflowType IN ('Approval"},
        {"action": "Approval"},
        {"requester": "alice' OR 'a'='a"},
        {"requester": "nobody"},
        {"within": "hour' OR '1'='1"},
        {"text": "x" * 201},
    ],
)
async def test_what_is_of_no_list_is_refused_before_anybody_is_asked(console: Console, wanted: dict[str, str]) -> None:
    async with console.visit("alice") as alice:
        assert (await alice.get(f"/goals?{urlencode(wanted)}")).status_code == 400


@pytest.mark.parametrize("text", ["' OR WorkflowType = 'Approval' OR ''='", "\\' OR 1=1 --", "%", "_", "*", "\\"])
async def test_a_text_that_is_a_query_finds_what_has_that_text_and_no_more(console: Console, text: str) -> None:
    assert text not in GoalFilter(text=text).query()
    async with played(console.house.client) as goals, console.visit("alice") as alice:
        other = await goals.start("completed")
        await other.result()
        await eventually(lambda: _is(alice, ["completed"], text=goals.repository))
        page = await alice.get(f"/goals?{urlencode({'text': text})}")
        assert page.status_code == 200
        assert quote(other.id) not in page.text


@pytest.mark.parametrize("odd", ["o'brien", "a''b", "%", "ü", "a) OR (1=1"])
async def test_a_literal_is_what_it_was_whatever_is_in_it(client: Client, odd: str) -> None:
    """Against the real server: an identity of the policy file may hold a quotation mark."""
    async with played(client) as goals:
        name = f"console:{odd}{secrets.token_hex(4)}"
        mine, other = await goals.start("completed", identity=name), await goals.start("denied", identity="console:b")
        await mine.result()
        await other.result()
        await eventually(lambda: _finds(client, name, [mine.id]))


@pytest.mark.parametrize("odd", ["a\\", "\\'", "\\\\'", '"', "\\' OR ''='", "' OR WorkflowId != '"])
async def test_a_literal_never_becomes_more_than_one(client: Client, odd: str) -> None:
    """The server's own store does not find every backslash; what matters is that it finds nothing else."""
    async with played(client) as goals:
        other = await goals.start("denied")
        await other.result()
        await eventually(lambda: _finds(client, ALICE, [other.id], among=goals.repository))
        assert await _finds(client, f"console:{odd}", [])


async def _finds(client: Client, name: str, ids: list[str], *, among: str | None = None) -> bool:
    where = f" AND {REPOSITORY_ATTRIBUTE.name} = {quoted(among)}" if among else ""
    rows, total, _ = await fetch_page(client, f"{REQUESTER_ATTRIBUTE.name} IN ({quoted(name)}){where}", None)
    return ([one.id for one in rows], total) == (ids, len(ids))


async def test_only_goals_have_a_page(console: Console) -> None:
    house = console.house
    async with house.workers(), console.visit("alice") as alice:
        goal = await house.start()
        approval = await house.approval_of(goal)
        for one in (approval, goal.id, "nowhere", ""):
            assert (await alice.get(f"/goal?id={quote(one, safe='')}")).status_code == 404
        await goal.terminate()
