"""Lock files as the gate reads them: which version of what, from where, by which digest. It is a stranger's text."""

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, cast

from sandbox.gate.modules import read_modules

Ecosystem = Literal["python", "npm", "pip", "go"]
_NAMED: Final[Mapping[str, Ecosystem]] = {"uv.lock": "python", "package-lock.json": "npm", "go.mod": "go"}
_PINNED: Final = re.compile(r"(.*/)?requirements([^/]*|/[^/]+)\.txt")
_PIN: Final = re.compile(
    r"(?P<what>(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[A-Za-z0-9._,-]+\])?==(?P<version>[A-Za-z0-9.!+_-]+)"
    r"( ?;(?:(?! -)[\w .'\"<>=!~(),-])*?)?)(?P<hashes>( --hash=sha256:[0-9a-f]{64})*)"
)
_LONGEST_PIN: Final = 100_000
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
        direct: What the repository itself asks for, as text to compare; nothing where that stands in other files.
        hashed: Whether it has digests; there is a kind that may have none.
        sums: Digests of what it need not name, by what they are of.
    """

    packages: tuple[Locked, ...]
    direct: str
    hashed: bool = True
    sums: Mapping[str, str] = field(default_factory=dict[str, str])

    def versions(self) -> Mapping[str, tuple[str, ...]]:
        """Of what is not the repository's own, by name; one name may have several."""
        found: dict[str, list[str]] = {}
        for one in self.packages:
            if not one.own and one.version not in found.setdefault(one.name, []):
                found[one.name].append(one.version)
        return {name: tuple(sorted(versions)) for name, versions in found.items()}


def ecosystem_of(path: str) -> Ecosystem | None:
    """Whose lock file it is, by its name; None where it is none."""
    named = _NAMED.get(path.rpartition("/")[2])
    return named or ("pip" if _PINNED.fullmatch(path) else None)


def sums_of(path: str) -> str | None:
    """The file beside it that has its digests; None where they stand in it."""
    return f"{path.removesuffix('go.mod')}go.sum" if ecosystem_of(path) == "go" else None


def read_lock(path: str, content: bytes, sums: bytes = b"") -> Lock:
    """A lock file, by its name.

    Args:
        path: Its path.
        content: What it is.
        sums: The file beside it, as `sums_of` names it.

    Raises:
        LockUnreadable: It is none that is known.
    """
    kind = ecosystem_of(path)
    if kind is None:
        raise LockUnreadable("it is no lock file that is known")
    try:
        return _of_go(content, sums) if kind == "go" else _READERS[kind](content)
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


def _of_pip(content: bytes) -> Lock:
    """Pins and nothing else: an option or an address would say where packages come from."""
    found = [_pin(line) for line in _logical_lines(content.decode())]
    hashed = any(one.digests for one in found)
    if hashed:  # then pip wants them of all
        found = [one if one.digests else replace(one, digests={"": ""}) for one in found]
    return Lock(tuple(found), direct="", hashed=hashed)


def _logical_lines(text: str) -> Iterator[str]:
    """As pip joins them, without comments."""
    joined = ""
    for line in text.splitlines():
        if line.endswith("\\"):
            if "#" in line:
                raise LockUnreadable("it has a comment that goes on in the next line")
            joined += line[:-1]
            continue
        whole, joined = re.sub(r"(^|\s)#.*$", "", joined + line).strip(), ""
        if whole:
            yield whole
    if joined.strip():
        raise LockUnreadable("its last line is not whole")


def _pin(line: str) -> Locked:
    plain = " ".join(line.split())
    said = _PIN.fullmatch(plain) if len(plain) <= _LONGEST_PIN else None
    if said is None:
        raise LockUnreadable("it has a line that is no pin of one version: an option, an address, a folder or a range")
    name = re.sub(r"[-_.]+", "-", said["name"]).lower()
    hashes = " ".join(sorted(said["hashes"].replace("--hash=", "").split()))
    return Locked(name=name, version=said["version"], place=said["what"], digests={"": hashes} if hashes else {})


def _of_go(content: bytes, sums: bytes) -> Lock:
    """What is needed, with the version of Go itself: the tool may have to raise it, and people look at that."""
    said = read_modules(content.decode(), sums.decode())
    packages = [Locked(name="go", version=said.go, place="go")]
    for name, version in said.needs.items():
        path, real = said.replaced.get(f"{name} {version}") or said.replaced.get(name) or (name, version)
        own = not real
        known = {one: said.sums[one] for one in (f"{path} {real}", f"{path} {real}/go.mod") if one in said.sums}
        digests = {} if own else known or {"": ""}
        packages.append(Locked(name=name, version=real or version, place=name, own=own, digests=digests))
    return Lock(tuple(packages), direct=json.dumps(said.direct), sums=said.sums)


_READERS: Final[Mapping[Ecosystem, Callable[[bytes], Lock]]] = {"python": _of_uv, "npm": _of_npm, "pip": _of_pip}
