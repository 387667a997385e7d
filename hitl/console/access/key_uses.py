"""That each confirmation is used once, and that a key counts upwards: what tells a copy of a key from the key."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict

_KEPT: Final = timedelta(minutes=15)
"""Longer than any challenge is taken."""


class UsedBefore(ValueError):
    """It is no fresh use of the key. The message is for people."""


class _Record(BaseModel):
    """What is kept of one key."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    count: int = 0
    used: Mapping[str, AwareDatetime] = {}


class KeyUses(Protocol):
    """Where it is kept, for all copies of the console together."""

    async def use(self, credential: str, *, count: int, challenge: str) -> None:
        """Count one use.

        Args:
            credential: The key's id.
            count: As the key says it; 0 for one that does not count.
            challenge: What it signed.

        Raises:
            UsedBefore: That challenge was used, or the key counted further before.
            Unavailable: Nobody can say now.
        """
        ...


def used_once_more(text: str | None, *, count: int, challenge: str) -> str:
    """The record after one more use.

    Args:
        text: The record as it stands; None for a key that was never used.
        count: As the key says it.
        challenge: What it signed.

    Raises:
        UsedBefore: That challenge was used, or the key counted further before.
    """
    now = datetime.now(UTC)
    before = _Record() if text is None else _Record.model_validate_json(text)
    if challenge in before.used:
        raise UsedBefore("This confirmation was used already. Open the page again and confirm anew.")
    if (count or before.count) and count <= before.count:
        raise UsedBefore(
            "This key counts less than it did before: there may be a copy of it. Tell an operator, who takes it out of "
            "the policy."
        )
    lately = {one: at for one, at in before.used.items() if now - at < _KEPT}
    return _Record(count=count, used={**lately, challenge: now}).model_dump_json()
