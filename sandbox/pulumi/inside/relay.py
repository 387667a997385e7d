"""Stands between the engine and the program: two servers for the program, one for the engine, and rules between them.

The engine speaks with `LanguageRuntime` on a port of this container's loopback. The program reaches the engine's
resource monitor and log by sockets in the shared volume, and of them only the methods named here: no method makes the
engine call an address, load a package or read another stack unless the rules say so. Messages that are not looked
into pass as bytes.
"""

import asyncio
import os
from collections.abc import Mapping
from typing import Final, cast

from sandbox.pulumi.inside import messages
from sandbox.pulumi.inside.calls import SOCKETS, STOPPED, forward, handler, socket_of, unless
from sandbox.pulumi.inside.host import LANGUAGE, answers
from sandbox.pulumi.inside.messages import LIMITS, Channel, Context, Unary, aio, grpc
from sandbox.pulumi.inside.properties import leaves_of_text
from sandbox.pulumi.inside.rules import FEATURES_REFUSED, Rules
from sandbox.pulumi.inside.scrubber import Scrubber

_MONITOR: Final = "/pulumirpc.ResourceMonitor/"
_ENGINE: Final = "/pulumirpc.Engine/"
_LOG_BYTES: Final = 4 * 1024 * 1024
_LOG_ENTRY: Final = 64 * 1024
_MOST_REFUSALS: Final = 50
_OUTPUT_HALF: Final = 32 * 1024
_CHUNK: Final = 65536


class Relay:
    """Between one engine and one program.

    Args:
        rules: What the program may ask for.
        scrubber: Learns the stack's secrets, which the program is told.
        main: The program's folder below its archive.

    Attributes:
        interrupted: Set when the run is stopped, whatever the program does.
        refused: What was, by name.
        ran: How often the engine asked for the program.
        running: How many of these have not been answered.
    """

    def __init__(self, rules: Rules, scrubber: Scrubber, main: str) -> None:
        self._rules, self._scrubber, self._main = rules, scrubber, main
        self._servers = [aio.server(options=LIMITS) for _ in range(3)]
        self._channels: list[Channel] = []
        self._monitor: Channel | None = None
        self._engine: Channel | None = None
        self.interrupted = asyncio.Event()
        self._log_left = _LOG_BYTES
        self._output = [bytearray(), bytearray()]
        self._output_seen = 0
        self._output_server: asyncio.Server | None = None
        self.refused: list[str] = []
        self.ran = self.running = 0

    async def start(self) -> int:
        """Serve; the port that the engine is told."""
        language, monitor, engine = self._servers
        language.add_generic_rpc_handlers((handler(self._language_methods()),))
        monitor.add_generic_rpc_handlers((handler(self._monitor_methods()),))
        engine.add_generic_rpc_handlers((handler(self._engine_methods()),))
        port = language.add_insecure_port("127.0.0.1:0")
        monitor.add_insecure_port(f"unix:{SOCKETS / 'monitor.sock'}")
        engine.add_insecure_port(f"unix:{SOCKETS / 'engine.sock'}")
        for server in self._servers:
            await server.start()
        self._output_server = await asyncio.start_unix_server(self._take_output, str(SOCKETS / "output.sock"))
        return port

    def interrupt(self) -> None:
        """Let the engine go, whatever the program does."""
        self.interrupted.set()

    async def stop(self) -> None:
        """Serve no more."""
        if self._output_server is not None:
            self._output_server.close()
        for server in self._servers:
            await server.stop(None)
        for channel in self._channels:
            await channel.close()

    @property
    def output(self) -> str:
        """What the program printed: its beginning and its end, without secrets."""
        head, tail = (bytes(part) for part in self._output)
        dropped = self._output_seen - len(head) - len(tail)
        gap = f"\n… {dropped} bytes left out …\n" if dropped else ""
        return self._scrubber.clean(head.decode(errors="replace") + gap + tail.decode(errors="replace"))

    # The engine's side

    def _language_methods(self) -> Mapping[str, Unary]:
        return {**answers(), LANGUAGE + "Run": self._run}

    async def _run(self, request: bytes, context: Context) -> bytes:
        """Send the program to its own folder, with the sockets in place of the engine's addresses."""
        asked = messages.language.RunRequest.FromString(request)
        self.ran += 1
        for key in asked.configSecretKeys:
            self._scrubber.learn(leaves_of_text(asked.config[key]) if key in asked.config else ())
        self._monitor = self._connect(asked.monitor_address)
        self._engine = self._connect(next(iter(asked.args), ""))
        asked.monitor_address = f"unix:{SOCKETS / 'monitor.sock'}"
        asked.pwd = f"/workspace/program/{self._main}".rstrip("/")
        asked.program = "."
        for field in ("args", "info", "loader_target", "attach_debugger"):
            asked.ClearField(field)
        self.running += 1
        try:
            answer = await unless(self.interrupted, self._run_there(asked.SerializeToString(), context))
        finally:
            self.running -= 1
        return messages.language.RunResponse(error=STOPPED).SerializeToString() if answer is None else answer

    async def _run_there(self, request: bytes, context: Context) -> bytes:
        descriptor = await socket_of(SOCKETS / "language.sock")
        try:
            channel = self._connect(f"unix:/proc/self/fd/{descriptor}")
            return await forward(channel, LANGUAGE + "Run", request, context)
        finally:
            os.close(descriptor)

    def _connect(self, address: str) -> Channel:
        channel = aio.insecure_channel(address, options=LIMITS)
        self._channels.append(channel)
        return channel

    # The program's side

    def _monitor_methods(self) -> Mapping[str, Unary]:
        return {
            _MONITOR + "SupportsFeature": self._supports,
            _MONITOR + "RegisterResource": self._register,
            _MONITOR + "ReadResource": self._read,
            _MONITOR + "Invoke": self._invoke,
            _MONITOR + "Call": self._call,
            _MONITOR + "RegisterResourceOutputs": self._unread(_MONITOR + "RegisterResourceOutputs"),
            _MONITOR + "SignalAndWaitForShutdown": self._unread(_MONITOR + "SignalAndWaitForShutdown"),
        }

    def _engine_methods(self) -> Mapping[str, Unary]:
        async def root(method: str, request: bytes, context: Context) -> bytes:
            return await forward(await self._open(self._engine, context), _ENGINE + method, request, context)

        return {
            _ENGINE + "Log": self._log,
            _ENGINE + "GetRootResource": lambda request, context: root("GetRootResource", request, context),
            _ENGINE + "SetRootResource": lambda request, context: root("SetRootResource", request, context),
        }

    def _unread(self, method: str) -> Unary:
        async def pass_on(request: bytes, context: Context) -> bytes:
            return await forward(await self._open(self._monitor, context), method, request, context)

        return pass_on

    async def _supports(self, request: bytes, context: Context) -> bytes:
        if messages.resource.SupportsFeatureRequest.FromString(request).id in FEATURES_REFUSED:
            return messages.resource.SupportsFeatureResponse(hasSupport=False).SerializeToString()
        return await self._unread(_MONITOR + "SupportsFeature")(request, context)

    async def _register(self, request: bytes, context: Context) -> bytes:
        asked = messages.resource.RegisterResourceRequest.FromString(request)
        stack = asked.object.fields["name"].string_value if "name" in asked.object.fields else asked.name
        refusal = self._rules.resource(asked.type, custom=asked.custom or asked.remote, stack=stack)
        await self._refuse(refusal, context)
        # Hooks and transforms name an address that the engine would call.
        for field in ("pluginDownloadURL", "pluginChecksums", "packageRef", "hooks", "transforms"):
            asked.ClearField(field)
        return await self._unread(_MONITOR + "RegisterResource")(asked.SerializeToString(), context)

    async def _read(self, request: bytes, context: Context) -> bytes:
        asked = messages.resource.ReadResourceRequest.FromString(request)
        stack = asked.properties.fields["name"].string_value if "name" in asked.properties.fields else asked.name
        await self._refuse(self._rules.resource(asked.type, custom=True, stack=stack), context)
        for field in ("pluginDownloadURL", "pluginChecksums", "packageRef"):
            asked.ClearField(field)
        return await self._unread(_MONITOR + "ReadResource")(asked.SerializeToString(), context)

    async def _invoke(self, request: bytes, context: Context) -> bytes:
        return await self._function(messages.resource.ResourceInvokeRequest, "Invoke", request, context)

    async def _call(self, request: bytes, context: Context) -> bytes:
        return await self._function(messages.resource.ResourceCallRequest, "Call", request, context)

    async def _function(
        self, kind: messages.Kind[messages.Invocation], method: str, request: bytes, context: Context
    ) -> bytes:
        asked = kind.FromString(request)
        stack = asked.args.fields["name"].string_value if "name" in asked.args.fields else ""
        await self._refuse(self._rules.function(asked.tok, stack=stack), context)
        for field in ("pluginDownloadURL", "pluginChecksums", "packageRef"):
            asked.ClearField(field)
        return await self._unread(_MONITOR + method)(asked.SerializeToString(), context)

    async def _log(self, request: bytes, context: Context) -> bytes:
        """What the program says to people: without secrets, and not more than people can read."""
        entry = messages.engine.LogRequest.FromString(request)
        entry.message = self._scrubber.clean(entry.message)[:_LOG_ENTRY]
        self._log_left -= len(entry.message)
        if self._log_left < 0:
            return b""
        channel = await self._open(self._engine, context)
        return await forward(channel, _ENGINE + "Log", entry.SerializeToString(), context)

    async def _refuse(self, why: str, context: Context) -> None:
        if not why:
            return
        if len(self.refused) < _MOST_REFUSALS:
            self.refused.append(self._scrubber.clean(why))
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, why)

    async def _open(self, channel: Channel | None, context: Context) -> Channel:
        if channel is None:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "the engine has not asked for the program")
        return cast("Channel", channel)

    async def _take_output(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, tail = self._output
        while data := await reader.read(_CHUNK):
            self._output_seen += len(data)
            room = _OUTPUT_HALF - len(head)
            head += data[: max(room, 0)]
            tail += data[max(room, 0) :]
            del tail[: max(len(tail) - _OUTPUT_HALF, 0)]
        writer.close()
