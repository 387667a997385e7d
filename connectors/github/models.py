"""What the connector takes and gives. Never in a workflow's history."""

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


class FileContent(BaseModel):
    """One file at one commit."""

    model_config = ConfigDict(frozen=True)

    path: str
    commit: str
    sha: str
    size: int
    content: bytes
