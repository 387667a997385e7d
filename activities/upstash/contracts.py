"""Steps on Upstash, as goals ask for them."""

from typing import Final

from activities.copies.contracts import CopyStateRequest, copy_step
from activities.redis.contracts import DatabaseCredentials, DatabaseSteps, database_steps
from connectors.upstash import manifest

DATABASES: Final[DatabaseSteps] = database_steps(
    manifest.UPSTASH.name,
    DatabaseCredentials(
        read=manifest.READ,
        price=manifest.READ,
        write=manifest.WRITE,
        purchase=manifest.PURCHASE,
        grant=manifest.GRANT,
        check=manifest.CHECK,
        forget=manifest.FORGET,
        delete=manifest.DELETE,
    ),
)
(
    LOOK_AT_DATABASE,
    PRICE_DATABASE,
    CREATE_DATABASE,
    PURCHASE_DATABASE,
    GRANT_ACCESS,
    CHECK_ACCESS,
    FORGET_LOGINS,
    DELETE_DATABASE,
) = DATABASES
COPY_STATE: Final = copy_step(manifest.UPSTASH.name, manifest.READ, CopyStateRequest)
