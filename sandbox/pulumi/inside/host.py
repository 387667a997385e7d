"""What the CLI asks of a language host beside running a program, answered at once.

Its own host would ask pip for all that the image holds, before each refresh and each destruction: a second, each time,
for plugins that come from the image alone.
"""

from collections.abc import Mapping
from typing import Final

from sandbox.pulumi.inside import messages
from sandbox.pulumi.inside.calls import handler
from sandbox.pulumi.inside.messages import LIMITS, Context, Unary, aio

LANGUAGE: Final = "/pulumirpc.LanguageRuntime/"
_NOTHING: Final = ("GetRequiredPlugins", "GetRequiredPackages", "GetProgramDependencies", "About", "Cancel")


def answers() -> Mapping[str, Unary]:
    """By method: the program needs no plugin beside those of the image."""

    async def nothing(_request: bytes, _context: Context) -> bytes:
        return b""

    async def about(_request: bytes, _context: Context) -> bytes:
        return messages.plugin.PluginInfo(version="0.0.0").SerializeToString()

    return {**{LANGUAGE + name: nothing for name in _NOTHING}, LANGUAGE + "GetPluginInfo": about}


class Host:
    """A language host for an order without a program; it knows no way to run one."""

    def __init__(self) -> None:
        self._server = aio.server(options=LIMITS)

    async def start(self) -> int:
        """Serve; the port that the CLI is told."""
        self._server.add_generic_rpc_handlers((handler(answers()),))
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        return port

    async def stop(self) -> None:
        """Serve no more."""
        await self._server.stop(None)
