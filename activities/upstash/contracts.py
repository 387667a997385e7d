"""Steps on Upstash, as goals ask for them."""

from typing import Final

from activities.guard.granted import GrantedRequest
from activities.redis.contracts import (
    AccessChecked,
    AccessGranted,
    CheckAccessRequest,
    DatabaseDeleted,
    DatabaseMade,
    DatabasePriced,
    DatabaseRequest,
    DatabaseSeen,
    DatabaseSteps,
    GrantAccessRequest,
    LookAtDatabaseRequest,
)
from activities.step import Step
from connectors.upstash import manifest
from hitl.protocol import Effect

LOOK_AT_DATABASE: Final = Step(
    name="upstash.look_at_database",
    request=LookAtDatabaseRequest,
    response=DatabaseSeen,
    effect=Effect.READ,
    credential=manifest.READ,
)
PRICE_DATABASE: Final = Step(
    name="upstash.price_database",
    request=DatabaseRequest,
    response=DatabasePriced,
    effect=Effect.READ,
    credential=manifest.READ,
)
CREATE_DATABASE: Final = Step(
    name="upstash.create_database",
    request=DatabaseRequest,
    response=DatabaseMade,
    effect=Effect.WRITE,
    credential=manifest.WRITE,
)
PURCHASE_DATABASE: Final = Step(
    name="upstash.purchase_database",
    request=GrantedRequest,
    response=DatabaseMade,
    effect=Effect.DESTRUCTIVE,
    credential=manifest.PURCHASE,
)
GRANT_ACCESS: Final = Step(
    name="upstash.grant_access",
    request=GrantAccessRequest,
    response=AccessGranted,
    effect=Effect.WRITE,
    credential=manifest.GRANT,
)
CHECK_ACCESS: Final = Step(
    name="upstash.check_access",
    request=CheckAccessRequest,
    response=AccessChecked,
    effect=Effect.WRITE,
    credential=manifest.CHECK,
)
DELETE_DATABASE: Final = Step(
    name="upstash.delete_database",
    request=GrantedRequest,
    response=DatabaseDeleted,
    effect=Effect.DESTRUCTIVE,
    credential=manifest.DELETE,
)

DATABASES: Final = DatabaseSteps(
    look=LOOK_AT_DATABASE,
    price=PRICE_DATABASE,
    create=CREATE_DATABASE,
    purchase=PURCHASE_DATABASE,
    grant=GRANT_ACCESS,
    check=CHECK_ACCESS,
    delete=DELETE_DATABASE,
)
