"""Drift that is known and not to be told: by address, with a reason and an end date, in a file.

    noise:
      - urn: urn:pulumi:prod::shop::aws:ecs/service:Service::web
        properties: [desiredCount]
        reason: the autoscaler owns the count
        until: 2027-03-01

Addresses are whole: a pattern would hide what nobody has seen yet. Each entry names the properties it is about. A
resource is quiet when every property that differs is listed; a deleted resource never is.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from connectors.pulumi.files import read_file
from connectors.pulumi.urn import read_urn


def _whole_address(value: str) -> str:
    read_urn(value)
    if "*" in value:
        raise ValueError("is a pattern; write the whole address, one entry for each resource")
    return value


class NoiseEntry(BaseModel):
    """One kind of noise of one resource.

    Attributes:
        properties: Paths as the drift report has them; one stands also for all below it.
        until: The last day on which it is quiet.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    urn: Annotated[str, StringConstraints(max_length=2000), AfterValidator(_whole_address)]
    properties: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=500)], ...], Field(min_length=1)
    ]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=10, max_length=500)]
    until: date

    def covers(self, path: str) -> bool:
        """Whether this property is meant."""
        return any(path == one or path.startswith((f"{one}.", f"{one}[")) for one in self.properties)


class Noise(BaseModel):
    """The file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    noise: tuple[NoiseEntry, ...] = ()

    @model_validator(mode="after")
    def _once(self) -> Self:
        seen: set[tuple[str, str]] = set()
        for entry in self.noise:
            for path in entry.properties:
                if (entry.urn, path) in seen:
                    raise ValueError(f"{path!r} of {entry.urn!r} is listed twice; keep the entry whose reason is right")
                seen.add((entry.urn, path))
        return self

    def covering(self, urn: str, paths: Sequence[str], today: date) -> tuple[NoiseEntry, ...]:
        """The entries that together make these differences quiet; none where one of them is not listed."""
        entries = [one for one in self.noise if one.urn == urn and one.until >= today]
        if not paths or not all(any(one.covers(path) for one in entries) for path in paths):
            return ()
        return tuple(one for one in entries if any(map(one.covers, paths)))


def load_noise(path: Path) -> Noise:
    """Read a noise file.

    Raises:
        FileProblem: It cannot be read, or is not valid.
    """
    return read_file(path, Noise)
