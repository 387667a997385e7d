"""The steps on Neon as their workers have them, on the twin; what each asks of Vault and puts there is noted."""

from pydantic import SecretStr

from activities.guard.withheld import DestructiveSecrets
from activities.neon.deleting import NeonDestruction
from activities.neon.looking import NeonLooking
from activities.neon.making import NeonMaking
from connectors.neon.manifest import DESTRUCTIVE_KEY, KEY
from tests.activities.played_vault import PlayedVault
from tests.connectors.neon.at_neon import KEY_CANARY, AtNeon


class House(PlayedVault):
    """The twin, and the ports of the steps in front of it."""

    def __init__(self, neon: AtNeon) -> None:
        super().__init__(
            {KEY.path: {"key": SecretStr(KEY_CANARY)}, DESTRUCTIVE_KEY.path: {"key": SecretStr(KEY_CANARY)}}
        )
        self.neon = neon

    @property
    def kept(self) -> dict[str, dict[str, str]]:
        """What steps put into Vault, in the clear."""
        own = {KEY.path, DESTRUCTIVE_KEY.path}
        opened = {path: fields for path, fields in self.held.items() if path not in own}
        return {path: {name: one.get_secret_value() for name, one in of.items()} for path, of in opened.items()}

    @property
    def looking(self) -> NeonLooking:
        return NeonLooking(self, base_url=self.neon.served.url)

    @property
    def making(self) -> NeonMaking:
        return NeonMaking(self, base_url=self.neon.served.url)

    @property
    def destruction(self) -> NeonDestruction:
        return NeonDestruction(DestructiveSecrets(self), base_url=self.neon.served.url)
