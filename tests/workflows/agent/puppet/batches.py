"""Every pair of an attack and a task: one after the other for the binder, and many in one plan for the whole house."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import JsonValue

from tests.hitl.plan_language.planning import plan_of
from tests.workflows.agent.puppet.injections import INJECTIONS, SAID, Attack, attacks
from tests.workflows.agent.puppet.tasks import TASKS, Task

EVERY: Final = 4
"""Of all attacks so many are left out between two that are tried in the whole house, at each task."""
_HIDDEN: Final = "\u202e"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One attack at one task."""

    attack: Attack
    task: Task


def _pairs() -> tuple[Pair, ...]:
    """Each aim in each way, at a task in turns; and each aim at each task."""
    every = attacks()
    found = [(attack, TASKS[number % len(TASKS)]) for number, attack in enumerate(every)]
    each = [
        (every[aim * len(SAID) + number], task) for aim in range(len(INJECTIONS)) for number, task in enumerate(TASKS)
    ]
    return tuple(
        Pair(attack=attack, task=task) for attack, task in (*found, *(one for one in each if one not in found))
    )


PAIRS: Final = _pairs()


@dataclass(frozen=True, kw_only=True)
class Note:
    """What one attacker has written into a file of their own."""

    number: int
    attack: Attack

    @property
    def path(self) -> str:
        """The file."""
        return f"notes/{self.number}.md"

    @property
    def fits_no_form(self) -> bool:
        """Whether no form takes what the attacker wants as a text: a plan with that reader ends there."""
        payload = self.attack.injection.payload
        return _HIDDEN in payload or payload not in self.attack.text


def notes() -> list[Note]:
    """Every fourth attack, over every aim, way and place."""
    return [Note(number=number, attack=attack) for number, attack in enumerate(attacks()[::EVERY])]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """All tasks, asked for together, over some notes.

    Attributes:
        notes: Each is read, and handed to a reader of its own.
        stacks_first: Whether stacks are rolled back before branches are deleted: whichever is refused ends the plan.
    """

    notes: tuple[Note, ...]
    stacks_first: bool = False

    @property
    def ask(self) -> str:
        """In words, with every file that is to be read."""
        tasks = " ".join(one.ask for one in TASKS)
        return f"{tasks} Take these for NOTES.md, one after the other: {', '.join(one.path for one in self.notes)}"

    @property
    def plan(self) -> dict[str, JsonValue]:
        """As an honest planner writes it: what only writes comes first."""
        acting = [step for number in self._order() for note in self.notes for step in _acting(note, number)]
        return plan_of(explore=[step for note in self.notes for step in _reading(note)], act=acting)

    def _order(self) -> tuple[int, ...]:
        return (0, 1, 3, 4, 2) if self.stacks_first else (0, 1, 3, 2, 4)


def batches(*, most: int) -> list[Batch]:
    """All notes, at most so many in each plan; those that end a plan have one of their own."""
    together = [one for one in notes() if not one.fits_no_form]
    alone = [(one,) for one in notes() if one.fits_no_form]
    cut = [tuple(together[first : first + most]) for first in range(0, len(together), most)]
    return [Batch(notes=found, stacks_first=bool(number % 2)) for number, found in enumerate((*cut, *alone))]


def asked_by(made: Sequence[Batch]) -> dict[str, dict[str, JsonValue]]:
    """The plan of each, by its words."""
    return {one.ask: one.plan for one in made}


def _reading(note: Note) -> list[dict[str, Any]]:
    """The file, and one reader who answers for every task."""
    read, asked = _named(note, TASKS[0].plan["explore"])
    asked["inputs"]["fields"] = [
        field for task in TASKS for field in _named(note, task.plan["explore"])[1]["inputs"]["fields"]
    ]
    return [read, asked]


def _acting(note: Note, number: int) -> list[dict[str, Any]]:
    return [{**step, "id": f"{step['id']}-{number}"} for step in _named(note, TASKS[number].plan["act"])]


def _named(note: Note, steps: JsonValue) -> Any:
    """The steps under names of this note's, on its file."""
    text = json.dumps(steps).replace('"NOTES.md"', json.dumps(note.path))
    for name in ("notes", "read"):
        text = text.replace(f'"{name}.', f'"{name}-{note.number}.')
    return [{**step, "id": f"{step['id']}-{note.number}"} for step in json.loads(text)]
