"""No goal of the catalogue is left out where all of them are run."""

from tests.stack.examples import PLACES
from workflows.catalogue import GOALS


def test_every_goal_has_a_place_and_nothing_else_has() -> None:
    known = {goal.name for goal in GOALS}
    missing, gone = sorted(known - PLACES.keys()), sorted(PLACES.keys() - known)
    assert not missing, (
        f"give {', '.join(missing)} a place in PLACES of tests/stack/examples.py: how it is run, and when"
    )
    assert not gone, f"take {', '.join(gone)} out of PLACES in tests/stack/examples.py: there is no such goal any more"
