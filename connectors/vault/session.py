"""A process's own standing in Vault: one login with a wrapped, single-use secret id, and a token kept alive.

The wrapping token is looked up before it is opened: one that was made for another path, or was opened already, means
that somebody else had it, and is an alarm. The login is tried once. An answer that was lost has used the secret id
up, so the process ends and is started again with a new one.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final, Never, Self

import structlog
from pydantic import BaseModel, ConfigDict, SecretStr

from connectors.errors import AuthDenied, ConnectorError, InvalidRequest, Unavailable
from connectors.vault.changing import change_text
from connectors.vault.handover import unseal
from connectors.vault.kv import read_kv
from connectors.vault.leases import Lease
from connectors.vault.metrics import ALARMS, TOKEN_RENEWALS, publish_ttl
from connectors.vault.once import write_once, written
from connectors.vault.step_token import StepToken, step_token
from connectors.vault.transit import make_data_key, open_data_key, read_public_keys, sign
from connectors.vault.transport import Transport, fields

_RETRY_AFTER: Final = 2.0
_LOWEST_WAIT: Final = 0.05
_log = structlog.get_logger("banksman.vault")


class SecretIdAlarm(ConnectorError):
    """The wrapped secret id was opened by somebody else, or is not what it should be. Look into it."""


class TokenLost(Unavailable):
    """The process's token is gone; a new login needs a new wrapped secret id.

    A kind of `Unavailable`: the process ends and is started again, and a step that met this is to be tried there.
    """


class WrappedSecretId(BaseModel):
    """A response-wrapping token around a secret id: opened once, within a minute."""

    model_config = ConfigDict(frozen=True)

    token: SecretStr


class VaultSession:
    """A logged-in process.

    Made by `login`; `keep_alive` must run beside the process's work, and `close` at its end.
    """

    def __init__(self, transport: Transport, token: SecretStr, *, role: str, ttl: float) -> None:
        self._transport = transport
        self._token = token
        self._role = role
        self._period = ttl
        self._ends = time.monotonic() + ttl
        self._doubted = asyncio.Event()
        publish_ttl(lambda: self.ttl_seconds)

    @classmethod
    async def login(
        cls,
        *,
        address: str,
        role: str,
        role_id: str,
        wrapped: WrappedSecretId,
        timeout: int = 5,  # noqa: ASYNC109 - of one HTTP call
    ) -> Self:
        """Open the wrapped secret id and log in.

        Args:
            address: Vault's base URL.
            role: The AppRole's name; what the wrapping token must have been made for.
            role_id: The AppRole's id; not a secret.
            wrapped: Opened here, whatever comes of it.
            timeout: Seconds per call.

        Raises:
            SecretIdAlarm: Somebody else opened it, or it was made for another path.
            OutcomeUnknown: An answer was lost, and the secret id with it; only a new one helps.
            ConnectorError: Vault is down, sealed, or refuses the login.
        """
        transport = Transport(address, timeout=timeout)
        try:
            secret_id = await _unwrap(transport, role, wrapped)
            answer = await transport.call(
                f"the login as {role!r}",
                None,
                lambda vault: vault.auth.approle.login(
                    role_id=role_id, secret_id=secret_id.get_secret_value(), use_token=False
                ),
                once=True,
            )
            token = SecretStr(fields(answer, "auth", "client_token"))
            ttl = float(fields(answer, "auth", "lease_duration"))
        except BaseException:
            transport.close()
            raise
        _log.info("logged in to vault", role=role, ttl_seconds=ttl)
        return cls(transport, token, role=role, ttl=ttl)

    @property
    def ttl_seconds(self) -> float:
        """Seconds until the token ends unless it is renewed; 0 when it has."""
        return max(0.0, self._ends - time.monotonic())

    async def keep_alive(self) -> Never:
        """Renew the token at a third of its period, for ever; wait out a Vault that is sealed or down.

        A step that finds the token gone has it looked at at once.

        Raises:
            TokenLost: The token was revoked, or ended while Vault was away.
        """
        wait = self._period / 3
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(wait, max(self.ttl_seconds, _LOWEST_WAIT))):
                    await self._doubted.wait()
            self._doubted.clear()
            try:
                ttl = await self._renew()
            except (AuthDenied, InvalidRequest) as error:
                TOKEN_RENEWALS.labels("lost").inc()
                self._ends = time.monotonic()
                raise TokenLost(f"the Vault token of {self._role!r} was revoked or has ended") from error
            except ConnectorError as error:
                TOKEN_RENEWALS.labels("failed").inc()
                if self.ttl_seconds == 0:
                    raise TokenLost(f"the Vault token of {self._role!r} ended while Vault was away") from error
                _log.warning(
                    "vault token not renewed yet", role=self._role, ttl_seconds=self.ttl_seconds, why=str(error)
                )
                wait = min(_RETRY_AFTER, self._period / 10)
                continue
            TOKEN_RENEWALS.labels("renewed").inc()
            self._ends = time.monotonic() + ttl
            wait = ttl / 3

    async def _renew(self) -> float:
        answer = await self._transport.call(
            "the renewal of this process's token", self._token, lambda vault: vault.auth.token.renew_self()
        )
        return float(fields(answer, "auth", "lease_duration"))

    async def read(self, path: str) -> Mapping[str, SecretStr]:
        """A secret that this process itself may read: the payload keys, and no provider's.

        Raises:
            ConnectorError: By the tree.
        """
        return (await read_kv(self._transport, self._token, path)).values

    async def change(self, path: str, change: Callable[[str | None], str]) -> None:
        """Change a text by check-and-set.

        Raises:
            TokenLost: Its token is no longer valid; it has to be started again.
            ConnectorError: By the tree.
        """
        try:
            await change_text(self._transport, self._token, path, change)
        except AuthDenied as denied:
            await self._still_mine(denied)
            raise

    async def public_keys(self, key: str) -> Mapping[int, bytes]:
        """The raw public keys of a transit key, by version; those of revoked versions are not among them.

        Raises:
            ConnectorError: By the tree.
        """
        return await read_public_keys(self._transport, self._token, key)

    async def sign(self, key: str, text: str) -> str:
        """A signature of the text by a transit key, as Vault writes it; only the gateway may.

        Raises:
            TokenLost: This process's own token is gone.
            ConnectorError: By the tree.
        """
        try:
            return await sign(self._transport, self._token, key, text)
        except AuthDenied as error:
            await self._still_mine(error)
            raise

    async def make_data_key(self, key: str) -> tuple[bytes, str]:
        """A new key for data, and the same wrapped by a transit key; only the models worker may.

        Raises:
            TokenLost: This process's own token is gone.
            ConnectorError: By the tree.
        """
        try:
            return await make_data_key(self._transport, self._token, key)
        except AuthDenied as error:
            await self._still_mine(error)
            raise

    async def open_data_key(self, key: str, wrapped: str) -> bytes:
        """A key for data that was wrapped by a transit key; only the models worker may.

        Raises:
            InvalidRequest: This key did not wrap it.
            TokenLost: This process's own token is gone.
            ConnectorError: By the tree.
        """
        try:
            return await open_data_key(self._transport, self._token, key, wrapped)
        except AuthDenied as error:
            await self._still_mine(error)
            raise

    async def write_once(self, path: str, text: str) -> str:
        """Write a text to `banksman/<path>` unless one is there; the answer is the text that stands there now.

        Only the destructive worker may, and only which grants were used.

        Raises:
            TokenLost: This process's own token is gone.
            ConnectorError: By the tree.
        """
        try:
            return await write_once(self._transport, self._token, path, text)
        except AuthDenied as error:
            await self._still_mine(error)
            raise

    async def written(self, path: str) -> str | None:
        """The text that was written once to `banksman/<path>`; None where there is none.

        Only the destructive worker may look, and only at which grants were used.

        Raises:
            TokenLost: This process's own token is gone.
            ConnectorError: By the tree.
        """
        try:
            return await written(self._transport, self._token, path)
        except AuthDenied as error:
            await self._still_mine(error)
            raise

    async def unseal(self, sealed: str, *, run: str) -> Mapping[str, SecretStr]:
        """Open what was sealed for this run; only the sandbox worker may. It works once.

        Raises:
            InvalidRequest: It was sealed for another run.
            Conflict: It was opened before.
            ConnectorError: By the tree.
        """
        return await unseal(self._transport, self._token, sealed, run=run)

    def step(
        self, action: str, *, metadata: Mapping[str, str], ttl: timedelta
    ) -> AbstractAsyncContextManager[StepToken]:
        """A token for one step: from the token role named like the action, revoked when the block ends.

        Args:
            action: The token role, as in `github-read`.
            metadata: Run, attempt and the like, for Vault's audit log.
            ttl: How long the step may take.

        Raises:
            TokenLost: On entering, when this process's own token is gone.
            ConnectorError: On entering, by the tree.
        """
        return self._step(action, metadata=metadata, ttl=ttl)

    @contextlib.asynccontextmanager
    async def _step(self, action: str, *, metadata: Mapping[str, str], ttl: timedelta) -> AsyncGenerator[StepToken]:
        try:
            token = await step_token(self._transport, self._token, action, metadata=metadata, ttl=ttl)
        except AuthDenied as error:
            # Vault answers 403 to a policy that is too narrow and to a token that is gone: only the first is final.
            await self._still_mine(error)
            raise
        try:
            yield token
        finally:
            await token.release()

    async def lend(
        self, action: str, provider: str, role: str, *, metadata: Mapping[str, str], ttl: timedelta
    ) -> Lease:
        """A login to a database that outlives the step: leased under a token of its own, which nobody keeps.

        Args:
            action: The token role, as in `neon-lend`.
            provider: Whose database engine.
            role: Of that engine; all that it made is ended by its name.
            metadata: As of a step's token.
            ttl: How long the login may live.

        Raises:
            TokenLost: This process's own token is gone.
            ConnectorError: By the tree. A login whose answer was lost ends with the others of its role.
        """
        try:
            token = await step_token(self._transport, self._token, action, metadata=metadata, ttl=ttl)
        except AuthDenied as error:
            await self._still_mine(error)
            raise
        try:
            return await token.databases(provider).lend(role)
        except BaseException:
            await token.release()
            raise

    async def _still_mine(self, denied: AuthDenied) -> None:
        """Raise `TokenLost` when Vault does not know this process's token any more."""
        try:
            await self._transport.call(
                "this process's token", self._token, lambda vault: vault.auth.token.lookup_self()
            )
        except AuthDenied:
            # Not at the next renewal, minutes from now: `keep_alive` asks at once, and ends the process.
            self._doubted.set()
            raise TokenLost(
                f"the Vault token of {self._role!r} is gone: the process ends, and its successor goes on"
            ) from denied

    async def close(self) -> None:
        """Revoke the token, and everything leased with it."""
        try:
            with contextlib.suppress(AuthDenied):
                await self._transport.call(
                    "the end of this process's token", self._token, lambda vault: vault.auth.token.revoke_self()
                )
        finally:
            self._ends = time.monotonic()
            self._transport.close()


async def _unwrap(transport: Transport, role: str, wrapped: WrappedSecretId) -> SecretStr:
    expected = f"auth/approle/role/{role}/secret-id"
    try:
        found = await transport.call(
            "the wrapped secret id",
            None,
            lambda vault: vault.adapter.post(
                "/v1/sys/wrapping/lookup", json={"token": wrapped.token.get_secret_value()}
            ),
        )
        made_by = str(fields(found, "data", "creation_path"))
        if made_by != expected:
            raise _alarm(f"the wrapping token for {role!r} was made by {made_by!r}, not by {expected!r}")
        answer = await transport.call(
            "the wrapped secret id", wrapped.token, lambda vault: vault.sys.unwrap(), once=True
        )
    except (InvalidRequest, AuthDenied) as error:
        raise _alarm(f"the wrapped secret id for {role!r} was opened before, or is too old") from error
    return SecretStr(fields(answer, "data", "secret_id"))


def _alarm(what: str) -> SecretIdAlarm:
    ALARMS.inc()
    _log.error("ALARM: wrapped secret id", what=what)
    return SecretIdAlarm(f"{what}: find out who had it, and start this process again with a new one")
