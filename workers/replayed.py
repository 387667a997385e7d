"""Which modules of ours workflows run on: code that replays is another version as soon as one of them is another.

It is told from the import statements, without importing anything: whoever starts an environment or prepares a namespace
names the same version as the worker, and has loaded none of it. Files are searched by a pattern, because parsing them
takes a second. It reads more than Python does where a docstring looks like an import, which does no harm; a test holds
it to what Python loads.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import workflows

PACKAGES: Final = frozenset(
    {"activities", "connectors", "deploy", "hitl", "observability", "sandbox", "workers", "workflows"}
)
"""Ours; every other name is somebody else's."""

SOURCES: Final = Path(str(workflows.__file__)).parent.parent
"""The folder that our packages lie in."""

_IMPORT: Final = re.compile(
    rf"\n[ \t]*(?:from[ \t]+((?:{'|'.join(sorted(PACKAGES))})\b[\w.]*)[ \t]+)?import\b"
    r"[ \t]*(\((?:[^)#]|#[^\n]*)*\)|(?:[^\n\\]|\\\n)+)"
)
_BY_FILE: Final = {
    "connectors.provider": "connectors/*/manifest.py",
    "activities.copies.steps": "activities/*/contracts.py",
}
"""Modules that ask for others without an import statement, by the names of their files."""
_WORKFLOWS: Final = "workflows"
_WORD: Final = re.compile(r"[\w.]+")


def replayed_modules(sources: Path = SOURCES) -> dict[str, Path]:
    """All of `workflows`, and the modules of ours that those load: file by name, in the order of names.

    Args:
        sources: The folder that our packages lie in.

    Raises:
        FileNotFoundError: It has no workflows.
    """
    found: dict[str, Path] = {}
    wanted = [_name(path.relative_to(sources)) for path in (sources / _WORKFLOWS).rglob("*.py")]
    if not wanted:
        raise FileNotFoundError(f"there is no module {_WORKFLOWS!r} in {sources}")
    while wanted:
        name = wanted.pop()
        if name not in found and (path := _source(sources, name)) is not None:
            found[name] = path
            wanted += _imported(name, path, sources)
    return dict(sorted(found.items()))


def replayed_digest(sources: Path = SOURCES) -> str:
    """Of the names and the sources of all modules that workflows run on, in hexadecimal."""
    digest = hashlib.sha256()
    for name, path in replayed_modules(sources).items():
        digest.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(name: str, path: Path, sources: Path) -> Iterator[str]:
    """Names that may be modules: those imported, and the packages around them."""
    yield name.rpartition(".")[0]
    if (pattern := _BY_FILE.get(name)) is not None:
        yield from (_name(one.relative_to(sources)) for one in sources.glob(pattern))
    for package, words in _IMPORT.findall("\n" + path.read_text(encoding="utf-8")):
        if not package:
            yield from _WORD.findall(words)
            continue
        yield package
        if sources.joinpath(*package.split(".")).is_dir():
            yield from (f"{package}.{word}" for word in _WORD.findall(words))


def _source(sources: Path, name: str) -> Path | None:
    parts = name.split(".")
    if parts[0] not in PACKAGES:
        return None
    place = sources.joinpath(*parts)
    return next((one for one in (place.with_suffix(".py"), place / "__init__.py") if one.is_file()), None)
