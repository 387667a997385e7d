"""What is wrong with a value of a manifest, in the words of manifests and not of the validator."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hitl.hidden import visible
from hitl.policy.yaml import Location
from workflows.manifest.keys import elsewhere, field_at, form_of, names_at, nearest, words
from workflows.manifest.text import Mistake, Text
from workflows.manifest.writing import inline


@dataclass(frozen=True, kw_only=True)
class _Case:
    """One error of the validator: what was given, where, and what the validator says."""

    at: Location
    given: str
    value: object
    context: Mapping[str, Any]
    message: str


def from_validation(error: ValidationError, text: Text) -> Iterator[Mistake]:
    """Every mistake that the models found, where it is written."""
    for one in error.errors(include_url=False):
        if one["type"] == "too_short" and one["input"]:
            continue  # not empty: none of its entries is right, and each has a mistake of its own
        at = tuple(part for part in one["loc"] if part != "[key]")
        is_key = one["type"] in {"extra_forbidden", "missing"} or one["loc"][-1:] == ("[key]",)
        yield text.mistake(at, _advice(one, at, text), key=is_key)


def _advice(error: ErrorDetails, at: Location, text: Text) -> str:
    of_key = error["loc"][-1:] == ("[key]",)
    case = _Case(
        at=at,
        given=f"`{visible(str(at[-1])) if of_key else text.written_at(at)}`",
        value=error["input"],
        context=error.get("ctx", {}),
        message=visible(error["msg"].removeprefix("Value error, ")),
    )
    kind = error["type"]
    if kind in _KINDS:
        return f"{case.given} is not {_KINDS[kind]}{_example(at)}"
    return _ADVICE.get(kind, lambda case: case.message)(case)


def _form(case: _Case) -> str:
    if "what" in case.context:
        return f"{case.given} is {case.context['what']}; {case.context['advice']}"
    return case.message  # one of the policy's, which quotes the value itself


def _one_of(case: _Case) -> str:
    field = field_at(case.at)
    known = words(field.annotation) if field is not None else ()
    close = nearest(case.given.strip("`'\""), known)
    meant = f"did you mean {close!r}? Write" if close else "write"
    return f"{case.given} is not known here; {meant} {' or '.join(known)}"


def _not_text(case: _Case) -> str:
    field = field_at(case.at)
    form = form_of(field) if field is not None else None
    plain = isinstance(case.value, bool | int | float)
    if plain and (form is None or form.fits(case.given.strip("`"))):
        return f"{case.given} is not text; put it in quotes"
    if form is not None:
        return f"{case.given} is not {form.kind}; {form.advice}"
    return f"{case.given} is not a text; {_meaning(case.at)}{_example(case.at)}"


def _not_mapping(case: _Case) -> str:
    names = names_at(case.at)
    known = f", out of {', '.join(names)}" if names else ""
    return f"{case.given} is not a mapping; write `key: value` lines under it{known}"


_KINDS: Final[Mapping[str, str]] = {
    "int_type": "a whole number; write it in digits and without quotes",
    "int_from_float": "a whole number; write it without a point",
    "float_type": "a number; write it in digits and without quotes",
    "bool_type": "`true` or `false`; write one of them, without quotes",
}


def _meaning(at: Location) -> str:
    field = field_at(at)
    return (field.description or "").rstrip(".") if field is not None else "write another"


def _example(at: Location) -> str:
    field = field_at(at)
    examples = field.examples if field is not None else None
    return f", as in {inline(examples[0])}" if examples else ""


def _unknown_key(key: str, parent: Location) -> str:
    if key == "allow" and parent[:2] == ("policy", "actions"):
        return "a manifest allows nothing, it can only tighten the deployment's policy; write `deny`, or take it out"
    known = names_at(parent)
    other = elsewhere(key)
    close = nearest(key, known, alike=0.8 if other else 0.6)
    told = f"unknown key {visible(key[:60])!r}; "
    if close is not None:
        return f"{told}did you mean {close!r}? Known here: {', '.join(known)}"
    if other:
        return f"{told}there is {' and '.join(other[:3])}. Known here: {', '.join(known)}"
    return f"{told}Known here: {', '.join(known)}"


def _list(case: _Case) -> str:
    return f"{case.given} is not a list; write `- ` before each, or all in brackets{_example(case.at)}"


def _empty(case: _Case) -> str:
    return f"is empty; write at least one, or take it out{_example(case.at)}"


def _too_long(case: _Case) -> str:
    return f"is longer than it may be; at most {case.context.get('max_length')}"


_ADVICE: Final[Mapping[str, Callable[[_Case], str]]] = {
    "extra_forbidden": lambda case: _unknown_key(str(case.at[-1]), case.at[:-1]),
    "missing": lambda case: f"is missing; add it{_example(case.at)}",
    "form": _form,
    "nothing": lambda case: case.message,
    "enum": _one_of,
    "literal_error": _one_of,
    "string_type": _not_text,
    "string_pattern_mismatch": lambda case: f"{case.given} does not fit: {_meaning(case.at)}{_example(case.at)}",
    "too_short": _empty,
    "string_too_short": _empty,
    "too_long": _too_long,
    "string_too_long": _too_long,
    "greater_than_equal": lambda case: f"{case.given} is too small; write {case.context.get('ge')} or more",
    "less_than_equal": lambda case: f"{case.given} is too large; write {case.context.get('le')} or less",
    "tuple_type": _list,
    "list_type": _list,
    "dict_type": _not_mapping,
    "model_type": _not_mapping,
    "model_attributes_type": _not_mapping,
}
