"""A delivery of GitHub's, from its verified signature to a workflow: one for each, however often it is sent.

The gateway signs what it received, and starts the workflow with it. A step that acts on a delivery, in a gateway
again, reads the start from the server and verifies it: a workflow that somebody else started is no delivery.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from pydantic import ValidationError
from temporalio import activity
from temporalio.api.history.v1 import WorkflowExecutionStartedEventAttributes
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from activities.queues import TaskQueue
from activities.step import implements
from connectors.errors import InvalidRequest, Unavailable
from hitl.approval.approvers import folded
from hitl.approval.decision import SignedDecision
from hitl.approval.signing import PublicKeys, refuse_signature
from hitl.canonical import canonical_json
from hitl.gateway.goal_starter import Sign
from hitl.gateway.server import Server
from hitl.gateway.who_asked import digest_of, signed_in
from hitl.github.events import AnyEvent, InstallationEvent, InstallationRepositoriesEvent, OfRepository
from hitl.hidden import visible
from workflows.contracts import REPOSITORY_ATTRIBUTE, REQUESTER_ATTRIBUTE
from workflows.github.contracts import (
    DELIVERY_WORKFLOW,
    FIND_UNRECEIVED,
    DeliveryStatement,
    FindUnreceivedRequest,
    ReceivedDelivery,
    UnreceivedFound,
    delivery_id,
)
from workflows.github.installation_contracts import (
    INSTALLATION_WORKFLOW,
    KEEP_INSTALLATION,
    TOLD,
    InstallationState,
    KeepInstallation,
    KeptInstallation,
    installation_id,
)

OfInstallations = InstallationEvent | InstallationRepositoriesEvent

MEMO: Final = "BanksmanDelivery"
_TAG: Final = "banksman-github-delivery/v1"
_FRESH: Final = timedelta(minutes=1)
_IN_TIME: Final = timedelta(seconds=5)
_LONGEST_SUMMARY: Final = 200
_AT_ONCE: Final = 10


class Arrival(StrEnum):
    """How a delivery came."""

    NEW = "new"
    KNOWN = "known"
    """It was received before."""


class Deliveries:
    """Starts workflows of deliveries, and tells which of them GitHub sent.

    Args:
        server: Temporal.
        sign: With the approval key.
        keys: Its published halves.
    """

    def __init__(self, server: Server, *, sign: Sign, keys: Callable[[], PublicKeys]) -> None:
        self.server = server
        self._sign, self._keys = sign, keys

    async def receive(self, guid: str, event: AnyEvent) -> Arrival:
        """Have a delivery worked off, once. Its signature by GitHub is verified already.

        Raises:
            ConnectorError: Vault does not sign now.
            RPCError: Temporal cannot be reached.
            TimeoutError: Neither answers in time.
        """
        client = self.server.client
        received = ReceivedDelivery(delivery=guid, event=event)
        payloads = client.data_converter.payload_converter.to_payloads([received])
        async with asyncio.timeout(_IN_TIME.total_seconds()):
            text = _text(self._statement_of(guid, digest_of(payloads), at=datetime.now(UTC)))
            signed = SignedDecision.from_vault(text, await self._sign(text))
            try:
                await client.start_workflow(
                    DELIVERY_WORKFLOW,
                    received,
                    id=delivery_id(guid),
                    task_queue=TaskQueue.GOALS,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    static_summary=_summary(event),
                    search_attributes=TypedSearchAttributes(_found_by(event)),
                    memo={MEMO: signed.model_dump_json()},
                    rpc_timeout=_IN_TIME,
                )
            except WorkflowAlreadyStartedError:
                return Arrival.KNOWN
        return Arrival.NEW

    def _statement_of(self, guid: str, digest: str, *, at: datetime) -> DeliveryStatement:
        return DeliveryStatement(
            cluster=self.server.cluster,
            namespace=self.server.client.namespace,
            workflow_id=delivery_id(guid),
            input_digest=digest,
            received_at=at,
        )

    async def verified(self, workflow_id: str, run_id: str) -> ReceivedDelivery:
        """The delivery that a run of the workflow was started with.

        Raises:
            InvalidRequest: GitHub sent no such thing, as far as the gateway's signature tells.
            RPCError: The server cannot be reached.
            Unavailable: The keys are too old to tell.
        """
        first = await self.server.first_event(workflow_id, run_id)
        started = first.workflow_execution_started_event_attributes
        # On another queue than the goals', whoever polls it would speak as one of them.
        if (started.workflow_type.name, started.task_queue.name) != (DELIVERY_WORKFLOW, TaskQueue.GOALS):
            raise InvalidRequest(f"a delivery is worked off by its {DELIVERY_WORKFLOW} alone")
        said = await self._statement(started)
        received = await self._received(started)
        really = self._statement_of(received.delivery, await self._digest(started), at=said.received_at)
        if workflow_id != delivery_id(received.delivery) or really != said:
            raise InvalidRequest("the gateway received another delivery than this one")
        if abs(first.event_time.ToDatetime(tzinfo=UTC) - said.received_at) > _FRESH:
            raise InvalidRequest("this is a copy of a delivery that the gateway received at another time")
        return received

    async def _statement(self, started: WorkflowExecutionStartedEventAttributes) -> DeliveryStatement:
        signed = await signed_in(self.server, started.memo, MEMO)
        if signed is None or refuse_signature(signed, self._keys()) is not None:
            raise InvalidRequest("the gateway received no such delivery: somebody started this workflow by hand")
        tag, _, body = signed.text.partition("\n")
        try:
            if tag == _TAG:
                return DeliveryStatement.model_validate_json(body)
        except ValidationError:
            pass
        raise InvalidRequest("what the gateway signed here is no delivery")

    async def _received(self, started: WorkflowExecutionStartedEventAttributes) -> ReceivedDelivery:
        try:
            [plain] = await self.server.plain(list(started.input.payloads))
            return ReceivedDelivery.model_validate_json(plain.data)
        except (ValueError, RuntimeError) as error:
            raise InvalidRequest("it was not started with one delivery") from error

    async def _digest(self, started: WorkflowExecutionStartedEventAttributes) -> str:
        return digest_of(await self.server.plain(list(started.input.payloads)))


def _text(statement: DeliveryStatement) -> str:
    return f"{_TAG}\n{canonical_json(statement.model_dump(mode='json'))}"


def _found_by(event: AnyEvent) -> list[SearchAttributePair[str]]:
    """A delivery is found by its repository, and by who caused it, of whom perhaps nothing is begun."""
    found: list[SearchAttributePair[str]] = []
    if isinstance(event, OfRepository):
        found.append(SearchAttributePair(REPOSITORY_ATTRIBUTE, event.repository.full_name))
    if event.sender.login:
        found.append(SearchAttributePair(REQUESTER_ATTRIBUTE, folded(f"github:{event.sender.login}")))
    return found


def _summary(event: AnyEvent) -> str:
    """One line for the Temporal UI's list, of nothing that people wrote but names."""
    what = f"{event.event} {event.action}".strip()
    where = f" in {event.repository.full_name}" if isinstance(event, OfRepository) else ""
    return visible(f"{what}{where} by {event.sender.login or 'nobody'}")[:_LONGEST_SUMMARY]


class DeliverySteps:
    """Steps about deliveries that only the server can answer.

    Args:
        deliveries: Tells which of them GitHub sent.
        follow: Has everything follow that depends on where the App is installed. Raises `RPCError`.
    """

    def __init__(self, deliveries: Deliveries, *, follow: Callable[[OfInstallations], Awaitable[None]]) -> None:
        self._deliveries, self._server, self._follow = deliveries, deliveries.server, follow

    @implements(KEEP_INSTALLATION)
    async def keep_installation(self, request: KeepInstallation) -> KeptInstallation:
        """Have the installation's workflow told of the delivery whose step this is, once it is verified.

        Raises:
            InvalidRequest: As `Deliveries.verified`; or it is of no installation.
            Unavailable: Temporal cannot be reached now.
        """
        del request
        info = activity.info()
        if info.workflow_id is None or info.workflow_run_id is None:
            raise InvalidRequest(f"an installation is kept by a {DELIVERY_WORKFLOW} alone")
        try:
            received = await self._deliveries.verified(info.workflow_id, info.workflow_run_id)
            return await self._tell(received)
        except RPCError as error:
            raise Unavailable("Temporal cannot be reached now; it is tried again") from error

    async def _tell(self, received: ReceivedDelivery) -> KeptInstallation:
        event = received.event
        if not isinstance(event, InstallationEvent | InstallationRepositoriesEvent):
            raise InvalidRequest(f"{event.event!r} tells of no installation")
        number = event.installation.id
        await self._follow(event)
        try:
            await self._server.client.start_workflow(
                INSTALLATION_WORKFLOW,
                InstallationState(number=number),
                id=installation_id(number),
                task_queue=TaskQueue.GOALS,
                start_signal=TOLD,
                start_signal_args=[received],
                # One that was deleted stays so: an App that is installed again has another number.
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                static_summary=visible(f"The App on {event.installation.account.login}"),
            )
        except WorkflowAlreadyStartedError:
            return KeptInstallation(workflow=installation_id(number), gone=True)
        return KeptInstallation(workflow=installation_id(number))

    @implements(FIND_UNRECEIVED)
    async def find_unreceived(self, request: FindUnreceivedRequest) -> UnreceivedFound:
        """Which of these no workflow works off.

        Raises:
            Unavailable: Temporal cannot be reached now.
        """
        turns = asyncio.Semaphore(_AT_ONCE)

        async def is_there(guid: str) -> bool:
            async with turns:
                return await self._server.describe(delivery_id(guid)) is not None

        try:
            there = await asyncio.gather(*(is_there(one) for one in request.deliveries))
        except RPCError as error:
            raise Unavailable("Temporal cannot be reached now; it is tried again") from error
        missing = [guid for guid, known in zip(request.deliveries, there, strict=True) if not known]
        return UnreceivedFound(deliveries=tuple(missing))
