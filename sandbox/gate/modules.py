"""Go's `go.mod` and `go.sum` as the gate reads them. Both are a stranger's text, and what is not known is refused."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

_LINES: Final = {"module", "go", "toolchain", "require", "replace", "exclude", "retract", "tool", "godebug", "ignore"}
_VERSION: Final = re.compile(r"v\d[A-Za-z0-9.+-]*")
_PATH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~/+-]*")
_SUM: Final = re.compile(r"(?P<what>(?P<path>\S+) v\d[A-Za-z0-9.+-]*(/go\.mod)?) (?P<digest>h1:[A-Za-z0-9+/]{43}=)")


@dataclass(frozen=True)
class Modules:
    """What both say.

    Attributes:
        go: The version of the language.
        needs: Versions by path, the direct ones and the others.
        replaced: Path and version that stand for another; a path alone where that is of the repository.
        direct: What the repository itself asks for: paths without versions, and every line that is no need.
        sums: Digests of `go.sum`, by path and version.
    """

    go: str
    needs: Mapping[str, str]
    replaced: Mapping[str, tuple[str, str]]
    direct: tuple[str, ...]
    sums: Mapping[str, str]


def read_modules(text: str, sums: str) -> Modules:
    """Both files.

    Raises:
        ValueError: One has a line that is not known.
    """
    go, needs, replaced, direct = "", dict[str, str](), dict[str, tuple[str, str]](), list[str]()
    for word, words, indirect in _lines(text):
        if word == "go":
            (go,) = words
        elif word == "require":
            path, version = words
            if not _PATH.fullmatch(path) or not _VERSION.fullmatch(version) or path in needs:
                raise ValueError("a need that is not known")
            needs[path] = version
            direct += [] if indirect else [f"require {path}"]
        else:
            direct.append(" ".join((word, *words)))
            if word == "replace":
                at = words.index("=>")
                new = words[at + 1 :]
                replaced[" ".join(words[:at])] = (new[0], new[1] if len(new) > 1 else "")
    return Modules(go, needs, replaced, tuple(sorted(direct)), dict(_sums(sums)))


def _lines(text: str) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """The word of each line, its other words, and whether it is said to be needed by others alone."""
    block = ""
    for line in text.splitlines():
        said, _, comment = line.partition("//")
        words = said.replace('"', " ").split()
        if not words:
            continue
        if block and words == [")"]:
            block = ""
            continue
        if not block and words[-1] == "(" and len(words) == 2:  # noqa: PLR2004 - the word and the bracket
            block = words[0]
            continue
        word, rest = (block, words) if block else (words[0], words[1:])
        if word not in _LINES or not rest or {"(", ")", "`"} & set(rest) or "/*" in line or "`" in line:
            raise ValueError("a line that is not known")
        yield word, tuple(rest), re.match(r"\s*indirect\b", comment) is not None
    if block:
        raise ValueError("a bracket that stays open")


def _sums(text: str) -> Iterator[tuple[str, str]]:
    seen = set[str]()
    for line in text.splitlines():
        said = _SUM.fullmatch(line)
        if said is None or said["what"] in seen:
            raise ValueError("a digest that is not known, or two of the same")
        seen.add(said["what"])
        yield said["what"], said["digest"]
