"""The goal `ReadFile`: one file of a repository, as it is at one commit."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.github.contracts import READ_FILE, ReadFileRequest
    from workflows.contracts import State
    from workflows.goal import Goal
    from workflows.goal_type import goal
    from workflows.repository.goals import READ_FILE as GOAL
    from workflows.repository.goals import ReadFileInput, ReadFileResult


@goal(GOAL)
class ReadFileWorkflow(Goal):
    """Read one file with a token that can read this one repository and lives for this one step."""

    @workflow.init
    def __init__(self, request: ReadFileInput) -> None:
        super().__init__(request)
        self._file = request

    @workflow.run
    async def run(self, request: ReadFileInput) -> ReadFileResult:
        """Read the file; a refusal by the guard is a result."""
        return await self.run_goal(
            self._read(),
            denied=lambda reason: ReadFileResult(
                outcome=State.DENIED, reason=reason, repository=request.repository, path=request.path
            ),
        )

    async def _read(self) -> ReadFileResult:
        wanted = self._file
        found = await self.step(
            READ_FILE,
            ReadFileRequest(repository=wanted.repository, path=wanted.path, ref=wanted.ref),
            summary=wanted.summary(),
        )
        return ReadFileResult(
            repository=wanted.repository,
            path=wanted.path,
            commit=found.commit,
            blob=found.blob,
            size=found.size,
            encoding=found.encoding,
            content=found.content,
            artifact=found.artifact,
        )
