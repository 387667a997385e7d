"""The goal `OpenPullRequest`: some files as one commit on a branch of the goal's own, and a pull request for it."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.github.contracts import (
        COMMIT_FILES,
        OPEN_PULL_REQUEST,
        CommitFilesRequest,
        FilesCommitted,
        FileToCommit,
        OpenPullRequestRequest,
    )
    from workflows.contracts import State
    from workflows.goal import Goal
    from workflows.goal_type import goal
    from workflows.repository.goals import OPEN_PULL_REQUEST as GOAL
    from workflows.repository.goals import OpenPullRequestInput, OpenPullRequestResult


@goal(GOAL)
class OpenPullRequestWorkflow(Goal):
    """Commit, then open; each finds what it made before, so that however often it is tried there is one of both."""

    @workflow.init
    def __init__(self, request: OpenPullRequestInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._made = OpenPullRequestResult(repository=request.repository)

    @workflow.run
    async def run(self, request: OpenPullRequestInput) -> OpenPullRequestResult:
        """Commit and open; a refusal by the guard is a result, which tells what was made before it."""
        del request
        return await self.run_goal(
            self._open(),
            denied=lambda reason: self._made.model_copy(update={"outcome": State.DENIED, "reason": reason}),
        )

    async def _open(self) -> OpenPullRequestResult:
        wanted, branch = self._wanted, self._wanted.branch(workflow.info().workflow_id)
        committed = await self._commit(branch)
        self._made = self._made.model_copy(update={"branch": branch, "commit": committed.commit})
        pull = await self.step(
            OPEN_PULL_REQUEST,
            OpenPullRequestRequest(
                repository=wanted.repository, head=branch, base=committed.base, title=wanted.title, body=wanted.body
            ),
            summary=wanted.summary(),
        )
        return self._made.model_copy(update={"number": pull.number, "url": pull.url})

    async def _commit(self, branch: str) -> FilesCommitted:
        wanted = self._wanted
        files = tuple(
            FileToCommit(path=file.path, content_base64=file.as_base64(), executable=file.executable)
            for file in wanted.files
        )
        return await self.step(
            COMMIT_FILES,
            CommitFilesRequest(
                repository=wanted.repository, branch=branch, files=files, base=wanted.base, message=wanted.title
            ),
            summary=f"Commit to {branch}",
        )
