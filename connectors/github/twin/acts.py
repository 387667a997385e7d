"""What people do at GitHub that the twin has no page for, as it is asked for under `/_github/acts`."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class _Act(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    person: str


class Opens(_Act):
    """They open an issue."""

    act: Literal["open"]
    title: str
    body: str = ""


class Says(_Act):
    """They comment on an issue or a pull request."""

    act: Literal["comment"]
    number: int
    body: str


class Edits(_Act):
    """They change a comment of theirs."""

    act: Literal["edit"]
    comment: int
    body: str


class Labels(_Act):
    """They put a label on an issue or a pull request."""

    act: Literal["label"]
    number: int
    label: str


class Closes(_Act):
    """They close an issue or a pull request."""

    act: Literal["close"]
    number: int


class Presses(_Act):
    """They press a button of a check run; without one, *Re-run*."""

    act: Literal["press"]
    check: int
    action: str | None = None


class Drops(_Act):
    """They have a check run deleted: GitHub does so by itself where a suite has more than a thousand."""

    act: Literal["drop"]
    check: int


class Renames(_Act):
    """They give the repository another name."""

    act: Literal["rename"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")]


class Transfers(_Act):
    """They give it to another owner."""

    act: Literal["transfer"]
    to: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]


class Archives(_Act):
    """They archive it: from then on it is only read."""

    act: Literal["archive"]


Said = Opens | Says | Edits | Labels | Closes | Presses | Drops
"""What is done within a repository."""
Moved = Renames | Transfers | Archives
"""What is done with one."""
ACT: Final[TypeAdapter[Said | Moved]] = TypeAdapter(Annotated[Said | Moved, Field(discriminator="act")])


class Sends(BaseModel):
    """A payload as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: str
    owner: str
    payload: dict[str, object]
