"""The relay with a real machine's end: the file that a machine boots, in a process of its own, over real TLS."""

import asyncio
import contextlib
import ipaddress
import json
import secrets
import ssl
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from activities.models.served import ServedModels, ServedPage
from connectors.served.hello import digest
from connectors.served.inside import tunnel
from connectors.served.relay import Relay
from connectors.served.serving import Place, RelayPlaces, relaying
from tests.activities.played_book import PlayedBook

HERE = "127.0.0.1"
CALLER = "key-canary-of-who-asks"
TICKET = "7" * 64
_PATIENCE = 20.0


async def until(so: Callable[[], Awaitable[bool]]) -> None:
    """Look again, as soon as others had their turn, until it is so."""
    async with asyncio.timeout(_PATIENCE):
        while not await so():  # noqa: ASYNC110 - what is waited for is in other processes
            await asyncio.sleep(0.01)


def tls_of(folder: Path) -> tuple[ssl.SSLContext, str]:
    """A certificate of this host, and what trusts it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HERE))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "relay.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "relay.pem").write_bytes(made.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "relay.pem", folder / "relay.key")
    return context, (folder / "relay.pem").read_text()


@dataclass
class Tunnelled:
    """The relay, and what machines and the models worker know of it.

    Attributes:
        folder: For machines' files.
        served: Who serves what.
        relay: The relay itself.
        port: Where machines dial.
        url: Where it is asked.
        authority: What machines trust.
    """

    folder: Path
    served: ServedModels
    relay: Relay
    port: int
    url: str
    authority: str
    book: PlayedBook

    async def claim(self, name: str = "gpu", goal: str = "serve/one", ticket: str = TICKET, hours: int = 1) -> bool:
        """As a goal does."""
        wanted = ServedPage(
            goal=goal,
            until=datetime.now(UTC) + timedelta(hours=hours),
            ticket=digest(ticket),
            caller=digest(CALLER),
        )
        return await self.served.claim(name, wanted)

    async def ask(
        self, path: str, *, name: str = "gpu", method: str = "GET", key: str = CALLER, body: object = None
    ) -> httpx.Response:
        """As the models worker does."""
        async with httpx.AsyncClient(timeout=_PATIENCE) as http:
            header = {"authorization": f"Bearer {key}", "cookie": "of=ours"}
            return await http.request(method, f"{self.url}/{name}{path}", headers=header, json=body)

    async def lines(self, name: str = "gpu") -> int:
        """How many wait or are in use."""
        told = await self.ask("/-/state", name=name)
        return int(told.json().get("lines", 0)) if told.status_code == 200 else 0

    async def raw(self, hello: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A line of somebody who speaks as they like."""
        trusts = ssl.create_default_context(cadata=self.authority)
        reader, writer = await asyncio.open_connection(HERE, self.port, ssl=trusts, server_hostname=HERE)
        writer.write((hello if isinstance(hello, bytes) else json.dumps(hello).encode()) + b"\n")
        return reader, writer

    def configured(self, port: int, *, name: str = "gpu", ticket: str = TICKET, authority: str | None = None) -> Path:
        """What a machine boots with."""
        told = {
            "host": HERE,
            "relay_port": self.port,
            "authority": self.authority if authority is None else authority,
            "name": name,
            "ticket": ticket,
            "port": port,
            "lines": 2,
        }
        home = self.folder / f"machine-{secrets.token_hex(4)}"
        home.mkdir()
        (home / "tunnel.json").write_text(json.dumps(told))
        return home

    @contextlib.asynccontextmanager
    async def machine(self, port: int, *, home: Path | None = None, ticket: str = TICKET) -> AsyncGenerator[Path]:
        """One that runs the file which machines run, until the block ends."""
        home = home or self.configured(port, ticket=ticket)
        words = [sys.executable, "-I", tunnel.__file__, str(home / "tunnel.json"), str(home)]
        process = await asyncio.create_subprocess_exec(*words)
        try:
            yield home
        finally:
            process.kill()
            await process.wait()


@contextlib.asynccontextmanager
async def tunnelled(folder: Path) -> AsyncGenerator[Tunnelled]:
    """The relay, until the block ends."""
    context, authority = tls_of(folder)
    book = PlayedBook()
    served = ServedModels(book, environment="local")
    relay = Relay(served)
    places = RelayPlaces(machines=Place(HERE, 0), askers=Place(HERE, 0), tls=context)
    async with relaying(relay, places) as ports:
        url = f"http://{HERE}:{ports.askers}"
        yield Tunnelled(folder, served, relay, ports.machines, url, authority, book)
