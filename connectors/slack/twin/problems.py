"""Refusals in Slack's form: mostly status 200 and `{"ok": false, "error": …}`."""

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.responses import JSONResponse, Response

Json = dict[str, object]

TIMED_OUT: Final = "Operation timed out. Apps need to respond within three seconds."
UNREACHABLE: Final = "This app is not responding right now. Please try again later."


class SlackProblem(Exception):
    """A call that is refused.

    Args:
        error: Slack's short code, such as `channel_not_found`.
        messages: What is wrong in detail, as Slack's validation tells it.
        more: Further fields of the answer.
    """

    def __init__(self, error: str, messages: Sequence[str] = (), **more: object) -> None:
        super().__init__(error)
        self.error = error
        self.messages = tuple(messages)
        self.more: Mapping[str, object] = more

    def body(self) -> Json:
        """The answer's body."""
        told: Json = {"ok": False, "error": self.error, **self.more}
        if self.messages:
            told["errors"] = list(self.messages)
            told["response_metadata"] = {"messages": [f"[ERROR] {message}" for message in self.messages]}
        return told


class NotPossible(Exception):
    """Something that a person cannot do in Slack's client; the message says why."""


def answer_rate_limited(seconds: int) -> Response:
    """Too many calls: status 429, with the seconds to wait."""
    return JSONResponse({"ok": False, "error": "ratelimited"}, status_code=429, headers={"Retry-After": str(seconds)})
