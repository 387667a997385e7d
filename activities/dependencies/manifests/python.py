"""Python: `pyproject.toml`, `uv.lock` and files of requirements.

`tomllib` takes time with the square of a dotted key's length, and goes down by recursion. A text with a key that
nobody would write is therefore refused before it is read.
"""

import posixpath
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, cast

from activities.dependencies.found import FileFound, Notes, NotReadable, shown

_LONGEST_LINE: Final = 10_000
_MOST_DOTS: Final = 50
_NAMED: Final = re.compile(r"\s*([^\s<>=!~;@\[\](),]+)\s*(?:\[[^\]]{0,500}\])?\s*([^;]*)")
_EXACT: Final = re.compile(r"===?\s*([^\s,*]+)")
_TAKES_IN: Final = re.compile(r"(?:-r|--requirement|-c|--constraint)[\s=]+(\S+)")
_OPTION: Final = re.compile(r"\s--(?:hash|config-settings|global-option)\b")


def read_pyproject(path: str, text: str) -> FileFound:
    """What a project needs: to run, to be built, and for what groups and extras are for.

    Raises:
        NotReadable: It is no TOML.
    """
    notes, document = Notes(path, "python"), read_toml(text)
    project = _table(document, "project")
    if isinstance(name := project.get("name"), str):
        notes.make(name)
    wanted = [*_strings(project.get("dependencies")), *_strings(_table(document, "build-system").get("requires"))]
    for group in (*_table(project, "optional-dependencies").values(), *_table(document, "dependency-groups").values()):
        wanted += _strings(group)
    for one in wanted:
        _use(notes, one)
    _poetry(notes, _table(_table(document, "tool"), "poetry"))
    return notes.found()


def read_uv_lock(path: str, text: str) -> FileFound:
    """Every package that uv resolved, at its version; when it came out, where uv wrote that down.

    Raises:
        NotReadable: It is no TOML.
    """
    notes, document = Notes(path, "python"), read_toml(text)
    for one in _tables(document.get("package")):
        name, version = one.get("name"), one.get("version")
        own = {"editable", "virtual", "directory"} & _table(one, "source").keys()
        if isinstance(name, str) and not own:
            known = version if isinstance(version, str) else ""
            notes.use(name, version=known, wanted=known, pinned=True, direct=False, released=_uploaded(one))
    return notes.found()


def read_requirements(path: str, text: str) -> FileFound:
    """What pip would install, and the files that it takes in."""
    notes = Notes(path, "python")
    for line in _logical_lines(text):
        if taken := _TAKES_IN.match(line):
            _include(notes, path, taken[1])
        elif line.startswith("-e"):
            continue
        elif not line.startswith("-"):
            _use(notes, _OPTION.split(line)[0])
    return notes.found()


def read_toml(text: str) -> dict[str, object]:
    """A document of TOML.

    Raises:
        NotReadable: It is none, or none that anybody would write.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        key = line if line.lstrip().startswith("[") else line.partition("=")[0] if "=" in line else ""
        if len(line) > _LONGEST_LINE or key.count(".") > _MOST_DOTS:
            raise NotReadable(f"has a line {number} that is too long or has a key of too many parts; it is not read")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NotReadable(f"is no TOML: {shown(str(error))}") from None
    except RecursionError:
        raise NotReadable("is nested too deeply; it is not read") from None


def _logical_lines(text: str) -> Iterator[str]:
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        plain = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip()
        if plain:
            yield plain


def _include(notes: Notes, path: str, taken: str) -> None:
    if "://" in taken:
        notes.mistake(f"takes in '{shown(taken)}' from elsewhere; only files of the repository are read")
        return
    inside = posixpath.normpath(posixpath.join(posixpath.dirname(path), taken))
    if inside.startswith(("/", "../")) or inside == "..":
        notes.mistake(f"takes in '{shown(taken)}', which is outside of the repository")
        return
    notes.includes.append(inside)


def _use(notes: Notes, written: str) -> None:
    """One requirement, as PEP 508 writes it; of a URL the name alone."""
    found = _NAMED.match(written)
    if found is None:
        notes.mistake(f"has '{shown(written)}', which names no package; it is left out")
        return
    wanted = found[2].strip().strip("()")
    exact = _EXACT.fullmatch(wanted)
    notes.use(found[1], wanted=wanted, version=exact[1] if exact else "", pinned=exact is not None)


def _poetry(notes: Notes, poetry: dict[str, object]) -> None:
    if isinstance(name := poetry.get("name"), str):
        notes.make(name)
    groups = [_table(one, "dependencies") for one in _table(poetry, "group").values()]
    for table in (_table(poetry, "dependencies"), _table(poetry, "dev-dependencies"), *groups):
        for name, said in table.items():
            wanted = said if isinstance(said, str) else _table(table, name).get("version", "")
            if name != "python":
                exact = re.fullmatch(r"(?:==)?\s*(\d[^\s,*]*)", str(wanted))
                notes.use(name, wanted=str(wanted), version=exact[1] if exact else "", pinned=exact is not None)


def _uploaded(package: dict[str, object]) -> datetime | None:
    files = [_table(package, "sdist"), *_tables(package.get("wheels"))]
    said = [one["upload-time"] for one in files if isinstance(one.get("upload-time"), str)]
    try:
        times = [datetime.fromisoformat(cast("str", one)) for one in said]
    except ValueError:
        return None
    return min((one if one.tzinfo else one.replace(tzinfo=UTC) for one in times), default=None)


def _table(value: object, key: str) -> dict[str, object]:
    if not isinstance(value, dict):
        return {}
    found = cast("dict[str, object]", value).get(key)
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}


def _tables(value: object) -> list[dict[str, object]]:
    some = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, object]", one) for one in some if isinstance(one, dict)]


def _strings(value: object) -> list[str]:
    return [one for one in cast("list[object]", value) if isinstance(one, str)] if isinstance(value, list) else []
