"""The workflow `GitHubJob`: a goal that was asked for on GitHub, with its check run, its label and its one comment.

Showing never holds the goal up and never ends it: what cannot be shown is told in the job's result. A job is no longer
than its goal, and what it writes down is bounded: the more there was to show, the longer it waits before it shows more.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, TypeVar, get_args

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    FailureError,
    TerminatedError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)
from temporalio.workflow import ChildWorkflowCancellationType, ChildWorkflowHandle, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel, JsonValue

    from activities.github.contracts import LOOK_AT_PULL_REQUEST, LookAtPullRequestRequest
    from activities.github.showing_contracts import (
        PUT_CHECK,
        PUT_COMMENT,
        PUT_LABEL,
        JobLabel,
        PutCheckRequest,
        PutCommentRequest,
        PutLabelRequest,
    )
    from activities.presets import Preset
    from activities.step import Step
    from connectors.github.shown import Annotation, Conclusion, Status
    from hitl.hidden import unhidden, visible
    from workflows.contracts import (
        REPOSITORY_ATTRIBUTE,
        REQUESTER_ATTRIBUTE,
        TRIGGER_ATTRIBUTE,
        Outcome,
        State,
    )
    from workflows.github.following_contracts import FOLLOW_GOAL, FollowGoalRequest, GoalFollowed
    from workflows.github.job_contracts import GITHUB_JOB, GitHubJobInput, GitHubJobResult, GitHubJobStatus, HeadMoved
    from workflows.github.shown import (
        End,
        Words,
        annotations_of,
        begun,
        conclusion_of,
        ended,
        label_of,
        log_of,
        pushed_by,
        result_comment,
        under_way,
        waiting_comment,
    )
    from workflows.goal import Goal, StepDenied, StepWaits
    from workflows.goal_type import goal

_OUTCOMES: Final = {one.value: one for one in get_args(Outcome)}
_LONGEST: Final = 500
_AT_ONCE: Final = timedelta(seconds=30)
"""Before the goal begins GitHub has so long to take its check run; after that it is made when it can be."""
_STALE_AFTER: Final = timedelta(minutes=10)
"""A progress that GitHub did not take for so long is left to the next one."""
_NEXT_SHOWN: Final = 5.0
"""Seconds between two progresses; twice as long after every twenty, up to the longest."""
_EVERY: Final = 20
_LONGEST_PAUSE: Final = 300.0
_MOST_SHOWN: Final = 400
"""Then the end alone is shown: each costs a dozen events of the history."""
_MOST_NOTES: Final = 10

Request = TypeVar("Request", bound=BaseModel)
Response = TypeVar("Response")


@goal(GITHUB_JOB)
class GitHubJobWorkflow(Goal):
    """Run the goal as a child, and show it."""

    @workflow.init
    def __init__(self, request: GitHubJobInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._id = workflow.info().workflow_id
        self._link = request.details_url(self._id)
        self._check: int | None = None
        self._comment: int | None = None
        self._notes: list[str] = []
        self._stopped: set[str] = set()
        self._followed = GoalFollowed(mark="")
        self._head: str | None = None
        self._run = ""

    @workflow.query
    def status(self) -> GitHubJobStatus:
        """Where the job stands, and what is shown of it."""
        told = super().status().model_dump()
        return GitHubJobStatus(**told, check=self._check, comment=self._comment, not_shown=tuple(self._notes))

    @workflow.signal
    def head_moved(self, moved: HeadMoved) -> None:
        """From who hears of pushes: the pull request stands elsewhere by now."""
        self._head = moved.head

    @workflow.run
    async def run(self, request: GitHubJobInput) -> GitHubJobResult:
        """Run it; however the goal ends is the job's result, and so is what could not be shown."""
        return await self.run_goal(
            self._job(),
            denied=lambda reason: GitHubJobResult(
                outcome=State.DENIED, reason=reason, goal=request.goal, workflow_id=request.goal_id(self._id)
            ),
        )

    async def _job(self) -> GitHubJobResult:
        await self._begin()
        try:
            child = await self._start()
        except WorkflowAlreadyStartedError:
            return await self._ended(
                _without("somebody else's workflow has the id of this job's goal; end it, and ask again")
            )
        try:
            end = await self._attended(child)
        except asyncio.CancelledError:
            await self._ended(End(State.CANCELLED, _cancelled(), {}))
            raise
        if workflow.cancellation_reason() is not None and end.outcome == State.CANCELLED:
            await self._ended(End(State.CANCELLED, _cancelled(), {}))
            raise asyncio.CancelledError
        return await self._ended(end)

    async def _begin(self) -> None:
        """Show that it was asked for. Whatever GitHub says to that, the goal begins."""
        within = PUT_CHECK.preset.within(_AT_ONCE)
        await asyncio.gather(
            self._put_check(begun(self._wanted.goal), status="queued", preset=within),
            self._put_label("banksman:pending", preset=within),
        )

    async def _start(self) -> "ChildWorkflowHandle[Any, Any]":
        wanted = self._wanted
        child = wanted.goal_id(self._id)
        self.begin(f"{wanted.goal} ({child})")
        return await workflow.start_child_workflow(
            wanted.goal,
            wanted.inputs,
            id=child,
            result_type=dict[str, Any],
            parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
            cancellation_type=ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            static_summary=f"Asked for on GitHub: {visible(wanted.summary())}",
            search_attributes=_found_by(),
        )

    async def _attended(self, child: "ChildWorkflowHandle[Any, Any]") -> End:
        """Show how it goes until it has ended; cancelled meanwhile, it is waited for until it has stopped."""
        try:
            await self._show_progress(child)
            await workflow.wait([child])
        except asyncio.CancelledError:
            child.cancel()
            await workflow.wait([child])
        return _end_of(child)

    async def _show_progress(self, child: "ChildWorkflowHandle[Any, Any]") -> None:
        """What is being shown is waited for: a progress that came late would take the place of the end."""
        self._run = child.first_execution_run_id or ""
        for shown in range(_MOST_SHOWN):
            pause = min(_NEXT_SHOWN * 2 ** (shown // _EVERY), _LONGEST_PAUSE) if shown else 0.0
            following = asyncio.create_task(self._follow(pause))
            try:
                await workflow.wait([child, following], return_when=asyncio.FIRST_COMPLETED)
            finally:
                following.cancel()
            if child.done() or (followed := await following) is None:
                return
            before, self._followed = self._followed, followed
            if followed.ended:
                return
            await self._show_under_way(news=followed.state != before.state)

    async def _follow(self, pause: float, preset: Preset | None = None) -> GoalFollowed | None:
        request = FollowGoalRequest(
            goal=self._wanted.goal_id(self._id), run=self._run, seen=self._followed.mark, pause=pause
        )
        return await self._shown(FOLLOW_GOAL, request, summary=f"Follow {self._wanted.goal}", preset=preset)

    async def _show_under_way(self, *, news: bool) -> None:
        followed = self._followed
        waits = followed.state == State.WAITING
        await self._put_check(
            under_way(self._wanted.goal, followed),
            status="completed" if waits else "in_progress",
            conclusion="action_required" if waits else None,
            progress=not news,
            preset=PUT_CHECK.preset.ending_first().within(_STALE_AFTER),
        )
        if waits and news:
            await self._put_comment(waiting_comment(self._wanted.goal, followed, link=self._link))

    async def _ended(self, end: End) -> GitHubJobResult:
        """Show the end for good: this is tried for as long as a step may be."""
        conclusion, pushed = conclusion_of(end.outcome), pushed_by(end.result)
        await self._look_once_more()
        moved = await self._has_moved(pushed)
        if moved and conclusion == "success":
            conclusion = "neutral"
        words = ended(self._wanted.goal, end, moved=moved)
        annotations = annotations_of(end.result)
        await self._put_check(words, status="completed", conclusion=conclusion, annotations=annotations)
        if pushed is not None and not moved:
            # What it pushed is the head now, where people look; the check run of the former one stays as it is.
            await self._put_check(words, status="completed", conclusion=conclusion, on=pushed)
        await self._put_comment(result_comment(self._wanted.goal, end, link=self._link, moved=moved))
        await self._put_label(label_of(conclusion_of(end.outcome)))
        outcome = _OUTCOMES.get(end.outcome, State.UNKNOWN)
        return GitHubJobResult(
            outcome=outcome,
            reason=end.reason,
            goal=self._wanted.goal,
            workflow_id=self._wanted.goal_id(self._id),
            conclusion=conclusion if self._check is not None else None,
            check=self._check,
            comment=self._comment,
            not_shown=tuple(self._notes),
        )

    async def _look_once_more(self) -> None:
        """The whole log, where a progress was not the last one."""
        if self._followed.ended or self._wanted.commit is None or FOLLOW_GOAL.name in self._stopped:
            return
        found = await self._follow(0.0, FOLLOW_GOAL.preset.within(_AT_ONCE))
        self._followed = found or self._followed

    async def _has_moved(self, pushed: str | None) -> bool:
        """Whether the pull request stands elsewhere than it was asked about, or than the goal itself has put it."""
        wanted = self._wanted
        if wanted.commit is None or wanted.number is None:
            return False
        if self._head is None:
            request = LookAtPullRequestRequest(repository=wanted.repository, number=wanted.number)
            preset = LOOK_AT_PULL_REQUEST.preset.within(_AT_ONCE)
            seen = await self._shown(
                LOOK_AT_PULL_REQUEST, request, summary=f"Look where #{wanted.number} stands", preset=preset
            )
            self._head = seen.found.head if seen is not None and seen.found is not None else None
        return self._head is not None and self._head not in {wanted.commit, pushed}

    async def _put_check(  # noqa: PLR0913 - what a check run is told
        self,
        words: Words,
        *,
        status: Status,
        conclusion: Conclusion | None = None,
        progress: bool = False,
        annotations: tuple[Annotation, ...] = (),
        on: str | None = None,
        preset: Preset | None = None,
    ) -> None:
        wanted = self._wanted
        if wanted.commit is None:
            return
        request = PutCheckRequest(
            repository=wanted.repository,
            commit=on or wanted.commit,
            name=f"banksman / {wanted.goal}",
            check=self._check if on is None else None,
            status=status,
            conclusion=conclusion,
            title=words.title,
            summary=words.summary,
            text=log_of(self._followed),
            details_url=self._link,
            actions=words.actions,
            annotations=annotations,
            progress=progress,
        )
        put = await self._shown(PUT_CHECK, request, summary=f"Show: {words.title}", preset=preset)
        self._check = put.check if put is not None and put.check is not None else self._check

    async def _put_comment(self, text: str) -> None:
        if self._wanted.number is None:
            return
        request = PutCommentRequest(repository=self._wanted.repository, number=self._wanted.number, text=text)
        put = await self._shown(PUT_COMMENT, request, summary=f"Say it on #{self._wanted.number}")
        self._comment = put.comment if put is not None else self._comment

    async def _put_label(self, label: JobLabel | None, *, preset: Preset | None = None) -> None:
        if self._wanted.number is None:
            return
        request = PutLabelRequest(repository=self._wanted.repository, number=self._wanted.number, label=label)
        await self._shown(PUT_LABEL, request, summary=f"Label #{self._wanted.number}", preset=preset)

    async def _shown(
        self, step: Step[Request, Response], request: Request, *, summary: str, preset: Preset | None = None
    ) -> Response | None:
        """One step of showing; None where it is not to be, of which a line is kept.

        An outage may be over by the next one. A refusal, or a place that is gone, stays: it is not asked again.
        """
        if step.name in self._stopped:
            return None
        try:
            return await self.attempt(step, request, summary=summary, preset=preset)
        except StepWaits as waits:
            self._note(step.name, str(waits))
        except (StepDenied, ApplicationError) as refusal:
            self._stopped.add(step.name)
            self._note(step.name, str(refusal))
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise asyncio.CancelledError from error
            self._note(step.name, "it was not answered")
        return None

    def _note(self, step: str, why: str) -> None:
        line = _told(f"{step}: {why}")
        if line not in self._notes and len(self._notes) < _MOST_NOTES:
            self._notes.append(line)


def _found_by() -> TypedSearchAttributes | None:
    """The goal is looked for by what its job is; who asked for that, the job's start says, and not this."""
    own = workflow.info().typed_search_attributes
    keys = (REQUESTER_ATTRIBUTE, REPOSITORY_ATTRIBUTE, TRIGGER_ATTRIBUTE)
    pairs = [SearchAttributePair(key, value) for key in keys if (value := own.get(key)) is not None]
    return TypedSearchAttributes(pairs) if pairs else None


def _end_of(child: "ChildWorkflowHandle[Any, Any]") -> End:
    try:
        result: Mapping[str, JsonValue] = child.result()
    except (ChildWorkflowError, asyncio.CancelledError, FailureError) as error:
        return _unanswered(error)
    said, reason = str(result.get("outcome", State.COMPLETED.value)), result.get("reason")
    if said not in _OUTCOMES:
        return _without(f"it ended as {visible(said)[:80]!r}, which this release does not know")
    return End(said, _told(reason) if isinstance(reason, str) else None, result)


def _unanswered(error: BaseException) -> End:
    match error.__cause__ if isinstance(error, ChildWorkflowError) else error:
        case CancelledError() | asyncio.CancelledError():
            return End(State.CANCELLED, _cancelled(), {})
        case TerminatedError():
            return _without("it was terminated by hand, and nobody can say what it left behind")
        case ApplicationError() | FailureError() as cause:
            return _without(cause.message)
        case _:
            return _without("it does not say why")


def _cancelled() -> str:
    said = workflow.cancellation_reason()
    return _told(said) if said else "It was cancelled."


def _without(reason: str) -> End:
    return End(State.FAILED, _told(reason), {})


def _told(text: str) -> str:
    shown = unhidden(text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
