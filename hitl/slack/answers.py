"""What became of words, told to who asked: the two steps of an `AnswerNotice`.

The steps look at the goal themselves. What is told is its result and no word of the notice's; whom it is told, the
statement under which the goal was started says. So a notice that somebody started by hand tells nobody anything that
they did not ask for.
"""

import asyncio
from typing import Final

from temporalio import activity
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import FailureError
from temporalio.service import RPCError

from activities.queues import TaskQueue
from activities.step import implements
from connectors.errors import InvalidRequest, Unavailable
from hitl.gateway.decisions import PolicyInForce
from hitl.gateway.server import Server
from hitl.gateway.who_asked import WhoAsked
from hitl.hidden import unhidden, visible
from hitl.policy.file import PolicyError
from hitl.slack.blocks import short
from hitl.slack.client import SlackMessages
from workflows.agent.answer_contracts import AWAIT_ANSWER, TELL_ANSWER, Answered, AnswerThere, AnswerTold
from workflows.agent.goals import ASK_FOR, AskForResult

_MOST_SAID: Final = 1500
_MOST_STEPS: Final = 20
_SHORT: Final = 200
_ASK: Final = "/banksman ask …"


class Asked:
    """Goals that people asked for in words in Slack.

    Args:
        server: Temporal.
        starts: Tells who asked for a goal.
        policy: Who people are.
    """

    def __init__(self, server: Server, starts: WhoAsked, policy: PolicyInForce) -> None:
        self._server, self._starts, self._policy = server, starts, policy

    async def is_running(self, request: Answered) -> bool:
        """Whether this person's words still run.

        Raises:
            InvalidRequest: It is no goal of this person's words.
            Unavailable: Temporal or the policy cannot be read now.
        """
        try:
            found = await self._server.describe(request.goal, request.run)
            # On another queue than the goals', whoever polls it would speak as one of them.
            if found is None or (found.workflow_type, found.task_queue) != (ASK_FOR.name, TaskQueue.GOALS):
                raise InvalidRequest(f"{request.goal!r} is nothing that was asked for in words")
            people = self._policy.current().people
            asker = await self._starts.requester_of(request.goal, request.run, people)
        except (RPCError, PolicyError) as error:
            raise Unavailable("Temporal or the policy cannot be read now; it is tried again") from error
        if asker != f"slack:{request.user}" or people.person(asker) is None:
            raise InvalidRequest(f"nobody vouches that {request.user!r} asked for {request.goal!r}")
        return found.status is WorkflowExecutionStatus.RUNNING

    async def end_of(self, request: Answered) -> str:
        """What became of it, as plain text; waits for it.

        Raises:
            Unavailable: Temporal does not answer.
        """
        client = self._server.client
        handle = client.get_workflow_handle(request.goal, run_id=request.run, result_type=AskForResult)
        try:
            return told_of(await handle.result(follow_runs=False))
        except WorkflowFailureError as error:
            why = error.cause.message if isinstance(error.cause, FailureError) else str(error.cause)
            return f"It did not end well: {short(unhidden(why), _MOST_SAID)}"
        except RPCError as error:
            raise Unavailable("Temporal cannot be asked for a goal's end now; it is tried again") from error


class AwaitingSteps:
    """The step that waits, of which many are under way at once."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    @implements(AWAIT_ANSWER)
    async def await_answer(self, request: Answered) -> AnswerThere:
        """Wait until the goal has ended.

        Raises:
            InvalidRequest: It is no goal of this person's words.
            Unavailable: Temporal does not answer, or this gateway ends: another one goes on.
        """
        if not await self._asked.is_running(request):
            return AnswerThere()
        waits = asyncio.ensure_future(self._asked.end_of(request))
        ending = asyncio.ensure_future(activity.wait_for_worker_shutdown())
        try:
            done, _ = await asyncio.wait({waits, ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waits.cancel()
            ending.cancel()
        if waits not in done:
            raise Unavailable("this gateway ends, and another one goes on")
        waits.result()
        return AnswerThere()


class AnswerSteps:
    """The step that tells.

    Args:
        messages: Slack's.
        asked: What it tells of.
    """

    def __init__(self, messages: SlackMessages, asked: Asked) -> None:
        self._messages, self._asked = messages, asked

    @implements(TELL_ANSWER)
    async def tell_answer(self, request: Answered) -> AnswerTold:
        """Say what became of it, to this person alone.

        Raises:
            InvalidRequest: It is no goal of this person's words, or it has not ended.
            ConnectorError: By Slack's errors.
        """
        if await self._asked.is_running(request):
            raise InvalidRequest(f"{request.goal!r} has not ended, so that there is nothing to tell")
        await self._messages.tell_one(request.channel, request.user, await self._asked.end_of(request))
        return AnswerTold()


def told_of(result: AskForResult) -> str:
    """What became of words: a question, a refusal, or how each step of the plan ended. Nothing of it is markup."""
    if result.answer == "question":
        lines = [
            f"It asks back: {short(unhidden(result.says or ''), _MOST_SAID)}",
            f"Nothing was done. To answer, ask again and say it in your words: {_ASK}",
        ]
    else:
        said = short(unhidden(result.reason), _MOST_SAID) if result.reason else ""
        lines = [f"{result.outcome.value.replace('_', ' ').capitalize()}{': ' if said else '.'}{said}"]
    lines += [
        f"• {one.id}, {one.goal}: {one.outcome.replace('_', ' ')}{_because(one.reason)}"
        for one in result.steps[:_MOST_STEPS]
    ]
    if (more := len(result.steps) - _MOST_STEPS) > 0:
        lines.append(f"and {more} more")
    if result.backend:
        lines.append(f"Answered by {visible(result.backend)}/{visible(result.model or '')}.")
    return "\n".join(lines)


def _because(reason: str | None) -> str:
    return f", {short(unhidden(reason), _SHORT)}" if reason else ""
