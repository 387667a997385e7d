"""Why a request is refused, before any wire gives it its own status and words."""

from enum import StrEnum


class Kind(StrEnum):
    """What each wire has words for."""

    MALFORMED = "malformed"
    """The request does not fit the provider's description."""
    NO_KEY = "no_key"
    """No key, or none that is known."""
    FORBIDDEN = "forbidden"
    """The key may not use this model."""
    NO_MODEL = "no_model"
    TOO_LONG = "too_long"
    """The conversation does not fit the model."""
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    FAILING = "failing"
    UNKNOWN = "unknown"
    """The twin does not know this, or its score has no cue for it."""


class Refusal(Exception):
    """A request is refused, and costs nothing.

    Args:
        kind: Why.
        detail: What was wrong, for a wire whose words have a place for it.
        retry_after: Seconds after which to try again, where that is said.
    """

    def __init__(self, kind: Kind, detail: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind, self.detail, self.retry_after = kind, detail, retry_after

    @property
    def headers(self) -> dict[str, str]:
        """What goes with it."""
        return {} if self.retry_after is None else {"Retry-After": f"{self.retry_after:g}"}
