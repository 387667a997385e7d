"""What a plan that a model wrote may name: what people wrote themselves, and what is in a closed list. Nothing else.

A literal of a plan is its author's word, and a model is an author that does what any text tells it. So each value that
would name a thing (a repository, a branch, a path, a command) has to stand in the words that were asked for, as it is,
or in a closed list of that field. What a model makes up is a question that it has to ask.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from hitl.plan_language.catalogue import Catalogue, Path
from hitl.plan_language.checker import type_at
from hitl.plan_language.labels import Lists, is_closed, position_of, texts_of
from hitl.plan_language.language import Draft, Placed
from hitl.plan_language.mistakes import Mistake, in_order, pointer, quoted
from hitl.plan_language.references import TooDeep, is_reference, walk
from hitl.plan_language.types import Typed

NOT_A_MODELS: Final[Mapping[str, str]] = {
    "break_glass": "whether it is an emergency",
    "rehearsal": "whether it was rehearsed",
    "labels": "which data a text is, and so which models may be told of it",
}
"""Inputs of every goal that people alone give, and what they say."""
NOT_GIVEN: Final = "does not stand in what was asked for"
"""In what is said of a name that nobody gave, and of nothing else."""
_PART_OF_A_NAME: Final = r"[\w/@-]"


def ungrounded(draft: Draft, catalogue: Catalogue, words: Sequence[str], lists: Lists) -> tuple[Mistake, ...]:
    """Every value that names a thing and that nobody gave.

    Args:
        draft: The plan, as far as it can be read.
        catalogue: The goals that there are.
        words: What people wrote.
        lists: Closed lists, by the names of input fields.
    """
    said = _Said(words, lists)
    found = [one for placed in draft.steps for one in _of_step(placed, catalogue, said)]
    return in_order(found, draft.places)


def stands_in(words: Sequence[str], value: str) -> bool:
    """Whether a name stands in what people wrote, as it is, and not as a part of another name."""
    return bool(value) and _Said(words, {}).has("", value)


class _Said:
    """What people wrote, and what is listed."""

    def __init__(self, words: Sequence[str], lists: Lists) -> None:
        self._words, self._lists = words, lists

    def has(self, name: str, value: str) -> bool:
        """Whether it stands somewhere as it is, and not as a part of another name."""
        if not value or value in self._lists.get(name, ()):
            return True
        alone = re.compile(rf"(?<!{_PART_OF_A_NAME})(?<!\w\.){re.escape(value)}(?!{_PART_OF_A_NAME})(?![.:]\w)")
        return any(alone.search(one) for one in self._words)


def _of_step(placed: Placed, catalogue: Catalogue, said: _Said) -> Iterator[Mistake]:
    step, at = placed.step, f"{placed.at}/inputs"
    known = catalogue.get(step.goal)
    if known is None:
        return
    for name in step.inputs.keys() & NOT_A_MODELS.keys():
        yield Mistake(at=f"{at}{pointer(name)}", says=f"people alone say {NOT_A_MODELS[name]}; leave it out")
    try:
        leaves = [one for one in walk(dict(step.inputs)) if one[0][0] not in NOT_A_MODELS]
    except TooDeep:
        return  # the checker says so
    for path, value in leaves:
        place = f"{at}{pointer(*path)}"
        yield from (_made_up(place, key, "") for key in _open_names(known.takes, path) if not said.has("", key))
        name, names_a_thing = position_of(known.takes, path)
        if is_reference(value) or not names_a_thing or _takes_no_choice(known.takes, path, value):
            continue
        yield from (_made_up(place, one, name) for one in texts_of(value) if not said.has(name, one))


def _takes_no_choice(takes: Typed, path: Path, value: object) -> bool:
    wanted = type_at(takes, path)
    return wanted is not None and (
        is_closed(wanted) or ("default" in wanted.schema and wanted.schema["default"] == value)
    )


def _open_names(takes: Typed, path: Path) -> Iterator[str]:
    """Names of fields that no goal declares, where it takes any."""
    at: Typed | None = takes
    for part in path:
        inner = at.below(str(part)) if at is not None else None
        if inner is None and isinstance(part, str) and (at is None or at.is_open()):
            yield part
        at = inner


def _made_up(at: str, value: str, name: str) -> Mistake:
    listed = f" or in the closed list of {name!r}" if name else ""
    return Mistake(
        at=at,
        says=f"{quoted(value)} says what is touched, and {NOT_GIVEN}{listed}: write what stands there, or ask back",
    )
