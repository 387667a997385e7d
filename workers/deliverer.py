"""Keeps a wrapped secret id ready for each process where no supervisor starts them, as in Compose.

A process takes its file and deletes it; then, or when the wrapping nears its end, a new one is put there. The
deliverer's own token can mint wrapped secret ids and nothing else; it may come after the deliverer was started.
"""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Final

import structlog
from pydantic import SecretStr

from connectors.errors import ConnectorError
from connectors.vault import Deliverer
from workers.settings import Settings

_FRESH: Final = 40.0
"""Seconds until a file that nobody took is replaced; a wrapping lives for 60."""
_POLL: Final = 0.5
_RENEW_EVERY: Final = 1200.0
_log = structlog.get_logger("banksman.deliverer")


async def deliver(settings: Settings) -> None:
    """Run until told to end; wait out a Vault that is down, sealed or not set up yet."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    rounds = _Rounds(settings)
    while not told.is_set():
        await rounds.go()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_POLL):
                await told.wait()


class _Rounds:
    """One look at every folder after the other."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._maker: Deliverer | None = None
        self._renewed = time.monotonic()
        self._said = ""

    async def go(self) -> None:
        """Put a fresh secret id wherever there is none; say once what stands in the way."""
        try:
            maker = self._maker = self._maker or self._made()
            for folder in sorted(self._settings.deliverer_folder.iterdir()):
                await _keep_fresh(maker, folder)
            if time.monotonic() - self._renewed > _RENEW_EVERY:
                await maker.renew()
                self._renewed = time.monotonic()
            self._said = ""
        except (ConnectorError, OSError) as error:
            if str(error) != self._said:
                self._said = str(error)
                _log.warning("no secret ids can be delivered for now", why=self._said)

    def _made(self) -> Deliverer:
        path = self._settings.deliverer_token_file
        token = path.read_text(encoding="utf-8").strip()
        if not token:
            raise FileNotFoundError(f"the deliverer's token {path} is empty: `python -m deploy.vault` writes one")
        return Deliverer(address=self._settings.vault_address, token=SecretStr(token))


async def _keep_fresh(maker: Deliverer, folder: Path) -> None:
    """The folder has the name of the AppRole that its file is for."""
    path = folder / "secret-id"
    if path.exists() and time.time() - path.stat().st_mtime < _FRESH:
        return
    wrapped = await maker.mint(folder.name)
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(wrapped.token.get_secret_value())
    draft.replace(path)
    _log.info("delivered a wrapped secret id", role=folder.name)
