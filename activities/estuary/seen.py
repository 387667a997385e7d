"""What a step tells of a specification's status. Strangers' words are redacted and cut: they go into histories."""

from datetime import datetime
from typing import Final

from activities.estuary.contracts import PublicationSeen, SpecSeen
from connectors.estuary.models import PastPublication, SpecRef, Status
from observability.redaction import redact

_LONGEST: Final = 500
_PAST: Final = 5


def seen(found: SpecRef) -> SpecSeen:
    """How one does that is live."""
    live, status = found.live_spec, found.status or Status(type="")
    controller = status.controller
    activation = controller.activation if controller else None
    past = controller.publications.history if controller and controller.publications else ()
    return SpecSeen(
        name=found.catalog_name,
        type=live.catalog_type if live else "",
        publication=live.last_pub_id if live else "",
        disabled=live.is_disabled if live else False,
        status=status.type,
        summary=_cut(status.summary) or "",
        error=_cut(controller.error if controller else None),
        shards=activation.shard_status.status if activation and activation.shard_status else None,
        failures=activation.recent_failure_count if activation else 0,
        last_failure=_cut(activation.last_failure.message if activation and activation.last_failure else None),
        connector=_cut(status.connector.message if status.connector else None),
        alerts=tuple(one.alert_type for one in found.active_alerts),
        publications=tuple(_past(one) for one in past[:_PAST]),
    )


def _past(one: PastPublication) -> PublicationSeen:
    return PublicationSeen(
        id=one.id,
        at=_moment(one.completed),
        ended=one.result.type if one.result else None,
        detail=_cut(one.detail),
        errors=tuple(redact.head(f"{error.catalog_name}: {error.detail}", _LONGEST) for error in one.errors[:_PAST]),
    )


def _moment(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _cut(text: str | None) -> str | None:
    return redact.head(text, _LONGEST) if text else None
