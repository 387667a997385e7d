"""The gateway's steps on a repository's health: what its own file says wrong, and the reports that are kept of it."""

import base64
import binascii
from datetime import timedelta
from typing import Any, Final

from temporalio import activity
from temporalio.client import (
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from activities.queues import TaskQueue
from activities.step import implements
from connectors.errors import InvalidRequest, Unavailable
from hitl.gateway.server import Server
from hitl.github.repository_config import BrokenConfig, read_config
from hitl.hidden import visible
from workflows.health.contracts import (
    CHECK_CONFIG,
    HEALTH_WORKFLOW,
    KEEP,
    KEEP_HEALTH,
    CheckConfigRequest,
    ConfigChecked,
    HealthReport,
    HealthState,
    ReportKept,
    health_id,
)
from workflows.health.goals import REPORT_HEALTH

_MOST_SHOWN: Final = 300
_IN_TIME: Final = timedelta(seconds=20)


class HealthSteps:
    """The steps.

    Args:
        server: Temporal, where reports are kept.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    @implements(CHECK_CONFIG)
    async def check_config(self, request: CheckConfigRequest) -> ConfigChecked:
        """Read a repository's own file as the gateway reads it, and tell its mistakes.

        Raises:
            InvalidRequest: That is not base64.
        """
        try:
            found = read_config(base64.b64decode(request.content_base64, validate=True))
        except binascii.Error as error:
            raise InvalidRequest("'content_base64' is not base64") from error
        if not isinstance(found, BrokenConfig):
            return ConfigChecked()
        told = (f"{line}: {where}: {visible(what)}" for line, _, where, what in found.mistakes)
        return ConfigChecked(mistakes=tuple(one[:_MOST_SHOWN] for one in told))

    @implements(KEEP_HEALTH)
    async def keep_health(self, request: HealthReport) -> ReportKept:
        """Have a report kept by the repository's workflow, once; the answer is the one before it.

        Raises:
            InvalidRequest: No goal that measures has asked, or it is the report of another run.
            Unavailable: Temporal, or a goals worker, does not answer now.
        """
        info = activity.info()
        if info.workflow_type != REPORT_HEALTH.name or info.workflow_run_id != request.run:
            raise InvalidRequest(f"a report is kept for the {REPORT_HEALTH.name} that made it alone")
        begin: WithStartWorkflowOperation[Any, HealthState] = WithStartWorkflowOperation(
            HEALTH_WORKFLOW,
            HealthState(repository=request.repository),
            id=health_id(request.repository),
            task_queue=TaskQueue.GOALS,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=visible(f"How {request.repository} does"),
        )
        try:
            return await self._server.client.execute_update_with_start_workflow(
                KEEP,
                request,
                id=request.run,
                start_workflow_operation=begin,
                result_type=ReportKept,
                rpc_timeout=_IN_TIME,
            )
        except WorkflowUpdateFailedError as error:
            raise InvalidRequest(f"the report is not kept: {error.cause}") from error
        except (RPCError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
            raise Unavailable("Temporal or a goals worker does not answer now; it is tried again") from error
