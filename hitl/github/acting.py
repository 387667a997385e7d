"""Carries out what was decided of a delivery: begins goals in a person's name, ends, repeats and tells of their own.

What a person can end, repeat or be told of is what they asked for themselves, by the gateway's signature and not by
what Temporal's lists say. A yes or a no goes the way of every decision.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from temporalio.client import WorkflowExecution, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.queues import TaskQueue
from hitl.approval.decision import Surface, Verdict
from hitl.approval.plan import plan_digest
from hitl.gateway.decisions import Click, DecisionService, Kind
from hitl.gateway.goal_starter import GoalStarter
from hitl.gateway.inputs import AskedFor, read_asked
from hitl.gateway.server import NotAnApproval, Server, quoted
from hitl.github.commands import COMMAND, Command
from hitl.github.deciding import Start
from hitl.github.rules import Known, refuse_rate
from hitl.hidden import visible
from hitl.policy.rules import Policy
from hitl.policy.triggers import SlashCommand
from workflows.catalogue import find_goal
from workflows.contracts import REPOSITORY_ATTRIBUTE, REQUESTER_ATTRIBUTE
from workflows.github.contracts import Done
from workflows.github.deciding_contracts import DeliveryDecided, GoalBegun
from workflows.github.job_contracts import GITHUB_JOB, GITHUB_JOB_PREFIX, GitHubJobInput, JobTrigger
from workflows.standing import standing_of

_HOUR: Final = timedelta(hours=1)
_JOBS: Final = f"WorkflowType = {quoted(GITHUB_JOB.name)}"
_LOOKED_AT: Final = 10
_OUTCOMES: Final[Mapping[Kind, bool]] = {Kind.COUNTED: True, Kind.REFUSED: False, Kind.UNCONFIRMED: False}


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """A delivery.

    Attributes:
        guid: As GitHub knows it: what it begins is begun once.
        once: What that is begun once by, where several deliveries ask for the same; empty for the delivery itself.
        repository: `OWNER/NAME`.
        at: When the gateway received it.
        number: Of the issue or the pull request that it is about.
        commit: The one that it is about, for a check run.
        branch: Of the pull request that it is about, where that lies in this repository.
        trigger: What happened, as people look for the jobs that it began.
        comment: The comment that was written.
        installation: By which installation of the App it came, as GitHub signed it; of a schedule, as the worker says
            that read its file with the App's key.
    """

    guid: str
    repository: str
    at: datetime
    once: str = ""
    number: int | None = None
    commit: str | None = None
    branch: str | None = None
    trigger: JobTrigger | None = None
    comment: int | None = None
    installation: int | None = None


@dataclass(frozen=True)
class _Begun:
    """A job that this process began."""

    at: datetime
    identity: str
    owner: str


class NotTheirs(ValueError):
    """It is no goal, or not one that this person asked for. The message is for them."""


class Acts:
    """What a gateway does for people on GitHub.

    Args:
        server: Temporal.
        starts: Begins goals in people's names.
        decides: Has decisions counted.
        console: Where people reach the console.
    """

    def __init__(
        self, server: Server, starts: GoalStarter, decides: DecisionService, *, console: str | None = None
    ) -> None:
        self._server, self._starts, self._decides = server, starts, decides
        page = urlsplit(console or "")
        self._console = f"{page.scheme}://{page.netloc}" if page.netloc else None
        self._begun: dict[str, _Begun] = {}
        self._one_at_a_time = asyncio.Lock()

    async def start(self, wanted: Start, on: Occasion, policy: Policy) -> DeliveryDecided:
        """Begin goals, as far as the rates allow; the same delivery begins none twice.

        Raises:
            ConnectorError: Vault does not sign now.
            RPCError: The server cannot be reached.
        """
        begun: list[GoalBegun] = []
        refused = list(wanted.refused)
        async with self._one_at_a_time:
            for index, one in enumerate(wanted.goals):
                job = self._job(one, on, part=str(index + 1) if len(wanted.goals) > 1 else "")
                if why := await self._over(job, wanted.by, on, policy):
                    refused.append(f"{one.goal.name}: {why}")
                elif (one_begun := await self._begin(job, wanted.by, on)) is None:
                    refused.append(f"{one.goal.name}: somebody else's workflow has its id, {job.business_key()!r}.")
                else:
                    begun.append(one_begun)
        lines = [*map(_told, begun), *refused]
        done = Done.STARTED if begun else Done.ANSWERED
        reaction = "rocket" if begun else "-1"
        return DeliveryDecided(done=done, why="\n".join(lines), goals=tuple(begun), reaction=reaction)

    def _job(self, one: AskedFor, on: Occasion, *, part: str) -> GitHubJobInput:
        return GitHubJobInput(
            repository=on.repository,
            goal=one.goal.name,
            inputs=one.request.model_dump(mode="json", exclude_unset=True),
            delivery=on.guid,
            once=on.once,
            part=part,
            number=on.number,
            commit=on.commit,
            console=self._console,
            trigger=on.trigger,
            asked_in=on.comment,
        )

    async def _begin(self, job: GitHubJobInput, by: Known, on: Occasion) -> GoalBegun | None:
        started = await self._starts.start(
            GITHUB_JOB,
            job,
            identity=by.identity,
            asked_as=f"github:{on.once or on.guid}",
            installation=on.installation,
        )
        if started.existing:  # what this delivery began before is not: the gateway's own statement is known again
            return None
        self._begun[started.workflow_id] = _Begun(datetime.now(UTC), by.identity, _owner(on.repository))
        return GoalBegun(workflow_id=started.workflow_id, run_id=started.run_id, name=job.goal)

    async def _over(self, job: GitHubJobInput, by: Known, on: Occasion, policy: Policy) -> str | None:
        """Why no more may be begun in this hour. Temporal counts, and this process what it does not list yet.

        What this very delivery has begun before is not begun again, so that it is not refused either. An App is
        installed once for each owner: an owner's repositories are those of one installation.
        """
        if await self._server.describe(job.business_key()) is not None:
            return None
        since = datetime.now(UTC) - _HOUR
        self._begun = {key: one for key, one in self._begun.items() if one.at > since}
        when = begun_since(since)
        owner = _owner(on.repository)
        mine = await self._count(f"{when} AND {REQUESTER_ATTRIBUTE.name} = {quoted(by.identity)}")
        theirs = await self._count(f"{when} AND {REPOSITORY_ATTRIBUTE.name} STARTS_WITH {quoted(f'{owner}/')}")
        return refuse_rate(
            policy.github.rates,
            by_person=max(mine, sum(one.identity == by.identity for one in self._begun.values())),
            by_installation=max(theirs, sum(one.owner == owner for one in self._begun.values())),
        )

    async def too_soon(self, prefix: str, now: str, *, least: timedelta) -> str | None:
        """Why the next job of a schedule is not begun: the last one runs still, or has begun not long ago.

        Args:
            prefix: How the delivery of each of them begins.
            now: What follows of the one to be begun: it is not counted itself.
            least: Between two.

        Raises:
            RPCError: The server cannot be reached.
        """
        key = f"{GITHUB_JOB_PREFIX}{prefix}"
        since = datetime.now(UTC) - least
        if any(one.at > since for name, one in self._begun.items() if name.startswith(key) and name != key + now):
            return f"the last one has begun less than {least} ago."
        query = f"{_JOBS} AND WorkflowId STARTS_WITH {quoted(key)}"
        async for one in self._server.client.list_workflows(query, limit=_LOOKED_AT):
            if one.id == key + now:
                return None
            if one.status is WorkflowExecutionStatus.RUNNING:
                return f"the last one runs still ({one.id!r})."
            if one.start_time > since:
                return f"the last one has begun less than {least} ago ({one.id!r})."
        return None

    async def _count(self, query: str) -> int:
        return (await self._server.client.count_workflows(query)).count

    # What a person asked for before.

    async def again(self, command: Command, by: Known, on: Occasion, policy: Policy) -> AskedFor:
        """What one of their goals was asked for with, once it has ended.

        Raises:
            NotTheirs: There is none, or it runs.
            RPCError: The server cannot be reached.
        """
        found = await self._own(command.id, by, on, policy)
        if found.status is WorkflowExecutionStatus.RUNNING:
            raise NotTheirs(f"{found.id!r} runs still; `{COMMAND} cancel {found.id}` ends it.")
        first = await self._server.first_event(found.id, found.run_id)
        try:
            [plain] = await self._server.plain(list(first.workflow_execution_started_event_attributes.input.payloads))
            if found.workflow_type != GITHUB_JOB.name:
                return read_asked(found.workflow_type, plain.data.decode())
            job = GitHubJobInput.model_validate_json(plain.data)
            return read_asked(job.goal, json.dumps(job.inputs))
        except (ValueError, RuntimeError) as error:
            raise NotTheirs(f"What {found.id!r} was asked for with cannot be read any more: {error}") from error

    async def cancel(self, command: Command, by: Known, on: Occasion, policy: Policy) -> str:
        """End one of their goals; what it has to undo it undoes first. To end it twice is to end it once.

        Raises:
            NotTheirs: There is none.
            RPCError: The server cannot be reached.
        """
        found = await self._own(command.id, by, on, policy)
        if found.status is not WorkflowExecutionStatus.RUNNING:
            return f"{found.id!r} has ended already: {standing_of(found)}."
        try:
            await self._server.client.get_workflow_handle(found.id, run_id=found.run_id).cancel()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return f"{found.id!r} has ended already."
        return f"{found.id!r} was told to end."

    async def status(self, command: Command, by: Known, on: Occasion, policy: Policy) -> str:
        """Where one of their goals stands, in a word: who reads a comment may be anybody.

        Raises:
            NotTheirs: There is none.
            RPCError: The server cannot be reached.
        """
        found = await self._own(command.id, by, on, policy)
        return f"{found.id!r}: {standing_of(found).replace('_', ' ')}."

    async def _own(self, goal: str, by: Known, on: Occasion, policy: Policy) -> WorkflowExecutionDescription:
        """The goal of this id, or the newest that they asked for from this repository."""
        if goal:
            found = await self._server.describe(goal)
            if found is not None and await self._is_theirs(found, by, policy):
                return found
            raise NotTheirs(f"There is no goal {visible(goal)!r} that you asked for.")
        query = (
            f"{_JOBS} AND {REQUESTER_ATTRIBUTE.name} = {quoted(by.identity)} "
            f"AND {REPOSITORY_ATTRIBUTE.name} = {quoted(on.repository)}"
        )
        async for one in self._server.client.list_workflows(query, limit=_LOOKED_AT):
            if await self._is_theirs(one, by, policy) and (found := await self._server.describe(one.id, one.run_id)):
                return found
        raise NotTheirs(f"You asked for no goal from {on.repository!r}; name one by its id.")

    async def _is_theirs(self, found: WorkflowExecution, by: Known, policy: Policy) -> bool:
        ours = found.workflow_type == GITHUB_JOB.name or find_goal(found.workflow_type) is not None
        if not ours or found.task_queue != TaskQueue.GOALS:
            return False
        asked = await self._starts.requester_of(found.id, found.run_id, policy.people)
        return policy.people.requester(asked) == by.person

    # Decisions.

    async def decide(self, command: Command, by: Known, on: Occasion) -> tuple[bool, str]:
        """Have a yes or a no counted. Whether it was, and what the person is told.

        Raises:
            RPCError: The server cannot be reached.
        """
        try:
            found = await self._server.approval(command.id)
        except NotAnApproval as error:
            return False, str(error)
        digest, approves = plan_digest(found.request.plan), command.word is SlashCommand.APPROVE
        if approves and not command.digest:
            return False, (
                "Say which plan you were shown: its digest stands in the console, in Slack and in the check run. "
                f"`{COMMAND} approve {command.id} DIGEST`"
            )
        if approves and not digest.removeprefix("sha256:").startswith(command.digest):
            return False, "What you were shown is not the plan of this approval; look at it again."
        outcome = await self._decides.decide(
            Click(
                approval_id=command.id,
                digest=digest,
                identity=by.identity,
                verdict=Verdict.APPROVE if approves else Verdict.REJECT,
                reason=command.reason,
                surface=Surface.GITHUB,
                clicked_at=on.at,
            )
        )
        link = f" {outcome.link}" if outcome.link else ""
        return _OUTCOMES[outcome.kind], f"{outcome.words}{link}"


def begun_since(since: datetime) -> str:
    """Of Temporal's list: what was begun from GitHub since then, by whomever."""
    return f"StartTime > '{since:%Y-%m-%dT%H:%M:%SZ}' AND {_JOBS}"


def _owner(repository: str) -> str:
    return repository.partition("/")[0]


def _told(one: GoalBegun) -> str:
    return f"Started: {one.name}, {visible(one.workflow_id)}"
