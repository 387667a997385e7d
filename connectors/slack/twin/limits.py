"""Slack's rate limits: calls a minute per method, in tiers, and messages a second per channel."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from connectors.limits import Bucket, Rate

Tier = Literal[1, 2, 3, 4]
_TierGiven = Annotated[int, Field(ge=1, le=4)]
"""As JSON has it too, whose keys are texts."""

_MINUTE: Final = 60.0


class Limits(BaseModel):
    """How much an app may ask.

    Attributes:
        enforced: False for runs that are about something else.
        tiers: Calls a minute per method (Slack: 1+, 20+, 50+, 100+).
        posts_per_second: Messages to one channel (Slack: about 1, short bursts allowed).
        post_burst: How many may come at once.
        blocks_characters: Of all blocks of a message as JSON; undocumented, about 13,200 when measured by others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enforced: bool = True
    tiers: Mapping[_TierGiven, int] = Field(default_factory=lambda: dict[int, int]({1: 10, 2: 20, 3: 50, 4: 100}))
    posts_per_second: float = Field(default=1.0, gt=0)
    post_burst: int = Field(default=5, ge=1)
    blocks_characters: int = Field(default=13_200, ge=1)


@dataclass
class _Planted:
    """Refusals that a test asked for."""

    seconds: int
    times: int


@dataclass
class Meter:
    """Counts one app's calls.

    Args:
        clock: Seconds since the epoch.
    """

    limits: Limits
    clock: Callable[[], float] = time.time
    _buckets: dict[str, Bucket] = field(default_factory=dict[str, Bucket])
    _planted: dict[str, _Planted] = field(default_factory=dict[str, _Planted])

    def plant(self, method: str, *, seconds: int, times: int) -> None:
        """Refuse the next calls of a method."""
        self._planted[method] = _Planted(seconds, times)

    def wait(self, method: str, tier: Tier | None, *, channel: str = "") -> int:
        """Whole seconds to wait before the call may be made; 0 when it may be made now.

        Args:
            method: Its name.
            tier: None for what is limited per channel, by the second.
            channel: Which one.
        """
        planted = self._planted.get(method)
        if planted is not None:
            planted.times -= 1
            if planted.times == 0:
                del self._planted[method]
            return planted.seconds
        if not self.limits.enforced:
            return 0
        if tier is None:
            rate = Rate(per_second=self.limits.posts_per_second, burst=self.limits.post_burst)
            return self._spend(f"{method} {channel}", rate)
        return self._spend(method, Rate(per_second=self.limits.tiers[tier] / _MINUTE, burst=self.limits.tiers[tier]))

    def _spend(self, key: str, rate: Rate) -> int:
        now = self.clock()
        bucket = self._buckets.setdefault(key, Bucket(rate, now))
        return math.ceil(bucket.take(now))
