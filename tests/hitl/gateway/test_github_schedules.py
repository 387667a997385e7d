"""A repository's schedules: made of its file, begun in nobody's name, and never more than the policy lets it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
from temporalio.client import Client, ScheduleActionExecutionStartWorkflow, ScheduleDescription, ScheduleHandle
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment

from activities.queues import TaskQueue
from connectors.errors import InvalidRequest
from hitl.github.schedule_steps import ScheduleSteps
from hitl.github.schedules import OURS
from hitl.policy.triggers import Trigger
from tests.hitl.gateway.commanding import GITHUB_POLICY, INSTALLATION, Commanding, commanding
from tests.hitl.gateway.running import Place, eventually
from tests.hitl.github.payloads import Json, push_payload
from workers.commands.repository_schedules import views
from workflows.github.contracts import DeliveryResult, Done
from workflows.github.scheduled_contracts import (
    SCHEDULED_WORKFLOW,
    SWEEP_SCHEDULES,
    DecideSchedule,
    FindScheduling,
    ScheduledInput,
    SweepSchedulesResult,
    requester_for,
    schedule_id,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHOP = "acme/shop"
BY_TIME = """\
    - events: [schedule]
      repositories: [acme/shop]
      goals: [ReadFile, DeleteBranch]
"""
POLICY = GITHUB_POLICY + BY_TIME
CONFIG = """\
version: 1
tasks:
  look:
    goal: ReadFile
    input: {repository: $repository, path: README.md, ref: $sha}
  clean:
    goal: DeleteBranch
    input: {repository: $repository, branch: old}
schedules:
  nightly: {cron: 0 3 * * *, time_zone: Europe/Berlin, task: look}
"""
OFTEN = "  often: {cron: '* * * * *', task: look}\n  clean: {cron: 0 3 * * *, task: clean}\n"


@pytest.fixture(name="here")
def _one(one: Place) -> Place:
    return one


@contextlib.asynccontextmanager
async def scheduling(here: Place, *, config: str | None = CONFIG, policy: str = POLICY) -> AsyncGenerator[Commanding]:
    """The same as for comments; no schedule is there before or after."""
    async with commanding(here, config=config, policy=policy) as there:
        try:
            yield there
        finally:
            for name in ("nightly", "often", "clean"):
                with contextlib.suppress(RPCError):
                    await of(here.client, name).delete()


def of(client: Client, name: str = "nightly") -> ScheduleHandle:
    return client.get_schedule_handle(schedule_id(SHOP, name))


async def is_there(client: Client, name: str) -> bool:
    try:
        await of(client, name).describe()
    except RPCError:
        return False
    return True


def pushed(number: int = 0, path: str = ".banksman/config.yaml") -> Json:
    payload = push_payload(commits=[{"modified": [path], "added": [], "removed": [], "number": number}])
    payload["repository"] = {**payload["repository"], "default_branch": "main"}
    return payload


async def begun(there: Commanding, name: str = "nightly") -> DeliveryResult:
    """The schedule's time has come."""
    handle = of(there.hook.client, name)
    before = (await handle.describe()).info.num_actions
    await handle.trigger()

    async def acted() -> bool:
        return (await handle.describe()).info.num_actions > before

    await eventually(acted)
    return await last(there, await handle.describe())


async def last(there: Commanding, found: ScheduleDescription) -> DeliveryResult:
    action = found.info.recent_actions[-1].action
    assert isinstance(action, ScheduleActionExecutionStartWorkflow)
    run = there.hook.client.get_workflow_handle(
        action.workflow_id, run_id=action.first_execution_run_id, result_type=DeliveryResult
    )
    return await run.result()


async def test_a_pushed_file_makes_changes_and_takes_away_its_schedules_and_its_commit_tells(here: Place) -> None:
    async with scheduling(here) as there:
        await there.deliver("push", pushed())
        found = await of(here.client).describe()
        spec = found.schedule.spec
        assert (spec.time_zone_name, spec.calendars[0].comment) == ("Europe/Berlin", "look: 0 3 * * *")
        assert found.schedule.policy.overlap.name == "SKIP"
        assert len(found.info.next_action_times) > 0
        [check] = there.github.checks
        assert (check.name, check.conclusion, check.commit) == ("banksman: schedules", "success", "1" * 40)
        there.github.config = CONFIG.replace("0 3 * * *", "30 4 * * *") + OFTEN
        await there.deliver("push", pushed(2))
        assert (await of(here.client).describe()).schedule.spec.calendars[0].comment == "look: 30 4 * * *"
        told = there.github.checks[-1]
        assert (told.conclusion, "2 of its schedules" in told.title) == ("failure", True)
        assert "often: not scheduled. It would run after 1 minute" in told.summary
        assert "DeleteBranch destroys" in told.summary
        assert [await is_there(here.client, name) for name in ("often", "clean")] == [False, False]
        there.github.config = "version: 1\n"

        async def gone() -> bool:  # Temporal's list is a little behind
            await there.deliver("push", pushed(id(object())))
            return not await is_there(here.client, "nightly")

        await eventually(gone)


async def test_what_has_mistakes_or_is_on_another_branch_changes_nothing(here: Place) -> None:
    async with scheduling(here) as there:
        await there.deliver("push", pushed())
        there.github.config = "version: 1\nschedule: {}\n"
        await there.deliver("push", pushed(1))
        assert await is_there(here.client, "nightly")
        there.github.config = "version: 1\n"
        await there.deliver("push", {**pushed(2), "ref": "refs/heads/work"})
        await there.deliver("push", pushed(3, path="README.md"))
        assert await is_there(here.client, "nightly")


async def test_when_its_time_comes_the_task_is_begun_at_the_head_in_nobodys_name_and_shown_there(here: Place) -> None:
    async with scheduling(here) as there:
        await there.deliver("push", pushed())
        done = await begun(there)
        assert done.done is Done.STARTED, done
        job = here.client.get_workflow_handle(str(done.goal))
        assert (await job.result())["outcome"] == "completed"
        run = (await job.describe()).run_id
        people = there.gateway._policy.current().people
        assert await there.gateway.starts.requester_of(job.id, run, people) == requester_for(SHOP)
        assert people.person(requester_for(SHOP)) is None
        origin = await there.gateway.starts.origin_of(f"{job.id}/goal", "", people)
        assert origin.installation == str(INSTALLATION), "whose money it spends, GitHub said when its file was read"
        check = there.github.checks[-1]
        assert (check.name, check.conclusion, check.commit) == ("banksman / ReadFile", "success", "c" * 40)
        again = await begun(there)
        assert (again.done, "has begun less than" in again.why) == (Done.IGNORED, True), again
        by_hand = await here.client.execute_workflow(
            SCHEDULED_WORKFLOW,
            ScheduledInput(repository=SHOP, schedule="nightly"),
            id="by-hand",
            task_queue=TaskQueue.GOALS,
            result_type=DeliveryResult,
        )
        assert by_hand.done is Done.IGNORED, "whoever starts it by hand begins no more than the time does"

        async def listed() -> bool:
            [view] = await views(here.client, SHOP)
            return "has begun less than" in view.last and view.next_at is not None and view.says == "look: 0 3 * * *"

        await eventually(listed)


async def test_what_the_policy_or_the_file_does_not_allow_any_more_is_not_begun_and_ends(here: Place) -> None:
    async with scheduling(here) as there:
        await there.deliver("push", pushed())
        there.github.config = "version: 1\n"
        assert "names it no longer" in (await begun(there)).why
        assert not await is_there(here.client, "nightly")
        there.github.config = CONFIG
        await there.deliver("push", pushed(1))
        here.house.path.write_text(GITHUB_POLICY)

        async def read() -> bool:
            rules = there.gateway._policy.current().github.rules
            return not any(Trigger.SCHEDULE in one.events for one in rules)

        await eventually(read)
        assert "No rule under" in (await begun(there)).why


async def test_one_that_an_operator_paused_stays_so_and_one_that_we_paused_goes_on(here: Place) -> None:
    async with scheduling(here) as there:
        await there.deliver("push", pushed())
        there.github.config = None
        assert "Paused" in (await begun(there)).why
        state = (await of(here.client).describe()).schedule.state
        assert (state.paused, (state.note or "").startswith(OURS)) == (True, True)
        there.github.config = CONFIG
        await there.deliver("push", pushed(1))
        assert not (await of(here.client).describe()).schedule.state.paused
        await of(here.client).pause(note="Paused by alice")
        await there.deliver("push", pushed(2))
        assert (await of(here.client).describe()).schedule.state.note == "Paused by alice"


def installation(action: str, number: int) -> Json:
    told = {"id": 3, "account": {"login": "acme", "id": 1, "type": "Organization"}, "updated_at": None}
    return {"action": action, "installation": told, "sender": {"login": "alice", "id": 5}, "number": number}


async def test_where_the_app_is_suspended_or_taken_away_its_schedules_pause_until_it_is_back(here: Place) -> None:
    async with scheduling(here) as there:
        await there.deliver("push", pushed())

        async def paused() -> bool:
            return (await of(here.client).describe()).schedule.state.paused

        async def suspended() -> bool:  # Temporal's list is a little behind
            await there.deliver("installation", installation("suspend", id(object())))
            return await paused()

        async def back() -> bool:
            await there.deliver("installation", installation("unsuspend", id(object())))
            return not await paused()

        await eventually(suspended)
        await eventually(back)


async def test_the_sweep_makes_what_was_pushed_while_nobody_listened(here: Place) -> None:
    async with scheduling(here) as there:
        there.github.installed = (SHOP, "acme/web")
        swept = await asyncio.wait_for(
            here.client.execute_workflow(
                SWEEP_SCHEDULES, id="sweep-now", task_queue=TaskQueue.GOALS, result_type=SweepSchedulesResult
            ),
            timeout=20,
        )
        assert (swept.failed, swept.unseen) == ((), "")
        assert swept.looked_at == 1, "a repository of which no rule speaks is not looked at"
        assert await is_there(here.client, "nightly")


async def test_the_steps_are_of_their_own_workflow_and_tell_who_may_schedule(here: Place) -> None:
    async with scheduling(here) as there:
        [steps] = [one for one in there.gateway.beside if isinstance(one, ScheduleSteps)]
        found = await ActivityEnvironment().run(
            steps.find_scheduling, FindScheduling(repositories=(SHOP, "acme/web", "other/shop"))
        )
        assert found.repositories == (SHOP,)
        done = await there.deliver("push", pushed(path="README.md"))
        assert done.goal is None
        runs = [one async for one in here.client.list_workflows("WorkflowType = 'GitHubDelivery'", limit=1)]
        other = ActivityEnvironment()
        other.info = replace(other.info, workflow_id=runs[0].id, workflow_run_id=runs[0].run_id)
        with pytest.raises(InvalidRequest, match="for its GitHubScheduled alone"):
            await other.run(steps.decide_schedule, DecideSchedule())
