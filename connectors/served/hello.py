"""What a machine says on a line of its own, and what is kept of it: digests, never what opens anything."""

import hashlib
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

GO: Final = b"\x01"
"""From the relay: somebody asks; what follows is theirs."""
BEAT: Final = b"\x00"
"""From the relay: the line is still of use."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,40}$")]
_Drawn = Annotated[SecretStr, Field(min_length=64, max_length=64)]


class Hello(BaseModel):
    """The first line of a connection.

    Attributes:
        name: Of the backend that it serves.
        ticket: What it was booted with: takes the name once, for the secret of the machine that says it first.
        secret: What the machine made for itself, and is known by from then on.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: int = Field(ge=1, le=1)
    name: Name
    ticket: _Drawn
    secret: _Drawn


def digest(drawn: SecretStr | str) -> str:
    """What is kept of something drawn at random, of 256 bits: nobody finds it by guessing."""
    text = drawn.get_secret_value() if isinstance(drawn, SecretStr) else drawn
    return hashlib.sha256(text.encode()).hexdigest()
