"""Mints wrapped secret ids, and can do nothing else: its policy refuses unwrapped and long-lived ones."""

from datetime import timedelta
from typing import Final

from pydantic import SecretStr

from connectors.vault.session import WrappedSecretId
from connectors.vault.transport import Transport, fields

WRAP_TTL: Final = timedelta(seconds=60)


class Deliverer:
    """Hands each worker, right before it starts, a secret id that only it can open.

    Args:
        address: Vault's base URL.
        token: A token with the policy `deliverer`.
    """

    def __init__(self, *, address: str, token: SecretStr) -> None:
        self._transport = Transport(address)
        self._token = token

    async def mint(self, role: str, *, wrap_ttl: timedelta = WRAP_TTL) -> WrappedSecretId:
        """A wrapped secret id for one login of this AppRole.

        Raises:
            ConnectorError: By the tree; `AuthDenied` when it asks for more than its policy allows.
        """
        seconds = int(wrap_ttl.total_seconds())
        answer = await self._transport.call(
            f"a secret id for {role!r}",
            self._token,
            lambda vault: vault.auth.approle.generate_secret_id(role_name=role, wrap_ttl=f"{seconds}s"),
        )
        return WrappedSecretId(token=SecretStr(fields(answer, "wrap_info", "token")))

    async def renew(self) -> None:
        """Keep its own periodic token alive."""
        await self._transport.call(
            "the renewal of the deliverer's token", self._token, lambda vault: vault.auth.token.renew_self()
        )

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()
