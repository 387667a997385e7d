"""What Vault keeps of our Apps, by the token of the person who sets them up."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from connectors.errors import AuthDenied, InvalidRequest, NotFound, Unavailable
from connectors.github.manifest import SIGN_IN, WEBHOOK
from connectors.github.models import AppCredentials, SignInCredentials
from connectors.vault.known import known
from connectors.vault.kv import MOUNT, write_kv
from connectors.vault.transport import Transport, fields
from workers.github_app.wanted import AppKind

PREVIOUS_KEY: Final = "previous_private_key"
_PAUSES: Final = (1.0, 2.0, 4.0, 8.0)
"""Seconds. What GitHub shows once is not given up at the first refusal."""


@dataclass(frozen=True, kw_only=True)
class KeptApp:
    """An App's key.

    Attributes:
        previous: The key that it had before, until GitHub is seen to refuse it.
        version: Of the secret; a change says which it changes.
    """

    credentials: AppCredentials
    previous: AppCredentials | None
    version: int


@dataclass(frozen=True, kw_only=True)
class KeptWebhook:
    """What webhooks are signed with.

    Attributes:
        previous: What they were signed with before; the gateway takes both.
        version: Of the secret.
    """

    secret: SecretStr
    previous: SecretStr | None
    version: int


@dataclass(frozen=True, kw_only=True)
class KeptSignIn:
    """What people sign in to the console by.

    Attributes:
        version: Of the secret.
    """

    credentials: SignInCredentials
    version: int


class KeptInVault:
    """The secrets of both Apps.

    Args:
        transport: To Vault.
        token: Of the person; with the policy `github-setup`.
    """

    def __init__(self, transport: Transport, token: SecretStr) -> None:
        self._transport = transport
        self._token = token

    async def app(self, kind: AppKind) -> KeptApp | None:
        """An App's key; None where none is kept.

        Raises:
            NotFound: What is kept is no key of an App.
            ConnectorError: By the tree.
        """
        values, version = await self._read(kind.secret.path)
        if values is None:
            return None
        try:
            credentials = AppCredentials.of(values)
        except KeyError as error:
            raise NotFound(f"{MOUNT}/{kind.secret.path} has no field {error}: put it there, or delete it") from error
        old = values.get(PREVIOUS_KEY)
        previous = None if old is None else credentials.model_copy(update={"private_key": old})
        return KeptApp(credentials=credentials, previous=previous, version=version)

    async def keep_app(
        self, kind: AppKind, credentials: AppCredentials, *, after: KeptApp | None, previous: SecretStr | None = None
    ) -> None:
        """Keep an App's key, and with `previous` the one before it.

        Raises:
            InvalidRequest: Somebody else changed it meanwhile.
            ConnectorError: By the tree.
        """
        values = {"client_id": SecretStr(credentials.client_id), "private_key": credentials.private_key}
        old = {PREVIOUS_KEY: previous} if previous is not None else {}
        await self._write(kind.secret.path, values | old, after=after.version if after else None)

    async def webhook(self) -> KeptWebhook | None:
        """What webhooks are signed with; None where that is not kept.

        Raises:
            NotFound: What is kept is none.
            ConnectorError: By the tree.
        """
        values, version = await self._read(WEBHOOK.path)
        if values is None:
            return None
        if "secret" not in values:
            raise NotFound(f"{MOUNT}/{WEBHOOK.path} has no field 'secret': `banksman github rotate-webhook` makes one")
        return KeptWebhook(secret=values["secret"], previous=values.get("previous"), version=version)

    async def keep_webhook(
        self, secret: SecretStr, *, after: KeptWebhook | None, previous: SecretStr | None = None
    ) -> None:
        """Keep what webhooks are signed with, and with `previous` what they were signed with before.

        Raises:
            InvalidRequest: Somebody else changed it meanwhile.
            ConnectorError: By the tree.
        """
        values = {"secret": secret} | ({"previous": previous} if previous is not None else {})
        await self._write(WEBHOOK.path, values, after=after.version if after else None)

    async def sign_in(self) -> KeptSignIn | None:
        """What people sign in to the console by; None where that is not kept.

        Raises:
            NotFound: What is kept is none.
            ConnectorError: By the tree.
        """
        values, version = await self._read(SIGN_IN.path)
        if values is None:
            return None
        try:
            return KeptSignIn(credentials=SignInCredentials.of(values), version=version)
        except KeyError as error:
            raise NotFound(f"{MOUNT}/{SIGN_IN.path} has no field {error}: put it there, or delete it") from error

    async def keep_sign_in(self, credentials: SignInCredentials, *, after: KeptSignIn | None) -> None:
        """Keep what people sign in to the console by.

        Raises:
            InvalidRequest: Somebody else changed it meanwhile.
            ConnectorError: By the tree.
        """
        await self._write(SIGN_IN.path, credentials.fields(), after=after.version if after else None)

    async def require_writable(self, *paths: str) -> None:
        """Make sure of the token before anything is made that is shown once.

        Raises:
            AuthDenied: It may not read and write one of these.
            ConnectorError: By the tree.
        """
        there = [f"{MOUNT}/data/{one}" for one in paths]
        answer = await self._transport.call(
            "what the token may do", self._token, lambda vault: vault.sys.get_capabilities(paths=there)
        )
        for path in there:
            may = {str(one) for one in fields(answer, path)}
            if "root" not in may and not {"create", "read", "update"} <= may:
                raise AuthDenied(
                    f"Vault's token may not read and write {path}: make one with the policy github-setup, which "
                    "`python -m deploy.vault` puts there"
                )

    async def _read(self, path: str) -> tuple[Mapping[str, SecretStr] | None, int]:
        try:
            answer = await self._transport.call(
                f"the secret {MOUNT}/{path}",
                self._token,
                lambda vault: vault.secrets.kv.v2.read_secret_version(
                    path=path, mount_point=MOUNT, raise_on_deleted_version=False
                ),
            )
        except NotFound:
            return None, 0
        values: dict[str, object] | None = fields(answer, "data", "data")
        version = int(fields(answer, "data", "metadata", "version"))
        if values is None:  # deleted
            return None, version
        return known({name: SecretStr(str(value)) for name, value in values.items()}), version

    async def _write(self, path: str, values: Mapping[str, SecretStr], *, after: int | None) -> None:
        if after is None:
            _, after = await self._read(path)
        for pause in (*_PAUSES, None):
            try:
                await write_kv(self._transport, self._token, path, values, after=after)
            except Unavailable:
                if pause is None:
                    raise
                await asyncio.sleep(pause)
            except InvalidRequest:
                # By check-and-set: a try before, whose answer was lost, may have written it.
                if (await self._read(path))[0] != values:
                    raise
                return
            else:
                return
