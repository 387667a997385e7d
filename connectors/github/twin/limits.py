"""GitHub's limits, as its documentation gives them: requests an hour, points a minute, and sizes."""

import re
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.github.twin.problems import refusal

_API: Final = re.compile(r"/(app|repos|installation)(/|$)")
_CONTENT: Final = re.compile(r"/(check-runs|comments|pulls|issues)(/\d+)?$")
_HOUR: Final = 3600.0
_MINUTE: Final = 60.0
_READ_POINTS: Final = 1
_WRITE_POINTS: Final = 5


class Limits(BaseModel):
    """How much a caller may ask.

    Attributes:
        hourly: Requests an hour (GitHub: 5,000 for an installation).
        points: Points a minute; a read costs 1, a write 5 (GitHub: 900).
        content_minute: What makes or changes what people read, in a minute (GitHub: 80).
        content_hour: The same in an hour (GitHub: 500).
        tree_entries: Of one answer; a longer tree is cut (GitHub: 100,000).
        blob_bytes: Of one file; a larger one is refused (GitHub: 100 MB).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hourly: int = Field(default=5000, ge=0)
    points: int = Field(default=900, ge=0)
    content_minute: int = Field(default=80, ge=0)
    content_hour: int = Field(default=500, ge=0)
    tree_entries: int = Field(default=100_000, ge=1)
    blob_bytes: int = Field(default=100 * 1024 * 1024, ge=1)


@dataclass
class Meter:
    """Counts one twin's requests.

    Args:
        clock: Seconds since the epoch.
    """

    limits: Limits
    clock: Callable[[], float] = time.time
    _window: float = field(init=False)
    _used: int = 0
    _recent: deque[tuple[float, int]] = field(default_factory=deque[tuple[float, int]])
    _content: deque[float] = field(default_factory=deque[float])

    def __post_init__(self) -> None:
        self._window = self.clock()

    def spend(self, *, write: bool, content: bool = False) -> Literal["primary", "secondary"] | None:
        """Count one request: None when it may pass, else the limit that it exceeds."""
        now = self.clock()
        if now - self._window >= _HOUR:
            self._window, self._used = now, 0
        while self._recent and self._recent[0][0] <= now - _MINUTE:
            self._recent.popleft()
        if self._used >= self.limits.hourly:
            return "primary"
        cost = _WRITE_POINTS if write else _READ_POINTS
        if sum(points for _, points in self._recent) + cost > self.limits.points:
            return "secondary"
        if content and not self._takes_content(now):
            return "secondary"
        self._used += 1
        self._recent.append((now, cost))
        return None

    def _takes_content(self, now: float) -> bool:
        while self._content and self._content[0] <= now - _HOUR:
            self._content.popleft()
        lately = sum(at > now - _MINUTE for at in self._content)
        if lately >= self.limits.content_minute or len(self._content) >= self.limits.content_hour:
            return False
        self._content.append(now)
        return True

    def wait(self) -> int:
        """Seconds until the first points of the last minute are free again."""
        return max(1, int(self._recent[0][0] + _MINUTE - self.clock()) + 1) if self._recent else int(_MINUTE)

    def headers(self) -> dict[str, str]:
        """What every answer tells."""
        return {
            "x-ratelimit-limit": str(self.limits.hourly),
            "x-ratelimit-remaining": str(max(0, self.limits.hourly - self._used)),
            "x-ratelimit-used": str(self._used),
            "x-ratelimit-reset": str(int(self._window + _HOUR)),
            "x-ratelimit-resource": "core",
        }


class ApiGate:
    """What all of GitHub's API does before it looks at a request: no caller without a name, and limits."""

    def __init__(self, app: ASGIApp, meter: Meter) -> None:
        self._app = app
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, unless the request is refused; git's own protocol is not counted."""
        if scope["type"] != "http" or not _API.match(str(scope["path"])):
            await self._app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update({**self._meter.headers(), "x-github-request-id": secrets.token_hex(8).upper()})
            await send(message)

        refused = self._refused(Request(scope))
        await (refused or self._app)(scope, receive, told)

    def _refused(self, request: Request) -> Response | None:
        if not request.headers.get("user-agent"):
            return refusal(403, "Request forbidden by administrative rules. Please send a User-Agent header.")
        if request.url.path == "/installation/token":
            return None  # giving a token back is never refused here, so that tests of limits leave none behind
        write = request.method not in {"GET", "HEAD"}
        content = request.method in {"POST", "PATCH"} and _CONTENT.search(request.url.path) is not None
        match self._meter.spend(write=write, content=content):
            case "primary":
                return refusal(403, "API rate limit exceeded for installation.")
            case "secondary":
                message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
                return refusal(403, message, headers={"retry-after": str(self._meter.wait())})
            case None:
                return None
