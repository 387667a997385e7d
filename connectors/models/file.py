"""Reads the file of language models: checked whole, made into valid `Models`, or into every mistake with its line.

    BANKSMAN_MODELS=deploy/models.yaml

Each mistake is one line: `file:line: where: what is wrong; what to write`.
"""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from connectors.models.deployment import PUBLIC_URLS, Backend, Limits, ModelRef, Models
from connectors.models.raw import (
    Key,
    Kind,
    Per,
    RawBackend,
    RawDayLimit,
    RawGoalLimit,
    RawLimits,
    RawModel,
    RawModels,
    RawPrice,
    RawServed,
    Use,
)
from connectors.served.boot import Boot
from hitl.hidden import visible
from hitl.policy.yaml import Document, Location, YamlError, read_document

LABELS: Final = ("public", "repository", "log", "private")
"""What our own goals say of data. A deployment may name more."""
_MAX_BYTES: Final = 256 * 1024
_SHOWN: Final = 60
_ALIKE: Final = 0.8


class Mistake(NamedTuple):
    """One thing wrong with the file: its line, the place in the document, and what to do about it."""

    line: int
    where: str
    message: str


class ModelsError(Exception):
    """The file cannot be used. The message has a line for every mistake."""

    def __init__(self, path: Path, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = sorted(set(mistakes))
        super().__init__("\n".join(f"{path}:{line}: {where}: {text}" for line, where, text in self.mistakes))


def load_models(path: Path) -> Models:
    """Read the file.

    Raises:
        ModelsError: With every mistake found, when it cannot be read or is not valid.
    """
    document = _document(path)
    mistakes = [Mistake(one.line, _dotted(one.location), one.message) for one in document.problems]
    try:
        raw = RawModels.model_validate(document.value)
    except ValidationError as error:
        found = (one for one in error.errors(include_url=False) if not _told_by_yaml(one))
        raise ModelsError(path, [*mistakes, *(_of_form(one, document) for one in found)]) from error
    mistakes += [Mistake(document.line(at), _dotted(at), text) for at, text in _contradictions(raw)]
    if mistakes:
        raise ModelsError(path, mistakes)
    return _valid(path.name, raw)


def _document(path: Path) -> Document:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        text = f"cannot be read ({error.strerror}); name a file that this process may read"
        raise ModelsError(path, [Mistake(1, "file", text)]) from error
    if len(data) > _MAX_BYTES:
        raise ModelsError(path, [Mistake(1, "file", "is larger than 256 kB; it is a page or two")])
    try:
        document = read_document(data)
    except YamlError as error:
        raise ModelsError(path, [Mistake(error.line, _dotted(error.location), error.message)]) from error
    if document.value is None:
        raise ModelsError(path, [Mistake(1, "file", "is empty; docs/how-to/add-a-model.md has one to begin with")])
    return document


def _told_by_yaml(error: ErrorDetails) -> bool:
    """A key that is not text was found with the YAML, where its line is known."""
    return error["type"] == "string_type" and error["loc"][-1] == "[key]"


def _valid(source: str, raw: RawModels) -> Models:
    goal, day = raw.limits.goal, raw.limits.day
    return Models(
        source=source,
        backends={name: _backend(name, one) for name, one in raw.backends.items()},
        tiers={name: tuple(map(ModelRef.of, models)) for name, models in raw.tiers.items()},
        routes=raw.routes,
        data={name: frozenset(labels) for name, labels in raw.data.items()},
        limits=Limits(
            goal_usd=goal.usd,
            goal_requests=goal.requests,
            goal_minutes=goal.minutes,
            goal_decisions=goal.decisions,
            day_usd=day.usd,
            day_decisions=day.decisions,
            day_per=day.per,
            installation_day_usd=day.usd_per_installation,
        ),
        known={ModelRef.of(name): one for name, one in raw.models.items()},
        served={name: _boot(name, one) for name, one in raw.served.items()},
    )


def _boot(name: str, raw: RawServed) -> Boot:
    return Boot(name=name, relay=raw.relay, authority=raw.authority or "", run=tuple(raw.run), port=raw.port)


def _backend(name: str, raw: RawBackend) -> Backend:
    usual = Key.NONE if raw.kind is Kind.OLLAMA else Key.VAULT
    return Backend(
        name=name,
        kind=raw.kind,
        url=raw.url or PUBLIC_URLS.get(raw.kind),
        region=raw.region,
        key=raw.key or usual,
        seconds=raw.seconds,
        requests_per_minute=raw.requests_per_minute,
        stream=raw.stream,
    )


def _contradictions(raw: RawModels) -> Iterator[tuple[Location, str]]:
    """What each value alone does not show: names that are not there, and kinds that lack something."""
    for name, one in raw.backends.items():
        yield from _of_backend(("backends", name), one)
    yield from _of_data(raw)
    for tier, models in raw.tiers.items():
        for index, model in enumerate(models):
            yield from _unknown(("tiers", tier, index), ModelRef.of(model).backend, raw.backends, "backend")
            if model in models[:index]:
                yield ("tiers", tier, index), f"{model!r} is in this tier already; keep one of them"
    for use, tier in raw.routes.items():
        yield from _unknown(("routes", use.value), tier, raw.tiers, "tier")
    listed = {model for models in raw.tiers.values() for model in models}
    for model in raw.models:
        yield from _unknown(("models", model), model, listed, "model of a tier")
    yield from _of_served(raw, {ModelRef.of(model).backend for model in listed})


def _of_served(raw: RawModels, asked: Collection[str]) -> Iterator[tuple[Location, str]]:
    for name in raw.served:
        yield from _unknown(("served", name), name, raw.backends, "backend")
        found = raw.backends.get(name)
        if found is None:
            continue
        if found.kind is not Kind.OPENAI or found.key is Key.NONE or not (found.url or "").endswith(f"/{name}/v1"):
            written = f'`{name}: {{kind: openai, url: "https://RELAY/{name}/v1"}}`'
            yield ("served", name), f"is asked through the relay: write {written} under `backends`, without `key`"
        if name not in asked:
            yield ("served", name), f"no tier has a model of {name!r}; add one, as in `small: [{name}/MODEL]`"


def _of_data(raw: RawModels) -> Iterator[tuple[Location, str]]:
    for name in raw.backends:
        if name not in raw.data:
            yield ("data",), f"no data may go to {name!r}, so that it is never asked; add it, as in `{name}: [public]`"
    for name, labels in raw.data.items():
        yield from _unknown(("data", name), name, raw.backends, "backend")
        for index, label in enumerate(labels):
            if close := _close(label, LABELS):
                yield ("data", name, index), f"{label!r} is no label of ours; did you mean {close!r}?"


def _of_backend(at: Location, one: RawBackend) -> Iterator[tuple[Location, str]]:
    if one.kind is Kind.BEDROCK and one.region is None:
        yield at, "is of kind bedrock and has no `region`; add it, as in `region: eu-central-1`"
    if one.kind is not Kind.BEDROCK and one.region is not None:
        yield (*at, "region"), f"only a backend of kind bedrock has one, and this is {one.kind}; take it out"
    if one.kind is Kind.OLLAMA and one.url is None:
        yield at, 'is of kind ollama and has no `url`; add it, as in `url: "http://127.0.0.1:11434"`'
    if one.key is Key.NONE and one.kind not in {Kind.OLLAMA, Kind.OPENAI}:
        yield (*at, "key"), f"a backend of kind {one.kind} wants a key; take the line out, and put one into Vault"


def _unknown(at: Location, name: str, known: Iterable[str], what: str) -> Iterator[tuple[Location, str]]:
    there = list(known)
    if name in there:
        return
    close = difflib.get_close_matches(name, there, n=1)
    meant = f"did you mean {close[0]!r}? " if close else ""
    yield at, f"there is no {what} {visible(name)!r}; {meant}Known here: {', '.join(there)}"


def _close(name: str, known: Iterable[str]) -> str | None:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=_ALIKE)
    return close[0] if close and close[0] != name else None


_WORDS: Final[Mapping[str, type[StrEnum]]] = {"kind": Kind, "key": Key, "per": Per, "routes": Use}
_MODELS: Final[Mapping[str, type[BaseModel]]] = {
    "backends": RawBackend,
    "models": RawModel,
    "price": RawPrice,
    "served": RawServed,
    "limits": RawLimits,
    "goal": RawGoalLimit,
    "day": RawDayLimit,
}
_ADVICE: Final[Mapping[str, str]] = {
    "missing": "is missing; add it",
    "string_type": "{given} is not text; put it in quotes",
    "int_type": "{given} is not a whole number; write it in digits",
    "float_type": "{given} is not a number; write it in digits",
    "bool_type": "{given} is neither true nor false; write one of them",
    "dict_type": "{given} is not a mapping; write `name: value` lines under it",
    "model_type": "{given} is not a mapping; write `name: value` lines under it",
    "list_type": "{given} is not a list; write it in brackets, as in [public, repository]",
    "greater_than_equal": "{given} is too small; write {ge} or more",
    "less_than_equal": "{given} is too large; write {le} or less",
    "too_short": "is empty; add at least one",
}


def _of_form(error: ErrorDetails, document: Document) -> Mistake:
    at = tuple(part for part in error["loc"] if part != "[key]")
    return Mistake(document.line(at), _dotted(at), _advice(error, at))


def _advice(error: ErrorDetails, at: Location) -> str:
    shown = visible(repr(error["input"]))
    given = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
    match error["type"]:
        case "extra_forbidden":
            return _unknown_key(str(at[-1]), at[:-1])
        case "enum":
            names = [part for part in (at[-1], *at) if isinstance(part, str) and part in _WORDS]
            known = [str(one) for one in _WORDS[names[0]]] if names else []
            close = difflib.get_close_matches(str(error["input"]), known, n=1)
            meant = f"did you mean {close[0]!r}? Write" if close else "write"
            return f"{given} is not known here; {meant} one of {', '.join(known)}"
        case kind if kind in _ADVICE:
            return _ADVICE[kind].format(given=given, **error.get("ctx", {}))
        case _:
            return error["msg"]


def _unknown_key(key: str, parent: Location) -> str:
    names = [part for part in parent if isinstance(part, str) and part in _MODELS]
    known = list((_MODELS[names[-1]] if names else RawModels).model_fields)
    close = difflib.get_close_matches(key, known, n=1)
    meant = f"did you mean {close[0]!r}? " if close else ""
    return f"unknown key {visible(key[:_SHOWN])!r}; {meant}Known here: {', '.join(known)}"


def _dotted(at: Location) -> str:
    """`backends.local.url`, `tiers.small[0]`, or `file` for the whole."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{visible(part[:_SHOWN])}" for part in at)
    return text.removeprefix(".") or "file"
