"""GitHub's deliveries, as its hook sends them to a gateway that runs."""

import contextlib
import json
import uuid
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr
from temporalio.client import Client, WorkflowHandle

from hitl.github.events import WEBHOOKS
from hitl.github.signature import sign_body
from tests.connectors.vault.server import WEBHOOK
from tests.hitl.gateway.running import Place, eventually
from tests.workflows.scripted import Steps, workers
from workers.gateway import Gateway
from workflows.github.contracts import DeliveryResult, delivery_id

Json = dict[str, Any]
SECRET = SecretStr(WEBHOOK["secret"])


@dataclass(frozen=True)
class Hook:
    """GitHub's side."""

    hands: httpx.AsyncClient
    client: Client

    async def send(
        self,
        event: str,
        body: bytes | Json,
        *,
        guid: str | None = None,
        secret: SecretStr = SECRET,
        headers: Mapping[str, str | None] | None = None,
    ) -> httpx.Response:
        """One delivery, with these headers instead of GitHub's; None leaves one out."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/123abc",
            "X-GitHub-Delivery": guid or new_guid(),
            "X-GitHub-Event": event,
            "X-Hub-Signature-256": sign_body(secret, raw),
            **(headers or {}),
        }
        kept = {name: value for name, value in given.items() if value is not None}
        return await self.hands.post(WEBHOOKS, content=raw, headers=kept)

    def workflow(self, guid: str) -> WorkflowHandle[Any, DeliveryResult]:
        """What works a delivery off."""
        return self.client.get_workflow_handle(delivery_id(guid), result_type=DeliveryResult)

    async def is_known(self, guid: str) -> bool:
        """Whether there is such a workflow."""
        query = f"WorkflowId = '{delivery_id(guid)}'"
        return (await self.client.count_workflows(query)).count > 0


def new_guid() -> str:
    """Of a delivery."""
    return str(uuid.uuid4())


@contextlib.asynccontextmanager
async def receiving(here: Place) -> AsyncGenerator[tuple[Gateway, Hook]]:
    """Goals workers and a gateway that takes webhooks."""
    async with (
        workers(here.client, Steps()),
        here.gateway(github_listen="127.0.0.1:0") as gateway,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port_of(gateway)}", timeout=20) as hands,
    ):
        await eventually(lambda: _answers(hands))
        yield gateway, Hook(hands, here.client)


def port_of(gateway: Gateway) -> int:
    """Where it takes webhooks."""
    assert gateway.webhooks is not None
    return int(gateway.webhooks.listening.getsockname()[1])


async def _answers(hands: httpx.AsyncClient) -> bool:
    try:
        return (await hands.get(WEBHOOKS)).status_code == 405
    except httpx.TransportError:
        return False
