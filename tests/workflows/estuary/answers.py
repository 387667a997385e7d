"""What the steps on Estuary answer in tests of goals."""

from typing import Final

from activities.estuary.contracts import (
    FlowChange,
    FlowPublished,
    FlowSeen,
    FlowTried,
    SpecSeen,
)
from activities.guard.error_types import ErrorType, application_error
from connectors.estuary.models import NOT_THERE

HOOK, ARCHIVE = "acme/shop/hook", "acme/shop/archive"
BEFORE, AFTER = "00:00:00:00:00:00:00:0a", "000000000000000b"
CREATED: Final = FlowChange(name=HOOK, type="materialization", change="create", expect=NOT_THERE)
DELETED: Final = FlowChange(
    name=ARCHIVE, type="collection", change="delete", expect=BEFORE, losses=("it is deleted, with all of its data",)
)
TRIED: Final = FlowTried(changes=(CREATED,))
WRONG: Final = FlowTried(changes=(CREATED,), ended="buildFailed", problems=("the image cannot be pulled",))
NOTHING: Final = FlowTried(changes=(CREATED.model_copy(update={"change": "unchanged"}),), ended="emptyDraft")
PUBLISHED: Final = FlowPublished(publication=AFTER, log=("published",))
FAILED: Final = FlowPublished(ended="testFailed", problems=("a test failed",))
LIVE: Final = FlowSeen(
    specs=(SpecSeen(name=HOOK, type="materialization", publication=AFTER, status="WARNING", shards="PENDING"),)
)
DENIED: Final = application_error(ErrorType.POLICY_DENIED, "acme/shop/ is not to be published")
AWAY: Final = application_error(ErrorType.UNAVAILABLE, "Estuary does not answer")
CHANGED: Final = application_error(ErrorType.CONFLICT, "somebody published 'acme/shop/hook' since it was planned")
