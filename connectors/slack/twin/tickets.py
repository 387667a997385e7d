"""What Slack gives out for a short time: trigger ids, response URLs, and addresses of sockets."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from connectors.slack.twin.problems import SlackProblem

TRIGGER_SECONDS: Final = 3.0
RESPONSE_SECONDS: Final = 1800.0
RESPONSE_USES: Final = 5
SOCKET_SECONDS: Final = 30.0


@dataclass
class _Trigger:
    user: str
    channel: str
    until: float
    used: bool = False


@dataclass
class ResponseUrl:
    """Where an app may answer to a click or a command.

    Attributes:
        ts: Of the message that was clicked; None after a command.
    """

    user: str
    channel: str
    ts: str | None
    until: float
    uses: int = 0


@dataclass
class Tickets:
    """Everything that expires.

    Args:
        clock: Seconds since the epoch.
    """

    clock: Callable[[], float] = time.time
    _triggers: dict[str, _Trigger] = field(default_factory=dict[str, _Trigger])
    _responses: dict[str, ResponseUrl] = field(default_factory=dict[str, ResponseUrl])
    _sockets: dict[str, float] = field(default_factory=dict[str, float])

    def trigger(self, user: str, channel: str) -> str:
        """A trigger id: one modal may be opened with it, for three seconds."""
        made = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**10)}.{secrets.token_hex(16)}"
        self._triggers[made] = _Trigger(user, channel, self.clock() + TRIGGER_SECONDS)
        return made

    def exchange(self, trigger: str) -> tuple[str, str]:
        """Whose click it was, and in which channel.

        Raises:
            SlackProblem: It is unknown, was used or is too old.
        """
        found = self._triggers.get(trigger)
        if found is None:
            raise SlackProblem("invalid_trigger_id")
        if self.clock() > found.until:
            raise SlackProblem("expired_trigger_id")
        if found.used:
            raise SlackProblem("exchanged_trigger_id")
        found.used = True
        return found.user, found.channel

    def response(self, user: str, channel: str, ts: str | None = None) -> str:
        """The secret part of a new response URL."""
        made = secrets.token_urlsafe(18)
        self._responses[made] = ResponseUrl(user, channel, ts, self.clock() + RESPONSE_SECONDS)
        return made

    def respond(self, secret: str) -> ResponseUrl:
        """Use a response URL once.

        Raises:
            SlackProblem: It is unknown, too old, or was used five times.
        """
        found = self._responses.get(secret)
        if found is None or self.clock() > found.until:
            raise SlackProblem("expired_url")
        if found.uses >= RESPONSE_USES:
            raise SlackProblem("used_url")
        found.uses += 1
        return found

    def socket(self) -> str:
        """A ticket for one connection."""
        made = secrets.token_urlsafe(24)
        self._sockets[made] = self.clock() + SOCKET_SECONDS
        return made

    def enter(self, ticket: str) -> bool:
        """Whether the ticket opens a connection; it does so once."""
        until = self._sockets.pop(ticket, None)
        return until is not None and self.clock() <= until
