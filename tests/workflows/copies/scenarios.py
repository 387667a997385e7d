"""The ways that copying what stands at a provider can go."""

from activities.copies.contracts import StateCopied
from activities.guard.error_types import ErrorType, application_error
from activities.upstash.contracts import COPY_STATE
from tests.workflows.played import Played
from workflows.copies.goals import COPY_STATE as GOAL

COPIED = StateCopied(described=f"sha256:{'a' * 64}", size=100, told="upstash: 2 databases")
DENIED = application_error(ErrorType.POLICY_DENIED, "the account is not to be read")
AWAY = application_error(ErrorType.UNAVAILABLE, "Upstash does not answer")

SCENARIOS = (
    Played(goal=GOAL, name="completed", answers={COPY_STATE: [COPIED]}),
    Played(goal=GOAL, name="denied", answers={COPY_STATE: [DENIED]}),
    Played(goal=GOAL, name="outage-waited-out", answers={COPY_STATE: [AWAY, COPIED]}),
)
