"""The pages of goals: those that are looked for, jobs among them by a page of their own, and one of them whole."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hitl.console.access.visitors import Visitors
from hitl.console.goals.filter import JOB_STATES, KINDS, STATES, TIMES, TRIGGERS, GoalFilter
from hitl.console.goals.judging import JudgingPages
from hitl.console.goals.taking import TakingPages, no_such_goal
from hitl.console.goals.waiting import Waiting
from hitl.console.pages import Pages
from hitl.console.ports import Goals, Opinions, Unavailable
from hitl.console.stacks.plans import Artifacts
from workflows.catalogue import GOALS
from workflows.opinions.contracts import MAX_WORDS, KeptOpinion


class GoalPages:
    """The routes."""

    def __init__(  # noqa: PLR0913 - all that a goal's page shows
        self,
        goals: Goals,
        opinions: Opinions,
        waiting: Waiting,
        *,
        artifacts: Artifacts,
        visitors: Visitors,
        pages: Pages,
    ) -> None:
        self._goals = goals
        self._opinions = opinions
        self._waiting = waiting
        self._judging = JudgingPages(opinions, visitors=visitors, pages=pages)
        self._taking = TakingPages(goals, artifacts, visitors=visitors, pages=pages)
        self._visitors = visitors
        self._pages = pages

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/goals", self._list),
            Route("/jobs", self._jobs),
            Route("/goal", self._show),
            *self._judging.routes(),
            *self._taking.routes(),
        ]

    async def _list(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        people, page = self._visitors.people, request.query_params.get("page")
        wanted = GoalFilter.read(request.query_params, people)
        return self._pages.render(
            "goals.html",
            visitor,
            found=await self._goals.found(wanted, page),
            page=page,
            wanted=wanted,
            known=GOALS,
            kinds=KINDS,
            states=STATES,
            times=list(TIMES),
            people=sorted(set(people.identities.values())),
        )

    async def _jobs(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        people, page = self._visitors.people, request.query_params.get("page")
        wanted = GoalFilter.read(request.query_params, people, jobs=True)
        return self._pages.render(
            "jobs.html",
            visitor,
            found=await self._goals.found(wanted, page),
            page=page,
            wanted=wanted,
            kinds=[goal.name for goal in GOALS],
            states=JOB_STATES,
            times=list(TIMES),
            triggers=TRIGGERS,
            people=sorted(set(people.identities.values())),
        )

    async def _show(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        goal_id, run_id = request.query_params.get("id", ""), request.query_params.get("run") or None
        shown = await self._goals.show(goal_id, run_id) if goal_id else None
        if shown is None:
            raise no_such_goal(goal_id)
        return self._pages.render(
            "goal.html",
            visitor,
            shown=shown,
            waits=await self._waiting.of(shown, visitor),
            opinions=await self._said(shown.row.run_id),
            token=self._judging.form(visitor, shown.row),
            most=MAX_WORDS,
        )

    async def _said(self, run_id: str) -> Sequence[KeptOpinion] | None:
        """What people think of a run; None where that cannot be read now, for the page is of more than that."""
        try:
            return await self._opinions.on(run_id)
        except Unavailable:
            return None
