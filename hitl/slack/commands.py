"""`/banksman goals`, `run`, `approvals` and `status`: answered to the one who asks, within Slack's three seconds."""

import asyncio
from typing import Final

import structlog
from pydantic import ValidationError
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from connectors.errors import ConnectorError
from hitl.gateway.decisions import PolicyInForce
from hitl.gateway.goal_starter import GoalStarter
from hitl.hidden import visible
from hitl.policy.file import PolicyError
from hitl.slack.blocks import escaped, link
from hitl.slack.messages import Links
from workflows.catalogue import GOALS, find_goal
from workflows.contracts import GoalInput
from workflows.converter import describe_problems
from workflows.goal_type import GoalType
from workflows.standing import standing_of

COMMAND: Final = "/banksman"
_IN_TIME: Final = 2.5
_MOST: Final = 20
_WAITING: Final = "WorkflowType = 'Approval' AND ExecutionStatus = 'Running'"
_RUNNING: Final = f"({' OR '.join(f'WorkflowType = {goal.name!r}' for goal in GOALS)}) AND ExecutionStatus = 'Running'"
_USAGE: Final = (
    f"{COMMAND} goals · what can be asked for\n"
    f"{COMMAND} run GOAL JSON · ask for it, in your name\n"
    f"{COMMAND} approvals · what waits for people\n"
    f"{COMMAND} status [GOAL ID] · where things stand"
)
_LOOK: Final = f"Look at `{COMMAND} status` before you repeat it."
_QUOTES: Final = str.maketrans("“”„", '"""')
"""Slack's client for macOS turns quotation marks into these as one types."""
_log = structlog.get_logger("banksman.slack")


class Commands:
    """The command, with what it looks at."""

    def __init__(self, client: Client, starts: GoalStarter, policy: PolicyInForce, *, links: Links) -> None:
        self._client = client
        self._starts = starts
        self._policy = policy
        self._links = links

    async def answer(self, identity: str, text: str, *, asked_as: str) -> str:
        """What the person is told, as Slack's mrkdwn. Never by an exception.

        Args:
            identity: Who asks: `slack:U0ALICE`.
            text: What they typed after the command.
            asked_as: What Slack knows this one request by.
        """
        try:
            async with asyncio.timeout(_IN_TIME):
                return await self._answer(identity, text.strip(), asked_as=asked_as)
        except PolicyError:
            return "The policy cannot be read now; an operator must mend it."
        except (TimeoutError, RPCError, ConnectorError) as error:
            _log.warning("a command could not be answered", why=str(error))
            return f"Not confirmed: Temporal or Vault does not answer now. {_LOOK}"
        except Exception:  # noqa: BLE001 - whatever it is, the person hears that nothing is confirmed
            _log.exception("a command broke")
            return f"Not confirmed: something went wrong, and an operator finds it in the gateway's log. {_LOOK}"

    async def _answer(self, identity: str, text: str, *, asked_as: str) -> str:
        policy = self._policy.current()
        if policy.people.person(identity) is None:
            known = f"{policy.source} does not know {identity!r}; an operator can add it under `people`."
            return escaped(known)
        word, _, rest = text.partition(" ")
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

    async def _run(self, identity: str, text: str, *, asked_as: str) -> str:
        name, _, given = text.partition(" ")
        goal = find_goal(name)
        if goal is None:
            return escaped(f"There is no goal {name!r}; there are: {', '.join(one.name for one in GOALS)}.")
        try:
            request = _input(goal, given.strip() or "{}")
        except ValidationError as error:
            return escaped(describe_problems(goal.input, error))
        started = await self._starts.start(goal, request, identity=identity, asked_as=asked_as)
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
        return f"{self._link(found.id, found.run_id)}: {escaped(standing_of(found))} ({ended})"

    async def _approvals(self) -> str:
        lines = [
            f"• {link(self._links.approval(one.id, one.run_id), visible(one.id))} waits for people since "
            f"{one.start_time:%Y-%m-%d %H:%M} UTC"
            async for one in self._client.list_workflows(_WAITING, page_size=_MOST, limit=_MOST)
        ]
        return "\n".join(lines) or "Nothing waits for people."

    def _link(self, workflow_id: str, run_id: str) -> str:
        return link(self._links.workflow(workflow_id, run_id), visible(workflow_id))


def _input(goal: GoalType, text: str) -> GoalInput:
    """The input, also where Slack's client changed the quotation marks.

    Raises:
        ValidationError: It is not one.
    """
    try:
        return goal.input.model_validate_json(text)
    except ValidationError:
        if (straight := text.translate(_QUOTES)) == text:
            raise
        return goal.input.model_validate_json(straight)
