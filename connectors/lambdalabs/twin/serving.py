"""What the twin's machines serve where they are booted to: the file that real ones run, in front of a model server.

Where no model server is told, a machine has one of its own that says one sentence.
"""

import asyncio
import base64
import contextlib
import json
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel

from connectors.served.inside import tunnel

_HOST: Final = "127.0.0.1"
_CONFIGURATION: Final = "/etc/banksman/tunnel.json"
_SAYS: Final = {
    "id": "chatcmpl-twin",
    "object": "chat.completion",
    "created": 1_790_000_000,
    "model": "twin",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "This is a machine of Lambda's twin: no model answers here."},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 12, "total_tokens": 13},
}


class ServingMachines:
    """Those that run.

    Args:
        model_port: Where a model server listens on this host, in place of the machines' own.
    """

    def __init__(self, model_port: int | None) -> None:
        self._model_port = model_port
        self._running: dict[str, asyncio.Task[None]] = {}
        self._disks: dict[str, tempfile.TemporaryDirectory[str]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def start(self, instance: str, user_data: str) -> None:
        """Do what a machine does at its boot, as far as serving goes; nothing where it is not to serve."""
        if (told := _configuration(user_data)) is not None:
            disk = self._disks.setdefault(instance, tempfile.TemporaryDirectory())
            serving = _serve(told, self._model_port, disk.name)
            self._running[instance] = asyncio.get_running_loop().create_task(serving)

    def stop(self, instance: str) -> None:
        """As its end does, or a restart: its disk stays."""
        if (machine := self._running.pop(instance, None)) is not None:
            machine.cancel()
            ending = asyncio.get_running_loop().create_task(_ended(machine))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    def close(self) -> None:
        """End them all."""
        for machine in self._running.values():
            machine.cancel()
        self._running.clear()
        for disk in self._disks.values():
            disk.cleanup()


async def _ended(machine: "asyncio.Task[None]") -> None:
    """Until it is: Python 3.11 loses a cancellation that meets the end of what `wait_for` waits for."""
    while not machine.done():
        await asyncio.sleep(0.01)
        machine.cancel()


class _File(BaseModel):
    path: str
    content: str


class _UserData(BaseModel):
    write_files: tuple[_File, ...] = ()


def _configuration(user_data: str) -> dict[str, Any] | None:
    if not user_data.startswith("#cloud-config"):
        return None
    files = _UserData.model_validate(yaml.safe_load(user_data) or {}).write_files
    found = [one.content for one in files if one.path == _CONFIGURATION]
    return json.loads(base64.b64decode(found[0])) if found else None


async def _serve(told: dict[str, Any], model_port: int | None, home: str) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        async with _model(model_port) as port:
            configuration = Path(home, "tunnel.json")
            configuration.write_text(json.dumps({**told, "port": port}))
            await tunnel.main(str(configuration), home)


@contextlib.asynccontextmanager
async def _model(model_port: int | None) -> AsyncGenerator[int]:
    if model_port is not None:
        yield model_port
        return
    async with await asyncio.start_server(_say, _HOST, 0) as server:
        yield server.sockets[0].getsockname()[1]


async def _say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        await reader.readuntil(b"\r\n\r\n")
        body = json.dumps(_SAYS).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        await writer.drain()
    writer.close()
