"""All manifests of one repository, put together: what it uses and makes, and how much of it is fixed. Pure."""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from activities.dependencies.found import (
    MOST_ENTRIES,
    MOST_MISTAKES,
    Ecosystem,
    FileFound,
    Made,
    Mistake,
    Used,
    same_name,
    shown,
)
from activities.dependencies.manifests.images import read_dockerfile
from activities.dependencies.manifests.kinds import Kind, kind_of
from activities.dependencies.ordering import circles
from hitl.hidden import visible


class RepositoryManifests(BaseModel):
    """What the artifact of a repository holds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str
    commit: str
    used: tuple[Used, ...] = ()
    made: tuple[Made, ...] = ()
    mistakes: tuple[Mistake, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """How much of what is used is fixed.

    Attributes:
        direct: Packages that people named.
        pinned: Those of them that their file or a lock file fixes.
        locked: Packages that lock files name.
        ages: In days, of the versions whose day is known.
    """

    direct: int
    pinned: int
    locked: int
    ages: tuple[int, ...]

    @property
    def median_age(self) -> int | None:
        """In days."""
        return round(statistics.median(self.ages)) if self.ages else None


def put_together(
    repository: str, commit: str, files: Mapping[str, FileFound], mistakes: Iterable[Mistake]
) -> RepositoryManifests:
    """One repository, of what its files say.

    Args:
        repository: `OWNER/NAME`.
        commit: At which they were read.
        files: By path.
        mistakes: Why others were not read.
    """
    used = [one for found in files.values() for one in found.used]
    told = [*mistakes, *(one for found in files.values() for one in found.mistakes), *_circular(files)]
    if (more := len(used) - MOST_ENTRIES) > 0:
        told.insert(0, Mistake(path="", what=f"{more} uses more than the {MOST_ENTRIES} that are read of a repository"))
        used = sorted(used, key=lambda one: not one.direct)[:MOST_ENTRIES]
    made = [one for found in files.values() for one in found.made]
    return RepositoryManifests(
        repository=repository,
        commit=commit,
        used=tuple(used),
        made=(*made, *_by_its_files(repository, files)),
        mistakes=tuple(told[:MOST_MISTAKES]),
    )


def how_fixed(found: RepositoryManifests, now: datetime) -> Fixed:
    """Count what is fixed.

    Args:
        found: What the repository uses.
        now: From when ages count.
    """
    locked = {(one.ecosystem, one.name) for one in found.used if not one.direct}
    direct: dict[tuple[str, str], bool] = {}
    for one in found.used:
        if one.direct:
            key = (one.ecosystem, one.name)
            direct[key] = direct.get(key, True) and (one.pinned or key in locked)
    ages = {(one.ecosystem, one.name): (now - one.released).days for one in found.used if one.released is not None}
    return Fixed(
        direct=len(direct),
        pinned=sum(direct.values()),
        locked=len(locked),
        ages=tuple(max(0, age) for age in ages.values()),
    )


def _circular(files: Mapping[str, FileFound]) -> list[Mistake]:
    """Files that take each other in; pip would refuse them, or install the same once."""
    includes = {path: [one for one in found.includes if one in files] for path, found in files.items()}
    return [
        Mistake(path=visible(one[0])[:300], what=f"takes itself in: {shown(' → '.join((*one, one[0])))}")
        for one in circles(includes)
    ]


def _by_its_files(repository: str, files: Mapping[str, FileFound]) -> list[Made]:
    """What a repository makes without naming it: its image at GitHub's registry, and its actions."""
    made: list[Made] = []
    for path in files:
        folder, _, name = path.rpartition("/")
        if name in {"action.yml", "action.yaml"}:
            made.append(_made("action", f"{repository}/{folder}".rstrip("/"), path))
    if (image := next((path for path in files if _builds(kind_of(path))), None)) is not None:
        made.append(_made("image", f"ghcr.io/{repository}", image))
    return made


def _builds(kind: Kind | None) -> bool:
    return kind is not None and kind.read is read_dockerfile


def _made(ecosystem: Ecosystem, name: str, path: str) -> Made:
    return Made(ecosystem=ecosystem, name=same_name(ecosystem, name), path=visible(path)[:300])
