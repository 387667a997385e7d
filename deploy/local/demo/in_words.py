"""What is asked in words: a sentence, the plan that a model made of it, a person's yes, and what was done."""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError
from rich.markup import escape
from temporalio.client import WorkflowFailureError
from temporalio.service import RPCError

from connectors.github.twin.seed import make_branch
from deploy.local.demo.commands import Ended, banksman
from deploy.local.demo.environment import Environment
from deploy.local.demo.first_goals import FirstGoals
from deploy.local.demo.terminal import DemoFailed, plain, say, terminal
from hitl.approval.plan import Plan, read_plan
from workflows.agent.goals import AskForInput

BRANCH: Final = "banksman/said-in-words"
_GOAL: Final = 120.0
_ASKED: Final = 40.0
_ENDS: Final = 20.0
_POLL: Final = 0.3


@dataclass
class InWords:
    """The chapter of one demonstration.

    Attributes:
        environment: Where it is shown.
        first: Knows the repository.
        approve: Whether Alice says yes; else whoever is there, while the demonstration goes on.
    """

    environment: Environment
    first: FirstGoals
    approve: bool
    _waits: bool = False
    _shown: bool = False

    def __post_init__(self) -> None:
        """One Alice, who remembers what she clicked."""
        self._alice = self.environment.alice

    @property
    def _sentence(self) -> str:
        return sentence(self.first)

    @property
    def _key(self) -> str:
        return AskForInput(text=self._sentence).business_key()

    async def show(self) -> None:
        """Ask, and show the plan; with Alice's yes to the end.

        Raises:
            DemoFailed: It was not started, or did not end as it should.
        """
        await make_branch(self.first.bare, BRANCH)
        words = ("ask", self._sentence)
        say(f'\n[bold]»[/] banksman ask "{escape(self._sentence)}"{" --wait" if self.approve else ""}')
        if self.approve:
            self._tell(await self._carried_out(*words))
            return
        done = await banksman(*words, "--json")
        if done.code:
            raise DemoFailed(f"AskFor was not started: {done.reason()}")
        self._waits = True
        with terminal.working("a model plans it"):
            await self._until_it_is_asked()
        where = self.environment.stack.twins["slack"].url
        say(f"  [yellow]it waits for a person's yes[/] as long as this demonstration goes on: {escape(where)}")

    async def end(self) -> None:
        """Tell what became of it while the demonstration went on; what still waits is taken back."""
        if not self._waits:
            return
        self._waits = False
        handle = self.environment.client.get_workflow_handle(self._key, result_type=dict[str, object])
        with contextlib.suppress(RPCError):  # it has ended
            await handle.cancel()
        try:
            result = await asyncio.wait_for(handle.result(), _ENDS)
        except (WorkflowFailureError, TimeoutError, RPCError):
            say("\nWhat was asked in words still waited: it is taken back.")
            return
        say(f"\nWhat was asked in words ended as {escape(str(result.get('outcome')))}.")

    async def _carried_out(self, *words: str) -> Ended:
        done = await banksman(*words, "--wait", "--json", seconds=_GOAL, beside=self._approve)
        try:
            ended = Ended.model_validate_json(done.output)
        except ValidationError:
            raise DemoFailed(f"AskFor was not started: {done.reason()}") from None
        if done.code:
            raise DemoFailed(f"AskFor ended as {ended.outcome}: {ended.error or ended.told('reason')} ({ended.link})")
        return ended

    async def _approve(self) -> None:
        """Alice reads each question before she says yes."""
        for message in await self._alice.asked(self._key):
            await self._show_plan(message.approval)
            await self._alice.approve(message)

    async def _until_it_is_asked(self) -> None:
        deadline = time.monotonic() + _ASKED
        while time.monotonic() < deadline:
            if asked := await self._alice.asked(self._key):
                await self._show_plan(asked[0].approval)
                return
            await asyncio.sleep(_POLL)
        raise DemoFailed(f"nobody was asked within {_ASKED:g} s: `banksman status` tells which part is amiss")

    async def _show_plan(self, approval: str) -> None:
        """What people see of the plan, once."""
        if self._shown:
            return
        self._shown = True
        await show_plan(self.environment, approval)

    def _tell(self, ended: Ended) -> None:
        say(f"  Alice approved the plan, and then the deletion itself; {ended.told('outcome')}")
        say(f"  the model was {plain(ended.told('backend'))}/{plain(ended.told('model'))}, and can only propose")
        say(f"  workflow {ended.link}")


def sentence(first: FirstGoals) -> str:
    """What is asked."""
    return f"Delete the branch {BRANCH} of {first.repository}."


async def show_plan(environment: Environment, approval: str) -> None:
    """What people see of a plan that they are asked about."""
    text = await environment.client.get_workflow_handle(approval).query("plan", result_type=str)
    found = read_plan(text)
    if isinstance(found, Plan):
        for line in found.summary:
            say(f"  [dim]│[/] {plain(line)}")
