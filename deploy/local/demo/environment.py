"""The environment that a demonstration runs on: its places, its parts, and one of its people."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from deploy.local.demo.terminal import DemoFailed, say, terminal
from deploy.local.processes.parts import STACKS
from deploy.local.seeded_person import Message, SeededPerson
from deploy.local.state import Part, PartState, StackFolder, StackState
from workflows.contracts import STATE_ATTRIBUTE, State

_DECIDED: Final = 5.0
_IMAGES: Final = 1200.0
_POLL: Final = 0.3
_UNHEARD: Final = 15.0
"""Seconds after which somebody who sees that nothing happens clicks again."""


@dataclass
class Environment:
    """One that is up.

    Attributes:
        stack: What it told of itself when the demonstration began.
        client: Of its Temporal server.
    """

    stack: StackState
    client: Client

    @property
    def folder(self) -> StackFolder:
        """Its own."""
        return StackFolder(Path(self.stack.logs).parent)

    @property
    def alice(self) -> "Alice":
        """Somebody of Slack's twin who may approve."""
        return Alice(SeededPerson(self.stack.twins["slack"].url))

    def goal_page(self, goal: str) -> str:
        """A goal's page in the console, or else in the Temporal UI."""
        if self.stack.console is not None:
            return f"{self.stack.console.url}/goal?id={quote(goal, safe='')}"
        return f"{self.stack.temporal.ui}/namespaces/{self.stack.temporal.namespace}/workflows/{quote(goal, safe='')}"

    def now(self) -> StackState:
        """What it tells of itself now.

        Raises:
            DemoFailed: It has ended.
        """
        now = self.folder.read()
        if now is None:
            raise DemoFailed("the embedded environment has ended meanwhile: `make demo` starts it again")
        return now

    async def part(self, name: str) -> Part:
        """How far a part is; an environment that has just come up needs a moment to find that it can have none."""
        deadline = time.monotonic() + _DECIDED
        while True:
            part = self.now().parts[name]
            if part.state is not PartState.COMING or time.monotonic() > deadline:
                return part
            await asyncio.sleep(_POLL)

    async def services(self) -> str:
        """Wait until services can be deployed here, minutes the first time. Why they never can; else empty."""
        deadline = time.monotonic() + _IMAGES
        part = await self.part(STACKS)
        if part.state is PartState.COMING:
            say("  the sandbox's images are built, which takes minutes the first time: `banksman status` tells how far")
            with terminal.working("building the sandbox's images"):
                while part.state is PartState.COMING and time.monotonic() < deadline:
                    await asyncio.sleep(_POLL)
                    part = await self.part(STACKS)
        if part.state is PartState.COMING:
            return f"the sandbox is not there after {_IMAGES / 60:.0f} minutes: {part.why}"
        return part.why if part.state is PartState.MISSING else ""

    async def state(self, goal: str) -> State | None:
        """Where a goal stands that runs; None when none runs under this key."""
        try:
            described = await self.client.get_workflow_handle(goal).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
        if described.status is not WorkflowExecutionStatus.RUNNING:
            return None
        return State(described.typed_search_attributes.get(STATE_ATTRIBUTE, State.RUNNING))


@dataclass
class Alice:
    """A person of Slack's twin, who answers each question, and once more where nothing came of it.

    Attributes:
        clicked: The approvals that she answered, and when, in seconds of the monotonic clock.
    """

    person: SeededPerson
    clicked: dict[str, float] = field(default_factory=dict[str, float])

    async def asked(self, goal: str) -> list[Message]:
        """The questions of a goal that she has not answered, or whose buttons stay though she did."""
        try:
            offered = await asyncio.to_thread(lambda: list(self.person.offered(goal, "approve")))
        except httpx.HTTPError:
            return []  # the twin is being started again
        # A click on its way to a gateway that was killed is lost.
        waited = time.monotonic() - _UNHEARD
        return [one for one in offered if self.clicked.get(one.approval, 0.0) <= waited]

    async def approve(self, message: Message) -> None:
        """Say yes."""
        try:
            await asyncio.to_thread(self.person.click, message, "approve")
        except httpx.HTTPError:
            return  # the twin is being started again, or somebody else was quicker: looked at again
        self.clicked[message.approval] = time.monotonic()

    async def reject(self, message: Message, reason: str) -> None:
        """Say no, and why."""
        await asyncio.to_thread(self.person.click, message, "reject")
        await asyncio.to_thread(lambda: self.person.submit(reason=reason))
        self.clicked[message.approval] = time.monotonic()

    def approving(self, goal: str) -> Callable[[], Awaitable[None]]:
        """Says yes to whatever the goal asks, when called again and again."""

        async def decide() -> None:
            for message in await self.asked(goal):
                await self.approve(message)

        return decide
