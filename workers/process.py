"""A worker process from its login to its end.

It logs in to Vault with a wrapped secret id, keeps its token alive, runs its worker, and ends by itself, with a clear
message, when the token is gone: whoever started it starts it again with a new wrapped secret id.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncGenerator, Coroutine, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Never, Protocol, cast

import structlog
from pydantic import SecretStr, ValidationError
from temporalio.client import Client
from temporalio.worker import Worker

from activities.guard.audit_watch import AuditWatch
from connectors.errors import ConnectorError
from connectors.vault import TokenLost, VaultSession, WrappedSecretId
from observability.setup import Telemetry
from workers.codec import EncryptionCodec, KeyRing
from workers.settings import Role, Settings
from workers.temporal import connect, registered_names
from workflows.plugin import banksman_plugin

_log = structlog.get_logger("banksman.worker")
_PAYLOAD_KEYS: Final = "payload-keys"
_FILE_PATIENCE: Final = 120.0
_FILE_POLL: Final = 0.2

APPROVAL_KEYS: Final = "approvals"
"""The transit key in Vault that decisions are signed with."""
EXIT_TOKEN_LOST: Final = 70


class CannotStart(Exception):
    """A process lacks something it cannot start without; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What a process logs in to Vault with, once."""

    role_id: str
    wrapped: WrappedSecretId


@dataclass(frozen=True)
class Process:
    """What a worker process has.

    Attributes:
        client: Of Temporal.
        settings: Of this process.
        vault: Its own standing in Vault.
    """

    client: Client
    settings: Settings
    vault: VaultSession


class RoleModule(Protocol):
    """A module of `workers.roles`."""

    async def run(self, process: Process) -> int:
        """Run the role's worker until it is told to end.

        Raises:
            CannotStart: Something is missing; the message says what to do.
        """
        ...


async def run_role(role: Role, settings: Settings, telemetry: Telemetry, credentials: Credentials | None = None) -> int:
    """Run one worker until it is told to end.

    Args:
        role: Which one.
        settings: Of this process.
        telemetry: Of this process.
        credentials: What it logs in with; as the settings say when left out.

    Returns:
        The process's exit code: 0 after SIGTERM or Ctrl-C, 70 when its Vault token was lost.
    """
    async with logged_in(role.value, settings, credentials) as vault:
        codec = await payload_codec(vault, settings)
        plugins = [banksman_plugin(codec), *telemetry.plugins]
        client = await connect(settings, plugins=plugins, runtime=telemetry.runtime)
        module = cast("RoleModule", import_module(f"workers.roles.{role.value}"))
        watch = asyncio.create_task(AuditWatch(settings.audit_dir / f"{role}.jsonl").run())
        try:
            return await module.run(Process(client, settings, vault))
        finally:
            watch.cancel()


@contextlib.asynccontextmanager
async def logged_in(
    role: str, settings: Settings, credentials: Credentials | None = None
) -> AsyncGenerator[VaultSession]:
    """A Vault session of this role; its token is revoked when the block ends.

    Raises:
        CannotStart: There is no wrapped secret id to be had.
        ConnectorError: Vault refused the login, or is not there.
    """
    using = credentials or await _credentials(settings)
    session = await VaultSession.login(
        address=settings.vault_address, role=role, role_id=using.role_id, wrapped=using.wrapped
    )
    try:
        yield session
    finally:
        with contextlib.suppress(ConnectorError):
            await session.close()


async def payload_codec(vault: VaultSession, settings: Settings, *, mark: bool = True) -> EncryptionCodec | None:
    """The codec with the key ring from Vault, or None in development."""
    if not settings.encrypt_payloads:
        return None
    fields = await vault.read(_PAYLOAD_KEYS)
    return EncryptionCodec(key_ring(fields), settings.temporal_namespace, mark=mark)


def key_ring(fields: Mapping[str, SecretStr]) -> KeyRing:
    """The key ring as Vault keeps it: the field `current`, and one field per key."""
    try:
        return KeyRing(
            current=fields["current"].get_secret_value(),
            keys={name: value for name, value in fields.items() if name != "current"},
        )
    except (KeyError, ValidationError):
        raise CannotStart(
            f"Vault's secret {_PAYLOAD_KEYS!r} is no key ring: run `python -m deploy.vault`, which makes one"
        ) from None


async def serve(*workers: Worker, process: Process, beside: Coroutine[Any, Any, Never] | None = None) -> int:
    """Run the workers until they are told to end, or the token is lost; what runs beside them ends with them."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    if Telemetry.current is not None:
        Telemetry.current.registered.set(**registered_names(workers))
    running = [asyncio.create_task(worker.run()) for worker in workers]
    queues = ", ".join(worker.task_queue for worker in workers)
    keeping = asyncio.create_task(process.vault.keep_alive())
    ending = asyncio.create_task(told.wait())
    others = [asyncio.create_task(beside)] if beside is not None else []
    _log.info("worker started", task_queue=queues)
    await asyncio.wait({*running, keeping, ending, *others}, return_when=asyncio.FIRST_COMPLETED)
    for task in (*running, *others):
        if task.done():
            task.result()
    _log.info("worker ending: its steps are handed back", task_queue=queues)
    await asyncio.gather(*(worker.shutdown() for worker in workers))
    await asyncio.gather(*running, return_exceptions=True)
    for task in (keeping, ending, *others):
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    outcome = (await asyncio.gather(keeping, return_exceptions=True))[0]
    if isinstance(outcome, TokenLost):
        _log.error(
            "vault token lost: this process ends, to be started with a new wrapped secret id", reason=str(outcome)
        )
        return EXIT_TOKEN_LOST
    return 0


async def together(*works: Coroutine[Any, Any, Never]) -> Never:
    """All of them, until one breaks or all are cancelled."""
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(work)
    raise AssertionError("none of them ends by itself")


async def _credentials(settings: Settings) -> Credentials:
    """The role id, and the wrapped secret id from the pipe or the file, in this order."""
    secret = ""
    if settings.vault_secret_id_fd is not None:
        with os.fdopen(settings.vault_secret_id_fd, encoding="utf-8") as pipe:
            secret = pipe.read().strip()
    elif settings.vault_secret_id_file is not None:
        secret = await _take(settings.vault_secret_id_file)
    if not secret or settings.vault_role_id is None:
        raise CannotStart("no wrapped secret id or BANKSMAN_VAULT_ROLE_ID was given: start it by the supervisor")
    return Credentials(role_id=settings.vault_role_id, wrapped=WrappedSecretId(token=SecretStr(secret)))


async def _take(path: Path) -> str:
    """Read the file and delete it; wait for it a while, because its maker may start after us."""
    deadline = time.monotonic() + _FILE_PATIENCE
    while not path.exists():
        if time.monotonic() > deadline:
            raise CannotStart(
                f"no wrapped secret id came to {path} in {_FILE_PATIENCE:.0f} s: is the deliverer running?"
            )
        await asyncio.sleep(_FILE_POLL)
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise CannotStart(f"{path} is readable by others (mode {mode:04o}): make it 0600, and mint a new secret id")
    secret = path.read_text(encoding="utf-8").strip()
    path.unlink()
    return secret
