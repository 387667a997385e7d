"""One child of the embedded environment: started, found healthy, started again when it ends, and ended with the rest.

A child runs in a session of its own, so that Ctrl-C in the terminal reaches the supervisor alone and it decides the
order. Its output goes to a file; the last lines are shown when it ends by itself.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, SecretStr

_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 30.0
_STEADY_AFTER: Final = 60.0
_POLL: Final = 0.1
_LAST_LINES: Final = 12


class ChildFailed(Exception):
    """A child did not become healthy."""


class ChildState(StrEnum):
    """Where a child stands."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    STOPPED = "stopped"


class ChildReport(BaseModel):
    """A child, as `banksman status` shows it."""

    model_config = ConfigDict(frozen=True)

    name: str
    state: ChildState
    pid: int | None = None
    address: str | None = None
    restarts: int = 0
    last_lines: tuple[str, ...] = ()


Probe = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, kw_only=True)
class ChildSpec:
    """What to run and how to know that it is well.

    Attributes:
        argv: Program and arguments; no shell.
        environment: The whole environment of the child.
        healthy: Answers True once the child does its work.
        secret: Makes what the child reads from an inherited pipe, anew before every start.
        secret_variable: Tells the child the pipe's number.
        on_ready: Runs after every start that became healthy.
        patience: Seconds until a child that is not healthy is given up.
        grace: Seconds between the signal to end and SIGKILL.
        ends_by: The signal to end.
    """

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    healthy: Probe
    address: str | None = None
    secret: Callable[[], Awaitable[SecretStr]] | None = None
    secret_variable: str = "BANKSMAN_VAULT_SECRET_ID_FD"  # noqa: S105 - a variable's name
    on_ready: Callable[[], Awaitable[None]] | None = None
    patience: float = 60.0
    grace: float = 15.0
    ends_by: signal.Signals = signal.SIGTERM


@dataclass
class Child:
    """A supervised process."""

    spec: ChildSpec
    changed: Callable[[ChildReport], None]
    _process: asyncio.subprocess.Process | None = None
    _state: ChildState = ChildState.WAITING
    _restarts: int = 0
    _last_lines: tuple[str, ...] = ()
    _keeper: asyncio.Task[None] | None = None
    _stopping: bool = field(default=False)

    @property
    def report(self) -> ChildReport:
        """Where it stands now."""
        alive = self._process is not None and self._process.returncode is None
        return ChildReport(
            name=self.spec.name,
            state=self._state,
            pid=self._process.pid if self._process and alive else None,
            address=self.spec.address,
            restarts=self._restarts,
            last_lines=self._last_lines,
        )

    async def start(self) -> None:
        """Start it, wait until it is healthy, and keep it running from then on.

        Raises:
            ChildFailed: It ended or did not become healthy; the message has its last lines.
        """
        await self._launch()
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.spec.name}")

    async def stop(self) -> None:
        """End it: by the signal that it ends by, and SIGKILL for what does not listen."""
        self._stopping = True
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        await self._end()
        self._to(ChildState.STOPPED)

    async def _launch(self) -> None:
        self._to(ChildState.STARTING)
        self._process = await self._spawn()
        self._to(ChildState.STARTING)
        deadline = time.monotonic() + self.spec.patience
        while not await self._well():
            if self._process.returncode is not None:
                raise ChildFailed(self._obituary(f"ended with {_how(self._process.returncode)} before it was ready"))
            if time.monotonic() > deadline:
                await self._end()
                raise ChildFailed(self._obituary(f"was not ready after {self.spec.patience:g} s"))
            await asyncio.sleep(_POLL)
        if self.spec.on_ready is not None:
            await self.spec.on_ready()
        self._to(ChildState.READY)

    async def _spawn(self) -> asyncio.subprocess.Process:
        environment = dict(self.spec.environment)
        inherited: tuple[int, ...] = ()
        if self.spec.secret is not None:
            inherited = (_pipe_with(await self.spec.secret()),)
            environment[self.spec.secret_variable] = str(inherited[0])
        try:
            with self.spec.log.open("ab") as log:
                return await asyncio.create_subprocess_exec(
                    *self.spec.argv,
                    env=environment,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=inherited,
                    start_new_session=True,
                )
        finally:
            for descriptor in inherited:
                os.close(descriptor)

    async def _well(self) -> bool:
        try:
            return await self.spec.healthy()
        except Exception:  # noqa: BLE001 - a probe may fail in any way; not healthy is all that matters
            return False

    async def _keep(self) -> None:
        """Start it again whenever it ends, with a back-off that a steady run resets."""
        delay = _FIRST_DELAY
        while not self._stopping:
            if self._process is not None:
                began = time.monotonic()
                code = await self._process.wait()
                self._last_lines = tuple(self.tail())
                if time.monotonic() - began > _STEADY_AFTER:
                    delay = _FIRST_DELAY
                self._note(f"{self.spec.name} ended with {_how(code)}; starting it again in {delay:g} s")
            self._restarts += 1
            self._to(ChildState.RESTARTING)
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LONGEST_DELAY)
            try:
                await self._launch()
            except Exception as error:  # noqa: BLE001 - whatever stops a start (Vault sealed, port taken) is tried again
                await self._end()
                self._process = None
                self._note(f"{self.spec.name} did not come back; trying again in {delay:g} s: {error}")

    def _note(self, line: str) -> None:
        with self.spec.log.open("a", encoding="utf-8") as log:
            log.write(f"[supervisor] {line}\n")

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, self.spec.ends_by)
        try:
            async with asyncio.timeout(self.spec.grace):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    def tail(self) -> list[str]:
        """The last lines of its log."""
        if not self.spec.log.exists():
            return []
        with self.spec.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 16_384))
            return log.read().decode(errors="replace").splitlines()[-_LAST_LINES:]

    def _obituary(self, what: str) -> str:
        self._last_lines = tuple(self.tail())
        lines = "\n  ".join(self._last_lines) or "(it printed nothing)"
        return f"{self.spec.name} {what}. Its last lines, from {self.spec.log}:\n  {lines}"

    def _to(self, state: ChildState) -> None:
        self._state = state
        self.changed(self.report)


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"


def _pipe_with(secret: SecretStr) -> int:
    """The reading end of a pipe that holds the secret; it fits the pipe's buffer, so nobody waits."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(secret.get_secret_value().encode())
    return reading
