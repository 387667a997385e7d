"""`make demo`: goals on the embedded environment, as often as one likes, whatever an earlier demonstration left.

It types what a person would type and shows the little of it that matters. What it needs it makes anew: a branch that
may go is made again when it is gone, and where nobody is there to decide (`--approve`) each demonstration has a branch
and a goal of its own. All is waited for with an end, and told as it is: who waits, what ended how, what was left out.
"""

import asyncio
import json
import secrets
import shlex
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from rich.console import Console
from rich.markup import escape
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from connectors.github.bare import BareRepository
from connectors.github.git import GitError
from connectors.github.twin.seed import OLD_BRANCH, make_branch
from deploy.ending import run_to_the_end
from deploy.local.example import EXAMPLE_REPOSITORY, EXAMPLES, FEATURE_BRANCH, SERVICE_REPOSITORY
from deploy.local.processes.child import ChildReport, ChildState
from deploy.local.processes.parts import STACKS
from deploy.local.seeded_person import SeededPerson
from deploy.local.state import Part, PartState, StackFolder, StackState
from workflows.contracts import STATE_ATTRIBUTE, GoalInput, State
from workflows.deploy_feature.goals import DeployNewFeatureInput
from workflows.repository.goals import DeleteBranchInput, ReadFileInput

_BANKSMAN: Final = Path(sys.executable).parent / "banksman"
_SHOWN: Final = 3
_START: Final = 330.0
_GOAL: Final = 120.0
_DEPLOYED: Final = 400.0
_IMAGES: Final = 1200.0
_SETTLE: Final = 20.0
_DECIDED: Final = 5.0
_POLL: Final = 0.3
_INTERRUPTED: Final = 130
_FEATURE: Final = DeployNewFeatureInput(repository=SERVICE_REPOSITORY, branch=FEATURE_BRANCH, environments=("staging",))
_SERVICE_NAME: Final = "storefront-staging"

out = Console(highlight=False, soft_wrap=True)


class DemoFailed(Exception):
    """It cannot go on; the message is the one sentence that people read."""


class _Status(BaseModel):
    """What `banksman status --json` says."""

    model_config = ConfigDict(extra="ignore")

    running: bool
    ready: bool = False
    stack: StackState | None = None
    children: tuple[ChildReport, ...] = ()


class _Ended(BaseModel):
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


class _Waiting(BaseModel):
    """A row of `banksman approvals --json`."""

    model_config = ConfigDict(extra="ignore")

    goal: str


_INBOX: Final = TypeAdapter(tuple[_Waiting, ...])


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


@dataclass
class Demo:
    """One demonstration on an environment that is up."""

    stack: StackState
    client: Client
    _asked: list[str] = field(default_factory=list[str])

    @property
    def repository(self) -> str:
        """The first one behind GitHub's twin that is none of the examples: a stack may have been given its own."""
        return next((name for name in self.stack.repositories if name not in EXAMPLES), EXAMPLE_REPOSITORY)

    @property
    def folder(self) -> Path:
        """The environment's own."""
        return Path(self.stack.logs).parent

    @property
    def bare(self) -> Path:
        """Where GitHub's twin keeps the repository."""
        return self.folder / "repositories" / f"{self.repository}.git"

    async def read_a_file(self) -> None:
        """Read a file, to the end; its first lines are shown."""
        asked = ReadFileInput(repository=self.repository, path=await self._some_file())
        began = time.monotonic()
        ended = await self._run_to_the_end("ReadFile", asked)
        lines = ended.told("content").splitlines()
        for line in lines[:_SHOWN]:
            _say(f"  {_plain(line)}")
        more = f"  … and {len(lines) - _SHOWN} more lines; " if len(lines) > _SHOWN else "  "
        _say(f"{more}read in {time.monotonic() - began:.1f} s at commit {ended.told('commit')[:12]}")
        _say(f"  workflow {ended.link}")
        if ended.trace_id:
            _say(f"  trace    {self.stack.traces.url}/trace/{ended.trace_id}")

    async def delete_a_branch(self) -> None:
        """Delete a branch made for it, with a click by a person of Slack's twin."""
        branch = f"{OLD_BRANCH}-{secrets.token_hex(3)}"
        await make_branch(self.bare, branch)
        asked = DeleteBranchInput(repository=self.repository, branch=branch)
        ended = await self._run_to_the_end("DeleteBranch", asked, beside=self._alice(asked.business_key()))
        _say(f"  Alice clicked Approve in Slack's twin; the branch is gone, and {ended.told('lost')} commit with it")
        _say(f"  workflow {ended.link}")

    def _alice(self, goal: str) -> Callable[[], Awaitable[None]]:
        """Has Alice of Slack's twin approve what a goal asks, each question once."""
        alice, clicked = SeededPerson(self.stack.twins["slack"].url), set[str]()

        def click() -> None:
            for message in alice.offered(goal, "approve"):
                if message.ts not in clicked:
                    alice.click(message, "approve")
                    clicked.add(message.ts)

        async def decide() -> None:
            try:
                await asyncio.to_thread(click)
            except httpx.HTTPError:
                return  # the twin is being started again, or somebody else was quicker: looked at again

        return decide

    async def deploy_a_feature(self) -> None:
        """Deploy a feature of the example service to the end, with Alice's clicks, and show its page."""
        if not await self._has_stacks(patience=_IMAGES):
            return
        began = time.monotonic()
        decide = self._alice(_FEATURE.business_key())
        ended = await self._run_to_the_end("DeployNewFeature", _FEATURE, beside=decide, seconds=_DEPLOYED)
        merged = "merged" if ended.result and ended.result.get("merged") else "nothing was left to merge"
        _say(f"  tested, planned, approved by Alice, applied, healthy, {merged}: {time.monotonic() - began:.0f} s")
        _say(f"  its page {self._page()}")
        _say(f"  workflow {ended.link}")

    async def ask_for_a_feature(self) -> None:
        """Ask for a feature of the example service, where there is a sandbox to test it in, or will be."""
        if await self._has_stacks():
            await self._ask("DeployNewFeature", _FEATURE, settle=(await self._part(STACKS)).state is PartState.READY)
            _say(f"  its page, once it is deployed: {self._page()}")

    async def _has_stacks(self, *, patience: float = 0) -> bool:
        """Whether services can be deployed here, or will be in time; where not, say why."""
        deadline = time.monotonic() + patience
        part = await self._part(STACKS)
        if part.state is PartState.COMING and patience:
            with out.status("building the sandbox's images, which takes minutes the first time"):
                while part.state is PartState.COMING and time.monotonic() < deadline:
                    await asyncio.sleep(_POLL)
                    part = await self._part(STACKS)
        if part.state is PartState.MISSING:
            _say(f"\nLeft out: DeployNewFeature, a feature of a web service, because {part.why}")
        return part.state is not PartState.MISSING

    def _page(self) -> str:
        now = StackFolder(self.folder).read()
        where = now.platform if now else None
        return f"{where.url}/{_SERVICE_NAME}/" if where else "is told by `banksman status` once there is a sandbox"

    async def ask_to_delete(self) -> None:
        """Ask for the branch that may go; one that waits since an earlier demonstration is left to wait."""
        asked = DeleteBranchInput(repository=self.repository, branch=OLD_BRANCH)
        if await self._state(asked.business_key()) is None:
            await make_branch(self.bare, OLD_BRANCH)
        await self._ask("DeleteBranch", asked)

    async def _part(self, name: str) -> Part:
        """How far a part is; an environment that has just come up needs a moment to find that it can have none."""
        deadline = time.monotonic() + _DECIDED
        while True:
            now = StackFolder(self.folder).read()
            if now is None:
                raise DemoFailed("the embedded environment has ended meanwhile: `make demo` starts it again")
            part = now.parts[name]
            if part.state is not PartState.COMING or time.monotonic() > deadline:
                return part
            await asyncio.sleep(_POLL)

    async def _ask(self, goal: str, request: GoalInput, *, settle: bool = True) -> None:
        key = request.business_key()
        before = await self._state(key)
        text = _show_command(goal, request)
        done = await banksman("run", goal, "--input", text, "--json")
        if done.code:
            raise DemoFailed(f"{goal} was not started: {done.reason()}")
        self._asked.append(key)
        deadline = time.monotonic() + (_SETTLE if settle else 0)
        now = await self._state(key)
        while now is State.RUNNING and time.monotonic() < deadline:
            await asyncio.sleep(_POLL)
            now = await self._state(key)
        earlier = "still, since an earlier demonstration: " if before is not None else ""
        _say(f"  {earlier}{await self._told(key, now, settled=settle)}")

    async def _told(self, key: str, state: State | None, *, settled: bool) -> str:
        match state:
            case State.WAITING:
                return f"[yellow]waits for a person's yes[/]: {escape(key)}"
            case State.PARKED:
                resume = escape(f"banksman resume {shlex.quote(key)}")
                return f"[red]parked[/]: mend what `banksman status` shows, then `{resume}`"
            case State.RUNNING if settled:
                return f"runs, and asks when its plan is there: {escape(key)}"
            case State.RUNNING:
                return "is planned once the sandbox is there, which takes minutes the first time, and asks then"
            case _:
                return await self._ended(key)

    async def _ended(self, key: str) -> str:
        described = await self.client.get_workflow_handle(key).describe()
        state = described.typed_search_attributes.get(STATE_ATTRIBUTE)
        if described.status is not WorkflowExecutionStatus.COMPLETED:
            state = described.status.name.lower() if described.status else state
        link = f"{self.stack.temporal.ui}/namespaces/{self.stack.temporal.namespace}/workflows"
        return f"has ended at once, {state}, and waits for nobody: {link}"

    async def _state(self, key: str) -> State | None:
        """Where a goal stands that runs; None when none runs under this key."""
        try:
            described = await self.client.get_workflow_handle(key).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
        if described.status is not WorkflowExecutionStatus.RUNNING:
            return None
        return State(described.typed_search_attributes.get(STATE_ATTRIBUTE, State.RUNNING))

    async def _run_to_the_end(
        self,
        goal: str,
        request: GoalInput,
        *,
        beside: Callable[[], Awaitable[object]] | None = None,
        seconds: float = _GOAL,
    ) -> _Ended:
        if await self._state(request.business_key()) is State.PARKED:
            await banksman("resume", request.business_key())  # by an earlier demonstration, on what may be well again
        text = _show_command(goal, request, "--wait")
        done = await banksman("run", goal, "--input", text, "--wait", "--json", seconds=seconds, beside=beside)
        try:
            ended = _Ended.model_validate_json(done.output)
        except ValidationError:
            raise DemoFailed(f"{goal} was not started: {done.reason()}") from None
        if done.code:
            why = ended.error or ended.told("reason") or "see its workflow"
            raise DemoFailed(f"{goal} ended as {ended.outcome}: {why} ({ended.link})")
        return ended

    async def _some_file(self) -> str:
        files = [item.path for item in await BareRepository(self.bare).tree("HEAD", recursive=True) if item.size]
        if not files:
            raise DemoFailed(f"{self.repository!r} has no file to read: `banksman down`, then `make demo`")
        return "README.md" if "README.md" in files else files[0]

    async def tell_who_waits(self) -> None:
        """How many wait for a person, those of earlier demonstrations too, and where one is that person."""
        done = await banksman("approvals", "--json")
        try:
            goals = [one.goal for one in _INBOX.validate_json(done.output)]
        except ValidationError:
            raise DemoFailed(f"who waits cannot be told: {done.reason()}") from None
        if not goals:
            _say("\nNobody is waited for.")
            return
        others = len([goal for goal in goals if goal not in self._asked])
        earlier = f", {others} of them from before" if others and self._asked else ""
        noun = "approval waits" if len(goals) == 1 else "approvals wait"
        _say(f"\n{len(goals)} {noun} for a person{earlier} (`banksman approvals`). Be one, and approve or reject:")
        _say(f"  Slack    {self.stack.twins['slack'].url}")
        if self.stack.console is not None:
            _say(f"  console  {self.stack.console.url}")


def _show_command(goal: str, request: GoalInput, *flags: str) -> str:
    """Print what a person would type; its input as JSON is the answer."""
    text = json.dumps(request.model_dump(mode="json", exclude_unset=True), separators=(",", ":"))
    _say("\n[bold]»[/] " + escape(" ".join(["banksman", "run", goal, "--input", f"'{text}'", *flags])))
    return text


def _say(line: str) -> None:
    out.print(line)


def _plain(line: str) -> str:
    """A file's line for a terminal, which must not obey it."""
    return escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)[:110])


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


async def bring_up() -> _Status:
    """Start the environment, or find the one that runs; it is ready then.

    Raises:
        DemoFailed: It is not.
    """
    _say("[bold]»[/] banksman up --detach")
    began = time.monotonic()
    with out.status("starting Temporal, OpenBao, the twins and the workers, which takes half a minute"):
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
    _say(f"  the environment {already}, {len(ready)} parts; Temporal's UI: {found.stack.temporal.ui}")
    for child in found.children:
        if child.state is ChildState.RESTARTING:
            _say(f"  [red]{child.name} has ended and is started again[/]; what needs it waits")
    return found


async def demonstrate(*, approve: bool) -> None:
    """All of it.

    Raises:
        DemoFailed: One sentence says why.
    """
    found = await bring_up()
    if found.stack is None:
        raise DemoFailed("the embedded environment has ended meanwhile: `make demo` starts it again")
    client = await Client.connect(found.stack.temporal.address, namespace=found.stack.temporal.namespace)
    demo = Demo(found.stack, client)
    await demo.read_a_file()
    if approve:
        await demo.delete_a_branch()
        await demo.deploy_a_feature()
    else:
        await demo.ask_to_delete()
        await demo.ask_for_a_feature()
    await demo.tell_who_waits()
    _say("\nThe environment stays up: `banksman status` tells what is where, `make down` ends it.")


def main() -> int:
    """Run it; the exit code is 0 unless something went wrong, which one sentence tells."""
    try:
        asyncio.run(demonstrate(approve="--approve" in sys.argv[1:]))
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; the environment, and the goals that were started, go on: `make down` ends them\n")
        return _INTERRUPTED
    except DemoFailed as error:
        sys.stderr.write(f"error: {error}\n")
    except (GitError, RPCError, RuntimeError, OSError) as error:
        sys.stderr.write(f"error: a part of the environment went away ({error}): `banksman status` tells which\n")
    else:
        return 0
    return 1


if __name__ == "__main__":
    run_to_the_end(lambda: sys.exit(main()))
