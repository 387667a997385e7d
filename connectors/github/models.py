"""What the connector takes and gives. Never in a workflow's history."""

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, SecretStr


class AppCredentials(BaseModel):
    """A GitHub App.

    Attributes:
        client_id: The App's client id; GitHub recommends it as the issuer of the App's JWT.
        private_key: PEM.
    """

    model_config = ConfigDict(frozen=True)

    client_id: str
    private_key: SecretStr

    @classmethod
    def of(cls, fields: Mapping[str, SecretStr]) -> Self:
        """From the fields of the secret that Vault has.

        Raises:
            KeyError: One is missing.
        """
        return cls(client_id=fields["client_id"].get_secret_value(), private_key=fields["private_key"])


class SignInCredentials(BaseModel):
    """What a GitHub App signs people in with.

    Attributes:
        client_id: The App's client id.
        client_secret: What it proves by that it is the one that asks.
    """

    model_config = ConfigDict(frozen=True)

    client_id: str
    client_secret: SecretStr

    @classmethod
    def of(cls, fields: Mapping[str, SecretStr]) -> Self:
        """From the fields of the secret that Vault has.

        Raises:
            KeyError: One is missing.
        """
        return cls(client_id=fields["client_id"].get_secret_value(), client_secret=fields["client_secret"])

    def fields(self) -> dict[str, SecretStr]:
        """As Vault keeps them."""
        return {"client_id": SecretStr(self.client_id), "client_secret": self.client_secret}


class FileList(BaseModel):
    """The files of one commit."""

    model_config = ConfigDict(frozen=True)

    commit: str
    files: dict[str, int]
    """Bytes, by path. Whoever may push chose the paths."""
    whole: bool
    """Whether GitHub listed all of them."""


class FileContent(BaseModel):
    """One file at one commit."""

    model_config = ConfigDict(frozen=True)

    path: str
    commit: str
    sha: str
    size: int
    content: bytes
