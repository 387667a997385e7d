"""Tells on GitHub how a deployment is going: by the check run of its commit, and a comment at its end.

Nobody waits for it, and nothing depends on it: where GitHub is away or the policy lets nobody write there, the goal
goes on and its record says so.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Literal

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.github.contracts import CHECK_RUN, COMMENT, CheckRunRequest, CommentRequest
    from hitl.hidden import unhidden_lines
    from workflows.deploy_feature.timeline import Timeline
    from workflows.goal import Goal, NotApproved, StepDenied, StepWaits

CHECK_NAME: Final = "banksman/deploy"
Conclusion = Literal["success", "failure", "neutral", "cancelled"]
_WITHIN: Final = timedelta(minutes=2)
_LONGEST: Final = 60_000
_TITLE: Final = 200


class Reporting:
    """The reports of one goal.

    Args:
        goal: Takes the steps.
        timeline: What is reported.
        repository: Where.
    """

    def __init__(self, goal: Goal, timeline: Timeline, repository: str) -> None:
        self._goal: Goal = goal
        self._timeline = timeline
        self._repository = repository

    async def check(
        self, commit: str, title: str, lines: Sequence[str] = (), *, conclusion: Conclusion | None = None
    ) -> None:
        """The check run of a commit, from now on; in progress where there is no conclusion."""
        request = CheckRunRequest(
            repository=self._repository,
            commit=commit,
            name=CHECK_NAME,
            conclusion=conclusion,
            title=title[:_TITLE],
            summary=self._text(lines),
        )
        try:
            await self._goal.attempt(
                CHECK_RUN, request, summary=f"Report check of {commit[:12]}", preset=CHECK_RUN.preset.within(_WITHIN)
            )
        except (StepDenied, StepWaits, NotApproved, ApplicationError) as error:
            self._timeline.note(f"the check run could not be written: {error}")

    async def comment(self, number: int, title: str, lines: Sequence[str] = ()) -> None:
        """One comment on the pull request."""
        request = CommentRequest(repository=self._repository, number=number, text=f"**{title}**\n\n{self._text(lines)}")
        try:
            with self._timeline.step("comment"):
                await self._goal.attempt(
                    COMMENT, request, summary=f"Comment on #{number}", preset=COMMENT.preset.within(_WITHIN)
                )
        except (StepDenied, StepWaits, NotApproved, ApplicationError) as error:
            self._timeline.note(f"the comment could not be written: {error}")

    def _text(self, lines: Sequence[str]) -> str:
        """As text in a code block, where no stranger's word is anything else."""
        said = "\n".join([*lines, *([""] if lines else []), *self._timeline.lines()]).replace("`", "'")
        return f"```text\n{unhidden_lines(said)[:_LONGEST]}\n```"
