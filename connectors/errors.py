"""Every way a provider can fail, as one tree.

::

    ConnectorError
    ├── Unavailable          network, 5xx, a time-out on a read: try again later
    │   ├── Locked           423: something else is being done to the object
    │   └── MalformedAnswer  what came back is not what the provider describes
    ├── RateLimited          429 or a secondary limit: try again after `retry_after`
    ├── AuthDenied           401: the credential is wrong
    │   └── Forbidden        403: the credential is good and too narrow
    ├── NotFound             404: not there, or not visible to this credential
    ├── InvalidRequest       400 or 422: the request itself is wrong
    ├── Conflict             409 or 412: somebody else changed it first
    ├── OutcomeUnknown       a change was sent and its answer lost: read before trying again
    └── QuotaExhausted       credits or budget are used up: no retry helps

A client maps foreign exceptions to this tree in one place and chains them with `from`. Only
`activities/guard/errors.py` turns the tree into retries, by the nearest ancestor that its table names. Messages name
the object with `!r`, say what to do next, and hold neither payloads nor secrets.
"""

from datetime import timedelta


class ConnectorError(Exception):
    """A provider did not do what it was asked.

    Attributes:
        code: The provider's own short word for it; empty where it has none.
        retry_after: How long the provider wants us to wait, or None where it did not say.
    """

    def __init__(self, message: str, *, code: str = "", retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after


class Unavailable(ConnectorError):
    """The provider cannot be reached or is broken for now."""


class Locked(Unavailable):
    """The provider is busy with this object and takes no other change of it yet; nothing was done."""


class MalformedAnswer(Unavailable):
    """The answer is not what the provider describes. Nothing of it is quoted."""


class RateLimited(ConnectorError):
    """The provider asks us to slow down."""


class AuthDenied(ConnectorError):
    """The credential is refused, expired, or too narrow."""


class Forbidden(AuthDenied):
    """The credential is good, and may not do this."""


class NotFound(ConnectorError):
    """The object does not exist, or this credential may not see it."""


class InvalidRequest(ConnectorError):
    """The provider refuses the request as malformed or impossible."""


class Conflict(ConnectorError):
    """The object is no longer what the request expected."""


class OutcomeUnknown(ConnectorError):
    """A change was sent and its answer was lost: it may or may not have happened."""


class QuotaExhausted(ConnectorError):
    """The account's credits or budget are used up."""
