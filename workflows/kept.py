"""What a goal's result leaves in the artifact store for people to take.

A result's field is marked where it is declared. What is not marked is offered to nobody: a text that looks like a
reference, because a stranger wrote it so, is a text; a stack's state or a copied repository is for steps alone.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final, cast

from pydantic import BaseModel

MOST_KEPT: Final = 100
_REFERENCE: Final = re.compile(r"sha256:[0-9a-f]{64}")
_SAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST: Final = 100


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Marks a field that names an artifact for people.

    Attributes:
        name: What a file of it is called.
        named_by: The field beside it that has another name for it, of a stranger's choice.
        about: What it is, in a few words.
    """

    name: str
    about: str
    named_by: str = ""


KeptPatch = Annotated[str | None, Kept(name="change.patch", about="the change, as git's patch")]


@dataclass(frozen=True, kw_only=True)
class KeptArtifact:
    """One that a result names.

    Attributes:
        reference: `sha256:…`.
        told: What it is called where it comes from: a stranger's word.
        file: What a file of it is called: letters, digits, dots, dashes, and no dot at the beginning.
    """

    reference: str
    told: str
    file: str
    about: str


def kept_in(result: BaseModel) -> tuple[KeptArtifact, ...]:
    """All that a result offers, each reference once, in the order of its fields."""
    found: dict[str, KeptArtifact] = {}
    for one in _kept(result):
        found.setdefault(one.reference, one)
    return tuple(found.values())[:MOST_KEPT]


def _kept(of: BaseModel) -> Iterator[KeptArtifact]:
    for name, declared in type(of).model_fields.items():
        value: object = getattr(of, name)
        mark = next((one for one in declared.metadata if isinstance(one, Kept)), None)
        if mark is not None:
            if isinstance(value, str) and _REFERENCE.fullmatch(value):
                told = str(getattr(of, mark.named_by)) if mark.named_by else mark.name
                yield KeptArtifact(reference=value, told=told, file=_file(told) or mark.name, about=mark.about)
        elif isinstance(value, BaseModel):
            yield from _kept(value)
        elif isinstance(value, tuple):
            for one in cast("tuple[object, ...]", value):
                if isinstance(one, BaseModel):
                    yield from _kept(one)


def _file(told: str) -> str:
    """A name that is one on every system, and says nothing to a header or a folder."""
    last = told.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return _SAFE.sub("_", last).strip("._")[-_LONGEST:].lstrip("._-")
