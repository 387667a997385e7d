"""A job that takes up a review: its change goes onto the pull request's own branch, and each thread gets one answer.

What people said is told to the model as a stranger's words. What it pushes onto is the branch of a job of this kind, at
the very commit that was worked on: a push in between ends the job, and undoes nothing. What cannot be answered any more
is told in the result.
"""

from dataclasses import dataclass
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.coding.contracts import ChangeRead
    from activities.github.asked_contracts import PullRead
    from activities.github.contracts import COMMENT, CommentRequest, FileToCommit
    from activities.github.review_contracts import (
        ADD_COMMIT,
        ANSWER_REVIEW_COMMENT,
        OWN_BRANCHES,
        READ_REVIEW_COMMENTS,
        AddCommitRequest,
        AnswerReviewCommentRequest,
        ReadReviewCommentsRequest,
        ReviewCommentsRead,
        ThreadRead,
    )
    from activities.guard.error_types import ErrorType
    from hitl.hidden import visible
    from workflows.coding.calling import JobRefused
    from workflows.coding.job.goals import CodingJobInput, CodingJobResult
    from workflows.coding.job.telling import answer_body, revision_body
    from workflows.coding.job.working import TakesSteps
    from workflows.goal import StepDenied, StepWaits

_BOT: Final = "[bot]"
_SHORT: Final = 300


def why_not_revised(wanted: CodingJobInput, pull: PullRead) -> str | None:
    """Why this pull request cannot be worked on as it was asked for; None where it can."""
    if wanted.head is not None and wanted.head != pull.head:
        return (
            f"#{pull.number} stands at {pull.head[:12]}, and was asked about at {wanted.head[:12]}: somebody pushed. "
            "Look at what came, and ask again"
        )
    if wanted.revise and not (pull.head_branch.startswith(OWN_BRANCHES) and pull.author.endswith(_BOT)):
        return (
            f"#{pull.number} is none that a job opened, and its branch is somebody else's. Leave 'revise' out: then "
            "the change becomes a pull request into it"
        )
    return None


@dataclass(frozen=True)
class Revision:
    """What was said of a pull request, and what comes of that.

    Attributes:
        goal: Takes the steps.
        wanted: What was asked.
        pull: Which.
        said: What waits for an answer.
    """

    goal: TakesSteps
    wanted: CodingJobInput
    pull: PullRead
    said: ReviewCommentsRead

    @classmethod
    async def read(cls, goal: TakesSteps, wanted: CodingJobInput, pull: PullRead) -> "Revision":
        """With all that people said and nobody has answered."""
        request = ReadReviewCommentsRequest(repository=wanted.repository, number=pull.number, head=pull.head)
        said = await goal.step(READ_REVIEW_COMMENTS, request, summary=f"Read what people said of #{pull.number}")
        return cls(goal, wanted, pull, said)

    @property
    def threads(self) -> tuple[int, ...]:
        """What is to be answered."""
        return tuple(one.id for one in self.said.threads)

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to take up."""
        return not (self.said.threads or self.said.reviews or self.wanted.text)

    async def push(self, files: tuple[FileToCommit, ...], *, onto: str, message: str) -> str:
        """Put one commit on the branch; its id.

        Raises:
            JobRefused: Somebody pushed, or ended the pull request, in between.
        """
        request = AddCommitRequest(
            repository=self.wanted.repository,
            number=self.pull.number,
            branch=self.pull.head_branch,
            onto=onto,
            files=files,
            message=message,
        )
        try:
            added = await self.goal.step(ADD_COMMIT, request, summary=f"Push onto {self.pull.head_branch}")
        except ApplicationError as error:
            if error.type != ErrorType.CONFLICT:
                raise
            raise JobRefused(f"{visible(error.message)}. Its change is kept in 'patch'.") from error
        return added.commit

    async def tell(self, read: ChangeRead, result: CodingJobResult, me: str) -> CodingJobResult:
        """Say on the pull request what was pushed and how it was judged, and answer each thread.

        What was pushed stands, so that an answer that cannot be given ends nothing.
        """
        left = self.said.left_out
        whys = [f"{left} more threads wait: ask once more, for them"] if left else []
        if result.pushed is not None:
            text = revision_body(read, result, me)
            request = CommentRequest(repository=self.wanted.repository, number=self.pull.number, text=text)
            await self._try(COMMENT, request, f"Say on #{self.pull.number} what was pushed", whys)
        says = {one.comment: one.says for one in read.answers}
        done = [await self._answer(one, says.get(one.id, ""), read, result, whys) for one in self.said.threads]
        return result.model_copy(update={"answered": sum(done), "not_answered": tuple(dict.fromkeys(whys))})

    async def _answer(
        self, thread: ThreadRead, says: str, read: ChangeRead, result: CodingJobResult, whys: list[str]
    ) -> bool:
        request = AnswerReviewCommentRequest(
            repository=self.wanted.repository,
            number=self.pull.number,
            comment=thread.id,
            text=answer_body(says, read, result),
        )
        return await self._try(ANSWER_REVIEW_COMMENT, request, f"Answer on {thread.path}", whys)

    async def _try(self, step: Any, request: Any, summary: str, whys: list[str]) -> bool:
        self.goal.begin(summary)
        try:
            await self.goal.attempt(step, request, summary=summary)
        except (StepWaits, StepDenied) as error:
            whys.append(visible(str(error))[:_SHORT])
        except ApplicationError as error:
            whys.append(visible(error.message)[:_SHORT])
        else:
            return True
        return False
