"""What people are told to do with a parked goal, by the step that it is parked at."""

import pytest

from activities.catalogue import steps
from hitl.protocol import Effect
from hitl.slack.parked import way_on

DESTRUCTIVE = [name for name, step in steps().items() if step.effect is Effect.DESTRUCTIVE]


@pytest.mark.parametrize("step", DESTRUCTIVE)
def test_of_a_step_that_begins_once_people_hear_to_look_first(step: str) -> None:
    told = str(way_on("deploy it", step))
    assert "Look at what is there first" in told
    assert "going on does it no more" in told
    assert told.index("Where it had not begun") < told.index("banksman resume 'deploy it'")


@pytest.mark.parametrize("step", ["github.read_file", "github.open_pull_request", ""])
def test_of_any_other_step_they_hear_how_it_goes_on(step: str) -> None:
    told = str(way_on("deploy it", step))
    assert "Mend it, then let it go on" in told
    assert "begun" not in told
