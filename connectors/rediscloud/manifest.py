"""Redis Cloud, as one account: an account key, and a user key whose role says what it may."""

from typing import Final

from connectors.limits import Rate
from connectors.provider import AccountRate, Copies, Credential, Provider, Secret, Twin

VIEWER: Final = Secret(path="rediscloud/viewer", holds="the account key, and a user key of a viewer")
OWNER: Final = Secret(path="rediscloud/owner", holds="the account key, and a user key of an owner")
DESTRUCTION: Final = Secret(
    path="rediscloud/destruction",
    holds="the account key, and the user key of an owner that buys and deletes",
    destroys=True,
)
MADE: Final = Secret(path="rediscloud/databases/+/+", holds="logins of databases that goals made, by database and user")

READ: Final = Credential(name="rediscloud-read", secret=VIEWER, purpose="reads at Redis Cloud")
PRICE: Final = Credential(name="rediscloud-price", secret=OWNER, purpose="asks Redis Cloud what a database would cost")
WRITE: Final = Credential(name="rediscloud-write", secret=OWNER, purpose="creates at Redis Cloud")
GRANT: Final = Credential(
    name="rediscloud-grant", secret=OWNER, purpose="gives a database's consumers users of their own", keeps=(MADE,)
)
FORGET: Final = Credential(
    name="rediscloud-forget", secret=VIEWER, purpose="removes the logins of a database that is gone", forgets=(MADE,)
)
CHECK: Final = Credential(name="rediscloud-check", secret=MADE, purpose="connects to a database as one of its users")
PURCHASE: Final = Credential(
    name="rediscloud-purchase", secret=DESTRUCTION, purpose="creates at Redis Cloud what people approved"
)
DELETE: Final = Credential(name="rediscloud-delete", secret=DESTRUCTION, purpose="deletes at Redis Cloud")

RATE: Final = Rate(per_second=400 / 60, burst=20)
"""400 requests a minute."""
REDIS_CLOUD: Final = Provider(
    name="rediscloud",
    title="Redis Cloud",
    url="https://api.redislabs.com/v1",
    credentials=(READ, PRICE, WRITE, GRANT, CHECK, FORGET, PURCHASE, DELETE),
    rates=(AccountRate(of="requests", rate=RATE),),
    twin=Twin(
        port=8304,
        real="Valkey servers",
        copies=Copies(
            what="subscriptions with their prices and databases",
            leaves=(
                "Redis Cloud: what databases hold",
                "Redis Cloud: users, roles and rules",
                "Redis Cloud: passwords and certificates",
            ),
        ),
    ),
)
