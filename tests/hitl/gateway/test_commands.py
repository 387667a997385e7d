"""`/banksman` in Slack: what it answers, and that a goal is started once and in the name of who asked."""

import json

import pytest
from temporalio.client import WorkflowHandle

from tests.hitl.gateway.running import CHANNEL, Place, slack_id, texts
from workflows.repository.goals import ReadFileInput

pytestmark = pytest.mark.asyncio(loop_scope="session")

READ = {"repository": "acme/shop", "path": "README.md"}


async def answer(here: Place, person: str, line: str, *, count: int = 1) -> str:
    assert (await here.command(person, line))["acknowledged"]
    return (await here.told(person, count=count))[-1]


def goal_of(here: Place) -> WorkflowHandle[object, object]:
    return here.client.get_workflow_handle(ReadFileInput.model_validate(READ).business_key())


@pytest.fixture(name="here")
def _one(one: Place) -> Place:
    return one


async def test_goals_are_listed_with_what_to_type(here: Place) -> None:
    async with here.gateway():
        said = await answer(here, "alice", "/banksman goals")
    assert "*ReadFile* (read): " in said
    assert "`/banksman run DeleteBranch {" in said


@pytest.mark.parametrize("text", [json.dumps(READ), json.dumps(READ).replace('"', "“")], ids=["straight", "curly"])
async def test_a_goal_is_started_in_the_name_of_who_asked(here: Place, text: str) -> None:
    async with here.gateway() as gateway:
        said = await answer(here, "alice", f"/banksman run ReadFile {text}")
        goal = goal_of(here)
        described = await goal.describe()
        first = await gateway.starts._server.first_event(goal.id, described.run_id)
        policy = gateway.steps._policy.current()
        requester = await gateway.starts.requester(goal.id, first, policy.people)
        again = await answer(here, "bob", f"/banksman run ReadFile {text}")
        unchanged = await goal.describe()
        status = await answer(here, "alice", f"/banksman status {goal.id}", count=2)
        await goal.terminate()
    assert said.startswith("Started: <http://temporal.example/namespaces/default/workflows/")
    assert again.startswith("Already running: ")
    assert unchanged.run_id == described.run_id
    assert requester == "slack:U0ALICE"
    assert "running" in status


async def test_a_command_that_comes_twice_starts_one_goal_also_after_its_end(here: Place) -> None:
    async with here.gateway() as gateway:
        line = f"run ReadFile {json.dumps(READ)}"
        commands, asker = gateway._commands, "slack:U0ALICE"
        await commands.answer(asker, line, asked_as="slack:trigger-1", channel=CHANNEL)
        goal = goal_of(here)
        first = (await goal.describe()).run_id
        await goal.terminate()
        assert "Started" in await commands.answer(asker, line, asked_as="slack:trigger-1", channel=CHANNEL)
        assert (await goal.describe()).run_id == first
        assert "Started" in await commands.answer(asker, line, asked_as="slack:trigger-2", channel=CHANNEL)
        assert (await goal.describe()).run_id != first
        await goal.terminate()


async def test_what_waits_is_listed_and_counted(here: Place) -> None:
    async with here.running() as gateway:
        goal, approval, _ = await here.asked(gateway)
        listed = ""
        while approval not in listed:
            listed = await gateway._commands.answer("slack:U0ALICE", "approvals", asked_as="", channel=CHANNEL)
        status = await answer(here, "alice", "/banksman status")
        await goal.terminate()
    assert "http://127.0.0.1:8320/approval?id=approval%2F" in listed
    assert status.startswith("live is in phase `production`")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", "/banksman run GOAL JSON"),
        ("dance", "/banksman run GOAL JSON"),
        ("run", "There is no goal ''"),
        ("run Nothing {}", "There is no goal 'Nothing'; there are: "),
        ("run ReadFile", "repository"),
        ("run ReadFile {not json", "JSON"),
        ('run ReadFile {"repository": "acme/shop", "path": "a", "sudo": true}', "sudo"),
        ("status nothing/here", "There is no goal 'nothing/here'."),
        ("status <!channel>", "There is no goal '&lt;!channel&gt;'."),
    ],
)
async def test_a_wrong_line_is_answered_with_what_is_wrong(here: Place, line: str, expected: str) -> None:
    async with here.gateway():
        assert expected in await answer(here, "alice", f"/banksman {line}")


async def test_somebody_whom_the_policy_does_not_know_learns_and_starts_nothing(here: Place) -> None:
    async with here.gateway():
        for count, line in enumerate(("goals", "approvals", "status", f"run ReadFile {json.dumps(READ)}"), start=1):
            said = await answer(here, "mallory", f"/banksman {line}", count=count)
            assert f"does not know 'slack:{slack_id('mallory')}'" in said
    private = [one for one in await here.messages() if one["only_for"]]
    assert {one["channel"] for one in private} == {CHANNEL}
    assert all("ReadFile" not in texts(one) for one in private)


async def test_a_command_without_temporal_or_a_policy_is_answered_all_the_same(here: Place) -> None:
    async with here.gateway() as gateway:
        good = here.house.path.read_text()
        here.house.path.write_text("nonsense: [")
        assert "policy cannot be read" in await answer(here, "alice", "/banksman status")
        here.house.path.write_text(good)

        async def sealed(text: str) -> str:
            raise RuntimeError(text)

        gateway.starts._sign = sealed
        said = await answer(here, "alice", f"/banksman run ReadFile {json.dumps(READ)}", count=2)
    assert said.startswith("Not confirmed: something went wrong")
