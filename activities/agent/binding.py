"""The step that checks and binds plans of goals. The catalogue is given to it: goals are declared above this layer."""

import asyncio
from collections.abc import Callable

from activities.agent.contracts import BIND_PLAN, MOST_MISTAKES, BindPlanRequest, PlanBound
from activities.step import implements
from hitl.plan_language.binding import bind
from hitl.plan_language.catalogue import Catalogue
from hitl.plan_language.checker import check
from hitl.plan_language.language import goal_plan_digest, read_plan
from hitl.plan_language.mistakes import Mistake
from hitl.plan_language.references import fields_needed


class PlanBinding:
    """The step.

    Args:
        catalogue: The goals of this release, made when it is first asked for; in a thread, for it takes a while.
    """

    def __init__(self, catalogue: Callable[[], Catalogue]) -> None:
        self._catalogue = catalogue

    @implements(BIND_PLAN)
    async def bind_plan(self, request: BindPlanRequest) -> PlanBound:
        """Check it, and bind as much of it as the results let. Mistakes are an answer, and no failure."""
        draft, catalogue = read_plan(request.plan), await asyncio.to_thread(self._catalogue)
        if mistakes := check(draft, catalogue, request.lists).mistakes:
            return _wrong(mistakes)
        found = bind(draft, goal_plan_digest(request.plan), catalogue, request.lists, request.results)
        if found.mistakes:
            return _wrong(found.mistakes)
        return PlanBound(
            explore=found.explore,
            needed=fields_needed([one.step for one in draft.steps]),
            bound=found.plan.text() if found.plan else None,
        )


def _wrong(mistakes: tuple[Mistake, ...]) -> PlanBound:
    return PlanBound(mistakes=mistakes[:MOST_MISTAKES], more_mistakes=max(0, len(mistakes) - MOST_MISTAKES))
