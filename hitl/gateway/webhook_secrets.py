"""The secret that GitHub signs deliveries with, as Vault has it now: it can be rotated while the gateway runs."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from pydantic import SecretStr

from connectors.errors import ConnectorError, NotFound, Unavailable
from hitl.github.signature import WebhookSecrets

SECRET: Final = "secret"  # noqa: S105 - the name of a field
PREVIOUS: Final = "previous"
_KEPT_SECONDS: Final = 60.0
_TOO_OLD_SECONDS: Final = 600.0
_AT_MOST_EVERY_SECONDS: Final = 2.0

Read = Callable[[], Awaitable[Mapping[str, SecretStr]]]
"""Reads the fields at `github/webhook`. Raises `ConnectorError`."""


class WebhookSecretSource:
    """Reads it when it is needed, and keeps it for a minute. While Vault is away one that was read lately counts.

    Args:
        read: By the gateway's own login.
        clock: Seconds, growing.
    """

    def __init__(self, read: Read, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._read, self._clock = read, clock
        self._kept: tuple[WebhookSecrets, float] | None = None
        self._asked = float("-inf")
        self._turn = asyncio.Lock()

    async def current(self) -> WebhookSecrets:
        """What deliveries are signed with.

        Raises:
            Unavailable: Vault does not answer, or holds none.
        """
        async with self._turn:
            if self._kept is not None and self._clock() - self._kept[1] < _KEPT_SECONDS:
                return self._kept[0]
            try:
                return await self._anew()
            except ConnectorError as error:
                if self._kept is not None and self._clock() - self._kept[1] < _TOO_OLD_SECONDS:
                    return self._kept[0]
                raise Unavailable(_why(error)) from error

    async def newer_than(self, known: WebhookSecrets) -> WebhookSecrets | None:
        """What Vault holds by now, where that is another; None otherwise.

        Anybody can have this asked by a wrong signature, so Vault is asked at most every two seconds.
        """
        async with self._turn:
            if self._kept is not None and self._kept[0] != known:
                return self._kept[0]
            if self._clock() - self._asked < _AT_MOST_EVERY_SECONDS:
                return None
            try:
                found = await self._anew()
            except ConnectorError:
                return None
        return found if found != known else None

    async def _anew(self) -> WebhookSecrets:
        self._asked = asked = self._clock()
        fields = await self._read()
        if not (secret := fields.get(SECRET)) or not secret.get_secret_value():
            raise NotFound("its field 'secret' is empty")
        found = WebhookSecrets(secret=secret, previous=fields.get(PREVIOUS))
        self._kept = (found, asked)
        return found


def _why(error: ConnectorError) -> str:
    if isinstance(error, NotFound):
        return "Vault holds no webhook secret at github/webhook: put there what GitHub signs deliveries with"
    return "Vault does not say now what GitHub signs deliveries with; the delivery is taken when it is sent again"
