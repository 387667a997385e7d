"""The commands that a person would type, run and read by a demonstration."""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError
from rich.markup import escape

from deploy.local.demo.terminal import DemoFailed, say, terminal
from deploy.local.processes.child import ChildReport, ChildState
from deploy.local.state import StackState
from workflows.contracts import GoalInput

_BANKSMAN: Final = Path(sys.executable).parent / "banksman"
_START: Final = 330.0
_POLL: Final = 0.3


class _Status(BaseModel):
    """What `banksman status --json` says."""

    model_config = ConfigDict(extra="ignore")

    running: bool
    ready: bool = False
    stack: StackState | None = None
    children: tuple[ChildReport, ...] = ()


class Ended(BaseModel):
    """What `banksman run --wait --json` says."""

    model_config = ConfigDict(extra="ignore")

    outcome: str
    link: str
    trace_id: str | None = None
    error: str | None = None
    result: Mapping[str, object] | None = None

    def told(self, name: str) -> str:
        """A field of the result, as text."""
        value = (self.result or {}).get(name)
        return "" if value is None else str(value)


@dataclass(frozen=True)
class Command:
    """How a command ended."""

    code: int
    output: str
    complaint: str

    def reason(self) -> str:
        """Its last line, which says what is wrong."""
        said = [line for line in (self.complaint.strip() or self.output.strip()).splitlines() if line.strip()]
        return said[-1].strip().removeprefix("error: ") if said else f"it ended with {self.code} and said nothing"


async def banksman(*words: str, seconds: float = 60, beside: Callable[[], Awaitable[object]] | None = None) -> Command:
    """Run the command to its end; `beside` is awaited again and again meanwhile.

    Raises:
        DemoFailed: It takes longer than this.
    """
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(str(_BANKSMAN), *words, stdout=pipe, stderr=pipe)
    told = asyncio.ensure_future(process.communicate())
    deadline = time.monotonic() + seconds
    try:
        while not (await asyncio.wait({told}, timeout=_POLL))[0]:
            if time.monotonic() > deadline:
                raise DemoFailed(
                    f"`banksman {words[0]}` did not end within {seconds:g} s: `banksman status` tells what is amiss, "
                    "and what was started goes on"
                )
            if beside is not None:
                await beside()
        output, complaint = told.result()
    finally:
        if process.returncode is None:
            process.kill()
            await asyncio.gather(told, return_exceptions=True)
    return Command(process.returncode or 0, output.decode(errors="replace"), complaint.decode(errors="replace"))


async def run_to_its_end(
    goal: str, text: str, *, seconds: float, beside: Callable[[], Awaitable[object]] | None = None
) -> Ended:
    """Run a goal with `--wait`.

    Raises:
        DemoFailed: It was not started, or ended otherwise than as `completed`.
    """
    done = await banksman("run", goal, "--input", text, "--wait", "--json", seconds=seconds, beside=beside)
    try:
        ended = Ended.model_validate_json(done.output)
    except ValidationError:
        raise DemoFailed(f"{goal} was not started: {done.reason()}") from None
    if done.code:
        why = ended.error or ended.told("reason") or "see its workflow"
        raise DemoFailed(f"{goal} ended as {ended.outcome}: {why} ({ended.link})")
    return ended


def input_text(request: GoalInput) -> str:
    """A goal's input as a person types it."""
    return json.dumps(request.model_dump(mode="json", exclude_unset=True), separators=(",", ":"))


def show_command(goal: str, request: GoalInput, *flags: str) -> str:
    """Print what a person would type; its input as JSON is the answer."""
    text = input_text(request)
    say("\n[bold]»[/] " + escape(" ".join(["banksman", "run", goal, "--input", f"'{text}'", *flags])))
    return text


async def status() -> _Status:
    """What `banksman status` says.

    Raises:
        DemoFailed: Nothing that makes sense.
    """
    done = await banksman("status", "--json")
    try:
        return _Status.model_validate_json(done.output)
    except ValidationError:
        raise DemoFailed(f"`banksman status` cannot say what runs: {done.reason()}") from None


async def bring_up() -> StackState:
    """Start the environment, or find the one that runs; it is ready then.

    Raises:
        DemoFailed: It is not.
    """
    say("[bold]»[/] banksman up --detach")
    began = time.monotonic()
    with terminal.working("starting Temporal, OpenBao, the twins and the workers, which takes half a minute"):
        done = await banksman("up", "--detach", seconds=_START)
        if done.code:
            raise DemoFailed(f"the embedded environment did not start: {done.reason()}")
        while not (found := await status()).ready or found.stack is None:
            if time.monotonic() > began + _START or not found.running:
                raise DemoFailed(
                    "the embedded environment does not get ready: `banksman status` tells which part is missing"
                )
            await asyncio.sleep(1)
    ready = [one for one in found.children if one.state is ChildState.READY]
    already = "runs already" if "already" in done.output else f"is up after {time.monotonic() - began:.0f} s"
    say(f"  the environment {already}, {len(ready)} parts; Temporal's UI: {found.stack.temporal.ui}")
    for child in found.children:
        if child.state is ChildState.RESTARTING:
            say(f"  [red]{child.name} has ended and is started again[/]; what needs it waits")
    return found.stack
