"""A gateway as its process wires it, between the real pieces: Temporal, OpenBao, Slack's twin, and the real approval.

Only people are played, by the twin, and the thing that is destroyed, by `tests.workflows.approval.approving`.
"""

import asyncio
import contextlib
import copy
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from activities.guard.key_ring import KeyRing
from connectors.github.models import SignInCredentials
from connectors.slack.twin.config import Channel, InstalledApp, Person
from connectors.slack.twin.limits import Limits
from connectors.vault import VaultSession
from hitl.gateway.goal_starter import StartedGoal
from hitl.protocol import Effect
from tests.connectors.slack.workspace import Clock, Json, Twin, serving
from tests.connectors.vault.server import SLACK
from tests.workflows.approval.approving import POLICY, House, RemoveInput, RemoveResult
from workers.gateway import Gateway
from workers.roles.gateway import gateway_workers
from workers.settings import Settings
from workflows.goal_type import GoalType
from workflows.plugin import banksman_plugin

CHANNEL, ELSEWHERE = "C0OPS", "C0OTHER"
NAMES = ("alice", "bob", "carol", "dave", "erin", "mallory")
ONE = POLICY.replace("quorum: 2", "quorum: 1")
"""The policy of those tests in which one person is enough."""

PATIENCE = 20.0
_KEY = "approvals"
GOAL = GoalType(
    name="TestRemove",
    input=RemoveInput,
    result=RemoveResult,
    effect=Effect.DESTRUCTIVE,
    example=RemoveInput(),
)


def slack_id(person: str) -> str:
    return f"U0{person.upper()}"


@contextlib.contextmanager
def workspace(**overrides: Any) -> Any:
    """Slack's twin with the people of the policy, and one whom the policy does not know."""
    people = tuple(Person(id=slack_id(name), name=name, real_name=name.capitalize()) for name in NAMES)
    channels = (Channel(id=CHANNEL, name="ops"), Channel(id=ELSEWHERE, name="other"))
    app = InstalledApp(**SLACK, **overrides.pop("app", {}))
    given = {"people": people, "channels": channels, "app": app, "limits": Limits(enforced=False), **overrides}
    with serving(Clock(), **given) as twin:
        yield twin


@dataclass
class Place:
    """Everything that a test acts on."""

    house: House
    twin: Twin
    vault: VaultSession
    folder: Path
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def client(self) -> Client:
        return self.house.client

    def settings(self, **changes: Any) -> Settings:
        """A gateway's settings."""
        given: dict[str, object] = {
            "slack_url": self.twin.address,
            "slack_posts_per_second": 100,
            "slack_calls_per_minute": 6000,
            "policy": self.house.path,
            "environment": "live",
            "audit_dir": self.folder / "audit",
            "temporal_ui": "http://temporal.example",
            "console_url": "http://127.0.0.1:8320",
            "development": True,
        }
        return Settings.model_validate(given | changes)

    async def made(
        self, *, keys: KeyRing | None = None, sign_in: SignInCredentials | None = None, **changes: Any
    ) -> Gateway:
        """A gateway that does not listen."""
        keys = keys or KeyRing(lambda: self.vault.public_keys(_KEY))
        await keys.refresh()
        tokens = {name: SecretStr(value) for name, value in SLACK.items()}
        settings = self.settings(**changes)
        made = Gateway(
            self.client,
            settings,
            self.vault,
            cluster=self.house.cluster,
            secrets=tokens,
            keys=keys,
            sign_in=sign_in,
        )
        made.sweeper._since = self.began  # what other tests ended is not told here
        return made

    async def another_process(self) -> "Place":
        """The same, as a second process sees it: with its own connection to Temporal."""
        client = await Client.connect(self.client.service_client.config.target_host, plugins=[banksman_plugin()])
        house = copy.copy(self.house)
        house.client = client
        return replace(self, house=house)

    @contextlib.asynccontextmanager
    async def gateway(self, **changes: Any) -> AsyncGenerator[Gateway]:
        """A gateway that runs as its process does."""
        made = await self.made(**changes)
        before = len(await self.ask("connections"))
        serving = asyncio.create_task(made.serve())
        shows, posts, follows = gateway_workers(
            self.client, self.settings(**changes), made.steps, made.beside, made.waits
        )
        async with shows, posts, follows:
            if changes.get("slack_mode") != "http":
                await eventually(lambda: self.connections(before + 1))
            try:
                yield made
            finally:
                serving.cancel()
                await asyncio.gather(serving, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def running(self, **changes: Any) -> AsyncGenerator[Gateway]:
        """All workers, and one gateway."""
        async with self.house.workers(), self.gateway(**changes) as gateway:
            yield gateway

    async def connections(self, count: int) -> bool:
        return len(await self.ask("connections")) == count

    # Goals.

    async def goal(self, gateway: Gateway, *, by: str = "erin", **changes: Any) -> WorkflowHandle[Any, RemoveResult]:
        """A goal that somebody asked for in Slack."""
        started = await self.start(gateway, by=by, **changes)
        return self.client.get_workflow_handle(started.workflow_id, run_id=started.run_id, result_type=RemoveResult)

    async def start(self, gateway: Gateway, *, by: str = "erin", asked_as: str = "", **changes: Any) -> StartedGoal:
        request = RemoveInput.model_validate({"branch": f"b-{secrets.token_hex(4)}"} | changes)
        return await gateway.starts.start(GOAL, request, identity=f"slack:{slack_id(by)}", asked_as=asked_as)

    async def asked(self, gateway: Gateway, **changes: Any) -> tuple[WorkflowHandle[Any, RemoveResult], str, Json]:
        """A goal, its approval's id, and the message about it."""
        goal = await self.goal(gateway, **changes)
        approval = await self.house.approval_of(goal)
        return goal, approval, await self.message(approval)

    # What Slack shows.

    async def ask(self, what: str, **query: str) -> Any:
        return await asyncio.to_thread(self.twin.ask, what, **query)

    async def messages(self, **query: str) -> list[Json]:
        return await self.ask("messages", channel=CHANNEL, **query)

    async def about(self, approval: str) -> list[Json]:
        """The messages about an approval: one, on every day."""
        found = [one for one in await self.messages() if one.get("metadata")]
        return [one for one in found if one["metadata"]["event_payload"].get("request_id") == approval]

    async def message(self, approval: str, holds: Callable[[Json], bool] = lambda _: True) -> Json:
        """The message about an approval, once it is as wanted."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await self.about(approval)
                if found and holds(found[0]):
                    return found[0]
                await asyncio.sleep(0.03)

    async def thread(self, ts: str, *, lines: int) -> list[str]:
        """The lines below a message, once there are so many."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = [one for one in await self.messages(thread_ts=ts) if one["ts"] != ts]
                if len(found) >= lines:
                    return [texts(one) for one in found]
                await asyncio.sleep(0.03)

    async def told(self, person: str, *, count: int = 1) -> list[str]:
        """What only this person sees."""
        user = slack_id(person)
        async with asyncio.timeout(PATIENCE):
            while True:
                found = [one for one in await self.ask("messages", channel=CHANNEL, user=user) if one["only_for"]]
                if len(found) >= count:
                    return [texts(one) for one in found]
                await asyncio.sleep(0.03)

    # What people do.

    async def click(self, person: str, message: Json, action: str = "approve", *, channel: str = CHANNEL) -> Json:
        """Press a button."""
        return await self.twin.act("click", user=slack_id(person), channel=channel, ts=message["ts"], action_id=action)

    async def submit(self, person: str, reason: str) -> Json:
        """Send the modal that is open."""
        return await self.twin.act("submit", user=slack_id(person), values={"reason": reason})

    async def command(self, person: str, line: str) -> Json:
        return await self.twin.act("command", user=slack_id(person), channel=CHANNEL, command=line)

    async def fault(self, **fault: object) -> None:
        """A bad day of the Web API."""
        await self.twin.act("faults", **fault)

    async def envelope_fault(self, **fault: object) -> None:
        """A bad day on the way to the gateway."""
        await self.twin.act("envelope-faults", **fault)

    async def requests(self, path: str) -> int:
        """How often a method was called."""
        return sum(one["path"].endswith(path) for one in await self.ask("requests"))


@contextlib.asynccontextmanager
async def place(
    client: Client, vault: VaultSession, folder: Path, *, policy: str = POLICY, **twin: Any
) -> AsyncGenerator[Place]:
    """A place of one test; what still runs at its end is ended."""
    house = House(client, folder)
    house.path.write_text(policy)
    house.keys = KeyRing(lambda: vault.public_keys(_KEY))
    with workspace(**twin) as slack:
        try:
            yield Place(house, slack, vault, folder)
        finally:
            await _end_all(client)


async def _end_all(client: Client) -> None:
    kinds = "'TestRemove', 'TestAsk', 'Approval', 'ApprovalNotice', 'ReadFile', 'ParkedNotice', 'Opinion'"
    query = f"WorkflowType IN ({kinds}) AND ExecutionStatus = 'Running'"
    async for one in client.list_workflows(query):
        with contextlib.suppress(RPCError):
            await client.get_workflow_handle(one.id, run_id=one.run_id).terminate()


def texts(message: Json) -> str:
    """All that a message's blocks say."""
    said: list[str] = []
    for block in message.get("blocks") or []:
        parts = [block.get("text"), *(block.get("fields") or []), *(block.get("elements") or [])]
        said += [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
    return "\n".join(said) or message["text"]


OFFERED = ["approve", "approve_with_comment", "reject", "request_changes"]
"""The actions of an approval that waits."""


JUDGED = ["useful", "wrong"]
"""The actions of one that is over."""


def buttons(message: Json) -> list[str]:
    """What a message offers to decide."""
    return [one for one in _actions(message) if one not in JUDGED]


def judging(message: Json) -> list[str]:
    """What a message offers to say of what is over."""
    return [one for one in _actions(message) if one in JUDGED]


def _actions(message: Json) -> list[str]:
    return [
        element["action_id"]
        for block in message.get("blocks") or []
        if block["type"] == "actions"
        for element in block["elements"]
    ]


async def eventually(check: Callable[[], Awaitable[bool]], *, patience: float = PATIENCE) -> None:
    """Ask until it is so, and less and less often: what is asked has to work for each answer."""
    pause = 0.03
    async with asyncio.timeout(patience):
        while not await check():
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, 0.25)
