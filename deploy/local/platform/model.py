"""What the platform is told of a service, and what it keeps of it."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sandbox.spec import Argument, RelativePath

MOST_FILES: Final = 200
MOST_SOURCE: Final = 512 * 1024
"""Bytes of all files of one release together."""
PORT: Final = 8080
"""Where a service listens, on loopback in its own container; it is told so by `PORT`."""
NEEDS_PORT: Final = 8081
"""Where it asks for its needs, in the same way; it is told so by `NEEDS_PORT`."""

_MOST_FAILED: Final = 3
_ONE_IN: Final = 5

ServiceName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,38}[a-z0-9]$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Release(_Frozen):
    """Code that runs: the same files with the same command are the same release.

    Attributes:
        files: Texts by their paths.
        command: Run in the folder of the files.
        health: A path that answers below 500 once it serves.
    """

    files: Annotated[Mapping[RelativePath, str], Field(min_length=1, max_length=MOST_FILES)]
    command: Annotated[tuple[Argument, ...], Field(min_length=1, max_length=100)]
    health: str = Field(default="/", pattern=r"^/[!-~]*$", max_length=500)

    @model_validator(mode="after")
    def _not_too_long(self) -> Self:
        if sum(len(text.encode()) for text in self.files.values()) > MOST_SOURCE:
            raise ValueError(f"the files are longer than {MOST_SOURCE // 1024} KiB together")
        return self

    @property
    def digest(self) -> str:
        """What tells it from every other, in twelve letters."""
        told = json.dumps([dict(self.files), self.command, self.health], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:12]


class Wanted(Release):
    """What a program declares.

    Attributes:
        share: Percent of the traffic that a new release gets while it is watched.
        watch_seconds: For so long; then it gets all, and the one before is ended.
    """

    name: ServiceName
    share: int = Field(default=100, ge=1, le=100)
    watch_seconds: float = Field(default=0, ge=0, le=86400, alias="watchSeconds")

    @property
    def release(self) -> Release:
        """Its code alone."""
        return Release(files=self.files, command=self.command, health=self.health)


class Rollout(_Frozen):
    """How the traffic of a service is shared.

    Attributes:
        current: The release that has served all along.
        newer: The one beside it, which is watched; None where there is none.
        share: Percent of the traffic that the newer one gets.
        until: When the watch ends, in seconds since the epoch.
        failed: The digest of a newer one that died, or answered ill, while it was watched; it gets no traffic, and is
            never all.
    """

    current: Release
    newer: Release | None = None
    share: int = 0
    until: float = 0
    failed: str = ""

    @property
    def releases(self) -> tuple[Release, ...]:
        """All that must run."""
        return (self.current,) if self.newer is None else (self.current, self.newer)

    @property
    def newest(self) -> Release:
        """The one that was deployed last and is not known to be broken."""
        return self.newer or self.current

    def towards(self, wanted: Wanted, *, now: float) -> "Rollout":
        """What becomes of it when this is wanted, and runs."""
        release = wanted.release
        if release.digest == self.current.digest:
            return Rollout(current=self.current)  # back to what still runs; or nothing new at all
        if self.newer is not None and release.digest == self.newer.digest:
            return self.model_copy(update={"share": wanted.share})
        if wanted.watch_seconds == 0:
            return Rollout(current=release)
        return Rollout(current=self.current, newer=release, share=wanted.share, until=now + wanted.watch_seconds)

    def after(self, *, now: float) -> "Rollout":
        """What becomes of it by itself: at the end of the watch the newer release is all there is."""
        if self.newer is None or now < self.until:
            return self
        return Rollout(current=self.newer)

    def without_newer(self) -> "Rollout":
        """The newer release did not hold while it was watched: all goes to the one that has served all along."""
        return Rollout(current=self.current, failed=self.newer.digest) if self.newer is not None else self


class Service(_Frozen):
    """What is kept of a service, over restarts.

    Attributes:
        wanted: What was declared last.
        rollout: How far that is.
    """

    wanted: Wanted
    rollout: Rollout


class Turns:
    """Whose turn a request is: of each hundred the newer release gets just its share, spread out evenly."""

    def __init__(self) -> None:
        self._owed = 0

    def take(self, rollout: Rollout) -> Release:
        """Who answers the next request."""
        if rollout.newer is None:
            return rollout.current
        self._owed += rollout.share
        if self._owed < 100:  # noqa: PLR2004 - percent
            return rollout.current
        self._owed -= 100
        return rollout.newer


class Watch:
    """How the newer release of a service answers while it is watched, to visitors and to who verifies it alike."""

    def __init__(self) -> None:
        self._asked, self._failed = Counter[str](), Counter[str]()

    def note(self, digest: str, *, well: bool) -> None:
        """One answer of a release."""
        self._asked[digest] += 1
        self._failed[digest] += not well

    def is_ill(self, digest: str) -> bool:
        """Whether so many of its answers failed that it must not stay: three at least, and one in five."""
        failed = self._failed[digest]
        return failed >= _MOST_FAILED and failed * _ONE_IN >= self._asked[digest]
