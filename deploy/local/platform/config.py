"""How the platform is started."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_serializer


class VaultAccess(BaseModel):
    """How the platform reads what opens the needs of its services.

    Attributes:
        address: Of Vault.
        token: May read logins of consumers, and nothing else. It lasts as long as it is renewed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str
    token: SecretStr

    @field_serializer("token", when_used="json")
    def _shown(self, token: SecretStr) -> str:
        return token.get_secret_value()  # into the owner's file alone


class PlatformConfig(BaseModel):
    """In a file that only the environment's owner reads.

    Attributes:
        listen: host:port for browsers.
        control: host:port for the environment's own containers.
        look: The token that may look at services.
        change: The token that may do all.
        engine: The file that says where the container engine is.
        deployment: What the environment is called on the engine.
        folder: Where what was declared is kept.
        vault: What opens the needs of services; without it they have none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen: str
    control: str
    look: str = Field(repr=False)
    change: str = Field(repr=False)
    engine: Path
    deployment: str
    folder: Path
    vault: VaultAccess | None = None
