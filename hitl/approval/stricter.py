"""What a plan says of the deployment's policy: how the service's own file tightens it. Light enough for every reader.

It stands in the plan's text, so it is in the digest that people sign: cut out or changed, nothing runs. Whoever reads a
rule computes what it makes of it (`hitl.policy.together`). It can be left out by the goal that writes the plan; what
holds then is the deployment's policy, and never less.
"""

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from hitl.canonical import canonical_json
from hitl.hidden import nothing_hidden, visible

_MOST_PLACES: Final = 200

Source = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(nothing_hidden)]
Place = Annotated[str, StringConstraints(pattern=r"^[a-z_]+(\.[a-z0-9_]+){0,3}$")]


class Stricter(BaseModel):
    """What is asked, by which file, and where in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Source = Field(description="The file that asks it, for people.", examples=["banksman.yaml"])
    asked: dict[str, JsonValue] = Field(description="As `hitl.policy.tightening.Tightening` reads it.")
    lines: Annotated[dict[Place, Annotated[int, Field(ge=1)]], Field(max_length=_MOST_PLACES)] = Field(
        default={}, description="The line of each place that asks something, as in `approvals.0`."
    )

    def line(self, at: tuple[int | str, ...]) -> int:
        """The line of a place, or of the nearest around it; the first where nobody says."""
        while at and ".".join(map(str, at)) not in self.lines:
            at = at[:-1]
        return self.lines.get(".".join(map(str, at)), 1)

    def told(self) -> list[str]:
        """What it asks, a line for each, with where that stands; nothing hidden in it."""
        return [visible(f"{name}: {canonical_json(value)}") for name, value in sorted(self.asked.items())]
