"""Starts goals in people's names, with a statement of who asked under the gateway's signature."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.api.common.v1 import Memo
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy

from activities.queues import TaskQueue
from hitl.approval.decision import SignedDecision
from hitl.approval.signing import PublicKeys
from hitl.gateway.server import Server
from hitl.gateway.who_asked import MEMO, Start, WhoAsked, digest_of
from hitl.hidden import visible
from workflows.contracts import REQUESTER_ATTRIBUTE, GoalInput
from workflows.goal_type import GoalType
from workflows.trace_link import with_traces

Sign = Callable[[str], Awaitable[str]]
"""Signs a text with the approval key; answers `vault:v1:…`. Raises `ConnectorError`."""


@dataclass(frozen=True, kw_only=True)
class StartedGoal:
    """A goal that was asked for."""

    workflow_id: str
    run_id: str
    existing: bool


class GoalStarter(WhoAsked):
    """Starts goals in people's names, and tells whose name one was started in."""

    def __init__(
        self, server: Server, sign: Sign, keys: Callable[[], PublicKeys], *, traces: str | None = None
    ) -> None:
        super().__init__(server, keys)
        self._traces = traces
        self._sign = sign

    async def start(
        self,
        goal: GoalType,
        request: GoalInput,
        *,
        identity: str,
        asked_as: str = "",
        installation: int | None = None,
    ) -> StartedGoal:
        """Start a goal, or find the one that runs under its key, whoever asked for that one.

        Args:
            goal: Which.
            request: Its input.
            identity: Who asks, as the surface authenticated them: `slack:U0ALICE`.
            asked_as: What the surface knows this one request by. One that comes twice starts one goal, also where the
                first has ended meanwhile.
            installation: Of the GitHub App, whose delivery asks: what language models cost for it is on its account.

        Raises:
            ConnectorError: Vault does not sign now.
            RPCError: The server cannot be reached.
        """
        if asked_as and (before := await self._started_by(asked_as, request.business_key())):
            return before
        client = self._server.client
        statement = Start(
            cluster=self._server.cluster,
            namespace=client.namespace,
            workflow_id=request.business_key(),
            goal=goal.name,
            input_digest=digest_of(client.data_converter.payload_converter.to_payloads([request])),
            requester=identity,
            request=asked_as,
            signed_at=datetime.now(UTC),
            installation=installation,
        ).text()
        signed = SignedDecision.from_vault(statement, await self._sign(statement))
        found_by = {**request.search_attributes(), REQUESTER_ATTRIBUTE: identity}
        attributes = [SearchAttributePair(key, value) for key, value in found_by.items()]
        handle = await client.start_workflow(
            goal.name,
            request,
            id=request.business_key(),
            task_queue=TaskQueue.GOALS,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=visible(request.summary()),
            static_details=with_traces(goal.description, request.business_key(), self._traces),
            search_attributes=TypedSearchAttributes(attributes),
            memo={MEMO: signed.model_dump_json()},
        )
        found = await handle.describe()
        memo = found.raw_description.workflow_execution_info.memo
        ours = await self.signed_of(memo) == signed or await self._is_of(memo, asked_as)
        return StartedGoal(workflow_id=handle.id, run_id=found.run_id, existing=not ours)

    async def _started_by(self, asked_as: str, workflow_id: str) -> StartedGoal | None:
        """The goal that this very request has started before."""
        found = await self._server.describe(workflow_id)
        if found is None or not await self._is_of(found.raw_description.workflow_execution_info.memo, asked_as):
            return None
        return StartedGoal(workflow_id=workflow_id, run_id=found.run_id, existing=False)

    async def _is_of(self, memo: Memo, asked_as: str) -> bool:
        """Whether it was started by this very request, by us or by another gateway."""
        statement = await self.statement_of(memo) if asked_as else None
        return statement is not None and statement.request == asked_as
