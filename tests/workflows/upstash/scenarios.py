"""The ways that goals on Upstash can go."""

from activities.guard.error_types import ErrorType, application_error
from activities.redis.contracts import DatabaseSeen
from activities.upstash.contracts import LOOK_AT_DATABASE
from tests.workflows.played import Played
from workflows.upstash.goals import INSPECT_REDIS

SEEN = DatabaseSeen(id="id-1", name="shop-cache", state="active", read_regions=("eu-west-1",), plan="paid", budget=20)
DENIED = application_error(ErrorType.POLICY_DENIED, "shop-cache is not to be looked at")
AWAY = application_error(ErrorType.UNAVAILABLE, "Upstash does not answer")

SCENARIOS = (
    Played(goal=INSPECT_REDIS, name="completed", answers={LOOK_AT_DATABASE: [SEEN]}),
    Played(goal=INSPECT_REDIS, name="denied", answers={LOOK_AT_DATABASE: [DENIED]}),
    Played(goal=INSPECT_REDIS, name="outage-waited-out", answers={LOOK_AT_DATABASE: [AWAY, SEEN]}),
)
