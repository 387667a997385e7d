"""Stands between the engine and policy packs, which are the repository's code and run in the program's container.

The engine starts `pulumi-analyzer-policy-python` in a folder that was made anew; in this image that only says the port
of this relay. Each time it asks for a pack, a new process begins on the other side. What a pack answers decides about
policies and nothing else: it cannot change a resource (`remediate`), nor have the engine read files or addresses as a
part of a configuration's schema, nor end it with an answer that Pulumi does not expect.
"""

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, cast

from sandbox.pulumi.inside import messages
from sandbox.pulumi.inside.calls import SOCKETS, STOPPED, forward, handler, socket_of, unless
from sandbox.pulumi.inside.messages import LIMITS, Channel, Context, Message, Server, Unary, aio, grpc
from sandbox.pulumi.inside.order import PackAnswer, PackOrder
from sandbox.pulumi.inside.properties import leaves_of_text, secrets_in, wrong_schema
from sandbox.pulumi.inside.scrubber import Scrubber

PACKS: Final = Path("/workspace/packs")
_ANALYZER: Final = "/pulumirpc.Analyzer/"
_MESSAGE: Final = 16 * 1024
_TOLD: Final = 2_000
_REMEDIATES: Final = "would change resources ('remediate'), which packs may not here: make it 'mandatory' or 'advisory'"


class Pack:
    """One pack of one run.

    Args:
        folder: Of the pack, below the program's.
        name: Of its sockets; each boot has its own.
        scrubber: Knows the run's secrets, and learns those of the resources that the pack is asked about.
        interrupted: Set when the run is stopped, whatever the pack does.
        refuse: Told of what is refused.
    """

    def __init__(
        self,
        folder: str,
        name: str,
        scrubber: Scrubber,
        *,
        interrupted: asyncio.Event,
        refuse: Callable[[str], None],
    ) -> None:
        self._folder, self._name, self._scrubber = folder, name, scrubber
        self._interrupted, self._refuse = interrupted, refuse
        self._server: Server = aio.server(options=LIMITS)
        self._channel: Channel | None = None
        self._descriptor, self._boots = -1, 0
        self._holding: asyncio.StreamWriter | None = None

    async def start(self) -> None:
        """Serve, and leave the port where the engine's side looks for it."""
        self._server.add_generic_rpc_handlers((handler(self._methods()),))
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        (PACKS / self._folder / "port").write_text(f"{port}\n")

    async def stop(self) -> None:
        """Serve no more, and let the pack's process go."""
        await self._server.stop(None)
        await self._let_go()

    def _methods(self) -> Mapping[str, Unary]:
        async def nothing(_request: bytes, _context: Context) -> bytes:
            return b""  # an empty answer: no remediation, and nothing to cancel

        async def about(_request: bytes, _context: Context) -> bytes:
            return messages.plugin.PluginInfo(version="0.0.0").SerializeToString()

        return {
            _ANALYZER + "GetPluginInfo": about,
            _ANALYZER + "ConfigureStack": self._begin,
            _ANALYZER + "GetAnalyzerInfo": self._info,
            _ANALYZER + "Configure": self._configure,
            _ANALYZER + "Analyze": self._analyze(messages.analyzer.AnalyzeRequest, "Analyze"),
            _ANALYZER + "AnalyzeStack": self._analyze(messages.analyzer.AnalyzeStackRequest, "AnalyzeStack"),
            _ANALYZER + "Remediate": nothing,
            _ANALYZER + "Cancel": nothing,
        }

    async def _begin(self, request: bytes, context: Context) -> bytes:
        """The first call of each boot: a new process, told what Pulumi tells packs by their environment."""
        asked = messages.analyzer.AnalyzerStackConfigureRequest.FromString(request)
        for key in asked.config_secret_keys:
            self._scrubber.learn(leaves_of_text(asked.config[key]) if key in asked.config else ())
        told = {
            "PULUMI_CONFIG": json.dumps(dict(asked.config)),
            "PULUMI_ORGANIZATION": asked.organization,
            "PULUMI_PROJECT": asked.project,
            "PULUMI_STACK": asked.stack,
            "PULUMI_DRY_RUN": "true" if asked.dry_run else "false",
        }
        error = await unless(self._interrupted, self._begun(told))
        if error is None:
            await context.abort(grpc.StatusCode.CANCELLED, STOPPED)
        if error:
            said = self._scrubber.clean(error).strip()[-_TOLD:]
            why = f"the policy pack {self._folder!r} did not start: {said}"
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, why)
        return await self._pass("ConfigureStack", request, context)

    async def _begun(self, environment: dict[str, str]) -> str:
        """Empty, or why not."""
        await self._let_go()
        descriptor = await socket_of(SOCKETS / "packs.sock")
        try:
            reader, self._holding = await asyncio.open_unix_connection(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
        self._boots += 1
        socket = f"{self._name}-{self._boots}.sock"
        order: PackOrder = {"folder": self._folder, "socket": socket, "environment": environment}
        self._holding.write(json.dumps(order).encode() + b"\n")
        await self._holding.drain()
        line = await reader.readline()
        if not line:
            return "its container said nothing of it"
        if error := cast("PackAnswer", json.loads(line))["error"]:
            return str(error)
        self._descriptor = await socket_of(SOCKETS / socket)
        self._channel = aio.insecure_channel(f"unix:/proc/self/fd/{self._descriptor}", options=LIMITS)
        return ""

    async def _let_go(self) -> None:
        if self._channel is not None:
            await self._channel.close()
            os.close(self._descriptor)
            self._channel = None
        if self._holding is not None:
            self._holding.close()
            self._holding = None

    async def _info(self, request: bytes, context: Context) -> bytes:
        """What the engine makes of a pack's own words, it does beside the keys."""
        answer = await self._pass("GetAnalyzerInfo", request, context)
        info = messages.analyzer.AnalyzerInfo.FromString(answer)
        remediates = messages.analyzer.REMEDIATE
        for policy in info.policies:
            if policy.enforcementLevel == remediates:
                await self._deny(f"the policy {policy.name!r} of the pack {info.name!r} {_REMEDIATES}", context)
            if what := wrong_schema(messages.as_json.MessageToDict(policy.configSchema.properties)):
                await self._deny(f"the policy {policy.name!r} of the pack {info.name!r} {what}", context)
        for name, config in info.initialConfig.items():
            if config.enforcementLevel == remediates:
                await self._deny(f"the policy {name!r} of the pack {info.name!r} {_REMEDIATES}", context)
        return answer

    async def _configure(self, request: bytes, context: Context) -> bytes:
        asked = messages.analyzer.ConfigureAnalyzerRequest.FromString(request)
        for name, config in asked.policyConfig.items():
            if config.enforcementLevel == messages.analyzer.REMEDIATE:
                await self._deny(f"the policy {name!r} of the pack in {self._folder!r} {_REMEDIATES}", context)
        return await self._pass("Configure", request, context)

    def _analyze(self, kind: messages.Kind[Message], method: str) -> Unary:
        async def analyze(request: bytes, context: Context) -> bytes:
            self._scrubber.learn(secrets_in(messages.as_json.MessageToDict(kind.FromString(request))))
            answer = messages.analyzer.AnalyzeResponse.FromString(await self._pass(method, request, context))
            for finding in answer.diagnostics:
                for field in ("policyName", "policyPackName", "policyPackVersion", "description", "message"):
                    setattr(finding, field, self._scrubber.clean(getattr(finding, field))[:_MESSAGE])
                if finding.enforcementLevel != messages.analyzer.ADVISORY:
                    # The engine knows two levels here, and ends where it finds another.
                    finding.enforcementLevel = messages.analyzer.MANDATORY
            return answer.SerializeToString()

        return analyze

    async def _pass(self, method: str, request: bytes, context: Context) -> bytes:
        if self._channel is None:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the engine has not begun with this policy pack")
        channel = cast("Channel", self._channel)
        calling = forward(channel, _ANALYZER + method, request, context, clean=self._scrubber.clean)
        answer = await unless(self._interrupted, calling)
        if answer is None:
            await context.abort(grpc.StatusCode.CANCELLED, STOPPED)
        return cast("bytes", answer)

    async def _deny(self, why: str, context: Context) -> None:
        told = self._scrubber.clean(why)
        self._refuse(told)
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, told)


class Policies:
    """All packs of one run.

    Args:
        folders: Of the packs, below the program's.
        known: Knows the run's secrets.
        interrupted: Set when the run is stopped.

    Attributes:
        refused: What was, by name.
    """

    def __init__(self, folders: Sequence[str], known: Scrubber, interrupted: asyncio.Event) -> None:
        # Its own: a resource's secret may be a word that the event log is full of.
        self._scrubber = Scrubber(known)
        self.refused: list[str] = []
        self._packs = [
            Pack(
                folder,
                f"pack-{number}",
                self._scrubber,
                interrupted=interrupted,
                refuse=self.refused.append,
            )
            for number, folder in enumerate(folders)
        ]

    async def start(self) -> None:
        """Serve all of them."""
        for pack in self._packs:
            await pack.start()

    async def stop(self) -> None:
        """Serve no more."""
        for pack in self._packs:
            await pack.stop()

    def clean(self, text: str) -> str:
        """The text without the secrets that packs were told."""
        return self._scrubber.clean(text)
