"""What our own App wrote, told from what anybody else did who copied it."""

from pydantic import BaseModel, ConfigDict


class OurApp(BaseModel):
    """An App as GitHub names it beside what it wrote."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: int
    client_id: str | None = None

    def is_called(self, name: str) -> bool:
        """Whether this is the App of that client id; an App may be known by its number, too."""
        return bool(name) and name in {self.client_id, str(self.id)}
