"""How far an answer has come, as the step's beats tell it: numbers alone, for a beat may end up in a history."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Answering(BaseModel):
    """The details of a beat of `models.request`.

    Attributes:
        backend: Who is asked.
        model: Which model.
        since: When it was asked.
        characters: That it has said; None where the backend says all at once.
        first_after: Seconds until the first of them.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    backend: Annotated[str, Field(max_length=100)]
    model: Annotated[str, Field(max_length=300)]
    since: AwareDatetime
    characters: int | None = None
    first_after: float | None = None

    def line(self, now: datetime) -> str:
        """For people."""
        name = f"{self.backend}/{self.model}"
        waited = max(0, int((now - self.since).total_seconds()))
        if self.characters is None:
            return f"{name} answers, for {waited} s"
        if not self.characters:
            return f"{name} has said nothing yet, for {waited} s"
        return f"{name} has said about {-(-self.characters // _LETTERS)} tokens so far, for {waited} s"


_LETTERS = 4
"""Of a token, roughly: the count comes with the end of an answer."""
