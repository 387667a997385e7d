"""A fleet is looked at by the catalogue of this release, before any of it is begun."""

import pytest
from pydantic import JsonValue

from hitl.gateway.fleets import FleetSteps
from workflows.fleet.contracts import CheckFleet


async def test_a_repository_that_the_goal_needs_may_be_left_out() -> None:
    checked = await FleetSteps().check_fleet(CheckFleet(goal="ReadFile", inputs={"acme/a": {"path": "x"}}))
    assert (checked.refused, checked.names_repository) == (None, True)
    named: dict[str, dict[str, JsonValue]] = {"acme/a": {"path": "x", "repository": "acme/a"}}
    checked = await FleetSteps().check_fleet(CheckFleet(goal="ReadFile", inputs=named))
    assert (checked.refused, checked.names_repository) == (None, False)


@pytest.mark.parametrize("goal", ["ReadFiles", "DeleteBranch"])
async def test_what_is_no_goal_or_not_its_input_is_said_so(goal: str) -> None:
    checked = await FleetSteps().check_fleet(CheckFleet(goal=goal, inputs={"acme/a": {"path": "x"}}))
    assert checked.refused is not None
