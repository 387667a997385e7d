"""The ways that goals on leases can go."""

from activities.guard.error_types import ErrorType, application_error
from activities.leases.contracts import FIND_KINDS, FIND_KNOWN, FIND_LOST, FoundKinds, FoundKnown, FoundLost, LeasedPage
from tests.workflows.leases.sample import FIND_MACHINES, MACHINE, leased
from tests.workflows.played import Played
from workflows.leases.goals import RECONCILE_LEASES

PAGE = LeasedPage(found=(leased("banksman-held"), leased("banksman-strange")))
DENIED = application_error(ErrorType.POLICY_DENIED, "leases are not to be looked at")

SCENARIOS = (
    Played(
        goal=RECONCILE_LEASES,
        name="completed",
        answers={
            FIND_LOST: [FoundLost()],
            FIND_KINDS: [FoundKinds(kinds=(MACHINE.facts(),))],
            FIND_MACHINES: [PAGE],
            FIND_KNOWN: [FoundKnown(held=("banksman-held",))],
        },
    ),
    Played(goal=RECONCILE_LEASES, name="denied", answers={FIND_LOST: [DENIED]}),
)
