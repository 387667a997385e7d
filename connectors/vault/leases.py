"""A credential with an end, and the right to end it sooner."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from connectors.vault.transport import Transport, fields


class Lease(BaseModel):
    """A dynamic credential.

    Attributes:
        lease_id: What a workflow may record: it names the lease, and opens nothing.
        seconds: Until it ends by itself.
        fields: The credential.
    """

    model_config = ConfigDict(frozen=True)

    lease_id: str
    seconds: int
    fields: dict[str, SecretStr] = Field(repr=False)


class LeaseKeeper:
    """Renews and ends leases by their id. Rights on these paths are unscoped, so this is an AppRole of its own."""

    def __init__(self, transport: Transport, token: SecretStr) -> None:
        self._transport = transport
        self._token = token

    async def renew(self, lease_id: str, *, seconds: int) -> int:
        """Ask for that many seconds more; the answer is what it got, which a maximum may cap.

        It ends with the token that leased it all the same, whatever it shows (OpenBao 2.7).

        Raises:
            InvalidRequest: There is no such lease.
        """
        answer = await self._transport.call(
            f"the renewal of lease {lease_id!r}",
            self._token,
            lambda vault: vault.sys.renew_lease(lease_id=lease_id, increment=seconds),
        )
        return int(fields(answer, "lease_duration"))

    async def revoke(self, lease_id: str) -> None:
        """End it, and wait until it is ended; one that is gone already is fine.

        `sync` is said explicitly: Vault and OpenBao differ in what they do without it.
        """
        await self._transport.call(
            f"the end of lease {lease_id!r}",
            self._token,
            lambda vault: vault.adapter.post("/v1/sys/leases/revoke", json={"lease_id": lease_id, "sync": True}),
        )
