"""The goal `RunPlan`: explore, bind, ask people where it writes, and start exactly what they saw."""

import asyncio
from datetime import timedelta
from typing import Final, Literal, get_args

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.agent.contracts import (
        BIND_PLAN,
        RUN_PLAN,
        RUN_UNASKED,
        BindPlanRequest,
        PlanBound,
        RunPlanParameters,
        RunUnasked,
    )
    from activities.guard.error_types import ErrorType, application_error
    from activities.step_end import StepEnd, Way
    from hitl.approval.plan import PlanError, read_plan
    from hitl.canonical import NotCanonical, canonical_json
    from hitl.hidden import visible
    from hitl.plan_language.bound import BoundError, BoundPlan, BoundStep, read_bound
    from hitl.plan_language.mistakes import Mistake
    from hitl.protocol import Effect
    from workflows.agent.asking import plan_to_approve
    from workflows.agent.children import run_child
    from workflows.agent.goals import RUN_PLAN as GOAL
    from workflows.agent.goals import PlanStepEnd, RunPlanInput, RunPlanResult
    from workflows.agent.plan_decisions import PlanDecisions, asked_by_all, asked_by_each
    from workflows.agent.rehearsed_plan import EffectsOfAPlan
    from workflows.approval.approved import Approved, RuleChanged
    from workflows.approval.approved_step import WORTH_ASKING_AGAIN, ApprovingGoal
    from workflows.approval.contracts import ENDED
    from workflows.approval.step_ends import LOOK_FIRST, end_without_an_answer
    from workflows.contracts import Outcome, State
    from workflows.goal import NotApproved, StepDenied
    from workflows.goal_type import goal
    from workflows.of_a_plan import StepParked

_MOST_FOUND: Final = 1024 * 1024
"""Bytes of results that are bound: they travel in one request."""
_GIVES_BACK: Final = "a-cancelled-plan-gives-decisions-back"
"""The patch: runs that began without it keep what they set aside where they are cancelled or fail."""
_SOON: Final = timedelta(minutes=1)
"""So long a plan that was cancelled waits for the book at most."""
_NOTHING: Final = "Nothing of what acts was begun"


class PlanStops(Exception):
    """The plan does not go on, and that is its result.

    Args:
        outcome: How it ends.
        reason: Why, and what was not begun.
        mistakes: What is wrong with it.
    """

    def __init__(self, outcome: Outcome, reason: str, mistakes: tuple[Mistake, ...] = ()) -> None:
        super().__init__(reason)
        self.outcome: Outcome = outcome
        self.mistakes = mistakes


@goal(GOAL)
class RunPlanWorkflow(ApprovingGoal):
    """Carry out a plan of goals as child workflows, one after another, and nothing that is not in it."""

    @workflow.init
    def __init__(self, request: RunPlanInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._effects = self._rehearsed = EffectsOfAPlan(request.rehearsal)
        self._decisions = PlanDecisions(limited=request.limited)
        self._found: dict[str, dict[str, JsonValue]] = {}
        self._steps: list[PlanStepEnd] = []
        self._each: dict[str, int] = {}
        """How often each step that acts has people decide."""
        self._result = RunPlanResult()

    @workflow.query
    def progress(self) -> tuple[PlanStepEnd, ...]:
        """How far it is: every step that is known by now."""
        return tuple(self._steps)

    @workflow.signal
    def step_parked(self, parked: StepParked) -> None:
        """From a goal of this plan: it waits for somebody, or goes on. Only shown, for whoever can send it."""
        at = next((one for one in self._steps if one.id == parked.step and one.outcome in _UNDER_WAY), None)
        if at is None:
            return
        why = visible(parked.why)[:_SHORT] if parked.why is not None else None
        self._put(at.model_copy(update={"outcome": State.RUNNING if why is None else State.PARKED, "reason": why}))
        summary = f"{at.id}: {at.goal} ({at.workflow_id})"
        self.begin(summary if why is None else f"{summary} is parked: {why}")

    @workflow.run
    async def run(self, request: RunPlanInput) -> RunPlanResult:
        """Run it; whoever refuses, a refusal is a result, which tells what was done before it."""
        del request
        return await self.run_goal(self._counted(), denied=self._denied)

    def _denied(self, reason: str) -> RunPlanResult:
        return self._ended(State.DENIED, f"{reason} {_NOTHING}.")

    def _ended(self, outcome: Outcome, reason: str | None) -> RunPlanResult:
        return self._result.model_copy(update={"outcome": outcome, "reason": reason, "steps": tuple(self._steps)})

    async def _counted(self) -> RunPlanResult:
        """Run it, and give back what it did not need of people's decisions, however it ends."""
        try:
            result = await self._run()
        except (NotApproved, StepDenied):
            await self._decisions.settle(self, self._asked)
            raise
        except (FailureError, asyncio.CancelledError):
            if self._decisions.are_set_aside and workflow.patched(_GIVES_BACK):
                await self._decisions.settle(self, self._asked_so_far(), within=_SOON)
            raise
        await self._decisions.settle(self, self._asked_so_far())
        return result

    def _asked_so_far(self) -> int:
        """How often people had to decide, or may have had to by now."""
        begun = [one.id for one in self._steps if one.part == "act" and one.workflow_id is not None]
        return self._asked + sum(self._each.get(one, 0) for one in begun)

    async def _run(self) -> RunPlanResult:
        try:
            bound = await self._explored()
            self._result = self._result.model_copy(update={"digest": bound.digest(), "effect": bound.effect})
            if self._wanted.bind_only:
                return self._ended(State.COMPLETED, None).model_copy(update={"bound": bound.value()})
            approved = None if bound.effect is Effect.READ else await self._allowed(bound)
            return await self._carried_out(bound, approved)
        except PlanStops as stop:
            self._result = self._result.model_copy(update={"mistakes": stop.mistakes})
            return self._ended(stop.outcome, str(stop))

    async def _explored(self) -> BoundPlan:
        """Run what explores, as far as it can be bound each time, until the acting part is of literals alone."""
        while True:
            answer = await self._bind("Bind the plan")
            if answer.bound is not None:
                bound = _read(answer.bound)
                self._note(bound)
                return bound
            if not answer.explore:
                raise application_error(ErrorType.INVALID_REQUEST, "the plan is neither bound nor to be explored")
            for step in answer.explore:
                await self._explore(step, answer.needed)

    async def _bind(self, summary: str) -> PlanBound:
        wanted = self._wanted
        request = BindPlanRequest(plan=wanted.plan, lists=wanted.lists, results=self._found)
        answer = await self.step(BIND_PLAN, request, summary=summary)
        if answer.mistakes:
            count = len(answer.mistakes) + answer.more_mistakes
            told = f"the plan has {count} mistake{'' if count == 1 else 's'}: {answer.mistakes[0].line()}"
            raise PlanStops(State.REFUSED, f"{told}. {_NOTHING}", answer.mistakes)
        return answer

    async def _explore(self, step: BoundStep, needed: dict[str, tuple[str, ...]]) -> None:
        if step.effect is not Effect.READ:
            raise PlanStops(State.REFUSED, f"{visible(step.id)!r} explores, and may do more than read. {_NOTHING}")
        result = await self._take(step, "explore")
        end = self._steps[-1]
        if end.outcome != State.COMPLETED:
            outcome = _as_goals_end(end, State.REFUSED)
            raise PlanStops(outcome, f"step {_told(end)}. {_NOTHING}")
        fields = needed.get(step.id.partition("/")[0], ())
        self._found[step.id] = {name: one for name, one in result.items() if "*" in fields or name in fields}
        if _size(self._found) > _MOST_FOUND:
            told = f"what the plan refers to is longer than {_MOST_FOUND} bytes with {visible(step.id)!r}"
            raise PlanStops(State.REFUSED, f"{told}: refer to less of it. {_NOTHING}")

    async def _allowed(self, bound: BoundPlan) -> Approved | None:
        """What people said yes to; None where the policy lets the plan run without them.

        Raises:
            NotApproved: They did not.
            StepDenied: The policy lets nobody say it, or the guard refused what they signed.
            PlanStops: It is not the same plan any more.
        """
        surprises = self._rehearsed.not_rehearsed(bound)
        if bound.effect is Effect.WRITE and not surprises and await self._runs_unasked(bound):
            await self._require_same(bound)
            return None
        approved = await self._asked_people(bound)
        self._result = self._result.model_copy(update={"asked": True})
        try:
            await self._require_same(bound)
        except PlanStops as stop:
            await approved.tell(ENDED, StepEnd(way="refused", why=str(stop)))
            raise
        return approved

    async def _runs_unasked(self, bound: BoundPlan) -> bool:
        request = RunUnasked(bound=bound.text())
        try:
            answer = await self.step(RUN_UNASKED, request, summary="Look whether people are asked")
        except StepDenied:
            return False  # then people are asked, where the policy lets them say yes
        return answer.allowed

    async def _asked_people(self, bound: BoundPlan) -> Approved:
        again = False
        while True:
            await self._require_room(bound, asked=int(again))
            try:
                return await self._granted(bound)
            except (StepDenied, RuleChanged) as refusal:
                if again or refusal.reason not in WORTH_ASKING_AGAIN:
                    raise
                again, self.why_again = True, str(refusal)

    async def _require_room(self, bound: BoundPlan, *, asked: int) -> None:
        """Go on where people may be asked as often as this takes: for the plan, and by each step that destroys.

        Raises:
            PlanStops: They may not. Nobody is asked half of it.
        """
        most, needs = self._wanted.decisions, asked + 1 + asked_by_all(bound)
        if most is not None and needs > most:
            told = (
                f"people would have to decide {needs} times, and {most} is the most for one run: ask for less at once"
            )
            raise PlanStops(State.REFUSED, f"{told}, or have an operator raise the limit. {_NOTHING}")
        self._each = {one.id: asked_by_each(one) for one in bound.steps}
        if (refused := await self._decisions.reserve(self, needs)) is not None:
            raise PlanStops(State.REFUSED, f"{refused}. {_NOTHING}")

    async def _granted(self, bound: BoundPlan) -> Approved:
        """Ask, and have the guard look at what was signed: what it lets run is what goes on."""
        try:
            approved = await self.ask(plan_to_approve(bound, self._wanted.said))
        except PlanError as error:
            raise PlanStops(State.REFUSED, f"people cannot be asked: {error}. {_NOTHING}") from error
        try:
            allowed = await self.step(
                RUN_PLAN,
                approved.request,
                preset=RUN_PLAN.preset.ending_first(),
                summary="Verify the grant of the plan",
                step_id=approved.step_id,
            )
            self.end_if_cancelled()
        except (StepDenied, FailureError, asyncio.CancelledError) as error:
            await approved.tell(ENDED, end_without_an_answer(error, looks=False))
            raise
        signed = read_plan(approved.request.plan).parameters_as(RunPlanParameters).bound()
        if allowed.digest != bound.digest() or signed != bound:
            text = f"people approved {signed.digest()}, and not {bound.digest()}: nothing was begun; ask again"
            raise application_error(ErrorType.CONFLICT, text)
        await approved.tell("approved")
        return approved

    async def _require_same(self, bound: BoundPlan) -> None:
        """Bind once more: a release may have come while people decided, and a goal may be gone.

        Raises:
            PlanStops: It is another plan now, or none.
        """
        answer = await self._bind("Bind the plan again")
        if answer.bound != bound.text():
            told = "the same plan is bound otherwise than when it was shown, by another release"
            raise PlanStops(State.SUPERSEDED, f"{told}: run it again. {_NOTHING}")

    async def _carried_out(self, bound: BoundPlan, approved: Approved | None) -> RunPlanResult:
        try:
            for step in bound.steps:
                await self._take(step, "act")
                end = self._acted(step)
                if end.outcome != State.COMPLETED:
                    return await self._stopped(end, approved)
        except (FailureError, asyncio.CancelledError):
            if approved is not None:
                await approved.tell(ENDED, self._end_for_people("cancelled", LOOK_FIRST))
            raise
        if approved is not None:
            await approved.tell(ENDED, self._end_for_people("completed", ""))
        return self._ended(State.COMPLETED, None)

    async def _stopped(self, end: PlanStepEnd, approved: Approved | None) -> RunPlanResult:
        """What is told of a plan of which a step did not end well: what follows is not begun."""
        done = [one for one in self._steps if one.part == "act" and one.outcome == State.COMPLETED]
        outcome = State.PARTIALLY_APPLIED if done else _as_goals_end(end, State.UNKNOWN)
        rest = [one.id for one in self._steps if one.outcome == "not_begun"]
        not_begun = f"Not begun: {', '.join(map(visible, rest))}" if rest else "It was the last one"
        if approved is not None:
            way: Way = "partially_applied" if done else _WAYS.get(outcome, "failed")
            await approved.tell(ENDED, self._end_for_people(way, LOOK_FIRST))
        return self._ended(outcome, f"step {_told(end)}. {not_begun}.")

    def _end_for_people(self, way: Way, next_step: str) -> StepEnd:
        acting = [one for one in self._steps if one.part == "act"]

        def named(*outcomes: str) -> tuple[str, ...]:
            return tuple(visible(one.id) for one in acting if one.outcome in outcomes)

        stopped = next((one for one in acting if one.outcome not in _NO_STOP), None)
        refused = () if stopped is None or stopped.outcome == State.FAILED else (visible(stopped.id),)
        return StepEnd(
            way=way,
            why=_told(stopped) if stopped else "",
            done=named(State.COMPLETED),
            failed=named(State.FAILED),
            not_done=(*refused, *named("not_begun")),
            next_step=next_step,
        )

    async def _take(self, step: BoundStep, part: Literal["explore", "act"]) -> dict[str, JsonValue]:
        """Run one step to its end, whichever that is, and note it."""
        child = f"{workflow.info().workflow_id}/{part}/{step.id}"
        self.begin(f"{step.id}: {step.goal} ({child})")
        self._put(PlanStepEnd(id=step.id, goal=step.goal, part=part, outcome=State.RUNNING, workflow_id=child))
        try:
            end = await run_child(self._rehearsed.kept_to(step), child, decisions=self._decisions.of_step(step))
        except (FailureError, asyncio.CancelledError):
            self._put(PlanStepEnd(id=step.id, goal=step.goal, part=part, outcome=State.CANCELLED, workflow_id=child))
            raise
        url = end.result.get("url")
        self._put(
            PlanStepEnd(
                id=step.id,
                goal=step.goal,
                part=part,
                outcome=end.outcome,
                workflow_id=child,
                reason=end.reason,
                url=url if isinstance(url, str) else None,
            )
        )
        self.end_if_cancelled()
        return end.result

    def _acted(self, step: BoundStep) -> PlanStepEnd:
        return next(one for one in self._steps if one.part == "act" and one.id == step.id)

    def _note(self, bound: BoundPlan) -> None:
        """What acts, before any of it is begun, and what is left out."""
        for step in bound.steps:
            self._put(PlanStepEnd(id=step.id, goal=step.goal, part="act", outcome="not_begun"))
        for left in bound.left_out:
            self._put(PlanStepEnd(id=left.id, goal=left.goal, part=left.part, outcome="left_out", reason=left.why))

    def _put(self, end: PlanStepEnd) -> None:
        at = next((n for n, one in enumerate(self._steps) if (one.part, one.id) == (end.part, end.id)), None)
        if at is None:
            self._steps.append(end)
        else:
            self._steps[at] = end


_UNDER_WAY: Final = frozenset({State.RUNNING, State.PARKED})
_SHORT: Final = 500
_NO_STOP: Final = frozenset({State.COMPLETED, "not_begun", "left_out", State.RUNNING, State.PARKED})
_WAYS: Final[dict[Outcome, Way]] = {
    State.UNKNOWN: "unknown",
    State.PARTIALLY_APPLIED: "partially_applied",
    State.DENIED: "denied",
    State.REFUSED: "refused",
}
_GOALS_END: Final = {one.value: one for one in get_args(Outcome) if one != State.COMPLETED}


def _as_goals_end(end: PlanStepEnd, otherwise: Outcome) -> Outcome:
    """The plan's outcome where nothing was done before this step: the step's own, where it is one."""
    return _GOALS_END.get(str(end.outcome), otherwise)


def _told(end: PlanStepEnd) -> str:
    words = str(end.outcome).replace("_", " ")
    return f"{visible(end.id)} ({visible(end.goal)}) ended as {words}: {end.reason or 'it does not say why'}"


def _read(text: str) -> BoundPlan:
    try:
        return read_bound(text)
    except BoundError as error:
        raise PlanStops(State.REFUSED, f"{error}: run the plan again. {_NOTHING}") from error


def _size(found: dict[str, dict[str, JsonValue]]) -> int:
    try:
        return len(canonical_json(dict(found)).encode())
    except NotCanonical as error:
        raise PlanStops(State.REFUSED, f"what was found cannot be written down: {error}. {_NOTHING}") from error
