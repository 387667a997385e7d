"""What is ours in a repository: what our own App wrote, told from what anybody else did, and our file."""

from typing import Final

from pydantic import BaseModel, ConfigDict

CONFIG: Final = ".banksman/config.yaml"
"""The file of a repository's own, at its default branch."""


class OurApp(BaseModel):
    """An App as GitHub names it beside what it wrote."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: int
    client_id: str | None = None

    def is_called(self, name: str) -> bool:
        """Whether this is the App of that client id; an App may be known by its number, too."""
        return bool(name) and name in {self.client_id, str(self.id)}
