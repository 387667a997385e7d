"""The same sentence, asked of a real model that is far too small for it: whatever it says, nothing comes of it."""

import contextlib
import time
from dataclasses import dataclass
from typing import Final

import httpx
from pydantic import ValidationError
from rich.markup import escape
from temporalio.service import RPCError

from connectors.github.bare import BareRepository
from connectors.github.twin.seed import make_branch
from deploy.local.demo.commands import Ended, banksman
from deploy.local.demo.environment import Alice, Environment
from deploy.local.demo.first_goals import FirstGoals
from deploy.local.demo.in_words import BRANCH, sentence, show_plan
from deploy.local.demo.models_file import ModelsFile
from deploy.local.demo.safely import Books, branches_of, outcome_of, read_books, unsafe
from deploy.local.demo.terminal import Broken, DemoFailed, plain, say, terminal
from deploy.local.small_model.found import NAME, find_small_model
from deploy.local.small_model.serving import small_model_served
from deploy.local.tools import ToolUnavailableError
from workflows.agent.goals import AskForInput

_GOAL: Final = 240.0
_MOST_TOKENS: Final = 256
_MICROS: Final = 1_000_000
_CORRECTIONS: Final = 1
_MOST: Final = 1 + _CORRECTIONS
_NO: Final = "a demonstration: nobody approves what so small a model plans"


@dataclass
class OnASmallModel:
    """The chapter of one demonstration.

    Attributes:
        environment: Where it is shown.
        first: Knows the repository.
    """

    environment: Environment
    first: FirstGoals

    async def show(self) -> None:
        """Ask, and look at what came of it; left out, with the reason, where there can be no such model.

        Raises:
            Broken: Something came of it.
            DemoFailed: It was not started, or the models worker does not come back.
        """
        file = ModelsFile(self.environment)
        if file.why_not:
            self._left_out(file.why_not)
            return
        try:
            found = await find_small_model(progress=lambda line: say(f"  {escape(line)}"))
            async with small_model_served(found, most=_MOST_TOKENS) as address, file.asking(address):
                await self._ask()
        except ToolUnavailableError as why:
            self._left_out(str(why))

    def _left_out(self, why: str) -> None:
        say(f"\nLeft out: the same sentence, planned by a real, small model, because {escape(why)}")

    async def _ask(self) -> None:
        words = sentence(self.first)
        goal = f"{AskForInput(text=words).business_key()}-{NAME.lower()}"
        await make_branch(self.first.bare, BRANCH)
        bare, since = BareRepository(self.first.bare), time.time()
        before = await branches_of(bare)
        say(f"\n[bold]The same, planned by {NAME}[/], a real model on this machine, far too small for it")
        say(f'[bold]»[/] banksman ask "{escape(words)}" --wait')
        ended = await self._asked(words, goal)
        books = await read_books(
            self.environment.client,
            goal=goal,
            github=self.environment.stack.twins["github"].url,
            repository=self.first.repository,
            since=since,
        )
        after = await branches_of(bare)
        if found := unsafe(ended, books, before=before, after=after, most=_MOST):
            raise Broken(found)
        self._tell(ended, books, branches=len(after), goal=goal)

    async def _asked(self, words: str, goal: str) -> Ended:
        """How it ended, which it has whatever happens."""
        alice = self.environment.alice
        asked = ("ask", words, "--corrections", str(_CORRECTIONS), "--id", goal, "--wait", "--json")
        try:
            with terminal.working("the small model is asked"):
                done = await banksman(*asked, seconds=_GOAL, beside=lambda: self._reject(alice, goal))
        finally:
            with contextlib.suppress(RPCError):  # it has ended
                await self.environment.client.get_workflow_handle(goal).cancel()
        try:
            return Ended.model_validate_json(done.output)
        except ValidationError:
            raise DemoFailed(f"AskFor was not started: {done.reason()}") from None

    async def _reject(self, alice: Alice, goal: str) -> None:
        """A plan that it happens to write is shown, and nobody says yes."""
        for message in await alice.asked(goal):
            await show_plan(self.environment, message.approval)
            with contextlib.suppress(httpx.HTTPError):  # looked at again
                await alice.reject(message, _NO)
                say("  [yellow]it wrote a plan that can be read: it is shown, and Alice rejects it[/]")

    def _tell(self, ended: Ended, books: Books, *, branches: int, goal: str) -> None:
        cost = int(ended.told("cost_micros") or 0) / _MICROS
        times = "once" if books.asked == 1 else f"{books.asked} times"
        reason = ended.told("reason") or "its plan only reads"
        say(f"  [yellow]{escape(outcome_of(ended).replace('_', ' '))}[/]: {plain(reason)}")
        say(f"  it was asked {times}, and may be asked {_MOST} times; that cost ${cost:.4f}, for nobody bills for it")
        say(
            f"  nothing was changed: all {branches} branches are as before, GitHub's twin was asked for no change, and "
            "Temporal has started no goal that could"
        )
        say(f"  look at it: {escape(self.environment.goal_page(goal))}")
        say(f"  workflow {ended.link}")
