"""The goal `RemoveQdrant`: what would be lost is planned, people approve it, the cluster goes by its id."""

import asyncio
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType, application_error
    from activities.qdrant.contracts import LOOK_AT_CLUSTER, LookAtClusterRequest
    from activities.qdrant.removal_contracts import (
        DELETE_CLUSTER,
        FORGET_CLUSTER,
        INSPECT_CLUSTER,
        ClusterDeleted,
        ClusterInspected,
        DeleteClusterParameters,
        ForgetClusterRequest,
        InspectClusterRequest,
    )
    from hitl.approval.plan import Change, Plan, Resource, Risk
    from hitl.hidden import visible
    from workflows.approval.approved_step import ApprovingGoal
    from workflows.contracts import State
    from workflows.goal_type import goal
    from workflows.qdrant.goals import REMOVE_QDRANT, RemoveQdrantInput, RemoveQdrantResult

_LOOKS: Final = 30
_BETWEEN_LOOKS: Final = timedelta(seconds=10)
_LOOK_OF_CANCELLED: Final = timedelta(minutes=5)
"""So long a goal that was cancelled looks what became of its cluster."""


class _AlreadyGone(Exception):
    """There is no such cluster: nothing is left to approve."""


@goal(REMOVE_QDRANT)
class RemoveQdrantWorkflow(ApprovingGoal):
    """Delete a cluster with people's consent, look whether it is gone, and forget what opened it."""

    @workflow.init
    def __init__(self, request: RemoveQdrantInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._seen = ClusterInspected(id="", name=request.cluster)
        self._result = RemoveQdrantResult(cluster=request.cluster)

    @workflow.run
    async def run(self, request: RemoveQdrantInput) -> RemoveQdrantResult:
        """Plan, ask, delete, confirm, forget; a refusal is a result, whoever refuses, and says what was deleted."""
        del request
        return await self.run_goal(
            self._remove(),
            denied=lambda reason: self._result.model_copy(update={"outcome": State.DENIED, "reason": reason}),
        )

    async def _remove(self) -> RemoveQdrantResult:
        wanted = self._wanted
        try:
            deleted = await self.approved_step(
                DELETE_CLUSTER, self._plan, summary=wanted.summary(), confirm=self._confirm_gone
            )
            gone = deleted.already_gone
        except _AlreadyGone:
            gone = True
        seen = self._seen
        self._told(id=seen.id or None, name=seen.name, already_gone=gone, backups=seen.backups)
        self.end_if_cancelled()
        forgotten = await self.step(
            FORGET_CLUSTER,
            ForgetClusterRequest(cluster=seen.name),
            summary=f"Remove what opened {seen.name} from Vault",
        )
        self._told(forgotten=forgotten.paths)
        if gone:
            self._told(reason=f"there is no cluster {visible(seen.name)} any more: somebody deleted it before")
        return self._result

    def _told(self, **more: object) -> None:
        self._result = self._result.model_copy(update=more)

    async def _plan(self) -> Plan:
        request = InspectClusterRequest(cluster=self._wanted.cluster)
        try:
            seen = self._seen = await self.step(
                INSPECT_CLUSTER, request, summary=f"Look at what {self._wanted.cluster} is"
            )
        except ApplicationError as error:
            if error.type == ErrorType.NOT_FOUND:
                raise _AlreadyGone from error
            raise
        parameters = DeleteClusterParameters(resource=seen.name, cluster=seen.id)
        return Plan(
            action=DELETE_CLUSTER.name,
            parameters=parameters.model_dump(),
            resources=(Resource(kind="Qdrant cluster", name=visible(seen.name), change=Change.DELETE),),
            summary=_summary(seen),
            risk=Risk.HIGH,
        )

    async def _confirm_gone(self, plan: Plan, deleted: ClusterDeleted) -> None:
        """Look by the id, by another process with another credential: who destroys does not say what it did."""
        del plan, deleted
        cancelled = workflow.cancellation_reason() is not None
        async with asyncio.timeout(_LOOK_OF_CANCELLED.total_seconds() if cancelled else None):
            for number in range(_LOOKS):
                if number:
                    await workflow.sleep(_BETWEEN_LOOKS)
                request = LookAtClusterRequest(id=self._seen.id, name=self._seen.name)
                try:
                    await self.step(LOOK_AT_CLUSTER, request, summary=f"Verify {self._seen.name} is gone")
                except ApplicationError as error:
                    if error.type == ErrorType.NOT_FOUND:
                        return
                    raise
        raise application_error(
            ErrorType.OUTCOME_UNKNOWN,
            f"{self._seen.name!r} ({self._seen.id}) is said to be deleted and is still there: look at it in Qdrant's "
            "console",
        )


def _summary(seen: ClusterInspected) -> tuple[str, ...]:
    where = f"{seen.nodes} nodes in {seen.provider} {seen.region}"
    backups = (
        (f"{seen.all_backups} backups stay at Qdrant Cloud, and cost, until their time is over; the newest:",)
        if seen.backups
        else ("There is no backup of it: nothing brings it back",)
    )
    return (
        f"Delete the Qdrant cluster {visible(seen.name)} with all collections, points and keys in it",
        f"It is {visible(seen.phase) or 'in no state'}, {visible(where)}",
        *backups,
        *map(visible, seen.backups),
    )
