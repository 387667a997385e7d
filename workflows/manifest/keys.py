"""Every key that a manifest can have: what it means, what it takes, what it is when left out. Read from the models."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hitl.policy.raw import RawBudget, RawLimits, RawWhere
from hitl.policy.yaml import Location
from hitl.protocol import PolicyContext
from workflows.manifest.manifest import Manifest
from workflows.manifest.words import Form

_DOLLARS: Mapping[str, str] = {
    "once": "US dollars that are paid once, at most.",
    "hour": "US dollars in an hour, at most.",
    "month": "US dollars in a month, at most.",
    "day": "US dollars on one day (of UTC's), at most.",
    "goal": "US dollars in one run of a goal, at most.",
}


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key.

    Attributes:
        path: `verify.http[].every`; `NAME` stands for what the author names.
        meaning: In a sentence.
        takes: What may be written there.
        required: Whether it must be there, where what is around it is.
        default: What it is when left out; None for nothing.
        examples: Values that may be written.
    """

    path: str
    meaning: str
    takes: str
    required: bool
    default: Any
    examples: tuple[Any, ...]


@cache
def keys() -> Mapping[str, Key]:
    """Every key by its path, in the order of the file."""
    return {key.path: key for key in _of(Manifest, "")}


def _of(model: type[BaseModel], above: str) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        path = f"{above}{field.alias or name}"
        yield Key(
            path=path,
            meaning=_meaning(model, name, field),
            takes=_takes(field.annotation, field.metadata),
            required=field.is_required(),
            default=None if field.is_required() else _plain(field.get_default(call_default_factory=True)),
            examples=tuple(field.examples or ()),
        )
        if (inside := _model(field.annotation)) is not None:
            below = "[]." if _sequence(field.annotation) else "."
            yield from _of(inside, path + below)


def _meaning(model: type[BaseModel], name: str, field: FieldInfo) -> str:
    if field.description:
        return field.description
    if model is RawWhere:
        return PolicyContext.model_fields[name].description or ""
    return _DOLLARS[name] if model in {RawLimits, RawBudget} else ""


def _plain(value: Any) -> Any:
    """A default as it would be written; None where there is nothing to write."""
    if isinstance(value, BaseModel):
        return None
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return list[Any](value) or None  # pyright: ignore[reportUnknownArgumentType] - a tuple of whatever
    return value if value not in ({}, [], "") else None


def _bare(annotation: Any) -> Any:
    """What an annotation is about, without `Annotated` and without None."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in {UnionType, Union}:
        return _bare(next(one for one in get_args(annotation) if one is not NoneType))
    return annotation


def _sequence(annotation: Any) -> bool:
    return get_origin(_bare(annotation)) in {tuple, list}


def _model(annotation: Any) -> type[BaseModel] | None:
    bare = _bare(annotation)
    if _sequence(bare):
        bare = _bare(get_args(bare)[0])
    return bare if isinstance(bare, type) and issubclass(bare, BaseModel) else None


def words(annotation: Any) -> tuple[str, ...]:
    """The closed list of what may be written, as YAML has it; empty where anything of a kind may."""
    bare = _bare(annotation)
    if get_origin(bare) is Literal:
        return tuple(str(one).lower() if isinstance(one, bool) else str(one) for one in get_args(bare))
    return tuple(str(one.value) for one in bare) if isinstance(bare, type) and issubclass(bare, Enum) else ()


def _takes(annotation: Any, metadata: list[Any]) -> str:
    bare = _bare(annotation)
    if closed := words(bare):
        return " or ".join(f"`{one}`" for one in closed)
    if _sequence(bare):
        return f"a list: {_takes(get_args(bare)[0], [])}"
    if get_origin(bare) is dict:
        name, value = get_args(bare)
        return f"a mapping: {_takes(name, [])} to {_takes(value, [])}"
    if _model(bare) is not None:
        return "a mapping"
    form = _form((*metadata, *_metadata(annotation)))
    if form is not None:
        return form.kind
    return {str: "text", bool: "`true` or `false`", int: "a whole number", float: "a number"}.get(bare, "text")


def _metadata(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Annotated:
        yield from get_args(annotation)[1:]
        yield from _metadata(get_args(annotation)[0])
    elif get_origin(annotation) in {UnionType, Union}:
        for one in get_args(annotation):
            yield from _metadata(one)


def _form(metadata: Iterable[Any]) -> Form | None:
    return next((one for one in metadata if isinstance(one, Form)), None)


def form_of(field: FieldInfo) -> Form | None:
    """The form of a text, or of each text of a list; None where it has none of ours."""
    bare = _bare(field.annotation)
    inside = _metadata(get_args(bare)[0]) if _sequence(bare) else ()
    return _form((*field.metadata, *_metadata(field.annotation), *inside))


def field_at(at: Location) -> FieldInfo | None:
    """The field of a place in a document; that of the list for one of its entries, None for what no model has."""
    model: type[BaseModel] | None = Manifest
    found: FieldInfo | None = None
    for part in at:
        if isinstance(part, int):
            continue
        if model is None:
            return found  # a name that the author gave, or what lies below one
        found = next((one for name, one in model.model_fields.items() if (one.alias or name) == part), None)
        if found is None:
            return None
        model = _model(found.annotation)
    return found


def takes_text(at: Location) -> bool:
    """Whether a text of any kind belongs at this place."""
    field = field_at(at)
    return field is not None and _bare(field.annotation) is str


def names_at(at: Location) -> tuple[str, ...]:
    """The keys that the mapping at this place can have; none where the author names them."""
    field = field_at(at)
    model = _model(field.annotation) if field is not None else Manifest if not at else None
    return tuple(one.alias or name for name, one in model.model_fields.items()) if model is not None else ()


def elsewhere(name: str) -> tuple[str, ...]:
    """The paths of all keys of that name."""
    return tuple(path for path in keys() if path.rpartition(".")[2] == name)


def nearest(name: str, known: tuple[str, ...], *, alike: float = 0.6) -> str | None:
    """The known name that somebody may have meant; `alike` is how much of both is the same at least, 1 for all."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=alike)
    return close[0] if close else None
