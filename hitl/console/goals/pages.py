"""The pages of goals: those that are looked for, and one of them whole."""

from collections.abc import Sequence
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hitl.console.access.visitors import Refused, Visitors
from hitl.console.goals.filter import KINDS, STATES, TIMES, GoalFilter
from hitl.console.goals.judging import JudgingPages
from hitl.console.goals.waiting import Waiting
from hitl.console.pages import Pages
from hitl.console.ports import Goals, Opinions, Unavailable
from workflows.catalogue import GOALS
from workflows.opinions.contracts import MAX_WORDS, KeptOpinion


class GoalPages:
    """The routes."""

    def __init__(self, goals: Goals, opinions: Opinions, waiting: Waiting, *, visitors: Visitors, pages: Pages) -> None:
        self._goals = goals
        self._opinions = opinions
        self._waiting = waiting
        self._judging = JudgingPages(opinions, visitors=visitors, pages=pages)
        self._visitors = visitors
        self._pages = pages

    def routes(self) -> list[Route]:
        """All of them."""
        return [Route("/goals", self._list), Route("/goal", self._show), *self._judging.routes()]

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

    async def _show(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        goal_id, run_id = request.query_params.get("id", ""), request.query_params.get("run") or None
        shown = await self._goals.show(goal_id, run_id) if goal_id else None
        if shown is None:
            text = f"There is no goal {goal_id!r}; it may be too old to be kept."
            raise Refused(HTTPStatus.NOT_FOUND, "No such goal", text)
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
