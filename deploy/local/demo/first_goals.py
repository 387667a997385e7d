"""Goals that need no sandbox: a file to read, and a branch to delete, which waits for a person."""

import asyncio
import secrets
import shlex
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from rich.markup import escape
from temporalio.client import WorkflowExecutionStatus

from connectors.github.bare import BareRepository
from connectors.github.twin.seed import OLD_BRANCH, make_branch
from deploy.local.demo.commands import Ended, banksman, run_to_its_end, show_command
from deploy.local.demo.environment import Environment
from deploy.local.demo.terminal import DemoFailed, plain, say
from deploy.local.example import EXAMPLE_REPOSITORY, EXAMPLES
from workflows.contracts import STATE_ATTRIBUTE, State
from workflows.repository.goals import DeleteBranchInput, ReadFileInput

_SHOWN: Final = 3
_GOAL: Final = 120.0
_SETTLE: Final = 20.0
_POLL: Final = 0.3


class _Waiting(BaseModel):
    """A row of `banksman approvals --json`."""

    model_config = ConfigDict(extra="ignore")

    goal: str


_INBOX: Final = TypeAdapter(tuple[_Waiting, ...])


@dataclass
class FirstGoals:
    """Those of one demonstration."""

    environment: Environment
    _asked: list[str] = field(default_factory=list[str])

    @property
    def repository(self) -> str:
        """The first one behind GitHub's twin that is none of the examples: a stack may have been given its own."""
        there = self.environment.stack.repositories
        return next((name for name in there if name not in EXAMPLES), EXAMPLE_REPOSITORY)

    @property
    def bare(self) -> Path:
        """Where GitHub's twin keeps the repository."""
        return self.environment.folder.repositories / f"{self.repository}.git"

    async def read_a_file(self) -> None:
        """Read a file, to the end; its first lines are shown."""
        asked = ReadFileInput(repository=self.repository, path=await self._some_file())
        began = time.monotonic()
        ended = await self._run_to_the_end("ReadFile", asked)
        lines = ended.told("content").splitlines()
        for line in lines[:_SHOWN]:
            say(f"  {plain(line)}")
        more = f"  … and {len(lines) - _SHOWN} more lines; " if len(lines) > _SHOWN else "  "
        say(f"{more}read in {time.monotonic() - began:.1f} s at commit {ended.told('commit')[:12]}")
        if ended.trace_id:
            say(f"  trace    {self.environment.stack.traces.url}/trace/{ended.trace_id}")

    async def delete_a_branch(self) -> None:
        """Delete a branch made for it, with a click by a person of Slack's twin."""
        branch = f"{OLD_BRANCH}-{secrets.token_hex(3)}"
        await make_branch(self.bare, branch)
        asked = DeleteBranchInput(repository=self.repository, branch=branch)
        ended = await self._run_to_the_end("DeleteBranch", asked)
        say(f"  Alice clicked Approve in Slack's twin; the branch is gone, and {ended.told('lost')} commit with it")
        say(f"  workflow {ended.link}")

    async def ask_to_delete(self) -> None:
        """Ask for the branch that may go; one that waits since an earlier demonstration is left to wait."""
        asked = DeleteBranchInput(repository=self.repository, branch=OLD_BRANCH)
        key = asked.business_key()
        before = await self.environment.state(key)
        if before is None:
            await make_branch(self.bare, OLD_BRANCH)
        done = await banksman("run", "DeleteBranch", "--input", show_command("DeleteBranch", asked), "--json")
        if done.code:
            raise DemoFailed(f"DeleteBranch was not started: {done.reason()}")
        self._asked.append(key)
        earlier = "still, since an earlier demonstration: " if before is not None else ""
        say(f"  {earlier}{await self._told(key)}")

    async def _told(self, key: str) -> str:
        deadline = time.monotonic() + _SETTLE
        now = await self.environment.state(key)
        while now is State.RUNNING and time.monotonic() < deadline:
            await asyncio.sleep(_POLL)
            now = await self.environment.state(key)
        match now:
            case State.WAITING:
                return f"[yellow]waits for a person's yes[/]: {escape(key)}"
            case State.PARKED:
                resume = escape(f"banksman resume {shlex.quote(key)}")
                return f"[red]parked[/]: mend what `banksman status` shows, then `{resume}`"
            case State.RUNNING:
                return f"runs, and asks when its plan is there: {escape(key)}"
            case _:
                return await self._ended(key)

    async def _ended(self, key: str) -> str:
        described = await self.environment.client.get_workflow_handle(key).describe()
        state = described.typed_search_attributes.get(STATE_ATTRIBUTE)
        if described.status is not WorkflowExecutionStatus.COMPLETED:
            state = described.status.name.lower() if described.status else state
        return f"has ended at once, {state}, and waits for nobody: {self.environment.goal_page(key)}"

    async def _run_to_the_end(self, goal: str, request: ReadFileInput | DeleteBranchInput) -> Ended:
        key = request.business_key()
        if await self.environment.state(key) is State.PARKED:
            await banksman("resume", key)  # by an earlier demonstration, on what may be well again
        text, beside = show_command(goal, request, "--wait"), self.environment.alice.approving(key)
        return await run_to_its_end(goal, text, seconds=_GOAL, beside=beside)

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
            say("\nNobody is waited for.")
            return
        others = len([goal for goal in goals if goal not in self._asked])
        earlier = f", {others} of them from before" if others and self._asked else ""
        noun = "approval waits" if len(goals) == 1 else "approvals wait"
        say(f"\n{len(goals)} {noun} for a person{earlier} (`banksman approvals`). Be one, and approve or reject:")
        say(f"  Slack    {self.environment.stack.twins['slack'].url}")
        if self.environment.stack.console is not None:
            say(f"  console  {self.environment.stack.console.url}")
