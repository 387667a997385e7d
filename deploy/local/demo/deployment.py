"""One deployment in a demonstration: started, followed step by step, approved, and told as it ends."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from rich.markup import escape
from rich.status import Status
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import FailureError
from temporalio.service import RPCError

from deploy.local.demo.commands import banksman, show_command
from deploy.local.demo.environment import Alice, Environment
from deploy.local.demo.terminal import DemoFailed, say, terminal
from workflows.contracts import State
from workflows.deploy_feature.goals import (
    DeployNewFeatureInput,
    DeployNewFeatureResult,
    DeployStatus,
    Mark,
    StepTold,
)

_GOAL: Final = "DeployNewFeature"
_POLL: Final = 0.2
_LONGEST: Final = 900.0
"""With a person who thinks it over."""
_SIGNS: Final = {
    Mark.DONE: "[green]✓[/]",
    Mark.FAILED: "[red]✗[/]",
    Mark.SKIPPED: "[dim]↷[/]",
    Mark.NOT_DONE: "[dim]–[/]",
}
_NAME: Final = 22

Hook = Callable[[str], Awaitable[None]]
"""Done once, when a step of that name has begun; it is told the goal."""


@dataclass
class Followed:
    """How a deployment went.

    Attributes:
        goal: Its workflow id.
        questions: How often people were asked.
        seconds: How long it took.
        result: What it says.
    """

    goal: str
    questions: int
    seconds: float
    result: DeployNewFeatureResult


@dataclass
class Deployment:
    """One that is asked for.

    Attributes:
        approve: Whether Alice says yes; else the person at the terminal is waited for.
        hooks: What happens beside it, by the step that has begun.
    """

    environment: Environment
    asked: DeployNewFeatureInput
    approve: bool
    hooks: Mapping[str, Hook] = field(default_factory=dict[str, Hook])
    _told: dict[str, Mark] = field(default_factory=dict[str, Mark])
    _hooked: set[str] = field(default_factory=set[str])
    _asking: list[str] = field(default_factory=list[str])

    @property
    def goal(self) -> str:
        """Its workflow id."""
        return self.asked.business_key()

    async def run(self) -> Followed:
        """Ask for it, and follow it to its end.

        Raises:
            DemoFailed: It was not started, failed, or nobody decided in time.
        """
        began = time.monotonic()
        text = show_command(_GOAL, self.asked, "--wait")
        done = await banksman("run", _GOAL, "--input", text, "--json")
        if done.code:
            raise DemoFailed(f"{_GOAL} was not started: {done.reason()}")
        say(f"  [dim]watch it: {escape(self.environment.goal_page(self.goal))}[/]")
        handle = self.environment.client.get_workflow_handle(self.goal, result_type=DeployNewFeatureResult)
        alice = self.environment.alice
        with terminal.working("it begins") as line:
            await self._follow(handle, alice, line)
        result = await self._result(handle)
        for one in result.steps:
            self._tell(one)
        return Followed(self.goal, len(self._asking), time.monotonic() - began, result)

    async def _follow(self, handle: WorkflowHandle[object, DeployNewFeatureResult], alice: Alice, line: Status) -> None:
        deadline = time.monotonic() + _LONGEST
        while await self._runs(handle):
            if time.monotonic() > deadline:
                page = self.environment.goal_page(self.goal)
                raise DemoFailed(f"{self.goal} has not ended after {_LONGEST / 60:.0f} minutes: {page}")
            status = await self._status(handle)
            if status is not None:
                await self._show(status, line)
            await self._ask(alice)
            await asyncio.sleep(_POLL)

    async def _show(self, status: DeployStatus, line: Status) -> None:
        under_way: list[str] = []
        for one in status.steps:
            self._tell(one)
            if one.mark in {Mark.RUNNING, Mark.WAITING}:
                under_way.append(one.name)
                await self._hook(one.name)
        if status.waiting_for:
            under_way.append(f"it waits for {status.waiting_for}")
        if under_way:
            line.update(escape(" · ".join(under_way)))

    async def _hook(self, name: str) -> None:
        hook = self.hooks.get(name)
        if hook is not None and name not in self._hooked:
            self._hooked.add(name)
            await hook(self.goal)

    async def _ask(self, alice: Alice) -> None:
        """Who is asked is told once; then Alice says yes, or the person at the terminal is waited for."""
        for message in await alice.asked(self.goal):
            if message.approval not in self._asking:
                self._asking.append(message.approval)
                again = "again, " if len(self._asking) > 1 else ""
                slack = self.environment.stack.twins["slack"].url
                if self.approve:
                    say(f"  [yellow]…[/] asked {again}and Alice of Slack's twin clicks Approve: {slack}")
                else:
                    say(f"  [yellow]… it waits for you, {again}as Alice: click Approve in Slack's twin[/] {slack}")
                    say(f"    or see the plan and decide in the console: {self.environment.goal_page(self.goal)}")
            # What happens while people decide has begun with the step; only then she answers.
            if self.approve and "approval" in self._told:
                await alice.approve(message)

    def _tell(self, one: StepTold) -> None:
        """A step that has ended, once; one that is taken again, once more."""
        before = self._told.get(one.name)
        self._told[one.name] = one.mark
        if one.mark is before or one.mark not in _SIGNS:
            return
        took = f"{(one.ended - one.began).total_seconds():6.1f} s" if one.began and one.ended else " " * 8
        why = f"  {escape(one.why.splitlines()[0][:160])}" if one.why else ""
        say(f"  {_SIGNS[one.mark]} {escape(one.name):<{_NAME}} [dim]{took}[/]{why}")

    async def _runs(self, handle: WorkflowHandle[object, DeployNewFeatureResult]) -> bool:
        try:
            return (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
        except RPCError:
            return True  # Temporal is started again

    async def _status(self, handle: WorkflowHandle[object, DeployNewFeatureResult]) -> DeployStatus | None:
        """None where no worker answers at once."""
        with contextlib.suppress(RPCError, TimeoutError, RuntimeError):
            async with asyncio.timeout(2):
                return await handle.query("status", result_type=DeployStatus)
        return None

    async def _result(self, handle: WorkflowHandle[object, DeployNewFeatureResult]) -> DeployNewFeatureResult:
        try:
            return await handle.result()
        except WorkflowFailureError as error:
            why = error.cause.message if isinstance(error.cause, FailureError) else str(error)
            raise DemoFailed(f"{self.goal} failed: {why}") from None


def line_of(followed: Followed) -> str:
    """How it ended, in one line."""
    colour = "green" if followed.result.outcome is State.COMPLETED else "yellow"
    outcome = followed.result.outcome.replace("_", " ")
    reason = escape(followed.result.reason or "")
    return (
        f"  [bold {colour}]{outcome}[/] after {followed.seconds:.0f} s, {asked_so_often(followed.questions)}: {reason}"
    )


def asked_so_often(questions: int) -> str:
    """As people say it."""
    few = {0: "nobody was asked", 1: "people were asked once"}
    return few.get(questions, f"people were asked {questions} times")
