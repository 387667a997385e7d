"""What follows from a delivery that can have something follow: it is decided on, GitHub being asked in between.

Workflow code. It decides nothing: the gateway's step does, and reads from the server what was answered here.
"""

from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.github.changed_contracts import MATCH_CHANGED_FILES
    from activities.github.contracts import LOOK_AT_PULL_REQUEST, READ_FILE
    from activities.github.people_contracts import FIND_PERMISSION
    from activities.github.showing_contracts import (
        ADD_REACTION,
        PUT_CHECK,
        PUT_COMMENT,
        AddReactionRequest,
        PutCheckRequest,
        PutCommentRequest,
    )
    from activities.guard.error_types import ErrorType
    from connectors.github.shown import Annotation
    from hitl.github.events import (
        AnyEvent,
        IssueCommentEvent,
        IssuesEvent,
        OfRepository,
        PullRequestEvent,
        PullRequestReviewCommentEvent,
        PullRequestReviewEvent,
        PushEvent,
    )
    from workflows.execute import execute
    from workflows.github.contracts import DeliveryResult, Done
    from workflows.github.deciding_contracts import (
        CONFIG,
        DECIDE_DELIVERY,
        DecideDelivery,
        DeliveryDecided,
        TaskLeftOut,
        changed_question,
        config_question,
        permission_question,
        pull_question,
    )

_CHECK: Final = "banksman: configuration"
_SCHEDULES: Final = "banksman: schedules"
_TITLE: Final = 255
_ROUNDS: Final = 3
"""What GitHub answered can be too old by the time that it is looked at, and is asked once more."""


async def decide_on(event: AnyEvent) -> DeliveryResult:
    """Have it decided on and carried out, and tell who asked."""
    decided = await _decided()
    for _ in range(_ROUNDS):
        if not decided.look or not isinstance(event, OfRepository):
            break
        await _look(event, decided)
        decided = await _decided()
    if decided.look:
        return DeliveryResult(done=Done.IGNORED, why="GitHub answered too late, time after time; ask once more")
    await _tell(event, decided)
    goal = decided.goals[0].workflow_id if decided.goals else None
    return DeliveryResult(done=decided.done, why=decided.why, goal=goal)


async def _decided() -> DeliveryDecided:
    return await execute(DECIDE_DELIVERY, DecideDelivery(), summary="Decide what becomes of it")


async def _look(event: OfRepository, wanted: DeliveryDecided) -> None:
    """Ask GitHub. That there is no such file is an answer, too."""
    repository = event.repository.full_name
    if wanted.filters and isinstance(event, PullRequestEvent):
        files = changed_question(repository, event.number, wanted.filters)
        await execute(MATCH_CHANGED_FILES, files, summary="Which files does it change?")
        return
    await execute(FIND_PERMISSION, permission_question(repository, wanted.look), summary="What may they do there?")
    if isinstance(event, IssueCommentEvent) and event.issue.is_pull:
        question = pull_question(repository, event.issue.number)
        await execute(LOOK_AT_PULL_REQUEST, question, summary="Where does it stand?")
    try:
        await execute(READ_FILE, config_question(repository), summary="What does the repository want?")
    except ActivityError as error:
        if _type(error) != ErrorType.NOT_FOUND:
            raise


async def _tell(event: AnyEvent, decided: DeliveryDecided) -> None:
    """By a reaction and by one comment. What was decided stands, also where it may not be told."""
    repository = event.repository.full_name if isinstance(event, OfRepository) else ""
    try:
        if decided.reaction is not None and isinstance(event, IssueCommentEvent | PullRequestReviewCommentEvent):
            to = "issue_comment" if isinstance(event, IssueCommentEvent) else "review_comment"
            request = AddReactionRequest(repository=repository, to=to, id=event.comment.id, reaction=decided.reaction)
            await execute(ADD_REACTION, request, summary="Say that it was read")
        if decided.mistakes and isinstance(event, PushEvent):
            await execute(PUT_CHECK, _check_of(event, decided), summary="Show the mistakes on their lines")
        if decided.schedules and isinstance(event, PushEvent):
            await execute(PUT_CHECK, _schedules_of(event, decided), summary="Show what is scheduled")
        if isinstance(event, PullRequestEvent):
            for one in decided.left_out:
                await execute(PUT_CHECK, _left_out(event, one), summary=f"Show that {one.goal} is left out")
        if decided.say and (number := _number(event)) is not None:
            said = PutCommentRequest(repository=repository, number=number, text=decided.say)
            await execute(PUT_COMMENT, said, summary="Answer")
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        workflow.logger.warning("what was decided could not be told on GitHub: %s", _type(error))


def _check_of(event: PushEvent, decided: DeliveryDecided) -> PutCheckRequest:
    mistakes = decided.mistakes
    return PutCheckRequest(
        repository=event.repository.full_name,
        commit=event.after,
        name=_CHECK,
        status="completed",
        conclusion="failure",
        title=f"{CONFIG} has {len(mistakes)} mistakes" if len(mistakes) > 1 else f"{CONFIG} has a mistake",
        summary="Nothing is begun from this repository until it is mended, since nobody can tell what it forbids.",
        annotations=tuple(
            Annotation(
                path=CONFIG,
                start_line=one.line,
                end_line=one.line,
                annotation_level="failure",
                title=one.where[:_TITLE],
                message=f"column {one.column}: {one.message}",
            )
            for one in mistakes
        ),
    )


def _schedules_of(event: PushEvent, decided: DeliveryDecided) -> PutCheckRequest:
    refused = sum(one.refused for one in decided.schedules)
    lines = "\n".join(one.line for one in decided.schedules).replace("```", "'''")
    return PutCheckRequest(
        repository=event.repository.full_name,
        commit=event.after,
        name=_SCHEDULES,
        status="completed",
        conclusion="failure" if refused else "success",
        title=f"{refused} of its schedules may not be" if refused else "Its schedules are in force",
        summary=f"```text\n{lines}\n```",
    )


def _left_out(event: PullRequestEvent, one: TaskLeftOut) -> PutCheckRequest:
    """A check run that has ended: where it is required, GitHub lets the pull request be merged with it."""
    return PutCheckRequest(
        repository=event.repository.full_name,
        commit=event.pull_request.head.sha,
        name=f"banksman / {one.goal}",
        status="completed",
        conclusion="skipped",
        title=f"{one.goal} is left out"[:_TITLE],
        summary=f"The task `{one.task}` of {CONFIG} is about other files: {one.why}.",
    )


def _number(event: AnyEvent) -> int | None:
    match event:
        case IssueCommentEvent() | IssuesEvent():
            return event.issue.number
        case PullRequestReviewCommentEvent() | PullRequestReviewEvent() | PullRequestEvent():
            return event.pull_request.number
        case _:
            return None


def _type(error: ActivityError) -> str | None:
    return error.cause.type if isinstance(error.cause, ApplicationError) else None
