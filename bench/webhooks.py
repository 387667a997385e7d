"""How long GitHub waits for the gateway's answer, at fifty deliveries a second: `python -m bench.webhooks`.

Each delivery is signed, verified, read, signed again by OpenBao's key and started as a workflow on a real Temporal; in
turn with it the same server answers a bare request of the same bytes. Sender and server share this process, so that
both sides wait for it: 2,000 of each, with `--short` 500. No goals worker runs: what is started waits.
"""

import asyncio
import json
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from temporalio.client import Client

from activities.guard.key_ring import KeyRing
from bench.ratios import percentile
from connectors.vault import VaultSession
from deploy.ending import run_to_the_end
from deploy.temporal import register_search_attributes
from hitl.gateway.deliveries import Deliveries
from hitl.gateway.server import Server
from hitl.gateway.webhook_secrets import WebhookSecretSource
from hitl.github.events import WEBHOOKS
from hitl.github.receiving import Receiver
from hitl.github.signature import sign_body
from tests.connectors.vault.server import WEBHOOK, House, VaultServer
from tests.temporal_server import start_server
from workers.serving import bind, serve
from workers.temporal import cluster_id
from workflows.github.contracts import DELIVERY_WORKFLOW

_COUNT: Final = 2000
_SHORT: Final = 500
_A_SECOND: Final = 50
_WARM_UP: Final = 50
_HOLD_MS: Final = 200.0
_KEY: Final = "approvals"
_SECRET: Final = SecretStr(WEBHOOK["secret"])


def _body(number: int) -> bytes:
    """A comment's delivery, as long as GitHub's own."""
    at = datetime.now(UTC).isoformat()
    user = {"login": "alice", "id": 5, "type": "User"}
    comment = {"id": number, "body": "/banksman help\n" + "x" * 2000, "created_at": at, "updated_at": at, "user": user}
    told = {"action": "created", "comment": comment, "issue": {"number": 1, "title": "One", "body": "y" * 4000}}
    where = {"full_name": "acme/shop", "id": 7, "filler": "z" * 6000}
    return json.dumps({**told, "sender": user, "repository": where, "installation": {"id": 3}}).encode()


async def _bare(request: Request) -> Response:
    await request.body()
    return PlainTextResponse("new\n", status_code=202)


async def _timed(hands: httpx.AsyncClient, path: str, body: bytes) -> float:
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-GitHub-Event": "issue_comment",
        "X-Hub-Signature-256": sign_body(_SECRET, body),
    }
    began = time.perf_counter()
    answer = await hands.post(path, content=body, headers=headers)
    if (answer.status_code, answer.text) != (202, "new\n"):
        raise RuntimeError(f"{path} answered {answer.status_code} {answer.text!r}")
    return (time.perf_counter() - began) * 1000


async def _send(hands: httpx.AsyncClient, count: int, first: int) -> tuple[list[float], list[float]]:
    """So many of each, at that rate whatever the answers take."""
    began, ours, bare = time.perf_counter(), list[asyncio.Task[float]](), list[asyncio.Task[float]]()
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / _A_SECOND - time.perf_counter()))
        body = _body(first + number)
        for tasks, path in ((ours, WEBHOOKS), (bare, "/bare")):
            tasks.append(asyncio.create_task(_timed(hands, path, body)))
    return list(await asyncio.gather(*ours)), list(await asyncio.gather(*bare))


async def _measured(client: Client, vault: VaultSession) -> tuple[list[float], list[float]]:
    keys = KeyRing(lambda: vault.public_keys(_KEY))
    await keys.refresh()

    async def sign(text: str) -> str:
        return await vault.sign(_KEY, text)

    deliveries = Deliveries(Server(client, cluster=await cluster_id(client)), sign=sign, keys=keys.current)
    receiver = Receiver(WebhookSecretSource(lambda: vault.read("github/webhook")), deliveries).app()
    app = Starlette(routes=[*receiver.routes, Route("/bare", _bare, methods=["POST"])])
    listening = bind("127.0.0.1:0")
    serving = asyncio.create_task(serve(app, listening))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        async with httpx.AsyncClient(base_url=address, timeout=10) as hands:
            await _send(hands, _WARM_UP, 0)
            return await _send(hands, _SHORT if "--short" in sys.argv[1:] else _COUNT, _WARM_UP)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def _run() -> int:
    with tempfile.TemporaryDirectory() as folder:
        server = await asyncio.to_thread(VaultServer.start, Path(folder))
        house = await House.build(server)
        try:
            async with await start_server() as environment:
                await register_search_attributes(environment.client)
                ours, bare = await _measured(environment.client, await house.login("gateway"))
                query = f"WorkflowType = '{DELIVERY_WORKFLOW}'"
                started = (await environment.client.count_workflows(query)).count
        finally:
            await house.close()
            server.stop()
    return _told(ours, bare, started)


def _told(ours: list[float], bare: list[float], started: int) -> int:
    lines = [f"{len(ours)} deliveries at {_A_SECOND} a second; {started} workflows, warm-up included"]
    for share in (0.5, 0.95, 0.99):
        mine, other = percentile(ours, share), percentile(bare, share)
        lines.append(f"p{round(100 * share)}: {mine:.1f} ms, bare {other:.1f} ms: {mine / other:.1f}×")
    held = percentile(ours, 0.95) < _HOLD_MS
    lines.append(f"p95 below {_HOLD_MS:.0f} ms: {'held' if held else 'NOT HELD'}")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if held else 1


def main() -> None:
    """Measure, and tell."""
    sys.exit(asyncio.run(_run()))


if __name__ == "__main__":
    run_to_the_end(main)
