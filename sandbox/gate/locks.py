"""Lock files as the gate reads them: which version of what, from where, by which digest. It is a stranger's text."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, cast

Ecosystem = Literal["python", "npm"]
ECOSYSTEMS: Final[Mapping[str, Ecosystem]] = {"uv.lock": "python", "package-lock.json": "npm"}
"""By the name of the lock file."""
_OWN: Final = ("virtual", "editable", "directory")
_ASKED: Final = ("dependencies", "optional-dependencies", "dev-dependencies", "metadata")
_NEWER: Final = (2, 3)
_INSIDE: Final = "node_modules/"
Table = Mapping[str, object]


class LockUnreadable(Exception):
    """It is no lock file of this kind; the message has no word of it."""


@dataclass(frozen=True, kw_only=True)
class Locked:
    """One package at one version.

    Attributes:
        place: What it is known by in the file: its name, or where npm puts it.
        own: Whether it lies in the repository itself.
        origin: Addresses that it and its files come from; what is none says what it is.
        digests: Of its files, by their address; empty where there is none.
    """

    name: str
    version: str
    place: str
    own: bool = False
    origin: tuple[str, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Lock:
    """A lock file.

    Attributes:
        packages: All that it names.
        direct: What the repository itself asks for, as text to compare.
    """

    packages: tuple[Locked, ...]
    direct: str

    def versions(self) -> Mapping[str, tuple[str, ...]]:
        """Of what is not the repository's own, by name; one name may have several."""
        found: dict[str, list[str]] = {}
        for one in self.packages:
            if not one.own and one.version not in found.setdefault(one.name, []):
                found[one.name].append(one.version)
        return {name: tuple(sorted(versions)) for name, versions in found.items()}


def read_lock(path: str, content: bytes) -> Lock:
    """A lock file, by its name.

    Raises:
        LockUnreadable: It is none that is known.
    """
    kind = ECOSYSTEMS.get(path.rpartition("/")[2])
    if kind is None:
        raise LockUnreadable("it is no lock file that is known")
    try:
        return _of_uv(content) if kind == "python" else _of_npm(content)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise LockUnreadable("it cannot be read as the lock file that its name says") from error


def _of_uv(content: bytes) -> Lock:
    said = tomllib.loads(content.decode())
    if said["version"] != 1:
        raise LockUnreadable("it has a form that is not known here")
    packages = [_uv_package(one) for one in cast("list[Table]", said["package"])]
    own = {one.name for one in packages if one.own}
    asked = {
        str(one["name"]): {key: one.get(key) for key in _ASKED}
        for one in cast("list[Table]", said["package"])
        if str(one["name"]) in own
    }  # fmt: skip
    return Lock(tuple(packages), json.dumps({"asked": asked, "all": said.get("manifest")}, sort_keys=True, default=str))


def _uv_package(said: Table) -> Locked:
    name, source = str(said["name"]), cast("Table", said["source"])
    own = any(key in source for key in _OWN)
    files = [*cast("list[Table]", said.get("wheels", [])), *([cast("Table", said["sdist"])] if "sdist" in said else [])]
    digests = {
        str(one.get("url") or one.get("path") or one.get("filename") or ""): str(one.get("hash", "")) for one in files
    }
    if own:
        origin: tuple[str, ...] = ()
    else:
        origin = (str(source["registry"]) if "registry" in source else f"{next(iter(source))}: {name}", *digests)
    version = str(said.get("version", ""))
    return Locked(name=name, version=version, place=name, own=own, origin=origin, digests=digests)


def _of_npm(content: bytes) -> Lock:
    said = cast("Table", json.loads(content))
    if said["lockfileVersion"] not in _NEWER:
        raise LockUnreadable("it has a form that is not known here: npm 7 and later write the known ones")
    entries = cast("Mapping[str, Table]", said["packages"])
    keys = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "workspaces")
    asked = {place: {key: one.get(key) for key in keys} for place, one in entries.items() if _INSIDE not in place}
    return Lock(tuple(_npm_packages(entries)), json.dumps(asked, sort_keys=True))


def _npm_packages(entries: Mapping[str, Table]) -> Iterator[Locked]:
    for place, said in entries.items():
        own = _INSIDE not in place or said.get("link") is True
        name = str(said.get("name") or place.rpartition(_INSIDE)[2] or "the repository")
        resolved = str(said.get("resolved", ""))
        yield Locked(
            name=name,
            version=str(said.get("version", "")),
            place=place,
            own=own,
            origin=(resolved,) if resolved and not own else (),
            digests={} if own or said.get("inBundle") is True else {resolved: str(said.get("integrity", ""))},
        )
