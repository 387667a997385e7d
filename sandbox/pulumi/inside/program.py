"""Beside the user's program: starts Pulumi's language host, and passes its port on as a socket in the shared volume.

Everything in this container is the attacker's as much as ours. It holds no secret, has no network, and what it can
reach is the sockets of the relay on the other side.
"""

import asyncio
import os
import sys
from typing import Final

from sandbox.pulumi.inside.packs import serve_packs
from sandbox.pulumi.inside.passing import ENGINE, LIBRARIES, PROGRAM, SOCKETS, tell, to_port

LANGUAGE: Final = SOCKETS / "language.sock"


async def main() -> None:
    """Serve language host and policy packs until the engine's side has seen enough; then the container is removed."""
    own = os.environ  # noqa: TID251 - the container's own, made by the sandbox; no setting of the worker's
    host = await asyncio.create_subprocess_exec(
        "/usr/local/bin/pulumi-language-python",
        f"unix:{ENGINE}",
        cwd=PROGRAM,
        env={**own, "PYTHONPATH": LIBRARIES},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = host.stdout
    if output is None:
        raise RuntimeError("the language host has no output")
    said = await output.readline()
    if not said.strip().isdigit():
        sys.exit(f"the language host did not start: {said[:200]!r}")
    async with await asyncio.start_unix_server(to_port(int(said)), str(LANGUAGE)), await serve_packs():
        await tell(output)
        await host.wait()
