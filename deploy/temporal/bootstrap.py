"""Prepares a namespace, idempotently: that of the embedded environment and a production cluster's alike."""

import asyncio
import time

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from workflows.contracts import SEARCH_ATTRIBUTES

_POLL = 0.25


class NotPromoted(Exception):
    """No worker of that version polls, so it cannot be made current."""


async def missing_search_attributes(client: Client) -> list[str]:
    """The names of ours that the namespace does not have yet."""
    listed = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    return [key.name for key in SEARCH_ATTRIBUTES if key.name not in listed.custom_attributes]


async def register_search_attributes(client: Client, *, patience: float = 30.0) -> list[str]:
    """Register what is missing, and wait until the namespace knows it.

    An unregistered search attribute wedges every workflow that sets it, so this comes before any worker.

    Returns:
        The names that were added.
    """
    missing = await missing_search_attributes(client)
    if not missing:
        return []
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(
            namespace=client.namespace,
            search_attributes=dict.fromkeys(missing, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD),
        )
    )
    deadline = time.monotonic() + patience
    while await missing_search_attributes(client):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Temporal did not take up the search attributes {', '.join(missing)}")
        await asyncio.sleep(_POLL)
    return missing


async def promote(client: Client, *, deployment: str, build_id: str, patience: float = 60.0) -> bool:
    """Make a worker version current, once a worker of it polls: until then it gets no task.

    Args:
        client: Of the namespace.
        deployment: The worker deployment's name.
        build_id: The version of it.
        patience: Seconds to wait for the first poll.

    Returns:
        Whether anything changed.

    Raises:
        NotPromoted: No worker of that version polled in time.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            return await _promote(client, deployment, build_id)
        except RPCError as error:
            if error.status not in {RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION}:
                raise
            if time.monotonic() > deadline:
                raise NotPromoted(
                    f"no goals worker of version {build_id!r} polls yet: start one, then `banksman setup` again"
                ) from error
        await asyncio.sleep(_POLL)


async def _promote(client: Client, deployment: str, build_id: str) -> bool:
    described = await client.workflow_service.describe_worker_deployment(
        DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=deployment)
    )
    info = described.worker_deployment_info
    if info.routing_config.current_deployment_version.build_id == build_id:
        return False
    await client.workflow_service.set_worker_deployment_current_version(
        SetWorkerDeploymentCurrentVersionRequest(
            namespace=client.namespace,
            deployment_name=deployment,
            build_id=build_id,
            conflict_token=described.conflict_token,
            identity="banksman",
        )
    )
    return True
