"""How the command reaches Temporal: by the settings where they are set, else as the running environment wrote down."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import httpx
from google.protobuf import json_format
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.client import Client
from temporalio.converter import PayloadCodec

from connectors.authorities import authorities
from observability.setup import Telemetry, TelemetrySettings, configure
from workers.commands.exits import Exit, fail
from workers.commands.folder import NO_STACK, running_stack, stack_folder
from workers.settings import Settings
from workers.temporal import connect

_CODEC_TIMEOUT: Final = 10.0


class RemoteCodec(PayloadCodec):
    """Lets the codec server encrypt and decrypt: the command never holds the key.

    Args:
        endpoint: The codec server.
        token_file: Holds the caller's token.
        namespace: Told to the server, which checks it.
    """

    def __init__(self, endpoint: str, token_file: Path, namespace: str) -> None:
        self._endpoint = endpoint
        self._headers = {
            "Authorization": f"Bearer {token_file.read_text(encoding='utf-8').strip()}",
            "X-Namespace": namespace,
        }

    async def encode(self, payloads: Iterable[Payload]) -> list[Payload]:
        """Encrypt at the server."""
        return await self._ask("encode", payloads)

    async def decode(self, payloads: Iterable[Payload]) -> list[Payload]:
        """Decrypt at the server."""
        return await self._ask("decode", payloads)

    async def _ask(self, verb: str, payloads: Iterable[Payload]) -> list[Payload]:
        body = json_format.MessageToJson(Payloads(payloads=payloads))
        async with httpx.AsyncClient(verify=authorities(), timeout=_CODEC_TIMEOUT, headers=self._headers) as client:
            answer = await client.post(
                f"{self._endpoint}/{verb}", content=body, headers={"Content-Type": "application/json"}
            )
        if not answer.is_success:
            status = answer.status_code
            fail(f"the codec server at {self._endpoint} refuses with status {status}: is the token the right one?")
        return list(json_format.Parse(answer.text, Payloads()).payloads)


def client_settings() -> Settings:
    """The settings of this command: what its variables say, completed by the running environment."""
    stack = running_stack()
    if stack is None:
        return Settings()
    found = {
        "temporal_address": stack.temporal.address,
        "temporal_namespace": stack.temporal.namespace,
        "temporal_ui": stack.temporal.ui,
        "console_url": stack.console.url if stack.console else None,
        "otlp_endpoint": (stack.otlp or stack.traces).url,
        "tempo_url": stack.traces.url,
        "console_traces": f"{stack.traces.url}/?workflow_id={{workflow_id}}",
        "development": True,
        "encrypt_payloads": stack.codec is not None,
        "codec_endpoint": stack.codec.url if stack.codec else None,
        "codec_token_file": stack_folder().root / "codec-token" if stack.codec else None,
    }
    given = Settings().model_fields_set
    return Settings.model_validate({**found, **{name: getattr(Settings(), name) for name in given}})


def command_telemetry(settings: Settings) -> Telemetry:
    """Telemetry of a short-lived command: traces where somebody keeps them, no metrics."""
    return configure("banksman", settings=TelemetrySettings(otlp_endpoint=settings.otlp_endpoint, log_level="error"))


async def connect_or_fail(settings: Settings, telemetry: Telemetry) -> Client:
    """A client, or one line that says what to do."""
    codec: PayloadCodec | None = None
    if settings.encrypt_payloads:
        if settings.codec_endpoint is None or settings.codec_token_file is None:
            if "temporal_address" not in settings.model_fields_set:
                fail(NO_STACK, Exit.NO_STACK)
            fail(
                f"payloads are encrypted at {settings.temporal_address!r}: "
                "set BANKSMAN_CODEC_ENDPOINT and BANKSMAN_CODEC_TOKEN_FILE",
                Exit.NO_STACK,
            )
        codec = RemoteCodec(settings.codec_endpoint, settings.codec_token_file, settings.temporal_namespace)
    try:
        async with asyncio.timeout(10):
            return await connect(settings, codec=codec, plugins=telemetry.plugins)
    except (RuntimeError, TimeoutError):
        fail(
            f"no Temporal answers at {settings.temporal_address!r}: `banksman up` starts one here, "
            "or set BANKSMAN_TEMPORAL_ADDRESS",
            Exit.NO_STACK,
        )
