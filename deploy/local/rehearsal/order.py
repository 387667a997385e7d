"""What a rehearsal is told, and what it found: two files in its folder, because nothing else leads in or out.

A goal is rehearsed by itself, and the goals of a plan one after another in the same environment, so that each finds
what those before it made.
"""

from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter

from hitl.approval.rehearsal import RehearsedEffect

ORDER: Final = "order.json"
FOUND: Final = "found.json"
POLICY: Final = "policy.yaml"
COPIED: Final = "copied"
OBJECTS: Final = "objects.pack"
"""As `connectors.github.twin.copies` finds them."""


class CopiedStack(BaseModel):
    """A stack's state, as it is put where the rehearsal's own states are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: str
    stack: str
    state: str
    """As Pulumi exports it, without secrets."""

    def write(self, folder: Path) -> None:
        """Leave it for the rehearsal."""
        into = folder / COPIED / "pulumi"
        into.mkdir(parents=True, exist_ok=True)
        (into / f"{self.project}.{self.stack}.json").write_text(self.model_dump_json(), encoding="utf-8")

    @classmethod
    def all_in(cls, folder: Path) -> "tuple[CopiedStack, ...]":
        """Take them up."""
        files = sorted((folder / COPIED / "pulumi").glob("*.json"))
        return tuple(cls.model_validate_json(one.read_bytes()) for one in files)


class OrderedGoal(BaseModel):
    """Which goal, on what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    goal: str
    request: JsonValue
    workflow_id: str


class Order(BaseModel):
    """Which goals, and in what environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    goals: tuple[OrderedGoal, ...]
    """In the order in which they run; those after one that does not complete are not begun."""
    patience: float
    """Seconds that each goal may take."""
    needs: Literal["sandbox", "stacks"] | None = None
    """The part of the environment without which one of them waits."""
    packages: tuple[str, ...] = ("banksman",)
    """Pulumi's providers that programs may use."""
    told: dict[str, str] = {}
    """What these are told by their environment; nothing secret."""

    def write(self, folder: Path) -> None:
        """Leave it for the rehearsal."""
        (folder / ORDER).write_text(self.model_dump_json(), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Order":
        """Take it up."""
        return cls.model_validate_json((folder / ORDER).read_bytes())


class Found(BaseModel):
    """How the goal ended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: str
    why: str = ""
    step: str = ""
    """At which it ended, where it did not complete."""
    effects: tuple[RehearsedEffect, ...] = ()
    milliseconds: int = 0


_ALL_FOUND: Final = TypeAdapter(tuple[Found, ...])


def write_found(found: tuple[Found, ...], folder: Path) -> None:
    """Leave it for whoever asked."""
    (folder / FOUND).write_bytes(_ALL_FOUND.dump_json(found))


def read_found(folder: Path) -> tuple[Found, ...] | None:
    """What became of each goal that was begun; None where it did not come so far."""
    file = folder / FOUND
    return _ALL_FOUND.validate_json(file.read_bytes()) if file.exists() else None
