"""What people typed after `run GOAL`, made into that goal's input: the same on every surface where they type."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from pydantic import JsonValue, ValidationError

from workflows.catalogue import GOALS, find_goal
from workflows.contracts import GoalInput
from workflows.converter import describe_problems
from workflows.goal_type import GoalType

_QUOTES: Final = str.maketrans("“”„", '"""')
"""Keyboards and clients turn quotation marks into these as one types."""


class NotAskedFor(ValueError):
    """It is no goal, or not its input. The message is for who typed it, and says what to write."""


@dataclass(frozen=True, kw_only=True)
class AskedFor:
    """A goal and its input."""

    goal: GoalType
    request: GoalInput


def read_asked(name: str, given: str, *, here: str = "", known: Mapping[str, JsonValue] | None = None) -> AskedFor:
    """What somebody asked for.

    Args:
        name: Of the goal.
        given: Its input, as JSON; empty for one without fields.
        here: The repository in which it was typed: a goal that needs one, and is given none, is about that.
        known: Of that repository, by the goal's fields: what is meant where nothing is said.

    Raises:
        NotAskedFor: There is no such goal, or it does not take that.
    """
    goal = find_goal(name)
    if goal is None:
        raise NotAskedFor(f"There is no goal {name!r}; there are: {', '.join(one.name for one in GOALS)}.")
    try:
        return AskedFor(goal=goal, request=_input(goal, _about(goal, given.strip() or "{}", here, known or {})))
    except ValidationError as error:
        raise NotAskedFor(describe_problems(goal.input, error)) from error


def _about(goal: GoalType, text: str, here: str, known: Mapping[str, JsonValue]) -> str:
    field = goal.input.model_fields.get("repository")
    if not here or field is None or not field.is_required():
        return text
    try:
        said: object = json.loads(text)
    except ValueError:
        return text  # the goal's own input says what is wrong with it
    if not isinstance(said, dict):
        return text
    fields = cast("dict[str, JsonValue]", said)
    if str(fields.get("repository", here)).lower() != here.lower():
        return text
    meant = {name: value for name, value in known.items() if name in goal.input.model_fields}
    return json.dumps({"repository": here, **meant, **fields}, ensure_ascii=False)


def _input(goal: GoalType, text: str) -> GoalInput:
    """The input, also where a client changed the quotation marks.

    Raises:
        ValidationError: It is not one.
    """
    try:
        return goal.input.model_validate_json(text)
    except ValidationError:
        if (straight := text.translate(_QUOTES)) == text:
            raise
        return goal.input.model_validate_json(straight)
