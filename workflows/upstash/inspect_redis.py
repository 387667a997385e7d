"""The goal `InspectRedis`: what a Redis database at Upstash is."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.redis.contracts import LookAtDatabaseRequest
    from activities.upstash.contracts import LOOK_AT_DATABASE
    from workflows.contracts import State
    from workflows.goal import Goal
    from workflows.goal_type import goal
    from workflows.upstash.goals import INSPECT_REDIS, InspectRedisInput, InspectRedisResult


@goal(INSPECT_REDIS)
class InspectRedisWorkflow(Goal):
    """Look once, with a token that reads the account and lives for this one step."""

    @workflow.init
    def __init__(self, request: InspectRedisInput) -> None:
        super().__init__(request)
        self._wanted = request

    @workflow.run
    async def run(self, request: InspectRedisInput) -> InspectRedisResult:
        """Look; a refusal by the guard is a result."""
        return await self.run_goal(
            self._look(),
            denied=lambda reason: InspectRedisResult(outcome=State.DENIED, reason=reason, database=request.database),
        )

    async def _look(self) -> InspectRedisResult:
        wanted = self._wanted
        seen = await self.step(
            LOOK_AT_DATABASE, LookAtDatabaseRequest(database=wanted.database), summary=wanted.summary()
        )
        return InspectRedisResult(database=wanted.database, **seen.model_dump())
