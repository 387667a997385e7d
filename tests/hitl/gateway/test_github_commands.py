"""A comment on GitHub begins a goal in its author's name, once; and whoever may not is refused with the reason."""

import pytest

from activities.github.people_contracts import PermissionSeen
from tests.hitl.gateway.commanding import GITHUB_POLICY, INSTALLATION, READ, Commanding, commanding
from tests.hitl.gateway.delivering import new_guid
from tests.hitl.gateway.running import Place, eventually
from tests.hitl.github.payloads import comment_payload
from workflows.github.contracts import DeliveryResult, Done
from workflows.github.job_contracts import GITHUB_JOB

pytestmark = pytest.mark.asyncio(loop_scope="session")

STRANGER = {"login": "mallory", "id": 66, "type": "User"}
BOT = {"login": "renovate[bot]", "id": 67, "type": "Bot"}


@pytest.fixture(name="here")
def _one(one: Place) -> Place:
    return one


async def jobs(there: Commanding) -> set[str]:
    query = f"WorkflowType = '{GITHUB_JOB.name}'"
    return {one.id async for one in there.hook.client.list_workflows(query)}


async def requester(there: Commanding, workflow_id: str) -> str:
    run = (await there.hook.client.get_workflow_handle(workflow_id).describe()).run_id
    people = there.gateway._policy.current().people
    return await there.gateway.starts.requester_of(workflow_id, run, people)


async def installations(there: Commanding, *workflow_ids: str) -> list[str | None]:
    """Whose money each of them spends, as the models worker's guard finds out."""
    people = there.gateway._policy.current().people
    return [(await there.gateway.starts.origin_of(one, "", people)).installation for one in workflow_ids]


async def test_a_collaborators_comment_begins_the_goal_in_their_name_and_is_told(here: Place) -> None:
    async with commanding(here) as there:
        told = await there.say()
        assert (told.done, told.goal is not None) == (Done.STARTED, True), told
        job = there.hook.client.get_workflow_handle(str(told.goal))
        result = await job.result()
        assert await requester(there, job.id) == "github:alice"
        assert await requester(there, f"{job.id}/goal") == "github:alice", "the goal itself, as the guard asks"
        assert await installations(there, job.id, f"{job.id}/goal") == [str(INSTALLATION)] * 2
    assert result["outcome"] == "completed"
    assert there.github.reactions == ["rocket"]
    assert [(one.repository, one.login) for one in there.github.asked] == [("acme/shop", "alice")]


async def test_a_delivery_that_comes_twice_begins_one_goal(here: Place) -> None:
    guid, payload = new_guid(), comment_payload(body=READ)
    async with commanding(here) as there:
        first = await there.deliver("issue_comment", payload, guid=guid)
        again = await there.deliver("issue_comment", payload, guid=guid)
        run = (await there.hook.client.get_workflow_handle(str(first.goal)).describe()).run_id
        assert (again.goal, len({run})) == (first.goal, 1)
        assert await installations(there, str(first.goal)) == [str(INSTALLATION)]
    assert there.github.reactions == ["rocket"]


async def refused(there: Commanding, told: DeliveryResult, says: str) -> None:
    assert told.done is not Done.STARTED
    assert told.goal is None
    assert says in told.why, told.why


async def test_each_who_may_not_is_refused_with_the_reason_and_begins_nothing(here: Place) -> None:
    archived = {"full_name": "acme/shop", "id": 7, "archived": True}
    other = {"full_name": "acme/payroll", "id": 9}
    async with commanding(here) as there:
        before = await jobs(there)
        await refused(there, await there.say(sender=STRANGER), "does not know 'github:mallory'")
        await refused(there, await there.say(sender={**STRANGER, "login": "alice"}), "somebody took that login")
        await refused(there, await there.say(sender=BOT), "bot's doing")
        await refused(there, await there.say(action="edited"), "as it was first written")
        await refused(there, await there.say(f"> {READ}"), "no command")
        await refused(there, await there.say(repository=archived), "archived")
        await refused(there, await there.say(repository=other), "No rule")
        assert there.github.asked == [], "for none of these is GitHub asked anything"
        there.github.seen = there.github.seen.model_copy(update={"permission": "read", "role": "triage"})
        await refused(there, await there.say(), "wants write at least")
        there.github.seen = PermissionSeen(repository="acme/shop", login="alice", id=66, permission="admin")
        await refused(there, await there.say(), "another account")
        assert await jobs(there) == before
    assert there.github.reactions == ["confused", "confused", "-1", "-1"]
    assert len(there.github.comments) == 2, "strangers get no words"


async def test_what_is_said_is_no_markup_and_calls_nobody(here: Place) -> None:
    async with commanding(here) as there:
        await there.say("/banksman run Nothing``` @everyone ![](https://evil.example/x.png)")
        await there.say("/banksman dance")
    for said in there.github.comments:
        first, *inside, last = said.split("\n")
        assert (first, last) == ("```text", "```")
        assert all("```" not in line for line in inside)
    assert "There is no command 'dance'" in there.github.comments[-1]


async def test_a_repositorys_file_takes_away_and_one_with_mistakes_begins_nothing(here: Place) -> None:
    async with commanding(here, config="version: 1\npermission: admin\n") as there:
        await refused(there, await there.say(), "wants admin at least")
        there.github.config = "version: 1\npermision: admin\n"  # codespell:ignore
        await refused(there, await there.say(), ".banksman/config.yaml:2:1: permision")  # codespell:ignore
        there.github.config = "version: 1\noutput: {comments: none}\n"
        told = await there.say("/banksman status nothing")
    assert told.done is Done.ANSWERED
    assert len(there.github.comments) == 2, "a repository may want no comments"


@pytest.mark.parametrize(("whose", "says"), [("person", "you have had"), ("installation", "this installation has had")])
async def test_no_more_goals_are_begun_in_an_hour_than_the_policy_says_also_by_another_gateway(
    here: Place, whose: str, says: str
) -> None:
    policy = GITHUB_POLICY.replace(f"{whose}: 1000", f"{whose}: 1")
    async with commanding(here) as there:
        began = await there.say()
        assert began.done is Done.STARTED

        async def listed() -> bool:
            return str(began.goal) in await jobs(there)

        await eventually(listed)
    async with commanding(here, policy=policy) as restarted:
        await refused(restarted, await restarted.say(), says)


async def test_who_asked_can_see_it_end_it_and_ask_for_it_again_and_nobody_else(here: Place) -> None:
    policy = GITHUB_POLICY.replace("bob: [slack:U0BOB]", "bob: [slack:U0BOB, github:bob]")
    policy = policy.replace("{alice: 5}", "{alice: 5, bob: 6}")
    bob = {"login": "bob", "id": 6, "type": "User"}
    async with commanding(here, policy=policy) as there:
        there.github.reads_on.clear()
        began = await there.say()
        await there.github.reading.wait()
        job = there.hook.client.get_workflow_handle(str(began.goal))
        assert "running" in (await there.say(f"/banksman status {job.id}")).why
        assert "runs still" in (await there.say(f"/banksman retry {job.id}")).why
        there.github.seen = there.github.seen.model_copy(update={"login": "bob", "id": 6})
        for word in ("status", "cancel", "retry"):
            told = await there.say(f"/banksman {word} {job.id}", sender=bob)
            await refused(there, told, "that you asked for")
        there.github.seen = there.github.seen.model_copy(update={"login": "alice", "id": 5})
        assert "told to end" in (await there.say(f"/banksman cancel {job.id}")).why

        async def ended() -> bool:
            found = await job.describe()
            return found.close_time is not None

        await eventually(ended)
        there.github.reads_on.set()
        again = await there.say(f"/banksman retry {job.id}")
        assert again.done is Done.STARTED, again
        assert again.goal != began.goal
        assert (await there.hook.client.get_workflow_handle(str(again.goal)).result())["outcome"] == "completed"

        async def newest() -> bool:
            return f"{again.goal!r}: completed." in (await there.say("/banksman status")).why

        await eventually(newest)
