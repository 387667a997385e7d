"""The goal `RemoveRedis`: what would be lost is planned, people approve it, the database goes by its id."""

import asyncio
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType, application_error
    from activities.redis.contracts import (
        DatabaseDeleted,
        DatabaseSeen,
        DeleteDatabaseParameters,
        ForgetLoginsRequest,
        LookAtDatabaseRequest,
    )
    from hitl.approval.plan import Change, Plan, Resource, Risk
    from hitl.hidden import visible
    from workflows.approval.approved_step import ApprovingGoal
    from workflows.contracts import State
    from workflows.goal_type import goal
    from workflows.redis.goals import REMOVE_REDIS, RemoveRedisInput, RemoveRedisResult
    from workflows.redis.sellers import SELLERS

_LOOKS: Final = 30
_BETWEEN_LOOKS: Final = timedelta(seconds=10)
_LOOK_OF_CANCELLED: Final = timedelta(minutes=5)
"""So long a goal that was cancelled looks what became of its database."""


@goal(REMOVE_REDIS)
class RemoveRedisWorkflow(ApprovingGoal):
    """Delete a database with people's consent, and look afterwards whether it is gone."""

    @workflow.init
    def __init__(self, request: RemoveRedisInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._steps = SELLERS[request.provider]
        self._seen = DatabaseSeen(id="", name="", state="")
        self._result = RemoveRedisResult(provider=request.provider, database=request.database)

    @workflow.run
    async def run(self, request: RemoveRedisInput) -> RemoveRedisResult:
        """Plan, ask, delete, confirm, forget; a refusal is a result, whoever refuses, and says what was deleted."""
        del request
        return await self.run_goal(
            self._remove(),
            denied=lambda reason: self._result.model_copy(update={"outcome": State.DENIED, "reason": reason}),
        )

    async def _remove(self) -> RemoveRedisResult:
        wanted = self._wanted
        await self.approved_step(self._steps.delete, self._plan, summary=wanted.summary(), confirm=self._confirm_gone)
        seen = self._seen
        self._result = self._result.model_copy(update={"id": seen.id, "name": seen.name})
        self.end_if_cancelled()
        forgotten = await self.step(
            self._steps.forget,
            ForgetLoginsRequest(database=seen.id),
            summary=f"Remove what opened {seen.name} from Vault",
        )
        return self._result.model_copy(update={"forgotten": forgotten.consumers})

    async def _plan(self) -> Plan:
        seen = self._seen = await self._look(self._wanted.database, f"Look at what {self._wanted.database} holds")
        parameters = DeleteDatabaseParameters(resource=seen.name, database=seen.id)
        return Plan(
            action=self._steps.delete.name,
            parameters=parameters.model_dump(),
            resources=(Resource(kind="redis database", name=visible(seen.name), change=Change.DELETE),),
            summary=_summary(self._wanted, seen),
            risk=Risk.HIGH,
        )

    async def _confirm_gone(self, plan: Plan, deleted: DatabaseDeleted) -> None:
        """Look by the id, by another process with another credential: who destroys does not say what it did."""
        del plan, deleted
        cancelled = workflow.cancellation_reason() is not None
        async with asyncio.timeout(_LOOK_OF_CANCELLED.total_seconds() if cancelled else None):
            for number in range(_LOOKS):
                if number:
                    await workflow.sleep(_BETWEEN_LOOKS)
                try:
                    await self._look(self._seen.id, f"Verify {self._seen.name} is gone")
                except ApplicationError as error:
                    if error.type == ErrorType.NOT_FOUND:
                        return
                    raise
        raise application_error(
            ErrorType.OUTCOME_UNKNOWN,
            f"{self._seen.name!r} ({self._seen.id}) is said to be deleted and is still there: look at it in its "
            "provider's console",
        )

    async def _look(self, database: str, summary: str) -> DatabaseSeen:
        return await self.step(self._steps.look, LookAtDatabaseRequest(database=database), summary=summary)


def _summary(wanted: RemoveRedisInput, seen: DatabaseSeen) -> tuple[str, ...]:
    where = f"{seen.endpoint}:{seen.port}" if seen.endpoint and seen.port else "no endpoint"
    holds = f"It holds {seen.used_mb:g} MB" if seen.used_mb is not None else "Nobody says how much it holds"
    return (
        f"Delete the Redis database {visible(seen.name)} at {wanted.provider} with all data and users in it",
        f"{holds}; it is {visible(seen.state) or 'in no state'}, at {visible(where)}",
        "Nothing brings it back, but a backup that somebody made before",
    )
