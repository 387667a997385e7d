"""JavaScript: `package.json` and `package-lock.json`, of every version that npm still writes."""

import json
import re
from typing import Final, cast

from activities.dependencies.found import FileFound, Notes, NotReadable, shown

_KINDS: Final = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
_EXACT: Final = re.compile(r"=?v?(\d+\.\d+\.\d+(?:[-+][A-Za-z0-9.+-]+)?)")
_INSIDE: Final = "node_modules/"


def read_package(path: str, text: str) -> FileFound:
    """What a package needs, by the ranges that people wrote.

    Raises:
        NotReadable: It is no JSON, or no mapping.
    """
    notes, document = Notes(path, "npm"), read_json(text)
    if isinstance(name := document.get("name"), str):
        notes.make(name)
    for kind in _KINDS:
        for name, wanted in _mapping(document.get(kind)).items():
            said = wanted if isinstance(wanted, str) else ""
            exact = _EXACT.fullmatch(said)
            notes.use(name, wanted=said, version=exact[1] if exact else "", pinned=exact is not None)
    return notes.found()


def read_package_lock(path: str, text: str) -> FileFound:
    """Every package that npm resolved, at its version.

    Raises:
        NotReadable: It is no JSON, or no mapping.
    """
    notes, document = Notes(path, "npm"), read_json(text)
    packages = _mapping(document.get("packages"))
    for place, told in packages.items():
        if _INSIDE in place and _mapping(told).get("link") is not True:
            _lock(notes, place.rpartition(_INSIDE)[2], told)
    waiting = [] if packages else [_mapping(document.get("dependencies"))]
    while waiting:
        for name, told in waiting.pop().items():
            _lock(notes, name, told)
            waiting.append(_mapping(_mapping(told).get("dependencies")))
    return notes.found()


def read_json(text: str) -> dict[str, object]:
    """A mapping of JSON.

    Raises:
        NotReadable: It is none.
    """
    try:
        found: object = json.loads(text)
    except RecursionError:
        raise NotReadable("is nested too deeply; it is not read") from None
    except ValueError as error:
        raise NotReadable(f"is no JSON: {shown(str(error))}") from None
    if not isinstance(found, dict):
        raise NotReadable("is no mapping of JSON")
    return cast("dict[str, object]", found)


def _lock(notes: Notes, name: str, told: object) -> None:
    version = _mapping(told).get("version")
    known = version if isinstance(version, str) else ""
    notes.use(name, version=known, wanted=known, pinned=True, direct=False)


def _mapping(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
