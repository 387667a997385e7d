"""`/banksman ask`, `run`, `goals`, `approvals`, `status`: answered to who asks, within Slack's three seconds."""

import asyncio
import contextlib
from typing import Final

import structlog
from pydantic import ValidationError
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowQueryFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.queues import TaskQueue
from connectors.errors import ConnectorError
from hitl.gateway.decisions import PolicyInForce
from hitl.gateway.goal_starter import GoalStarter, StartedGoal
from hitl.gateway.inputs import NotAskedFor, read_asked
from hitl.hidden import unhidden, visible
from hitl.policy.file import PolicyError
from hitl.slack.blocks import escaped, link, short
from hitl.slack.messages import Links
from workflows.agent.answer_contracts import ANSWER_NOTICE, Answered, notice_of
from workflows.agent.goals import ASK_FOR, AskForInput
from workflows.catalogue import GOALS
from workflows.contracts import GoalResult, GoalStatus
from workflows.converter import describe_problems
from workflows.standing import standing_of

COMMAND: Final = "/banksman"
_IN_TIME: Final = 2.5
_SAID_IN: Final = 1.0
_SLACK: Final = "slack:"
_MOST_SAID: Final = 1500
_ENTITIES: Final = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
_MOST: Final = 20
_WAITING: Final = "WorkflowType = 'Approval' AND ExecutionStatus = 'Running'"
_RUNNING: Final = f"({' OR '.join(f'WorkflowType = {goal.name!r}' for goal in GOALS)}) AND ExecutionStatus = 'Running'"
_USAGE: Final = (
    f"{COMMAND} ask WORDS · have a model plan what you say, in your name; nothing is written without people\n"
    f"{COMMAND} goals · what can be asked for\n"
    f"{COMMAND} run GOAL JSON · ask for it, in your name\n"
    f"{COMMAND} approvals · what waits for people\n"
    f"{COMMAND} status [GOAL ID] · where things stand"
)
_LOOK: Final = f"Look at `{COMMAND} status` before you repeat it."
_log = structlog.get_logger("banksman.slack")


class Commands:
    """The command, with what it looks at."""

    def __init__(self, client: Client, starts: GoalStarter, policy: PolicyInForce, *, links: Links) -> None:
        self._client = client
        self._starts = starts
        self._policy = policy
        self._links = links

    async def answer(self, identity: str, text: str, *, asked_as: str, channel: str) -> str:
        """What the person is told, as Slack's mrkdwn. Never by an exception.

        Args:
            identity: Who asks: `slack:U0ALICE`.
            text: What they typed after the command.
            asked_as: What Slack knows this one request by.
            channel: Where they typed it.
        """
        try:
            async with asyncio.timeout(_IN_TIME):
                return await self._answer(identity, text.strip(), asked_as=asked_as, channel=channel)
        except PolicyError:
            return "The policy cannot be read now; an operator must mend it."
        except (TimeoutError, RPCError, ConnectorError) as error:
            _log.warning("a command could not be answered", why=str(error))
            return f"Not confirmed: Temporal or Vault does not answer now. {_LOOK}"
        except Exception:  # noqa: BLE001 - whatever it is, the person hears that nothing is confirmed
            _log.exception("a command broke")
            return f"Not confirmed: something went wrong, and an operator finds it in the gateway's log. {_LOOK}"

    async def _answer(self, identity: str, text: str, *, asked_as: str, channel: str) -> str:
        policy = self._policy.current()
        if policy.people.person(identity) is None:
            known = f"{policy.source} does not know {identity!r}; an operator can add it under `people`."
            return escaped(known)
        word, _, rest = text.partition(" ")
        if word == "ask":
            return await self._ask(identity, rest.strip(), asked_as=asked_as, channel=channel)
        return await self._short(word, rest, identity=identity, asked_as=asked_as)

    async def _short(self, word: str, rest: str, *, identity: str, asked_as: str) -> str:
        match word:
            case "goals":
                return "\n".join(
                    f"*{goal.name}* ({goal.effect}): {escaped(goal.description)}\n`{COMMAND} run {goal.name} "
                    f"{escaped(goal.example_json)}`"
                    for goal in GOALS
                )
            case "run":
                return await self._run(identity, rest.strip(), asked_as=asked_as)
            case "approvals":
                return await self._approvals()
            case "status":
                return await self._status(rest.strip())
            case _:
                return _USAGE

    async def _ask(self, identity: str, words: str, *, asked_as: str, channel: str) -> str:
        try:
            request = AskForInput(text=unescaped(words))
        except ValidationError as error:
            return escaped(f"{describe_problems(AskForInput, error)} Write `{COMMAND} ask WORDS`.")
        started = await self._starts.start(ASK_FOR, request, identity=identity, asked_as=asked_as)
        told = await self._tell_end(started, identity=identity, channel=channel)
        verb = "That is under way already" if started.existing else "Asked"
        page = self._links.goal(started.workflow_id, started.run_id)
        where = f" · {link(page, 'step by step')}" if page else ""
        return f"{verb}: {self._link(started.workflow_id, started.run_id)}{where}{told}"

    async def _tell_end(self, started: StartedGoal, *, identity: str, channel: str) -> str:
        """Have its end told to who asked, whatever becomes of this gateway; how the line goes on that they are told.

        Args:
            started: The goal that the words became.
            identity: Who asks now. The goal may be one that somebody else asked for in the same words.
            channel: Where they ask.
        """
        if started.existing and await self._asker(started) != identity:
            where = f"`{COMMAND} status {escaped(visible(started.workflow_id))}`"
            return f"\nSomebody else asked for it, and is told its end; {where} tells you."
        answered = Answered(
            goal=started.workflow_id, run=started.run_id, channel=channel, user=identity.removeprefix(_SLACK)
        )
        with contextlib.suppress(WorkflowAlreadyStartedError):
            await self._client.start_workflow(
                ANSWER_NOTICE,
                answered,
                id=notice_of(started.run_id),
                task_queue=TaskQueue.GOALS,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary="Tell who asked what became of it",
            )
        return ""

    async def _asker(self, started: StartedGoal) -> str:
        people = self._policy.current().people
        return await self._starts.requester_of(started.workflow_id, started.run_id, people)

    async def _run(self, identity: str, text: str, *, asked_as: str) -> str:
        name, _, given = text.partition(" ")
        try:
            asked = read_asked(name, given)
        except NotAskedFor as error:
            return escaped(str(error))
        started = await self._starts.start(asked.goal, asked.request, identity=identity, asked_as=asked_as)
        verb = "Already running" if started.existing else "Started"
        return f"{verb}: {self._link(started.workflow_id, started.run_id)}"

    async def _status(self, workflow_id: str) -> str:
        if workflow_id:
            return await self._status_of(workflow_id)
        running = await self._client.count_workflows(_RUNNING)
        waiting = await self._client.count_workflows(_WAITING)
        environment = self._policy.environment
        phase = self._policy.current().environments[environment].phase
        return f"{environment} is in phase `{phase}`: {running.count} goals running, {waiting.count} approvals waiting."

    async def _status_of(self, workflow_id: str) -> str:
        try:
            found = await self._client.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return escaped(f"There is no goal {workflow_id!r}.")
        ended = found.status.name.lower() if found.status else "unknown"
        line = f"{self._link(found.id, found.run_id)}: {escaped(standing_of(found))} ({ended})"
        said = await self._said(found)
        return f"{line}\n{escaped(short(unhidden(said), _MOST_SAID))}" if said else line

    async def _said(self, found: WorkflowExecutionDescription) -> str:
        """What it does now, or says of its end; empty where it says nothing in time."""
        handle = self._client.get_workflow_handle(found.id, run_id=found.run_id, result_type=GoalResult)
        try:
            async with asyncio.timeout(_SAID_IN):
                if found.status is WorkflowExecutionStatus.RUNNING:
                    now = await handle.query("status", result_type=GoalStatus)
                    return now.waiting_for or now.step or ""
                if found.status is WorkflowExecutionStatus.COMPLETED:
                    return (await handle.result(follow_runs=False)).reason or ""
        except (TimeoutError, RPCError, WorkflowFailureError, WorkflowQueryFailedError, ValidationError):
            return ""
        return ""

    async def _approvals(self) -> str:
        lines = [
            f"• {link(self._links.approval(one.id, one.run_id), visible(one.id))} waits for people since "
            f"{one.start_time:%Y-%m-%d %H:%M} UTC"
            async for one in self._client.list_workflows(_WAITING, page_size=_MOST, limit=_MOST)
        ]
        return "\n".join(lines) or "Nothing waits for people."

    def _link(self, workflow_id: str, run_id: str) -> str:
        return link(self._links.workflow(workflow_id, run_id), visible(workflow_id))


def unescaped(text: str) -> str:
    """What a person typed: Slack writes three characters otherwise."""
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    return text
