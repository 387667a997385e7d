"""The gateway's step on a delivery: what it is, the server says; what becomes of it, the policy says; and it is done.

It is tried again whenever a part of it does not answer. What it does it does once: a goal by the delivery's id, a
decision by the moment at which it was received, an end because ending twice is ending once.
"""

from datetime import UTC, datetime
from typing import Final

import structlog
from temporalio import activity
from temporalio.service import RPCError

from activities.step import implements
from connectors.errors import InvalidRequest, Unavailable
from hitl.gateway.decisions import PolicyInForce
from hitl.gateway.deliveries import Deliveries
from hitl.github.acting import Acts, NotTheirs, Occasion
from hitl.github.deciding import (
    Answer,
    Carry,
    Decided,
    Facts,
    Ignore,
    LeftOut,
    Look,
    Start,
    asked_again,
    changes_config,
    decide,
    no_file_fits,
)
from hitl.github.deputy import voided_by
from hitl.github.events import (
    AnyEvent,
    CheckRunEvent,
    IssueCommentEvent,
    IssuesEvent,
    OfRepository,
    PullRequestEvent,
    PullRequestReviewCommentEvent,
    PullRequestReviewEvent,
    PushEvent,
)
from hitl.github.facts import facts_of
from hitl.github.happenings import trigger_of
from hitl.github.repository_config import BrokenConfig, RepositoryConfig
from hitl.github.reviews import said_once
from hitl.github.revising import revision_of
from hitl.github.schedules import Schedules
from hitl.github.scheduling import NotPlanned, planned
from hitl.github.voiding import Voiding
from hitl.hidden import unhidden_lines
from hitl.policy.file import PolicyError
from hitl.policy.rules import Policy
from hitl.policy.triggers import SlashCommand
from workflows.github.contracts import DELIVERY_WORKFLOW, Done, ReceivedDelivery
from workflows.github.deciding_contracts import (
    DECIDE_DELIVERY,
    ConfigMistake,
    DecideDelivery,
    DeliveryDecided,
    ScheduleTold,
    TaskLeftOut,
)

_MOST_SAID: Final = 8000
_log = structlog.get_logger("banksman.github")


class DecidingSteps:
    """The step.

    Args:
        deliveries: Tells which deliveries GitHub sent.
        policy: In force.
        acts: Carries out what is decided.
        voiding: Ends what was said of a head that is none any more.
        schedules: Of all repositories.
    """

    def __init__(
        self, deliveries: Deliveries, policy: PolicyInForce, acts: Acts, voiding: Voiding, schedules: Schedules
    ) -> None:
        self._deliveries, self._policy, self._acts, self._voiding = deliveries, policy, acts, voiding
        self._schedules = schedules

    @implements(DECIDE_DELIVERY)
    async def decide_delivery(self, request: DecideDelivery) -> DeliveryDecided:
        """Decide what becomes of the delivery of the workflow whose step this is, and carry it out.

        Raises:
            InvalidRequest: The gateway received no such delivery.
            Unavailable: Temporal, Vault or the policy cannot be reached now.
        """
        del request
        info = activity.info()
        if not info.in_workflow or info.workflow_id is None or info.workflow_run_id is None:
            raise InvalidRequest(f"a delivery is decided on for its {DELIVERY_WORKFLOW} alone")
        try:
            received = await self._deliveries.verified(info.workflow_id, info.workflow_run_id)
            done = await self._done(received, info.workflow_id, info.workflow_run_id)
        except (RPCError, PolicyError) as error:
            raise Unavailable("Temporal or the policy cannot be read now; it is tried again") from error
        _log.info(
            "a delivery was decided on", delivery=received.delivery, done=done.done.value, why=done.why, look=done.look
        )
        return done

    async def _done(self, received: ReceivedDelivery, workflow_id: str, run_id: str) -> DeliveryDecided:
        event, policy = received.event, self._policy.current()
        facts = None
        if isinstance(event, OfRepository):
            facts = await facts_of(self._deliveries.server, event, workflow_id=workflow_id, run_id=run_id)
        if facts is None:  # before GitHub is asked anything, and once
            await self._moved(event)
        decided = decide(event, policy, facts)
        done = await self._carried(decided, received, policy, facts, await self._at(workflow_id, run_id))
        if facts is not None and isinstance(event, PushEvent) and changes_config(event, policy):
            done = done.model_copy(update={"schedules": await self._scheduled(event, facts, policy)})
        return _with_receipt(done, event, facts)

    async def _moved(self, event: AnyEvent) -> None:
        """Tell jobs where their pull request stands now, and end what was said of a head that is none any more."""
        if isinstance(event, PullRequestEvent) and event.action == "synchronize":
            await self._voiding.move(event)
        if (voided := voided_by(event)) is not None:
            await self._voiding.void(voided)

    async def _scheduled(self, event: PushEvent, facts: Facts, policy: Policy) -> tuple[ScheduleTold, ...]:
        """Have the schedules of a new file. One with mistakes changes none: nobody can tell what it wants."""
        if isinstance(facts.config, BrokenConfig):
            return ()
        where = event.repository.full_name
        plans = planned(facts.config, where, policy)
        lines = await self._schedules.keep(where, plans)
        refused = {one.name for one in plans if isinstance(one, NotPlanned)}
        return tuple(ScheduleTold(line=_safe(one), refused=one.partition(":")[0] in refused) for one in lines)

    async def _at(self, workflow_id: str, run_id: str) -> datetime:
        first = await self._deliveries.server.first_event(workflow_id, run_id)
        return first.event_time.ToDatetime(tzinfo=UTC)

    async def _carried(
        self, decided: Decided, received: ReceivedDelivery, policy: Policy, facts: Facts | None, at: datetime
    ) -> DeliveryDecided:
        event = received.event
        match decided:
            case Look(login, filters):
                return DeliveryDecided(look=login, filters=filters)
            case Ignore(why, left_out):
                return DeliveryDecided(why=_safe(why), left_out=_left_out(left_out))
            case Answer():
                return _answered(decided)
            case Start():
                started = await self._acts.start(decided, _occasion(received, at, facts), policy)
                return started.model_copy(update={"left_out": _left_out(decided.left_out)})
            case Carry():
                return await self._carry(decided, event, facts, policy, _occasion(received, at, facts))

    async def _carry(
        self, asked: Carry, event: AnyEvent, facts: Facts | None, policy: Policy, on: Occasion
    ) -> DeliveryDecided:
        command, by = asked.command, asked.by
        try:
            match command.word:
                case SlashCommand.CANCEL:
                    return _said(await self._acts.cancel(command, by, on, policy))
                case SlashCommand.STATUS:
                    return _said(await self._acts.status(command, by, on, policy))
                case SlashCommand.RETRY:
                    again = await self._acts.again(command, by, on, policy)
                case SlashCommand.REVISE:
                    again = await revision_of(self._deliveries.server, command, on)
                case _:
                    counted, words = await self._acts.decide(command, by, on)
                    return _said(words) if counted else _answered(Answer(words=words))
            wanted = asked_again(again, asked, event, policy, facts)
            return _answered(wanted) if isinstance(wanted, Answer) else await self._acts.start(wanted, on, policy)
        except NotTheirs as error:
            return _answered(Answer(words=str(error)))


def _occasion(received: ReceivedDelivery, at: datetime, facts: Facts | None) -> Occasion:
    event = received.event
    where = event.repository.full_name if isinstance(event, OfRepository) else ""
    number, commit, branch = _about(event)
    return Occasion(
        guid=received.delivery,
        once=said_once(event),
        repository=where,
        at=at,
        number=number,
        commit=commit or (facts.head if facts is not None else None),
        branch=branch or (facts.branch if facts is not None else None),
        trigger=trigger_of(event),
        comment=event.comment.id if isinstance(event, IssueCommentEvent) else None,
        installation=_installation(event),
    )


def _installation(event: AnyEvent) -> int | None:
    """By which installation of the App an event came; None where GitHub does not say it."""
    there = event.installation if isinstance(event, OfRepository) else None
    return there.id if there is not None and there.id > 0 else None


def _about(event: AnyEvent) -> tuple[int | None, str | None, str | None]:
    """The issue or pull request that an event is about, the commit, and the branch where it is no fork's."""
    match event:
        case IssueCommentEvent() | IssuesEvent():
            return event.issue.number, None, None
        case PullRequestEvent() | PullRequestReviewCommentEvent() | PullRequestReviewEvent():
            pull = event.pull_request
            return pull.number, pull.head.sha, None if pull.from_fork else pull.head.ref
        case PushEvent():
            return None, event.after, None
        case CheckRunEvent():
            return None, event.check_run.head_sha, None
        case _:
            return None, None, None


def _left_out(those: tuple[LeftOut, ...]) -> tuple[TaskLeftOut, ...]:
    return tuple(TaskLeftOut(task=one.task, goal=one.goal, why=_safe(no_file_fits(one.paths))) for one in those)


def _said(words: str) -> DeliveryDecided:
    return DeliveryDecided(done=Done.ANSWERED, why=_safe(words), say=fenced(words), reaction="+1")


def _answered(answer: Answer) -> DeliveryDecided:
    return DeliveryDecided(
        done=Done.ANSWERED,
        why=_safe(answer.words),
        say=fenced(answer.words) if answer.aloud else "",
        reaction=("-1" if answer.refused else "+1") if answer.aloud else "confused",
        mistakes=tuple(
            ConfigMistake(line=line, column=column, where=where, message=message)
            for line, column, where, message in answer.mistakes
        ),
    )


def _with_receipt(done: DeliveryDecided, event: AnyEvent, facts: Facts | None) -> DeliveryDecided:
    """With a receipt that GitHub has: a review takes no reaction, so that what may not be is said in a comment.

    What was begun is told by its job. To strangers nothing is said, as everywhere.
    """
    if not isinstance(event, PullRequestReviewEvent):
        return _quieter(done, facts)
    say = fenced(done.why) if done.reaction == "-1" and not done.say else done.say
    return _quieter(done.model_copy(update={"say": say}), facts).model_copy(update={"reaction": None})


def _quieter(done: DeliveryDecided, facts: Facts | None) -> DeliveryDecided:
    """With a comment only where the repository wants one."""
    config = facts.config if facts is not None else None
    wants = config.output.comments if isinstance(config, RepositoryConfig) else "all"
    refused = done.reaction == "-1"
    return done.model_copy(update={"say": ""}) if wants == "none" or (wants == "problems" and not refused) else done


def _safe(words: str) -> str:
    return unhidden_lines(words)[:_MOST_SAID]


def fenced(words: str) -> str:
    """Words as a comment of ours: in a block in which nothing is markup, a mention, a link or a picture."""
    inside = _safe(words).replace("```", "'''")
    return f"```text\n{inside}\n```"
