"""What implements steps that read and write at providers."""

from dataclasses import dataclass

from connectors.vault import VaultSession
from workers.settings import Settings


@dataclass(frozen=True)
class Means:
    """What they are made of.

    Attributes:
        settings: Of this process.
        vault: Its own standing: it makes the tokens that steps read with.
    """

    settings: Settings
    vault: VaultSession
