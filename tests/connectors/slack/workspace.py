"""A twin that runs on a free port, a clock to turn, and an app as the gateway will be: slack-bolt over Socket Mode."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from connectors.slack.twin.app import TwinConfig, create_twin

Json = dict[str, Any]
CHANNEL = "C0DEPLOYS"
ALICE, BORIS = "U0ALICE", "U0BORIS"
PATIENCE = 10.0


@dataclass
class Clock:
    """The twin's time, which a test may turn forward."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass(frozen=True)
class Twin:
    """A twin that runs, and hands to act with."""

    address: str
    config: TwinConfig
    clock: Clock
    hands: httpx.Client

    def client(self, token: str | None = None, *, timeout: int = 10) -> AsyncWebClient:
        """The app's client."""
        token = self.config.app.bot_token if token is None else token
        return AsyncWebClient(token=token, base_url=f"{self.address}/api/", timeout=timeout)

    def tell(self, what: str, **asked: object) -> Json:
        """Use one of the twin's controls."""
        answer = self.hands.post(f"/_twin/{what}", json=asked, timeout=PATIENCE)
        assert answer.is_success, answer.text
        return answer.json()

    def ask(self, what: str, **query: str) -> Any:
        """Look at something."""
        answer = self.hands.get(f"/_twin/{what}", params=query)
        assert answer.is_success, answer.text
        return answer.json()

    def messages(self, channel: str = CHANNEL, **query: str) -> list[Json]:
        """What is in a channel."""
        return self.ask("messages", channel=channel, **query)

    async def act(self, what: str, **asked: object) -> Json:
        """Use one of the controls while the app runs in this very loop."""
        return await asyncio.to_thread(self.tell, what, **asked)


@contextlib.contextmanager
def serving(clock: Clock, **overrides: object) -> Generator[Twin]:
    """Serve a twin by a real server in a thread of its own."""
    config = TwinConfig.model_validate(overrides)
    app = create_twin(config, clock=clock)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            with httpx.Client(base_url=address) as hands:
                yield Twin(address, config, clock, hands)
        finally:
            server.should_exit = True
            thread.join(timeout=PATIENCE)


@dataclass
class Gateway:
    """An app over Socket Mode; `heard` is what reached its listeners."""

    twin: Twin
    app: AsyncApp
    handler: AsyncSocketModeHandler
    heard: list[Json] = field(default_factory=list[Json])

    async def connected(self, count: int = 1) -> None:
        """Wait until the twin knows of the connections."""
        await eventually(lambda: len(self.twin.ask("connections")) == count)


@contextlib.asynccontextmanager
async def gateway(twin: Twin) -> AsyncGenerator[Gateway]:
    """An app that notes and acknowledges; tests add listeners of their own before they act."""
    app = AsyncApp(client=twin.client())
    handler = AsyncSocketModeHandler(app, twin.config.app.app_token)
    already = len(twin.ask("connections"))
    made = Gateway(twin, app, handler)
    await handler.connect_async()
    await made.connected(already + 1)
    try:
        yield made
    finally:
        await handler.close_async()


async def eventually(holds: Callable[[], bool]) -> None:
    """Ask again until it holds, at most ten seconds."""
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - what is waited for is in another thread
            await asyncio.sleep(0.02)


def body(answer: AsyncSlackResponse) -> Json:
    """What an answer says."""
    assert isinstance(answer.data, dict)
    return answer.data


def words(text: str, kind: str = "plain_text") -> Json:
    return {"type": kind, "text": text}


def approval_blocks(**button: object) -> list[Json]:
    """A message such as the gateway posts."""
    approve = {"type": "button", "action_id": "approve", "style": "primary", "text": words("Approve"), "value": "1"}
    reject = {"type": "button", "action_id": "reject", "style": "danger", "text": words("Reject"), "value": "1"}
    return [
        {"type": "header", "text": words("Approval needed")},
        {"type": "section", "text": words("*Delete* `feature/old`", "mrkdwn")},
        {"type": "actions", "block_id": "approval", "elements": [approve | button, reject]},
    ]


def confirmation() -> Json:
    ask = {"title": words("Sure?"), "text": words("It *cannot* be undone", "mrkdwn")}
    return ask | {"confirm": words("Yes"), "deny": words("No")}


def modal(**more: object) -> Json:
    """A modal such as the gateway opens for a reason."""
    reason = {"type": "plain_text_input", "action_id": "text", "multiline": True, "max_length": 500}
    return {
        "type": "modal",
        "callback_id": "reject",
        "private_metadata": "approval-1",
        "title": words("Reject"),
        "submit": words("Reject it"),
        "close": words("Cancel"),
        "blocks": [{"type": "input", "block_id": "reason", "label": words("Why?"), "element": reason}],
        **more,
    }


async def posted(twin: Twin, blocks: list[Json] | None = None, **more: Any) -> str:
    """The timestamp of a new message with buttons."""
    answer = await twin.client().chat_postMessage(
        channel=CHANNEL, text="Approve?", blocks=approval_blocks() if blocks is None else blocks, **more
    )
    return str(answer["ts"])
