"""The relay as two servers: one that machines dial from anywhere, by TLS, and one for our own models worker."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final, NamedTuple

from connectors.errors import ConnectorError
from connectors.served.relay import Relay

REVIEW_EVERY: Final = 5.0
"""Seconds after which a machine that serves no longer is cut off, also in the middle of an answer."""
_LONGEST_LINE: Final = 16 * 1024
_SHAKES_HANDS_WITHIN: Final = 10.0
_LOG: Final = logging.getLogger(__name__)


class Place(NamedTuple):
    """Where a server listens; port 0 takes a free one."""

    host: str
    port: int


@dataclass(frozen=True, kw_only=True)
class RelayPlaces:
    """What the relay listens on.

    Attributes:
        machines: For machines, always by TLS.
        askers: For the models worker: by TLS, too, but on this host alone.
        tls: The relay's certificate.
    """

    machines: Place
    askers: Place
    tls: ssl.SSLContext


class Listening(NamedTuple):
    """The ports in the end."""

    machines: int
    askers: int


@contextlib.asynccontextmanager
async def relaying(relay: Relay, places: RelayPlaces) -> AsyncGenerator[Listening]:
    """Serve both sides, until the block ends.

    Raises:
        OSError: It cannot listen there.
    """
    within = places.askers.host in {"127.0.0.1", "::1", "localhost"}
    machines = await asyncio.start_server(
        relay.meet,
        *places.machines,
        ssl=places.tls,
        ssl_handshake_timeout=_SHAKES_HANDS_WITHIN,
        limit=_LONGEST_LINE,
    )
    async with machines:
        tls = None if within else places.tls
        askers = await asyncio.start_server(relay.answer, *places.askers, limit=_LONGEST_LINE, ssl=tls)
        async with askers:
            reviewing = asyncio.create_task(_review(relay))
            try:
                yield Listening(*(one.sockets[0].getsockname()[1] for one in (machines, askers)))
            finally:
                reviewing.cancel()


async def _review(relay: Relay) -> None:
    while True:
        await asyncio.sleep(REVIEW_EVERY)
        try:
            await relay.review()
        except ConnectorError as error:
            _LOG.warning("the relay cannot look who still serves: %s", error)
