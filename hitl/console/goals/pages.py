"""The pages of goals: those that are looked for, and one of them whole."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hitl.console.access.visitors import Refused, Visitor, Visitors
from hitl.console.goals.filter import STATES, TIMES, GoalFilter
from hitl.console.inbox.awaited import Awaited, awaited
from hitl.console.pages import Pages
from hitl.console.ports import Approvals, Goals, ShownGoal
from hitl.gateway.decisions import PolicyInForce
from workflows.catalogue import GOALS
from workflows.contracts import State


class GoalPages:
    """The routes."""

    def __init__(
        self, goals: Goals, approvals: Approvals, *, policy: PolicyInForce, visitors: Visitors, pages: Pages
    ) -> None:
        self._goals = goals
        self._approvals = approvals
        self._policy = policy
        self._visitors = visitors
        self._pages = pages

    def routes(self) -> list[Route]:
        """All of them."""
        return [Route("/goals", self._list), Route("/goal", self._show)]

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
        waits = await self._waits(shown, visitor)
        return self._pages.render("goal.html", visitor, shown=shown, waits=waits)

    async def _waits(self, shown: ShownGoal, visitor: Visitor) -> dict[str, Awaited]:
        """For whom each of its approvals waits that does."""
        found: dict[str, Awaited] = {}
        for one in shown.approvals:
            asked = await self._approvals.show(one.id) if one.state == State.WAITING else None
            if asked is not None:
                found[one.id] = awaited(
                    asked.row, visitor, self._policy.current(), environment=self._policy.environment
                )
        return found
