"""The goal `Investigate`: a model looks by tools that only read, and says what it found, with evidence."""

import asyncio
import contextlib
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.agent.investigation_contracts import (
        BRIEF_INVESTIGATOR,
        KEEP_RESULTS,
        READ_FINDINGS,
        BriefInvestigatorRequest,
        FindingsRead,
        InvestigatorBriefed,
        KeepResultsRequest,
        ReadFindingsRequest,
        ToKeep,
    )
    from activities.models.contracts import FIND_MODELS, REQUEST, FindModelsRequest, ModelAnswered, RequestModel
    from connectors.models.messages import Text, ToolCall, ToolResult
    from connectors.models.raw import Use
    from hitl.hidden import visible
    from hitl.plan_language.bound import BoundStep
    from hitl.protocol import Effect
    from workflows.agent.children import ChildEnd, run_child
    from workflows.agent.findings_notice import leave_notice
    from workflows.agent.goals import INVESTIGATE, InvestigateInput, InvestigateResult, LookedAt
    from workflows.agent.history_contracts import READ_HISTORY, HistoryRead, ReadHistoryRequest
    from workflows.agent.inquiry import LABELS, MOST_AT_ONCE, Inquiry, Turn, name_of
    from workflows.agent.tier import NoModel
    from workflows.agent.tools import (
        AnyTool,
        Gave,
        GoalTool,
        StepTool,
        ToolRefused,
        called,
        gave,
        offered,
        told,
        within,
    )
    from workflows.contracts import Outcome, State
    from workflows.goal import Goal, StepDenied, StepWaits
    from workflows.goal_type import goal
    from workflows.of_a_plan import StepParked

_PATIENCE: Final = timedelta(minutes=2)
"""For one tool, with all its tries: what does not answer by then, the model hears."""
_GOALS_PATIENCE: Final = timedelta(minutes=10)
_MOST_LOOKS: Final = 100
_ENDS_WHAT_PARKS: Final = "an-investigators-goal-that-parks-is-ended"
"""The patch: runs that met one without it waited for it as long as for any other."""
_SHORT: Final = 1000
_SHOWN: Final = 200
_NOTHING: Final = "Nothing was changed"
_TOO_MANY: Final = f"{MOST_AT_ONCE} tools are called at once, and no more: call it in the next turn"
_LAST: Final = (
    "No tool is called any more. Answer now, with what you have; say in `unknown` what you could not find out."
)


@goal(INVESTIGATE)
class InvestigateWorkflow(Goal):
    """Ask a model, give it what its tools find, and look up its evidence. Nothing of what it says is done."""

    @workflow.init
    def __init__(self, request: InvestigateInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._result = InvestigateResult()
        self._repositories: tuple[str, ...] = request.repositories
        self._children = 0
        self._parked: str | None = None
        """Why the goal that is a tool just now waits for somebody."""
        self._tools: dict[str, AnyTool] = {}
        self._until = workflow.now() + timedelta(minutes=request.minutes)

    @workflow.signal
    def step_parked(self, parked: StepParked) -> None:
        """From a goal that is a tool: it waits for somebody, or goes on. Only shown, for whoever can send it."""
        if parked.why is None:
            return
        self.begin(f"A tool's goal is parked: {parked.why[:_SHORT]}")
        if parked.step == f"look-{self._children}" and workflow.patched(_ENDS_WHAT_PARKS):
            self._parked = parked.why

    @workflow.run
    async def run(self, request: InvestigateInput) -> InvestigateResult:
        """Look, and answer; that nothing can be said is a result."""
        del request
        return await self.run_goal(self._run(), denied=lambda reason: self._ended(State.DENIED, reason))

    def _ended(self, outcome: Outcome, reason: str | None, **more: Any) -> InvestigateResult:
        return self._result.model_copy(update={"outcome": outcome, "reason": reason, **more})

    async def _run(self) -> InvestigateResult:
        history = await self._history()
        if history is not None and not history.found:
            return self._ended(State.REFUSED, f"there is no goal {visible(history.goal)!r}, or it is kept no more.")
        brief = await self._briefed()
        self._tools = dict(offered(logs=brief.logs, metrics=brief.metrics, sandbox=brief.sandbox))
        found = await self.step(
            FIND_MODELS, FindModelsRequest(use=Use.READ, labels=LABELS), summary="Find who can look"
        )
        inquiry = Inquiry(found, brief, told(self._tools), self._ask)
        self._result = self._result.model_copy(update={"absent": brief.absent})
        if history is not None:
            await self._begin_with(inquiry, history)
        try:
            read = await self._found_out(inquiry)
        except NoModel as nobody:
            self._note(inquiry)
            return self._ended(State.REFUSED, f"no model found it out: {visible(str(nobody))[:_SHORT]}. {_NOTHING}.")
        answer = self._answer(read)
        if history is not None and answer.outcome is State.COMPLETED:
            await leave_notice(answer)
        return answer

    async def _history(self) -> HistoryRead | None:
        """Of the goal that is asked about; its repository may be looked into."""
        if self._wanted.goal is None:
            return None
        request = ReadHistoryRequest(goal=self._wanted.goal)
        found = await self.step(READ_HISTORY, request, summary=f"Read what {self._wanted.goal} did")
        if found.repository:
            self._repositories = (*self._repositories, found.repository)
        return found

    @property
    def _words(self) -> tuple[str, ...]:
        """What people named: in the question, or by naming the goal."""
        return (self._wanted.words, *self._repositories)

    async def _briefed(self) -> InvestigatorBriefed:
        wanted = self._wanted
        named = tuple(dict.fromkeys(self._repositories))
        request = BriefInvestigatorRequest(question=wanted.words, goal=wanted.goal, repositories=named)
        return await self.step(BRIEF_INVESTIGATOR, request, summary="Write down what a model is told")

    async def _begin_with(self, inquiry: Inquiry, history: HistoryRead) -> None:
        asked = f'{{"goal": "{visible(history.goal)}"}}'
        [(looked, size)] = await self._keep([("read_history", asked, gave(history), 1)])
        inquiry.tell((Text(reference=looked.artifact),), size)

    async def _ask(self, request: RequestModel, summary: str) -> ModelAnswered:
        self.begin(summary)
        return await self.attempt(REQUEST, request, summary=summary)

    async def _found_out(self, inquiry: Inquiry) -> FindingsRead:
        """The last answer: one whose evidence is there, or one that was given back as often as it may be.

        Raises:
            NoModel: Nobody answers.
        """
        read, left = FindingsRead(), self._wanted.corrections
        for number in range(1, self._wanted.turns + 1):
            last = number == self._wanted.turns or workflow.now() >= self._until
            if last:
                inquiry.tell((Text(text=_LAST),), len(_LAST))
            turn = await inquiry.turn()
            self._note(inquiry, turn)
            if turn.answer is not None:
                read = await self._read(turn.answer)
                if not read.mistakes or last or not left:
                    return read
                left -= 1
                inquiry.tell((Text(text=_corrections(read)),), _SHORT)
            elif last:
                return read
            else:
                await self._look(inquiry, turn.calls)
        return read

    async def _read(self, answer: str) -> FindingsRead:
        results = {one.id: one.artifact for one in self._result.looked_at}
        request = ReadFindingsRequest(answer=answer, results=results, words=self._words)
        return await self.step(READ_FINDINGS, request, summary="Look up the evidence")

    async def _look(self, inquiry: Inquiry, calls: tuple[ToolCall, ...]) -> None:
        """Make these calls, one after the other, and tell the model what each gave."""
        made, beyond = calls[:MOST_AT_ONCE], calls[MOST_AT_ONCE:]
        found = [(one.tool, one.arguments[:_SHOWN], *await self._call(one)) for one in made]
        kept = await self._keep(found)
        parts = [
            ToolResult(id=call.id, tool=name_of(call), reference=looked.artifact, failed=looked.failed)
            for call, (looked, _) in zip(made, kept, strict=True)
        ]
        parts += [ToolResult(id=one.id, tool=name_of(one), text=_TOO_MANY, failed=True) for one in beyond]
        inquiry.tell(parts, sum(size for _, size in kept) + len(beyond) * len(_TOO_MANY))

    async def _call(self, call: ToolCall) -> tuple[Gave, int]:
        """What one tool gave, and from which line on it is told.

        That it failed, only the model is told: no tool of a model parks the goal.
        """
        if len(self._result.looked_at) >= _MOST_LOOKS:
            return Gave(text=f"{_MOST_LOOKS} looks are all there are in one run: answer now", failed=True), 1
        try:
            tool, asked, given = called(call, self._tools, words=self._words)
        except ToolRefused as refused:
            return Gave(text=str(refused), failed=True), 1
        self.begin(f"Look: {tool.name} {call.arguments[:_SHOWN]}")
        if isinstance(tool, GoalTool):
            return await self._child(tool, asked.model_dump(mode="json", exclude_defaults=True)), 1
        return await self._take(tool, asked), int(getattr(given, "from_line", 1))

    async def _take(self, tool: StepTool, asked: Any) -> Gave:
        preset = tool.step.preset.within(_PATIENCE)
        try:
            return tool.gives(await self.attempt(tool.step, asked, summary=f"Look: {tool.name}", preset=preset))
        except (StepWaits, StepDenied) as error:
            return Gave(text=within(str(error)), failed=True)
        except ApplicationError as error:
            return Gave(text=within(error.message), failed=True)

    async def _child(self, tool: GoalTool, inputs: dict[str, Any]) -> Gave:
        self._children += 1
        step = BoundStep(id=f"look-{self._children}", goal=tool.goal.name, effect=Effect.READ, inputs=inputs)
        child = f"{workflow.info().workflow_id}/look/{self._children}"
        end = await self._looked(run_child(step, child))
        if isinstance(end, str):
            return Gave(text=within(end), failed=True)
        self.end_if_cancelled()
        if end.outcome != State.COMPLETED:
            return Gave(text=within(f"it ended as {end.outcome}: {end.reason}"), failed=True)
        return gave(tool.goal.result.model_validate(end.result))

    async def _looked(self, child: Coroutine[Any, Any, ChildEnd]) -> ChildEnd | str:
        """How the goal ended. Why nobody waited for that: it is parked, or takes too long; then it is cancelled."""
        self._parked, why = None, f"it took longer than {_GOALS_PATIENCE}"
        looking = asyncio.create_task(child)
        try:
            with contextlib.suppress(asyncio.TimeoutError):
                await workflow.wait_condition(
                    lambda: looking.done() or self._parked is not None, timeout=_GOALS_PATIENCE
                )
                why = f"it waits, and was ended: {self._parked}"
        except asyncio.CancelledError:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            raise
        if looking.done():
            return looking.result()
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        return why

    async def _keep(self, found: list[tuple[str, str, Gave, int]]) -> list[tuple[LookedAt, int]]:
        """Each as the model is told it, with its bytes; from here on a claim can name it."""
        first = len(self._result.looked_at) + 1
        keep = [
            ToKeep(
                id=f"r{first + number}",
                tool=visible(tool)[:_SHOWN],
                text=one.text,
                reference=one.reference,
                failed=one.failed,
                from_line=line,
            )
            for number, (tool, _, one, line) in enumerate(found)
        ]
        kept = await self.step(KEEP_RESULTS, KeepResultsRequest(results=tuple(keep)), summary="Keep what tools gave")
        looked = [
            LookedAt(
                id=one.id, tool=one.tool, asked=visible(asked), failed=one.failed, cut=told.cut, artifact=told.reference
            )
            for one, told, (_, asked, _, _) in zip(keep, kept.results, found, strict=True)
        ]
        self._result = self._result.model_copy(update={"looked_at": (*self._result.looked_at, *looked)})
        return [(one, told.size) for one, told in zip(looked, kept.results, strict=True)]

    def _note(self, inquiry: Inquiry, turn: Turn | None = None) -> None:
        spent = inquiry.spending
        noted: dict[str, Any] = {"requests": spent.requests, "cost_micros": spent.micros}
        if turn is not None:
            said = turn.answered
            noted |= {"backend": said.backend, "model": said.model, "prompt": said.instructions}
            noted["turns"] = self._result.turns + 1
        self._result = self._result.model_copy(update=noted)

    def _answer(self, read: FindingsRead) -> InvestigateResult:
        if not read.usable:
            why = f": {read.mistakes[0].line()}" if read.mistakes else ""
            told = f"the model gave no answer in {self._result.turns} turns{why}. {_NOTHING}; ask more exactly."
            return self._ended(State.REFUSED, told, mistakes=read.mistakes)
        return self._ended(
            State.COMPLETED,
            None,
            answer="unknown" if read.unknown else "claims",
            **{name: getattr(read, name) for name in _AS_READ},
        )


_AS_READ: Final = ("claims", "unknown", "not_looked_at", "suggested", "mistakes")


def _corrections(read: FindingsRead) -> str:
    """What a model is told of its mistakes: all at once, each by its place."""
    lines = [f"- {one.at or 'the answer'}: {one.says}" for one in read.mistakes]
    more = [f"- and {read.more_mistakes} more like these"] if read.more_mistakes else []
    head = "That is not shown by what you found. Look further, or answer again, whole, without what is not shown:"
    return "\n".join([head, *lines, *more])
