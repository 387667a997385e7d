"""The published keys that decisions are signed with, kept fresh by the process that verifies.

They never come in an input: whoever writes the input would choose the key. Fetched with the process's own token every
minute, so that a rotation while an approval waits works, and a revoked version counts for a minute at most. A ring
that could not be refreshed for ten minutes verifies nothing: a revocation may have been missed.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Never

import structlog
from prometheus_client import Gauge

from connectors.errors import ConnectorError, Unavailable
from hitl.approval.signing import PublicKeys, public_key
from observability import names

REFRESH_SECONDS: Final = 60.0
TOO_OLD_SECONDS: Final = 600.0
_RETRY_SECONDS: Final = 5.0

_AGE: Final = Gauge(
    names.METRIC_APPROVAL_KEYS_AGE,
    f"Seconds since the approval keys were read from Vault; from {TOO_OLD_SECONDS:.0f} on, no grant is accepted.",
)
_log = structlog.get_logger("banksman.approvals")

Fetch = Callable[[], Awaitable[Mapping[int, bytes]]]
"""Reads the raw Ed25519 public keys by version. Raises `ConnectorError`."""


class KeyRing:
    """One process's keys. `keep_fresh` must run beside the process's work.

    Args:
        fetch: Reads the keys, as in `lambda: vault.public_keys("approvals")`.
        clock: Seconds, growing.
    """

    def __init__(self, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        # One object, replaced as a whole: workflow threads read it while the event loop refreshes.
        self._read: tuple[PublicKeys, float] | None = None
        _AGE.set_function(lambda: self.age_seconds)

    @property
    def age_seconds(self) -> float:
        """Seconds since the keys were asked for; endless before the first time."""
        return self._clock() - self._read[1] if self._read else float("inf")

    def current(self) -> PublicKeys:
        """The keys in force. Callable from every thread.

        Raises:
            Unavailable: They are too old to be trusted, or not read yet.
        """
        read = self._read
        if read is None or self._clock() - read[1] >= TOO_OLD_SECONDS:
            since = (
                "since this process started" if read is None else f"for {(self._clock() - read[1]) / 60:.0f} minutes"
            )
            raise Unavailable(
                f"the approval keys could not be read from Vault {since}, so no grant can be verified: "
                "mend or unseal Vault, and the step goes on by itself"
            )
        return read[0]

    async def refresh(self) -> None:
        """Read the keys once. Their age counts from the question, not from the answer.

        Raises:
            ConnectorError: Vault is down, sealed, or refuses; the keys read before stay.
        """
        asked = self._clock()
        raw = await self._fetch()
        try:
            keys = {version: public_key(one) for version, one in raw.items()}
        except ValueError as error:
            raise Unavailable("Vault gave an approval key that is not one of Ed25519") from error
        self._read = (keys, asked)

    async def keep_fresh(self) -> Never:
        """Refresh for ever; wait out a Vault that is sealed or down."""
        while True:
            wait = REFRESH_SECONDS
            try:
                await self.refresh()
            except ConnectorError as error:
                wait = _RETRY_SECONDS
                _log.warning("approval keys not refreshed yet", age_seconds=self.age_seconds, why=str(error))
            await asyncio.sleep(wait)
