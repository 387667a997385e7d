"""The steps on Neon as their workers have them, on the twin; what each asks of Vault and puts there is noted."""

import contextlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import SecretStr

from activities.guard.withheld import DestructiveSecrets
from activities.neon.deleting import NeonDestruction
from activities.neon.looking import NeonLooking
from activities.neon.making import NeonMaking
from activities.secrets import KeepingToken
from connectors.errors import Unavailable
from connectors.neon.manifest import NEON
from tests.connectors.neon.at_neon import KEY_CANARY, AtNeon

_READS = {one.name: one.secret.path for one in NEON.credentials}
"""The one secret that each token role reads."""


@dataclass
class Token:
    """A step's token."""

    house: "House"
    path: str

    async def read(self, path: str) -> Mapping[str, SecretStr]:
        assert path == self.path
        return {"key": SecretStr(KEY_CANARY)}

    async def write(self, path: str, values: Mapping[str, SecretStr]) -> int:
        if self.house.sealed:
            raise Unavailable("Vault is sealed")
        self.house.kept[path] = {name: one.get_secret_value() for name, one in values.items()}
        return 1

    async def delete(self, path: str) -> None:
        self.house.kept.pop(path, None)

    async def list(self, path: str) -> list[str]:
        raise AssertionError(f"no step of Neon lists {path}")

    def release_soon(self) -> None:
        """Nothing to release."""


@dataclass
class House:
    """The twin, and the ports of the steps in front of it."""

    neon: AtNeon
    actions: list[str] = field(default_factory=list[str])
    kept: dict[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    sealed: bool = False

    @contextlib.asynccontextmanager
    async def step(self, action: str, *, metadata: Mapping[str, str], ttl: timedelta) -> AsyncGenerator[KeepingToken]:
        assert metadata["workflow_id"]
        assert ttl > timedelta()
        self.actions.append(action)
        yield Token(self, _READS[action])

    @property
    def looking(self) -> NeonLooking:
        return NeonLooking(self, base_url=self.neon.served.url)

    @property
    def making(self) -> NeonMaking:
        return NeonMaking(self, base_url=self.neon.served.url)

    @property
    def destruction(self) -> NeonDestruction:
        return NeonDestruction(DestructiveSecrets(self), base_url=self.neon.served.url)
