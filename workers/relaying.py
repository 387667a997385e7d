"""The relay as a process of its own: it faces the internet, and can reach nothing of ours but one page per machine."""

import asyncio
import signal
import ssl
from pathlib import Path

import structlog

from activities.models.served import ServedModels
from connectors.served.relay import Relay
from connectors.served.serving import Place, RelayPlaces, relaying
from connectors.vault import VaultSession
from workers.process import CannotStart
from workers.settings import Settings

_log = structlog.get_logger("banksman.relay")


async def run_relay(settings: Settings, vault: VaultSession) -> None:
    """Serve until told to end, or until there is no standing in Vault any more.

    Raises:
        CannotStart: It has no certificate, or cannot listen.
    """
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    relay = Relay(ServedModels(vault, environment=settings.environment))
    keeping, ending = asyncio.create_task(vault.keep_alive()), asyncio.create_task(told.wait())
    try:
        async with relaying(relay, await asyncio.to_thread(relay_places, settings)) as ports:
            _log.info("the relay listens", machines=ports.machines, askers=ports.askers)
            await asyncio.wait({keeping, ending}, return_when=asyncio.FIRST_COMPLETED)
    except OSError as error:
        raise CannotStart(f"the relay cannot listen: {error}") from error
    finally:
        keeping.cancel()
        ending.cancel()


def relay_places(settings: Settings) -> RelayPlaces:
    """Where it listens, and with which certificate.

    Raises:
        CannotStart: It has none, or that cannot be used.
    """
    if settings.relay_certificate is None or settings.relay_key is None:
        raise CannotStart("the relay has no certificate: set BANKSMAN_RELAY_CERTIFICATE and BANKSMAN_RELAY_KEY")
    return RelayPlaces(
        machines=_place("BANKSMAN_RELAY_MACHINES", settings.relay_machines),
        askers=_place("BANKSMAN_RELAY_ASKERS", settings.relay_askers),
        tls=_tls(settings.relay_certificate, settings.relay_key),
    )


def _tls(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        text = f"the relay's certificate {str(certificate)!r} and its key cannot be used: {error}"
        raise CannotStart(text) from error
    return context


def _place(name: str, listen: str) -> Place:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit():
        raise CannotStart(f"{name} is {listen!r}: write HOST:PORT")
    return Place(host.strip("[]"), int(port))
