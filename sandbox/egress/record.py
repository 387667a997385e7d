"""What a proxy has seen of each run's network, told apart by the address that asked."""

import asyncio
from collections import defaultdict
from ipaddress import IPv4Network, ip_address
from typing import Generic, TypeVar

_Seen = TypeVar("_Seen")


class Record(Generic[_Seen]):
    """Bounded for each client, and given out once.

    Args:
        most: How much is kept of one client.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: dict[str, dict[str, _Seen]] = defaultdict(dict)
        self._farewells: dict[str, asyncio.Event] = {}

    def expect(self, network: IPv4Network, word: str) -> asyncio.Event:
        """An event that is set when a run on this network, new to it, has said this farewell."""
        self.take(network, "")  # what came late of somebody who had these addresses before
        return self._farewells.setdefault(word, asyncio.Event())

    def heard(self, word: str) -> bool:
        """Set the event of this farewell; False when nobody waits for such a word."""
        event = self._farewells.get(word)
        if event is not None:
            event.set()
        return event is not None

    def note(self, client: str, key: str, what: _Seen) -> None:
        """Keep it, in place of what was kept under this key."""
        seen = self._seen[client]
        if key in seen or len(seen) < self._most:
            seen[key] = what

    def take(self, network: IPv4Network, word: str) -> tuple[_Seen, ...]:
        """What was seen of one network, and nobody waits for this farewell any more."""
        self._farewells.pop(word, None)
        clients = [client for client in self._seen if ip_address(client) in network]
        return tuple(what for client in clients for what in self._seen.pop(client).values())
