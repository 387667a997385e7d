"""The gateway's steps on schedules: what the time has come for is begun, or is told why it is not."""

from datetime import UTC, datetime
from typing import Final

import structlog
from temporalio import activity
from temporalio.service import RPCError

from activities.queues import TaskQueue
from activities.step import implements
from connectors.errors import InvalidRequest, Unavailable
from hitl.gateway.decisions import PolicyInForce
from hitl.gateway.server import Server
from hitl.github.acting import Acts, Occasion
from hitl.github.deciding import Start
from hitl.github.facts import ConfigSeen, config_of
from hitl.github.repository_config import PATH, BrokenConfig, RepositoryConfig
from hitl.github.rules import Known
from hitl.github.schedules import JITTER, Schedules
from hitl.github.scheduling import NO_FILE, NO_RULE, NotPlanned, Planned, may_schedule, planned, wanted_by
from hitl.hidden import unhidden_lines
from hitl.policy.file import PolicyError
from hitl.policy.rules import Policy
from workflows.github.contracts import Done
from workflows.github.job_contracts import JobTrigger
from workflows.github.scheduled_contracts import (
    DECIDE_SCHEDULE,
    FIND_SCHEDULING,
    SCHEDULED_WORKFLOW,
    DecideSchedule,
    FindScheduling,
    ScheduleDecided,
    ScheduledInput,
    SchedulingFound,
    job_prefix,
    requester_for,
)

_MOST_SAID: Final = 8000
_log = structlog.get_logger("banksman.github")


class ScheduleSteps:
    """The steps.

    Args:
        server: Temporal.
        policy: In force.
        acts: Begins goals.
        schedules: Of all repositories.
    """

    def __init__(self, server: Server, policy: PolicyInForce, acts: Acts, schedules: Schedules) -> None:
        self._server, self._policy, self._acts, self._schedules = server, policy, acts, schedules

    @implements(DECIDE_SCHEDULE)
    async def decide_schedule(self, request: DecideSchedule) -> ScheduleDecided:
        """Decide what the run of a schedule begins whose step this is, and begin it.

        Raises:
            InvalidRequest: It is the step of something else.
            Unavailable: Temporal, Vault or the policy cannot be reached now.
        """
        del request
        info = activity.info()
        if not info.in_workflow or info.workflow_id is None or info.workflow_run_id is None:
            raise InvalidRequest(f"a schedule is decided on for its {SCHEDULED_WORKFLOW} alone")
        try:
            asked = await self._asked(info.workflow_id, info.workflow_run_id)
            seen = await config_of(
                self._server, asked.repository, workflow_id=info.workflow_id, run_id=info.workflow_run_id
            )
            done = await self._done(asked, seen, self._policy.current(), info.workflow_run_id)
        except (RPCError, PolicyError) as error:
            raise Unavailable("Temporal or the policy cannot be read now; it is tried again") from error
        _log.info("a schedule was decided on", schedule=asked.schedule, done=done.done.value, why=done.why)
        return done.model_copy(update={"why": unhidden_lines(done.why)[:_MOST_SAID]})

    @implements(FIND_SCHEDULING)
    async def find_scheduling(self, request: FindScheduling) -> SchedulingFound:
        """Which of these may schedule by the policy, or have a schedule; and the others that have one.

        Raises:
            Unavailable: Temporal or the policy cannot be reached now.
        """
        try:
            policy, having = self._policy.current(), await self._schedules.having()
        except (RPCError, PolicyError) as error:
            raise Unavailable("Temporal or the policy cannot be read now; it is tried again") from error
        may = {one for one in request.repositories if may_schedule(one, policy)}
        return SchedulingFound(repositories=tuple(sorted(may | having)))

    async def _asked(self, workflow_id: str, run_id: str) -> ScheduledInput:
        """What the run was started with, by the server's word."""
        started = (await self._server.first_event(workflow_id, run_id)).workflow_execution_started_event_attributes
        if (started.workflow_type.name, started.task_queue.name) != (SCHEDULED_WORKFLOW, TaskQueue.GOALS):
            raise InvalidRequest(f"a schedule is decided on for its {SCHEDULED_WORKFLOW} alone")
        try:
            [plain] = await self._server.plain(list(started.input.payloads))
            return ScheduledInput.model_validate_json(plain.data)
        except (ValueError, RuntimeError) as error:
            raise InvalidRequest("it was not started with one schedule") from error

    async def _done(
        self, asked: ScheduledInput, seen: ConfigSeen | None, policy: Policy, run_id: str
    ) -> ScheduleDecided:
        repository = asked.repository
        if not may_schedule(repository, policy):
            await self._schedules.keep(repository, ())
            return ScheduleDecided(why=NO_RULE.format(policy=policy.source, repository=repository))
        if seen is None:
            return ScheduleDecided(look=True)
        match seen.config:
            case BrokenConfig():
                return ScheduleDecided(why=f"{PATH} has mistakes; nothing is begun until it is mended.")
            case None:
                await self._schedules.pause([repository], NO_FILE)
                return ScheduleDecided(why=f"Paused: {NO_FILE}.")
            case config:
                return await self._of_config(asked, config, seen, policy, run_id)

    async def _of_config(
        self, asked: ScheduledInput, config: RepositoryConfig, seen: ConfigSeen, policy: Policy, run_id: str
    ) -> ScheduleDecided:
        plans = planned(config, asked.repository, policy)
        lines = await self._schedules.keep(asked.repository, plans)
        if not asked.schedule:
            return ScheduleDecided(done=Done.KEPT, why="\n".join(lines) or "It schedules nothing.")
        plan = next((one for one in plans if one.name == asked.schedule), None)
        if not isinstance(plan, Planned):
            await self._schedules.remove(asked.repository, asked.schedule)
            why = plan.why if isinstance(plan, NotPlanned) else f"{PATH} names it no longer."
            return ScheduleDecided(why=why)
        prefix = job_prefix(asked.repository, plan.name)
        if why := await self._acts.too_soon(prefix, run_id, least=policy.github.schedules.least - 2 * JITTER):
            return ScheduleDecided(why=f"Left out: {why}")
        wanted = wanted_by(plan.name, config, repository=asked.repository, head=seen.commit)
        if isinstance(wanted, str):
            return ScheduleDecided(why=wanted)
        nobody = Known(identity=requester_for(asked.repository), person="")
        on = Occasion(
            guid=f"{prefix}{run_id}",
            repository=asked.repository,
            at=datetime.now(UTC),
            commit=seen.commit,
            trigger=JobTrigger.SCHEDULE,
            installation=seen.installation,
        )
        begun = await self._acts.start(Start(by=nobody, goals=(wanted,)), on, policy)
        goal = begun.goals[0].workflow_id if begun.goals else None
        return ScheduleDecided(done=begun.done, why=begun.why, goal=goal)
