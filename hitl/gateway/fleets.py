"""Looks at a fleet before any of it is begun: by the catalogue of this release, which workflow code does not read."""

from collections.abc import Iterable
from typing import Any

from pydantic import JsonValue, ValidationError

from activities.step import implements
from hitl.hidden import visible
from workflows.catalogue import find_goal
from workflows.contracts import REPOSITORY_ATTRIBUTE, GoalInput
from workflows.converter import describe_problems
from workflows.fleet.contracts import CHECK_FLEET, CheckFleet, FleetChecked
from workflows.goal_type import GoalType


class FleetSteps:
    """The step."""

    @implements(CHECK_FLEET)
    async def check_fleet(self, request: CheckFleet) -> FleetChecked:
        """Whether the goal takes this input in each repository, and is about that one there."""
        goal = find_goal(request.goal)
        if goal is None:
            return FleetChecked(refused=f"there is no goal {request.goal!r}; `banksman goals` tells which there are")
        field = goal.input.model_fields.get("repository")
        names = field is not None and all("repository" not in one for one in request.inputs.values())
        try:
            asked = {where: _input(goal, one, where if names else None) for where, one in request.inputs.items()}
        except ValidationError as error:
            return FleetChecked(refused=visible(describe_problems(goal.input, error)))
        return FleetChecked(refused=_refused(goal, asked.items()), names_repository=names)


def _input(goal: GoalType, given: dict[str, JsonValue], repository: str | None) -> GoalInput:
    told: dict[str, Any] = given if repository is None else {"repository": repository, **given}
    return goal.input.model_validate(told)


def _refused(goal: GoalType, asked: Iterable[tuple[str, GoalInput]]) -> str | None:
    """Why a fleet of these is none: each has to be about its own repository, or the same would be done many times."""
    keys = set[str]()
    for where, one in asked:
        about = one.search_attributes().get(REPOSITORY_ATTRIBUTE)
        if about is not None and about.lower() != where.lower():
            return f"its input is about {about!r}, and not about {where!r}: write $repository in its place"
        if (key := one.business_key()) in keys:
            return f"the input of {goal.name} is the same in each repository: write $repository where it is named"
        keys.add(key)
    return None
