"""One look at one page: a GET without credentials, bounded in time and size, that follows nothing.

The name is resolved here, every address that it has is looked at, and the connection goes to one of these and no
other: a name that is another address a moment later leads nowhere else.
"""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

import httpx

from connectors.authorities import authorities
from connectors.errors import InvalidRequest
from connectors.probes.hosts import Address, Allowed, Hosts, host_of, literal

MOST_BYTES: Final = 1024 * 1024
"""Of a body; no more of it is read."""
_MOST_ADDRESSES: Final = 4
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

Resolve = Callable[[str, int], Awaitable[Collection[Address]]]
"""The addresses of a name.

Raises:
    OSError: It has none.
"""


@dataclass(frozen=True)
class Wanted:
    """What counts as an answer.

    Attributes:
        status: One of these.
        contains: A text that must be in the first `MOST_BYTES` of the body.
        seconds: For all of it.
    """

    status: Collection[int]
    contains: str | None = None
    seconds: float = 10.0


@dataclass(frozen=True)
class Answer:
    """What came of a look.

    Attributes:
        why: Why it is no answer; empty where it is one. Nothing of the page is in it.
        status: None where nothing answered.
        milliseconds: How long it took.
    """

    why: str
    status: int | None
    milliseconds: int


async def addresses_of(host: str, port: int) -> Collection[Address]:
    """See `Resolve`: what the machine's own resolver says."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(ip_address(str(one[4][0]).partition("%")[0]) for one in found))


class Pages:
    """Looks at pages of the hosts that are listed.

    Args:
        hosts: The list.
        resolve: Names to addresses.
    """

    def __init__(self, hosts: Hosts, *, resolve: Resolve = addresses_of) -> None:
        self._hosts, self._resolve = hosts, resolve

    async def look(self, address: str, wanted: Wanted) -> Answer:
        """Look once.

        Raises:
            InvalidRequest: It is no address, its host is not listed, or is at an address that no such host may have.
        """
        try:
            url = httpx.URL(address)
        except (httpx.InvalidURL, ValueError) as error:
            raise InvalidRequest(
                "that is no address of a page: write one as https://shop.example.com/healthz"
            ) from error
        allowed, start = self._hosts.require(url), time.monotonic()
        status: int | None = None
        try:
            async with asyncio.timeout(wanted.seconds):
                status, why = await self._ask(url, allowed, wanted)
        except TimeoutError:
            why = f"nothing came within {wanted.seconds:g} s"
        except httpx.HTTPError as error:
            why = f"the connection failed ({type(error).__name__})"
        except (OSError, UnicodeError) as error:
            why = f"its name is not known ({type(error).__name__})"
        return Answer(why=why, status=status, milliseconds=round((time.monotonic() - start) * 1000))

    async def _ask(self, url: httpx.URL, allowed: Allowed, wanted: Wanted) -> tuple[int | None, str]:
        host, port = host_of(url), url.port or _DEFAULT_PORTS[url.scheme]
        written = literal(host)
        found = [written] if written is not None else list(await self._resolve(host, port))
        if refused := next((one for one in found if allowed.refuses(one)), None):
            raise InvalidRequest(
                f"{host!r} is at {str(refused)!r}, where this deployment lets no goal look: a host inside the network "
                "is written out in BANKSMAN_VERIFY_HOSTS; addresses that give machines credentials are never asked"
            )
        transport = httpx.AsyncHTTPTransport(verify=authorities(), retries=0)
        async with httpx.AsyncClient(transport=transport, trust_env=False, timeout=wanted.seconds) as client:
            return await _first(client, url, found[:_MOST_ADDRESSES], wanted)


async def _first(
    client: httpx.AsyncClient, url: httpx.URL, addresses: list[Address], wanted: Wanted
) -> tuple[int | None, str]:
    """By the first address at which somebody listens."""
    failed: httpx.HTTPError | None = None
    for one in addresses:
        request = client.build_request(
            "GET",
            url.copy_with(host=str(one)),
            headers={"Host": url.netloc.decode("ascii"), "Accept-Encoding": "identity", "User-Agent": "banksman"},
            extensions={**_for_tls(url), "timeout": httpx.Timeout(wanted.seconds).as_dict()},
        )
        try:
            answer = await client.send(request, stream=True, follow_redirects=False)
        except httpx.ConnectError as error:
            failed = error
            continue
        try:
            return await _read(answer, wanted)
        finally:
            await answer.aclose()
    return None, f"nobody listens there ({type(failed).__name__})" if failed else "its name has no address"


def _for_tls(url: httpx.URL) -> dict[str, str]:
    """Whose certificate is wanted: the host's, not the address's."""
    return {"sni_hostname": host_of(url)}


async def _read(answer: httpx.Response, wanted: Wanted) -> tuple[int | None, str]:
    status = answer.status_code
    if status not in wanted.status:
        listed = ", ".join(map(str, sorted(wanted.status)))
        elsewhere = ", which is not followed" if answer.is_redirect else ""
        return status, f"it answers {status}{elsewhere}, and not {listed}"
    if wanted.contains is None:
        return status, ""
    if answer.headers.get("content-encoding", "identity") != "identity":
        return status, "its body is compressed, though nobody asked for that, and is not looked into"
    body = bytearray()
    async for part in answer.aiter_raw():
        body += part[: MOST_BYTES - len(body)]
        if len(body) >= MOST_BYTES:
            break
    if wanted.contains.encode() in body:
        return status, ""
    return status, f"the first {len(body)} bytes of its body do not contain the text"
