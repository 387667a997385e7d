"""Looks at a folder with somebody's repository for what a manifest can begin from: names of files, and a few of them.

Nothing of it is run, links are not followed, and no file of more than 256 kB is read: it may be anybody's.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

from hitl.hidden import visible
from workflows.manifest.proposal import Seen

_MOST_BYTES: Final = 256 * 1024
_MOST_FOLDERS: Final = 500
_STACK_FILE: Final = re.compile(r"Pulumi\.([a-z0-9][a-z0-9_-]{0,62})\.yaml")
_FOLDER: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_./-]{0,200}")
_SKIPPED: Final = frozenset({"node_modules", "vendor", "target", "dist", "build", "venv"})
_LAST: Final = frozenset({"live", "prod", "production"})
"""Environments that are brought up when all others have been."""
_REGISTRIES: Final = "package-registries"
_PYTEST: Final = "python3 -m venv ../venv && ../venv/bin/pip install -q . pytest && ../venv/bin/python -m pytest"
_MIGRATIONS: Final[tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]] = (
    ("alembic.ini", ("alembic", "upgrade", "head"), ("alembic", "downgrade", "-1")),
    ("manage.py", ("python3", "manage.py", "migrate"), ()),
    ("prisma/schema.prisma", ("npx", "prisma", "migrate", "deploy"), ()),
    ("db/migrate", ("bin/rails", "db:migrate"), ("bin/rails", "db:rollback")),
)


def look(folder: Path) -> Seen:
    """What is seen in a repository.

    Raises:
        OSError: The folder cannot be read.
    """
    package, project = _json(folder / "package.json"), _toml(folder / "pyproject.toml")
    test, build, purpose = _commands(folder, package, python=_is_project(project))
    migrate, down = next(
        ((up, down) for name, up, down in _MIGRATIONS if (folder / name).exists()),
        (tuple[str, ...](), tuple[str, ...]()),
    )
    directory, stacks = _pulumi(folder)
    named = (_text(project, "project", "name"), _text(package, "name"), folder.resolve().name)
    return Seen(
        name=next(name for name in named if name is not None),
        owner=_owner(folder),
        test=test,
        build=build,
        purpose=purpose,
        migrate=migrate,
        down=down,
        directory=directory,
        stacks=stacks,
    )


def _commands(folder: Path, package: Any, *, python: bool) -> tuple[tuple[str, ...], tuple[str, ...], str | None]:
    """How it is tested and built, and why that needs a network."""
    targets = set(re.findall(r"^([a-z-]+):", _read(folder / "Makefile"), re.MULTILINE))
    if "test" in targets:
        return ("make", "test"), ("make", "build") if "build" in targets else (), None
    if _text(package, "scripts", "test"):
        build = ("sh", "-c", "npm ci && npm run build") if _text(package, "scripts", "build") else ()
        return ("sh", "-c", "npm ci && npm test"), build, _REGISTRIES
    if python:
        return ("sh", "-c", _PYTEST), (), _REGISTRIES
    if (folder / "go.mod").exists():
        return ("go", "test", "./..."), ("go", "build", "./..."), None
    if (folder / "Cargo.toml").exists():
        return ("cargo", "test"), ("cargo", "build", "--release"), None
    return (), (), None


def _pulumi(folder: Path) -> tuple[str | None, dict[str, str]]:
    """Where the first Pulumi project lies, nearest to the root, and its stacks by environment."""
    for place in _folders(folder):
        if _is_file(place / "Pulumi.yaml"):
            below = place.relative_to(folder).as_posix()
            if below != "." and not _FOLDER.fullmatch(below):
                continue
            found = (_STACK_FILE.fullmatch(one.name) for one in _inside(place))
            names = sorted((one[1] for one in found if one), key=lambda name: (name in _LAST, name))
            return ("" if below == "." else below), {name: name for name in names[:20]}
    return None, {}


def _folders(folder: Path) -> Iterator[Path]:
    """The folder and those in it, three levels deep, hidden and foreign ones left out."""
    level, seen = [folder], 0
    for _ in range(3):
        below: list[Path] = []
        for one in level:
            seen += 1
            if seen > _MOST_FOLDERS:
                return
            yield one
            inside = sorted(each for each in _inside(one) if each.is_dir() and not each.is_symlink())
            below += [each for each in inside if not each.name.startswith(".") and each.name not in _SKIPPED]
        level = below


def _inside(folder: Path) -> list[Path]:
    """What lies in a folder; nothing where that is not to be read."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _owner(folder: Path) -> str | None:
    """Who owns all of it, by the last line of CODEOWNERS about `*`."""
    for name in (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"):
        found = re.findall(r"^\*[ \t]+@([A-Za-z0-9][A-Za-z0-9_./-]{0,100})", _read(folder / name), re.MULTILINE)
        if found:
            return str(found[-1]).rpartition("/")[2] or None
    return None


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _read(path: Path) -> str:
    """The beginning of a file; nothing where there is none that is read here."""
    if not _is_file(path) or path.stat().st_size > _MOST_BYTES:
        return ""
    return path.read_bytes().decode("utf-8", errors="replace")


def _is_project(found: object) -> bool:
    return isinstance(found, dict) and not {"project", "tool", "build-system"}.isdisjoint(
        cast("dict[str, object]", found)
    )


def _json(path: Path) -> object:
    try:
        return json.loads(_read(path) or "{}")
    except (ValueError, RecursionError):
        return {}


def _toml(path: Path) -> object:
    try:
        return tomllib.loads(_read(path))
    except (ValueError, RecursionError):
        return {}


def _text(found: object, *names: str) -> str | None:
    for name in names:
        found = cast("dict[str, object]", found).get(name) if isinstance(found, dict) else None
    return visible(found) if isinstance(found, str) and found else None
