"""The goal `CopyRepository`: what a rehearsal of goals on a repository begins with."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.github.contracts import COPY_REPOSITORY, CopyRepositoryRequest
    from workflows.contracts import State
    from workflows.goal import Goal
    from workflows.goal_type import goal
    from workflows.repository.goals import COPY_REPOSITORY as GOAL
    from workflows.repository.goals import CopyRepositoryInput, CopyRepositoryResult


@goal(GOAL)
class CopyRepositoryWorkflow(Goal):
    """Copy all of it with a token that can only read it."""

    @workflow.init
    def __init__(self, request: CopyRepositoryInput) -> None:
        super().__init__(request)
        self._wanted = request

    @workflow.run
    async def run(self, request: CopyRepositoryInput) -> CopyRepositoryResult:
        """Copy it; a refusal by the guard is a result."""
        return await self.run_goal(
            self._copy(),
            denied=lambda reason: CopyRepositoryResult(
                outcome=State.DENIED, reason=reason, repository=request.repository
            ),
        )

    async def _copy(self) -> CopyRepositoryResult:
        wanted = self._wanted
        found = await self.step(
            COPY_REPOSITORY, CopyRepositoryRequest(repository=wanted.repository), summary=wanted.summary()
        )
        return CopyRepositoryResult(
            repository=wanted.repository,
            described=found.described,
            pack=found.pack,
            size=found.size,
            branches=found.branches,
            pull_requests=found.pull_requests,
            default_branch=found.default_branch,
            head=found.head,
        )
