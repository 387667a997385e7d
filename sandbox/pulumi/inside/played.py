"""In the place of a provider in a rehearsal: asks the real one whatever it is asked itself, and has it do nothing.

    python3 -m sandbox.pulumi.inside.played PROVIDER ARGUMENT…

What a provider checks, compares and tells of its types comes from the real one, so that plans are the real plans. A
creation and an update are handed on as what they are in a preview; what is known only afterwards gets a placeholder. A
deletion is not handed on, and a look at a resource of the state tells what the state says. The engine does not know
the difference: it holds its plan, writes its state and its events as ever.
"""

import asyncio
import hashlib
import sys
from collections.abc import Iterable
from typing import Final

from sandbox.pulumi.inside import messages
from sandbox.pulumi.inside.calls import forward
from sandbox.pulumi.inside.messages import LIMITS, Channel, Context, Element, Unary, aio, grpc, provider

_PROVIDER: Final = "/pulumirpc.ResourceProvider/"
_UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""How a value is written that is known only after a change."""
PLACEHOLDER: Final = "rehearsed"


class Played:
    """One provider.

    Args:
        real: Leads to it.
    """

    def __init__(self, real: Channel) -> None:
        self._real = real
        self._previews = False

    def method(self, name: str) -> Unary:
        """What answers a call."""
        played = {
            f"{_PROVIDER}Configure": self._configure,
            f"{_PROVIDER}Create": self._create,
            f"{_PROVIDER}Update": self._update,
            f"{_PROVIDER}Delete": self._delete,
            f"{_PROVIDER}Read": self._read,
        }
        if name in played:
            return played[name]

        async def handed_on(request: bytes, context: Context) -> bytes:
            return await forward(self._real, name, request, context)

        return handed_on

    async def _configure(self, request: bytes, context: Context) -> bytes:
        answer = await forward(self._real, f"{_PROVIDER}Configure", request, context)
        self._previews = provider.ConfigureResponse.FromString(answer).supportsPreview
        return answer

    async def _create(self, request: bytes, context: Context) -> bytes:
        asked = provider.CreateRequest.FromString(request)
        if asked.preview:
            return await forward(self._real, f"{_PROVIDER}Create", request, context)
        made = provider.CreateResponse()
        if self._previews:
            asked.preview = True
            told = await forward(self._real, f"{_PROVIDER}Create", asked.SerializeToString(), context)
            made = provider.CreateResponse.FromString(told)
        else:
            made.properties.CopyFrom(asked.properties)
        made.id = f"{PLACEHOLDER}-{hashlib.sha256(asked.urn.encode()).hexdigest()[:16]}"
        _fill(made.properties.fields.values())
        return made.SerializeToString()

    async def _update(self, request: bytes, context: Context) -> bytes:
        asked = provider.UpdateRequest.FromString(request)
        if asked.preview:
            return await forward(self._real, f"{_PROVIDER}Update", request, context)
        changed = provider.UpdateResponse()
        if self._previews:
            asked.preview = True
            told = await forward(self._real, f"{_PROVIDER}Update", asked.SerializeToString(), context)
            changed = provider.UpdateResponse.FromString(told)
        else:
            changed.properties.CopyFrom(asked.news)
        _fill(changed.properties.fields.values())
        return changed.SerializeToString()

    async def _delete(self, request: bytes, context: Context) -> bytes:
        del request, context
        return b""

    async def _read(self, request: bytes, context: Context) -> bytes:
        """One that the state does not hold is looked for, and cannot be found: there is no way to it."""
        asked = provider.ReadRequest.FromString(request)
        if not asked.properties.fields:
            return await forward(self._real, f"{_PROVIDER}Read", request, context)
        found = provider.ReadResponse(id=asked.id)
        found.properties.CopyFrom(asked.properties)
        found.inputs.CopyFrom(asked.inputs)
        return found.SerializeToString()


def _fill(values: Iterable[Element]) -> None:
    """Put something in the place of what is known only after a change."""
    for value in values:
        if value.HasField("struct_value"):
            _fill(value.struct_value.fields.values())
        elif value.HasField("list_value"):
            _fill(value.list_value.values)
        elif value.string_value == _UNKNOWN:
            value.string_value = PLACEHOLDER


def handler(played: Played) -> object:
    """The server's methods: every one there is."""

    def service(_: object, details: messages.CallDetails) -> object:
        return grpc.unary_unary_rpc_method_handler(played.method(details.method))

    return type("Handler", (grpc.GenericRpcHandler,), {"service": service})()


async def main(argv: list[str]) -> None:
    """Start the real one, stand before it, and end with it."""
    real = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    output = real.stdout
    if output is None:
        raise RuntimeError("the provider has no output")
    port = (await output.readline()).decode().strip()
    if not port.isdigit():
        sys.exit(f"the provider did not start: {port[:200]!r}")
    channel = aio.insecure_channel(f"127.0.0.1:{port}", options=LIMITS)
    server = aio.server(options=LIMITS)
    server.add_generic_rpc_handlers((handler(Played(channel)),))
    own = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{own}\n")
    sys.stdout.flush()
    while await output.read(65536):
        pass
    await real.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
