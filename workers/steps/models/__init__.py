"""What implements steps that ask language models."""

from dataclasses import dataclass

from connectors.models.client import ModelClient
from connectors.vault import VaultSession
from workers.settings import Settings


@dataclass(frozen=True)
class Means:
    """What they are made of.

    Attributes:
        settings: Of this process.
        vault: Its own standing: it makes the tokens that steps read keys with.
        models: Asks the backends of the deployment's file.
    """

    settings: Settings
    vault: VaultSession
    models: ModelClient
