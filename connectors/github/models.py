"""What the connector takes and gives. Never in a workflow's history."""

from typing import Literal

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


class TreeEntry(BaseModel):
    """One entry of a tree: `blob` is a file, `tree` a folder, `commit` a submodule."""

    model_config = ConfigDict(frozen=True)

    path: str
    mode: str
    type: Literal["blob", "tree", "commit"]
    sha: str
    size: int | None = None


class Tree(BaseModel):
    """The files of a repository at one commit.

    Attributes:
        truncated: GitHub cut the list (100,000 entries or 7 MB); list a folder at a time instead.
    """

    model_config = ConfigDict(frozen=True)

    commit: str
    entries: tuple[TreeEntry, ...]
    truncated: bool
