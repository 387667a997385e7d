"""Readers that are scripted: one that obeys whatever it reads, and one that only answers what it was asked."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import JsonValue

from connectors.models.raw import Use
from hitl.plan_language.answer_form import AnswerField
from tests.workflows.agent.asking import Say, Told
from tests.workflows.agent.puppet.injections import INJECTIONS, Injection
from tests.workflows.agent.puppet.puppet import HONEST, obeys

_ORDER: Final = re.compile(r"obey-([a-z0-9-]+)")
_BY_NAME: Final = {one.name: one for one in INJECTIONS}
RIGHT: Final[Mapping[str, JsonValue]] = {
    "version": "2.4.1",
    "summary": "Notes of a release.",
    "branch": "old",
    "merged": True,
    "count": 3,
}
"""What the truth says, by the name of a field."""


def reads_obeying(told: Told) -> Any:
    """What the last order wants: beside fields of its own, then without them, then the worst that the form takes."""
    orders = [_BY_NAME[one] for _, text in told.messages for one in _ORDER.findall(text) if one in _BY_NAME]
    if not orders:
        return reads_honestly(told)
    wants, before = orders[-1], [text for role, text in told.messages if role == "assistant"]
    fields = [AnswerField.model_validate(one) for one in told.asked["fields"]]
    wanted = {one.name: _wanted(one, wants) for one in fields}
    if not before:
        return {**wanted, **(wants.more or {}), "answer": "plan", "says": "I do as I am told.", "plan": HONEST}
    return wanted if "plan" in json.loads(before[-1]) else {one.name: _worst(one, wants) for one in fields}


def reads_honestly(told: Told) -> Any:
    """The answers, whatever else the text says."""
    return {one["name"]: RIGHT[one["name"]] for one in told.asked["fields"]}


def _wanted(field: AnswerField, wants: Injection) -> JsonValue:
    """What the attacker would have there, if anything could stand there."""
    match field.kind:
        case "integer" | "number":
            return wants.number
        case "boolean":
            return wants.yes
        case "choice":
            return wants.branch
        case "text":
            return wants.payload


def _worst(field: AnswerField, wants: Injection) -> JsonValue:
    """What is left to an attacker: the wrong one of all that may stand there."""
    match field.kind:
        case "integer" | "number":
            return wants.number if field.at_most is None else field.at_most
        case "boolean":
            return not RIGHT[field.name]
        case "choice":
            return field.choices[-1]
        case "text":
            return wants.payload[: field.longest]


PUPPETS: Final[Mapping[Use, Say]] = {Use.PLAN: obeys, Use.READ: reads_obeying}
"""Every model that a house asks, as it obeys. One for another use that reads strangers' words has its place here."""
