"""A model's rounds on one commit: it calls tools in a session until it says that it is done; and the tests after it.

The conversation outlives its sessions. Where one is lost, or rules or tests refuse what came of it, the next begins
with the change that was kept last, and the model is told so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Protocol, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel

    from activities.agent.investigation_contracts import KEEP_RESULTS, KeepResultsRequest, ToKeep
    from activities.presets import Preset
    from activities.sandbox.session_contracts import ToolAnswer
    from activities.step import Step
    from connectors.models.messages import Text, ToolCall, ToolResult
    from hitl.hidden import visible
    from workflows.agent.inquiry import MOST_AT_ONCE, Inquiry, Turn, name_of
    from workflows.agent.tools import ToolRefused, within
    from workflows.coding.calling import SessionLost
    from workflows.coding.job.tools import SessionTool, called, gave
    from workflows.goal import StepDenied, StepWaits

Request = TypeVar("Request", bound=BaseModel)
Response = TypeVar("Response")

MOST_CALLS: Final = 200
"""Tools that one job calls; each has its events in the history."""
_PATIENCE: Final = timedelta(minutes=20)
_SHOWN: Final = 100
_KEPT: Final = 20_000
"""Characters of one answer; a model is told 16 kB of them."""
_TOO_MANY: Final = f"{MOST_AT_ONCE} tools are called at once, and no more: call it in the next turn"
_GONE: Final = "the container was lost with what was changed in it, and nothing was done"
_LOST: Final = (
    "The container was lost. There is a new one, in which the files are as at the commit, with your change where one "
    "was judged before. Make what is missing again."
)
_LAST: Final = "No tool is called any more. Answer now, with what is done."


class TakesSteps(Protocol):
    """`Goal`."""

    async def step(self, step: Step[Request, Response], request: Request, *, summary: str) -> Response:
        """See there."""
        ...

    async def attempt(
        self, step: Step[Request, Response], request: Request, *, summary: str, preset: Preset | None = None
    ) -> Response:
        """See there."""
        ...

    def begin(self, summary: str) -> None:
        """See there."""
        ...


@dataclass
class Worked:
    """What a job has used so far, over all of its rounds.

    Attributes:
        turns: How often a model answered.
        calls: Tools that it called.
        lost: Whether a session was lost, and the model is not told yet.
    """

    turns: int = 0
    calls: int = 0
    lost: bool = False


@dataclass
class Rounds:
    """The conversation, turn by turn.

    Attributes:
        goal: Takes the steps.
        inquiry: With whom.
        tools: What it may call.
        turns: How often it is asked at most.
        ends: When it has to end.
        noted: Is told of each turn.
    """

    goal: TakesSteps
    inquiry: Inquiry
    tools: Mapping[str, SessionTool]
    turns: int
    ends: Callable[[], bool]
    noted: Callable[[Turn], None]
    worked: Worked = field(default_factory=Worked)

    @property
    def over(self) -> bool:
        """Whether the model may not be asked any more."""
        return self.worked.turns >= self.turns

    def say(self, text: str) -> None:
        """Tell the model something of ours before its next turn."""
        self.inquiry.tell((Text(text=text),), len(text.encode()))

    async def until_answer(self, session: str, repository: str) -> str | None:
        """The model's next answer, an artifact; None where it gave none in all of its turns.

        Raises:
            SessionLost: The session is gone.
            NoModel: Nobody answers.
        """
        if self.worked.lost:
            self.say(_LOST)
            self.worked.lost = False
        while not self.over:
            last = self.worked.turns + 1 == self.turns or self.ends() or self.worked.calls >= MOST_CALLS
            if last:
                self.say(_LAST)
            turn = await self.inquiry.turn()
            self.worked.turns += 1
            self.noted(turn)
            if turn.answer is not None:
                return turn.answer
            if last:
                self.worked.turns = self.turns
                return None
            await self._look(turn.calls, session, repository)
        return None

    async def _look(self, calls: tuple[ToolCall, ...], session: str, repository: str) -> None:
        """Make these calls, one after the other, and tell the model what each gave; also that the session is lost."""
        made, beyond = calls[:MOST_AT_ONCE], calls[MOST_AT_ONCE:]
        gone: SessionLost | None = None
        found: list[tuple[str, bool]] = []
        for one in made:
            if gone is None:
                try:
                    found.append(await self._call(one, session, repository))
                    continue
                except SessionLost as lost:
                    gone = lost
            found.append((_GONE, True))
        await self._tell(made, found, beyond)
        if gone is not None:
            self.worked.lost = True
            raise gone

    async def _call(self, call: ToolCall, session: str, repository: str) -> tuple[str, bool]:
        self.worked.calls += 1
        try:
            tool, asked = called(call, self.tools, session=session, repository=repository)
        except ToolRefused as refused:
            return str(refused), True
        self.goal.begin(f"{tool.name} {call.arguments[:_SHOWN]}")
        try:
            answer: Any = await self.goal.attempt(
                tool.step, asked, summary=f"Tool: {tool.name}", preset=tool.step.preset.within(_PATIENCE)
            )
        except (StepWaits, StepDenied) as error:
            return within(str(error)), True
        except ApplicationError as error:
            return within(error.message), True
        if isinstance(answer, ToolAnswer) and answer.lost:
            raise SessionLost(answer.refused or "")
        return gave(tool, answer)

    async def _tell(
        self, made: tuple[ToolCall, ...], found: list[tuple[str, bool]], beyond: tuple[ToolCall, ...]
    ) -> None:
        first = self.worked.calls - len(found) + 1
        keep = tuple(
            ToKeep(id=f"r{first + number}", tool=visible(call.tool)[:_SHOWN], text=text[:_KEPT], failed=failed)
            for number, (call, (text, failed)) in enumerate(zip(made, found, strict=True))
        )
        kept = await self.goal.step(KEEP_RESULTS, KeepResultsRequest(results=keep), summary="Keep what tools gave")
        parts = [
            ToolResult(id=call.id, tool=name_of(call), reference=told.reference, failed=one.failed)
            for call, one, told in zip(made, keep, kept.results, strict=True)
        ]
        parts += [ToolResult(id=one.id, tool=name_of(one), text=_TOO_MANY, failed=True) for one in beyond]
        self.inquiry.tell(parts, sum(one.size for one in kept.results) + len(beyond) * len(_TOO_MANY))
