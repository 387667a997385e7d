"""The ways that goals on Redis databases can go."""

from activities.approvals.contracts import RESOLVE_RULE
from activities.guard.error_types import ErrorType, application_error, policy_denied
from activities.redis.contracts import AccessChecked, AccessGranted, DatabaseMade, DatabasePriced, DatabaseSeen
from activities.rediscloud.contracts import DATABASES as REDIS_CLOUD
from activities.upstash.contracts import DATABASES as UPSTASH
from hitl.protocol import Denial, RefusalReason
from tests.workflows.played import Played
from workflows.redis.goals import PROVISION_REDIS, REMOVE_REDIS, Consumer, ProvisionRedisInput, RedisProvider

NAME = "shop-sessions-0123456789abcdef"
PRICED = DatabasePriced(name=NAME, usd_cents=1000, lines=("Paid as it is used",))
MADE = DatabaseMade(id="id-1", name=NAME)
SEEN = DatabaseSeen(id="id-1", name=NAME, state="active", endpoint="db.example.com", port=6379, tls=True)
PENDING = SEEN.model_copy(update={"state": "pending"})
GRANTED = AccessGranted(
    user="shop-web", secret="upstash/databases/id-1/shop-web", endpoint="db.example.com", port=6379, tls=True
)
CHECKED = AccessChecked(user="shop-web")
DENIED = policy_denied(
    Denial(
        reason=RefusalReason.NO_ALLOW_RULE,
        action=UPSTASH.create.name,
        environment="live",
        explanation="It is allowed only where cost is '<= 5'.",
    )
)
NOBODY = policy_denied(
    Denial(
        reason=RefusalReason.NO_RULE,
        action=UPSTASH.purchase.name,
        environment="live",
        explanation="Nobody can approve it.",
    )
)
AWAY = application_error(ErrorType.UNAVAILABLE, "it does not answer")
GONE = application_error(ErrorType.NOT_FOUND, "there is no database 'shop-cache'")
AT_REDIS_CLOUD = ProvisionRedisInput(
    provider=RedisProvider.REDIS_CLOUD,
    name="shop-sessions",
    subscription="shop",
    most_usd=100,
    consumers=(Consumer(name="shop-web", prefix="session:"), Consumer(name="shop-jobs", prefix="job:")),
)

SCENARIOS = (
    Played(
        goal=PROVISION_REDIS,
        name="completed",
        answers={
            UPSTASH.price: [PRICED],
            UPSTASH.create: [MADE],
            UPSTASH.look: [SEEN],
            UPSTASH.grant: [GRANTED],
            UPSTASH.check: [CHECKED],
        },
    ),
    Played(
        goal=PROVISION_REDIS,
        name="pending-at-first",
        request=AT_REDIS_CLOUD,
        answers={
            REDIS_CLOUD.price: [PRICED],
            REDIS_CLOUD.create: [AWAY, MADE],
            REDIS_CLOUD.look: [PENDING, PENDING, SEEN],
            REDIS_CLOUD.grant: [GRANTED],
            REDIS_CLOUD.check: [CHECKED],
        },
    ),
    Played(
        goal=PROVISION_REDIS,
        name="too-expensive",
        answers={UPSTASH.price: [PRICED.model_copy(update={"usd_cents": 1001})]},
    ),
    Played(
        goal=PROVISION_REDIS,
        name="nobody-may-approve",
        answers={UPSTASH.price: [PRICED], UPSTASH.create: [DENIED], RESOLVE_RULE: [NOBODY]},
    ),
    Played(goal=REMOVE_REDIS, name="not-there", answers={UPSTASH.look: [GONE]}),
    Played(goal=REMOVE_REDIS, name="nobody-may-approve", answers={UPSTASH.look: [SEEN], RESOLVE_RULE: [NOBODY]}),
)
