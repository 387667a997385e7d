"""A token for one step: short-lived, an orphan, with the one policy of its action, and revoked when the step ends.

It comes from a token role (`orphan=true, renewable=false`), so that it neither dies with the process's own token nor
reaches more than its action needs. Revoking it revokes what was leased with it.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import timedelta

import structlog
from pydantic import SecretStr

from connectors.errors import ConnectorError
from connectors.vault.databases import Databases
from connectors.vault.handover import seal
from connectors.vault.kv import delete_kv, list_kv, read_kv, write_kv
from connectors.vault.metrics import STEP_TOKENS
from connectors.vault.transport import Transport, fields
from observability.exemplars import exemplar

_log = structlog.get_logger("banksman.vault")


class StepToken:
    """What a step holds while it runs."""

    def __init__(self, transport: Transport, token: SecretStr, *, action: str, accessor: str) -> None:
        self._transport = transport
        self._token = token
        self._action = action
        self._released: asyncio.Task[None] | None = None
        self.accessor = accessor

    async def read(self, path: str) -> Mapping[str, SecretStr]:
        """The newest version of the secret `banksman/<path>`.

        Raises:
            ConnectorError: By the tree; `AuthDenied` for what the action's policy does not allow.
        """
        return (await read_kv(self._transport, self._token, path)).values

    async def write(self, path: str, values: Mapping[str, SecretStr]) -> int:
        """Write a new version of the secret `banksman/<path>`, and get its number. Safe to repeat.

        Raises:
            ConnectorError: By the tree; `AuthDenied` where the action's policy does not let it write there.
        """
        return await write_kv(self._transport, self._token, path, values)

    async def delete(self, path: str) -> None:
        """Delete the secret `banksman/<path>` with all its versions; one that is not there is fine.

        Raises:
            ConnectorError: By the tree; `AuthDenied` where the action's policy does not let it delete there.
        """
        await delete_kv(self._transport, self._token, path)

    async def list(self, path: str) -> list[str]:
        """The names of the secrets right below `banksman/<path>`.

        Raises:
            ConnectorError: By the tree; `AuthDenied` where the action's policy does not let it list there.
        """
        return await list_kv(self._transport, self._token, path)

    def databases(self, provider: str) -> Databases:
        """Vault's database engine of a provider, as far as the action's policy allows it."""
        return Databases(self._transport, self._token, provider)

    async def seal(self, secrets: Mapping[str, SecretStr], *, run: str, ttl: timedelta) -> str:
        """These secrets for one run in the sandbox, as text that may stand in a history; see `handover`.

        Raises:
            ConnectorError: By the tree.
        """
        return await seal(self._transport, self._token, secrets, run=run, ttl=ttl)

    def release_soon(self) -> "asyncio.Task[None]":
        """Begin to revoke it, beside the step's further work; the end of the step waits until it is done."""
        if self._released is None:
            self._released = asyncio.create_task(self._revoke())
        return self._released

    async def release(self) -> None:
        """Revoke it, and wait until it is done; twice is harmless."""
        await asyncio.shield(self.release_soon())

    async def _revoke(self) -> None:
        try:
            await self._transport.call(
                f"the end of a step token for {self._action!r}",
                self._token,
                lambda vault: vault.auth.token.revoke_self(),
            )
            STEP_TOKENS.labels("revoked").inc(exemplar=exemplar())
        except ConnectorError as error:
            # It ends by itself within its time to live; the step's own outcome matters more.
            STEP_TOKENS.labels("not_revoked").inc(exemplar=exemplar())
            _log.warning("step token not revoked; it ends by itself", action=self._action, why=str(error))


async def step_token(
    transport: Transport, parent: SecretStr, action: str, *, metadata: Mapping[str, str], ttl: timedelta
) -> StepToken:
    """A new step token, which the caller releases.

    Cancelled while Vault makes it, it is released as soon as it is there: nobody else would know of it.
    """
    making = asyncio.create_task(_make(transport, parent, action, metadata=metadata, ttl=ttl))
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        with contextlib.suppress(ConnectorError):
            await (await making).release()
        raise


async def _make(
    transport: Transport, parent: SecretStr, action: str, *, metadata: Mapping[str, str], ttl: timedelta
) -> StepToken:
    answer = await transport.call(
        f"a step token for {action!r}",
        parent,
        lambda vault: vault.auth.token.create(
            role_name=action, meta=dict(metadata), ttl=f"{int(ttl.total_seconds())}s", renewable=False
        ),
    )
    STEP_TOKENS.labels("created").inc(exemplar=exemplar())
    return StepToken(
        transport,
        SecretStr(fields(answer, "auth", "client_token")),
        action=action,
        accessor=fields(answer, "auth", "accessor"),
    )
