"""Which files name dependencies, how large each may be, and what reads it.

A file is looked for by its name, and left out below folders that hold other people's code. Its size is known before a
byte of it is read.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from activities.dependencies.found import FileFound, Mistake, NotReadable
from activities.dependencies.manifests.actions import read_actions
from activities.dependencies.manifests.golang import read_go_mod
from activities.dependencies.manifests.images import read_dockerfile
from activities.dependencies.manifests.javascript import read_package, read_package_lock
from activities.dependencies.manifests.python import read_pyproject, read_requirements, read_uv_lock
from hitl.hidden import visible

MOST_FILES: Final = 200
"""Of one repository."""
MOST_YAML: Final = 1024 * 1024
"""Bytes of YAML of one repository, which is slow to read."""
_KB: Final = 1024
_MB: Final = 1024 * 1024
_OTHERS: Final = frozenset({"node_modules", "vendor", "third_party", "testdata", ".venv", "venv", "site-packages"})


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of file.

    Attributes:
        read: Reads its text. Raises `NotReadable`.
        most: Bytes.
        yaml: Whether it is YAML.
    """

    read: Callable[[str, str], FileFound]
    most: int
    yaml: bool = False


REQUIREMENTS: Final = Kind(read=read_requirements, most=_MB)
_BY_NAME: Final[Mapping[str, Kind]] = {
    "pyproject.toml": Kind(read=read_pyproject, most=512 * _KB),
    "uv.lock": Kind(read=read_uv_lock, most=4 * _MB),
    "package.json": Kind(read=read_package, most=_MB),
    "package-lock.json": Kind(read=read_package_lock, most=16 * _MB),
    "go.mod": Kind(read=read_go_mod, most=_MB),
}
_BY_PATH: Final = (
    (re.compile(r"(?:.*/)?requirements[^/]*\.(?:txt|in)|(?:.*/)?requirements/[^/]+\.(?:txt|in)"), REQUIREMENTS),
    (
        re.compile(r"(?:.*/)?(?:(?:Dockerfile|Containerfile)(?:\.[^/]+)?|[^/]+\.(?:Dockerfile|dockerfile))"),
        Kind(read=read_dockerfile, most=256 * _KB),
    ),
    (
        re.compile(r"\.github/workflows/[^/]+\.ya?ml|(?:.*/)?action\.ya?ml"),
        Kind(read=read_actions, most=128 * _KB, yaml=True),
    ),
)


def kind_of(path: str) -> Kind | None:
    """What kind of manifest lies at this path; None where it is none, or other people's."""
    *folders, name = path.split("/")
    if _OTHERS.intersection(folders):
        return None
    return _BY_NAME.get(name) or next((kind for form, kind in _BY_PATH if form.fullmatch(path)), None)


def is_workflow(path: str) -> bool:
    """Whether GitHub runs what lies at this path."""
    return re.fullmatch(r"\.github/workflows/[^/]+\.ya?ml", path) is not None


@dataclass(frozen=True)
class Chosen:
    """The manifests of a repository that are read, and why others are not."""

    files: Mapping[str, Kind]
    mistakes: tuple[Mistake, ...]


def choose(sizes: Mapping[str, int]) -> Chosen:
    """Choose by path and size alone, those nearest to the root first.

    Args:
        sizes: Of all files of the repository, by path: bytes.
    """
    found = [(path, kind) for path in sorted(sizes, key=lambda one: (one.count("/"), one)) if (kind := kind_of(path))]
    files: dict[str, Kind] = {}
    mistakes: list[Mistake] = []
    yaml = 0
    for path, kind in found:
        if (why := _too_large(sizes[path], kind, yaml)) is not None:
            mistakes.append(Mistake(path=visible(path)[:300], what=why))
        elif len(files) < MOST_FILES:
            files[path] = kind
            yaml += sizes[path] if kind.yaml else 0
    if (more := len(found) - len(mistakes) - len(files)) > 0:
        mistakes.append(Mistake(path="", what=f"{more} manifests more than the {MOST_FILES} that are read"))
    return Chosen(files, tuple(mistakes))


def read_file(path: str, kind: Kind, content: bytes) -> FileFound:
    """What one file names. Whatever is wrong with it is told, and never raised."""
    try:
        return kind.read(path, content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return _unread(path, "is not UTF-8; it is not read")
    except NotReadable as error:
        return _unread(path, str(error))


def _unread(path: str, why: str) -> FileFound:
    return FileFound(mistakes=(Mistake(path=visible(path)[:300], what=why),))


def _too_large(size: int, kind: Kind, yaml: int) -> str | None:
    if size > kind.most:
        return f"has {size} bytes, and at most {kind.most} of such a file are read"
    if kind.yaml and yaml + size > MOST_YAML:
        return f"is left out: {MOST_YAML} bytes of YAML are read of a repository"
    return None
