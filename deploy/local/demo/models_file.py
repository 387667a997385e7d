"""The environment's file of language models, changed for a chapter, and as it was afterwards.

A change of the file counts from the next start of the models worker, so that is ended, and its supervisor starts it
again. What it was is kept beside it: a demonstration that dies in between has the next one put it back.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.demo.environment import Environment
from deploy.local.demo.terminal import DemoFailed, terminal
from deploy.local.models import asks_small_model, with_small_model
from deploy.local.processes.child import ChildState
from deploy.local.processes.children import MODELS
from deploy.local.processes.control import Ask, ask

_KEPT: Final = "models.yaml.before"
_WORKER: Final = f"worker-{MODELS}"
_RESTARTED: Final = 150.0
_POLL: Final = 0.2


@dataclass(frozen=True)
class ModelsFile:
    """That of one environment."""

    environment: Environment

    @property
    def path(self) -> Path:
        """Where the environment wrote it."""
        return self.environment.folder.models

    @property
    def why_not(self) -> str:
        """Why it cannot be changed; empty where it can."""
        told = self.environment.stack.models
        if told is None or Path(told).resolve() != self.path.resolve():
            return "the file of language models is one that somebody chose, and not the environment's own"
        return ""

    @contextlib.asynccontextmanager
    async def asking(self, address: str) -> AsyncGenerator[None]:
        """Have the small model at this address asked for plans until the block ends, and nobody else.

        Raises:
            DemoFailed: The models worker does not come back.
        """
        before = self.path.read_text(encoding="utf-8")
        self._write(_KEPT, before)
        try:
            self._write(self.path.name, with_small_model(before, address))
            await self._restart()
            yield
        finally:
            await self.put_back()

    async def put_back(self) -> None:
        """Have it as it was, where a demonstration changed it: this one, or one that died.

        Raises:
            DemoFailed: The models worker does not come back.
        """
        kept = self.environment.folder.root / _KEPT
        if not kept.exists():
            return
        # An environment that was started since has written a new one, with addresses of its own.
        if asks_small_model(self.path.read_text(encoding="utf-8")):
            self._write(self.path.name, kept.read_text(encoding="utf-8"))
            await self._restart()
        kept.unlink()

    def _write(self, name: str, text: str) -> None:
        """In one step: a worker that starts meanwhile reads the old one or the new one."""
        draft = self.environment.folder.private(f"{name}.new", text.encode())
        draft.replace(self.environment.folder.root / name)

    async def _restart(self) -> None:
        """End the models worker, and wait until another is ready."""
        with terminal.working("the models worker starts again, which reads the file of language models"):
            before = await self._ready(but=None)  # one that is starting may have read the file, or not
            with contextlib.suppress(ProcessLookupError):
                os.kill(before, signal.SIGTERM)
            await self._ready(but=before)

    async def _ready(self, *, but: int | None) -> int:
        deadline = time.monotonic() + _RESTARTED
        while (pid := await self._pid()) in {None, but} or pid is None:
            if time.monotonic() > deadline:
                raise DemoFailed(f"{_WORKER} is not ready after {_RESTARTED:g} s: `banksman status` tells why")
            await asyncio.sleep(_POLL)
        return pid

    async def _pid(self) -> int | None:
        """Of the worker that is ready."""
        reply = await ask(self.environment.folder.socket, Ask(op="status"))
        children = reply.children if reply is not None else ()
        return next((one.pid for one in children if one.name == _WORKER and one.state is ChildState.READY), None)
