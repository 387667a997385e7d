"""Which addresses a step may lead a run to: names by their end, or single addresses, each on one port."""

from ipaddress import IPv4Address, IPv4Network
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sandbox.egress.addresses import INSIDE, NEVER
from sandbox.spec import HOST_PATTERN, Target

DATABASE: Final = "database"
"""The purpose of runs that a step leads to one database."""

_ADDRESS: Final = r"[0-9]{1,3}(\.[0-9]{1,3}){3}"
_NETWORKS: Final = tuple(IPv4Network(one) for one in NEVER if ":" not in one)


class TargetPattern(BaseModel):
    """Addresses of one kind.

    Attributes:
        host: A name, an address, or `*.` and how names end.
        port: On that host; None for any from 1024 on, for an address alone.
        private: Whether such a name may lead to an address of a private network.
        by_way_of: Where the relay's container finds an address that it cannot reach as it is called.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(pattern=rf"^((\*\.)?{HOST_PATTERN}|{_ADDRESS})$", max_length=253)
    port: int | None = Field(default=5432, ge=1024, le=65535)
    private: bool = False
    by_way_of: IPv4Address | None = None

    @model_validator(mode="after")
    def _narrow(self) -> Self:
        if self._named:
            if self.port is None or self.by_way_of is not None:
                raise ValueError(f"{self.host!r} is a name: it has one port, and is reached by what it resolves to")
            return self
        address = IPv4Address(self.host)
        reached = self.by_way_of or address
        if any(reached in network for network in _NETWORKS):
            raise ValueError(f"no relay leads to {str(reached)!r}: name the database's own address")
        return self

    @property
    def _named(self) -> bool:
        return not self.host[-1].isdigit()

    @property
    def closed(self) -> tuple[str, ...]:
        """Networks that such a host must not turn out to be in; none for an address, which is what it is."""
        if not self._named:
            return ()
        return NEVER if self.private else INSIDE

    def allows(self, target: Target) -> bool:
        """Whether this is one of them."""
        if self.port not in {None, target.port}:
            return False
        return target.host.endswith(self.host[1:]) if self.host.startswith("*.") else target.host == self.host

    def example(self) -> Target:
        """One that this allows, and that need not be there."""
        return Target(host=self.host.replace("*", "self-test"), port=self.port or 5432)
