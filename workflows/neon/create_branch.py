"""The goal `CreateNeonBranch`: a branch with a compute and an end, whose connection lies in Vault."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.neon.contracts import (
        CREATE_BRANCH,
        KEEP_CONNECTION,
        CreateNeonBranchRequest,
        KeepConnectionRequest,
    )
    from workflows.contracts import State
    from workflows.goal import Goal
    from workflows.goal_type import goal
    from workflows.neon.goals import CREATE_NEON_BRANCH, CreateNeonBranchInput, CreateNeonBranchResult


@goal(CREATE_NEON_BRANCH)
class CreateNeonBranchWorkflow(Goal):
    """Make it, then keep what opens it: each by a step that finds what an earlier attempt did."""

    @workflow.init
    def __init__(self, request: CreateNeonBranchInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._result = CreateNeonBranchResult(project=request.project, name=request.name)

    @workflow.run
    async def run(self, request: CreateNeonBranchInput) -> CreateNeonBranchResult:
        """Make it; a refusal by the guard is a result, which says what was made before it."""
        del request
        return await self.run_goal(
            self._create(),
            denied=lambda reason: self._result.model_copy(update={"outcome": State.DENIED, "reason": reason}),
        )

    async def _create(self) -> CreateNeonBranchResult:
        wanted = self._wanted
        made = await self.step(
            CREATE_BRANCH,
            CreateNeonBranchRequest(
                project=wanted.project,
                branch=wanted.name,
                parent=wanted.parent,
                expires_at=(workflow.now() + timedelta(hours=wanted.hours)).replace(microsecond=0),
                max_cu=wanted.max_cu,
            ),
            summary=wanted.summary(),
        )
        self._result = self._result.model_copy(update=made.model_dump())
        kept = await self.step(
            KEEP_CONNECTION,
            KeepConnectionRequest(project=wanted.project, branch=made.id, database=wanted.database),
            summary=f"Keep the connection to {made.name} in Vault",
        )
        self._result = self._result.model_copy(update=kept.model_dump())
        return self._result
