"""Upstash, as one account: an e-mail and API keys of the developer API, which know no rights: each key may do all.

The key that deletes is one of its own all the same. It can be revoked alone, and is out of the reach of every process
but the destructive worker.
"""

from typing import Final

from connectors.provider import Copies, Credential, Provider, Secret, Twin

ACCOUNT: Final = Secret(path="upstash/account", holds="e-mail and API key of the account")
DESTRUCTION: Final = Secret(
    path="upstash/destruction", holds="e-mail of the account and the API key that buys and deletes", destroys=True
)
MADE: Final = Secret(path="upstash/databases/+/+", holds="logins of databases that goals made, by database and user")

READ: Final = Credential(name="upstash-read", secret=ACCOUNT, purpose="reads at Upstash")
WRITE: Final = Credential(name="upstash-write", secret=ACCOUNT, purpose="creates at Upstash")
GRANT: Final = Credential(
    name="upstash-grant", secret=ACCOUNT, purpose="gives a database's consumers users of their own", keeps=(MADE,)
)
FORGET: Final = Credential(
    name="upstash-forget", secret=ACCOUNT, purpose="removes the logins of a database that is gone", forgets=(MADE,)
)
CHECK: Final = Credential(name="upstash-check", secret=MADE, purpose="connects to a database as one of its users")
PURCHASE: Final = Credential(
    name="upstash-purchase", secret=DESTRUCTION, purpose="creates at Upstash what people approved"
)
DELETE: Final = Credential(name="upstash-delete", secret=DESTRUCTION, purpose="deletes at Upstash")

UPSTASH: Final = Provider(
    name="upstash",
    title="Upstash",
    url="https://api.upstash.com/v2",
    credentials=(READ, WRITE, GRANT, CHECK, FORGET, PURCHASE, DELETE),
    twin=Twin(
        port=8301,
        real="Valkey servers",
        copies=Copies(
            what="databases with their settings",
            leaves=("Upstash: what databases hold", "Upstash: users within them", "Upstash: passwords and tokens"),
        ),
    ),
)
