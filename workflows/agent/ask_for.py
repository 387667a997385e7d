"""The goal `AskFor`: what people ask in words, planned by a model, and then a plan like any other."""

from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.agent.planning_contracts import (
        BRIEF_PLANNER,
        READ_ANSWER,
        AnswerRead,
        BriefPlannerRequest,
        PlannerBriefed,
        ReadAnswerRequest,
    )
    from activities.github.name_contracts import (
        FIND_BRANCHES,
        FIND_REPOSITORIES,
        FindBranchesRequest,
        FindRepositoriesRequest,
    )
    from activities.guard.error_types import ErrorType
    from activities.models.contracts import FIND_MODELS, REQUEST, FindModelsRequest, ModelAnswered, RequestModel
    from connectors.models.raw import Use
    from hitl.hidden import visible
    from hitl.plan_language.bound import BoundStep
    from hitl.protocol import Effect
    from workflows.agent.children import run_child
    from workflows.agent.corrected import corrected
    from workflows.agent.goals import ASK_FOR, RUN_PLAN, AskForInput, AskForResult, RunPlanInput, RunPlanResult, Said
    from workflows.agent.named_services import NamedServices, services_of
    from workflows.agent.planner import LABELS, Planner
    from workflows.agent.tier import NoModel
    from workflows.contracts import Outcome, State
    from workflows.goal import Goal, StepDenied
    from workflows.goal_type import goal
    from workflows.of_a_plan import StepParked

_MOST_ASKED_ABOUT: Final = 3
"""Repositories of which a planner is told more than the name: those that the words name."""
_NAMES_SERVICES: Final = "banksman-names-services"
"""The patch since which a planner is told what the manifests of those repositories name."""
_UNKNOWN_THERE: Final = frozenset({ErrorType.AUTH_DENIED, ErrorType.NOT_FOUND})
_NOTHING: Final = "Nothing was done"


@goal(ASK_FOR)
class AskForWorkflow(Goal):
    """Find what may be named, have it planned, and run the plan. Nothing of what a model says is done otherwise."""

    @workflow.init
    def __init__(self, request: AskForInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._result = AskForResult()
        self._decisions: int | None = None
        self._limited = False

    @workflow.signal
    def step_parked(self, parked: StepParked) -> None:
        """From the plan: it waits for somebody, or goes on. Only shown, for whoever can send it."""
        self.begin(_RUNS if parked.why is None else f"The plan is parked: {parked.why[:_SHORT]}")

    @workflow.run
    async def run(self, request: AskForInput) -> AskForResult:
        """Ask, and do what was planned; a question back and a refusal are results."""
        del request
        return await self.run_goal(self._run(), denied=lambda reason: self._ended(State.DENIED, reason))

    def _ended(self, outcome: Outcome, reason: str | None, **more: Any) -> AskForResult:
        return self._result.model_copy(update={"outcome": outcome, "reason": reason, **more})

    async def _run(self) -> AskForResult:
        brief = await self._briefed()
        found = await self.step(
            FIND_MODELS, FindModelsRequest(use=Use.PLAN, labels=LABELS), summary="Find who can plan it"
        )
        self._decisions = found.limits.goal_decisions
        self._limited = found.limits.day_decisions is not None
        planner = Planner(found, brief, self._ask)
        try:
            read = await self._planned(planner, brief)
        except NoModel as nobody:
            self._note(planner)
            return self._ended(State.REFUSED, f"no model planned it: {visible(str(nobody))[:_SHORT]}. {_NOTHING}.")
        if read.plan is None:
            return self._without_plan(read)
        if self._wanted.plan_only:
            told: dict[str, Any] = {"answer": read.kind, "says": read.says, "effect": read.effect}
            told |= {"plan": read.plan, "lists": read.lists, "decisions": self._decisions, "limited": self._limited}
            return self._ended(State.COMPLETED, None, **told)
        return await self._carried_out(read)

    async def _briefed(self) -> PlannerBriefed:
        """What a model is told: the words, and names from closed lists alone."""
        wanted = self._wanted
        repositories = await self._repositories()
        words = "\n".join((wanted.text, *wanted.answers))
        named = [one for one in repositories if one in words][:_MOST_ASKED_ABOUT]
        branches = [branch for one in named for branch in await self._branches(one)]
        services = await self._services(named)
        request = BriefPlannerRequest(
            text=wanted.text,
            answers=wanted.answers,
            repositories=repositories,
            branches=tuple(branches),
            services=services.services,
            environments=services.environments,
            stacks=services.stacks,
            folders=services.folders,
        )
        return await self.step(BRIEF_PLANNER, request, summary="Write down what a model is told")

    async def _repositories(self) -> tuple[str, ...]:
        try:
            found = await self.step(FIND_REPOSITORIES, FindRepositoriesRequest(), summary="List the repositories")
        except (StepDenied, ApplicationError) as error:
            _require_unknown(error)
            return ()
        return found.repositories

    async def _branches(self, repository: str) -> tuple[str, ...]:
        request = FindBranchesRequest(repository=repository)
        try:
            found = await self.step(FIND_BRANCHES, request, summary=f"List the branches of {repository}")
        except (StepDenied, ApplicationError) as error:
            _require_unknown(error)
            return ()
        return found.branches

    async def _services(self, named: list[str]) -> NamedServices:
        found = NamedServices()
        if named and workflow.patched(_NAMES_SERVICES):
            for one in named:
                found += await services_of(self, one)
        return found

    async def _ask(self, request: RequestModel, summary: str) -> ModelAnswered:
        self.begin(summary)
        return await self.attempt(REQUEST, request, summary=summary)

    async def _planned(self, planner: Planner, brief: PlannerBriefed) -> AnswerRead:
        wanted = self._wanted

        async def read(request: ReadAnswerRequest) -> AnswerRead:
            return await self.step(READ_ANSWER, request, summary="Look at the answer")

        return await corrected(
            planner,
            brief,
            text=wanted.text,
            answers=wanted.answers,
            corrections=wanted.corrections,
            read=read,
            note=lambda answered: self._note(planner, answered),
        )

    def _note(self, planner: Planner, answered: ModelAnswered | None = None) -> None:
        spent = planner.spending
        self._result = self._result.model_copy(update={"requests": spent.requests, "cost_micros": spent.micros})
        if answered is not None:
            told = {"backend": answered.backend, "model": answered.model, "prompt": answered.instructions}
            self._result = self._result.model_copy(update=told)

    def _without_plan(self, read: AnswerRead) -> AskForResult:
        """A question, a refusal, or mistakes: whatever it is, nothing was done."""
        if read.mistakes:
            count = len(read.mistakes) + read.more_mistakes
            told = f"the model's plan has {count} mistake{'' if count == 1 else 's'}: {read.mistakes[0].line()}"
            return self._ended(State.REFUSED, f"{told}. {_NOTHING}; say it more exactly.", mistakes=read.mistakes)
        self._result = self._result.model_copy(update={"answer": read.kind, "says": read.says})
        if read.kind == "question":
            told = f"the planner asks: {read.says} {_NOTHING}; ask the same again, with the answer."
            return self._ended(State.REFUSED, told)
        return self._ended(State.REFUSED, f"the planner refuses: {read.says} {_NOTHING}.")

    async def _carried_out(self, read: AnswerRead) -> AskForResult:
        wanted, so_far = self._wanted, self._result
        said = Said(
            text=wanted.text,
            answers=wanted.answers,
            backend=so_far.backend or "",
            model=so_far.model or "",
            prompt=so_far.prompt or "",
            requests=so_far.requests,
            cost_micros=so_far.cost_micros,
        )
        plan = RunPlanInput(
            plan=read.plan or {}, lists=read.lists, said=said, decisions=self._decisions, limited=self._limited
        )
        child = f"{workflow.info().workflow_id}/plan"
        self._result = so_far.model_copy(
            update={"answer": "plan", "says": read.says, "plan_id": child, "effect": read.effect}
        )
        self.begin(f"{_RUNS} ({child})")
        inputs = plan.model_dump(mode="json", exclude_defaults=True)
        step = BoundStep(id="plan", goal=RUN_PLAN.name, effect=read.effect or Effect.DESTRUCTIVE, inputs=inputs)
        end = await run_child(step, child)
        self.end_if_cancelled()
        if end.outcome in (State.FAILED, State.CANCELLED):
            return self._ended(State.UNKNOWN, f"the plan ended as {end.outcome}: {end.reason}. Look at {child}.")
        ran = RunPlanResult.model_validate(end.result)
        return self._ended(ran.outcome, end.reason, **ran.model_dump(include=_AS_THE_PLAN))


_AS_THE_PLAN: Final = {"digest", "effect", "asked", "steps", "mistakes"}
_RUNS: Final = "Run the plan"
_SHORT: Final = 1000


def _require_unknown(error: StepDenied | ApplicationError) -> None:
    """Go on without names where the deployment has none, or lets nobody list them: then words alone name things."""
    if isinstance(error, ApplicationError) and error.type not in _UNKNOWN_THERE:
        raise error
