"""The matrix of a deployment: what is done to each step of an honest run, and how every such run ended.

The steps are those that an honest run took, the faults those that twins can do. Nothing of it is listed by hand.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from connectors.errors import Unavailable
from tests.workflows.deploy_feature.mishaps import (
    AWAY,
    IN,
    KILLS,
    Cell,
    Mishap,
    Request,
    Taken,
    errors_of_engines,
    faults_of_twins,
)
from tests.workflows.deploy_feature.town import Town
from workflows.deploy_feature.goals import DeployNewFeatureResult

DEPLOYED: Final = "deployed"
_AT_ONCE: Final = 24
_IN_ONE_RUN: Final = 6
_SILENT_IN_ONE_RUN: Final = 5
_HONEST: Final = "cell000"
_OF_PEOPLE: Final = ("hitl.", "approval.")
_SILENT: Final = {"kind": "silence", "after_effect": True}
_AWAY: Final = {"kind": "status", "status": 503}


@dataclass
class Ended:
    """How a run ended, and what it left.

    Attributes:
        end: In words.
        why: Its own reason.
        problems: What is not as it must be, whatever the end.
    """

    cell: Cell
    end: str
    why: str = ""
    problems: list[str] = field(default_factory=list[str])


Found = dict[tuple[Taken, str], Ended]
"""By step and what happened to it."""


class Matrix:
    """All cells on one server. What changes no end is tried with several in one run, each at a step of its own.

    Where such a run ends otherwise than deployed, each of its cells has a run of its own.

    Args:
        town: Where they run.
    """

    def __init__(self, town: Town) -> None:
        self.town = town
        self.honest = Cell(_HONEST)
        self.found: Found = {}
        self.runs = 0
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def run(self) -> None:
        """The honest run, and then every cell that follows from it."""
        honest = await self.ended([], self.honest)
        assert (honest.end, honest.problems) == (DEPLOYED, []), honest
        await asyncio.gather(*map(self.carry_out, self.groups()))

    @property
    def steps(self) -> list[Taken]:
        """Those of the honest run; what people are told again and again once."""
        return [one for one in self.honest.taken if not one.step.startswith("hitl.") or one.number == 1]

    def groups(self) -> list[list[Mishap]]:
        """Every kill of every step, and every fault of every provider before people decide and after."""
        steps = self.steps
        requests, often = self.requests(), -(-len(steps) // _IN_ONE_RUN)
        kills = [[self._kill(one, what, requests) for one in steps[at::often]] for what in KILLS for at in range(often)]
        met = _first_and_last(steps)
        asked = [one for one in met if one in requests]
        faults = [
            [self._fault(one, what, requests[one], fault) for one in part]
            for what, fault in faults_of_twins().items()
            for part in _parts(asked, _SILENT_IN_ONE_RUN if fault["kind"] == "silence" else len(asked))
        ]
        played = [one for one in met if one not in requests and not one.step.startswith(_OF_PEOPLE)]
        errors = [[Mishap(one, what, error=error) for one in played] for what, error in errors_of_engines().items()]
        away = [[self._fault(one, AWAY, requests[one], _AWAY)] for one in asked]
        away += [[Mishap(one, AWAY, error=Unavailable, stays=True)] for one in played]
        return [*away, *kills, *faults, *errors]

    async def carry_out(self, group: Sequence[Mishap]) -> None:
        """Have all of it happen in one run; each in one of its own where that run does not go well."""
        ended = await self.ended(group)
        if len(group) > 1 and (ended.end != DEPLOYED or ended.problems):
            await asyncio.gather(*(self.carry_out([replace(one, happened=0)]) for one in group))
            return
        self.found.update({(one.at, one.what): ended for one in group})

    async def ended(self, group: Sequence[Mishap], cell: Cell | None = None) -> Ended:
        """One run, to its end."""
        async with self._slots:
            self.runs += 1
            cell = self.town.settle(cell or Cell(f"cell{self.runs:03}", group))
            result = await self.town.end(cell)
        parked = self.town.parked[cell.name]
        end, why = _end(result, self.town.worlds[cell.name].done, parked)
        return Ended(cell, end, why, list(self.problems(cell, parked)))

    def requests(self) -> dict[Taken, Request]:
        """The one request of each step by which it does what it is for: the last that changes something, or reads."""
        found: dict[Taken, Request] = {}
        for step, began, ended in self.honest.spans:
            asked = [one for at, one in self.town.twins.requests() if began <= at <= ended and _HONEST in one.path]
            changes = [one for one in asked if one.method != "GET"]
            if asked:
                last = (changes or asked)[-1]
                found[step] = Request(last.method, last.path.replace(_HONEST, "CELL"))
        return found

    def problems(self, cell: Cell, parked: Sequence[str]) -> Iterator[str]:
        """What is not as it must be, however a run ended that said this while it was parked."""
        back = f"staging {self.town.twins.before(cell.name)[0]}"
        world, kept = self.town.worlds[cell.name], self.town.twins.kept(cell.name)
        reports = Counter(one.external_id for one in kept.checks)
        many = {
            "updates": len(world.done) - world.done.count(back),
            "updates back": world.done.count(back),
            "merges": self.town.twins.merges(cell.name),
            "comments": len(kept.comments),
            "check runs of one report": max(reports.values(), default=0),
        }
        yield from (f"{number} {what}" for what, number in many.items() if number > 1)
        yield from (f"{one.what} did not happen to {one.at}" for one in cell.mishaps if not one.happened)
        yield from (f"parked without a reason: {one!r}" for one in parked if one in {"", "None"})

    def _kill(self, step: Taken, what: str, requests: Mapping[Taken, Request]) -> Mishap:
        if what == IN and step in requests:
            return self._fault(step, what, requests[step], _SILENT)
        return Mishap(step, what)

    def _fault(self, step: Taken, what: str, request: Request, fault: Mapping[str, object]) -> Mishap:
        def plant(cell: str) -> None:
            self.town.twins.plant(request, cell, fault)

        return Mishap(step, what, plant=plant, stays=what == AWAY)


def _parts(steps: Sequence[Taken], size: int) -> Iterator[Sequence[Taken]]:
    """All of them, so many at a time: each waits for one who says nothing."""
    for at in range(0, len(steps), size):
        yield steps[at : at + size]


def _first_and_last(steps: Sequence[Taken]) -> list[Taken]:
    """Of each name the first and the last one: before people decide, and after."""
    last = {one.step: one.number for one in steps}
    return [one for one in steps if one.number in {1, last[one.step]}]


def _end(result: DeployNewFeatureResult | str, done: Sequence[str], parked: Sequence[str]) -> tuple[str, str]:
    first = "parked, then " if parked else ""
    if isinstance(result, str):
        return f"{first}failed, {'SOMETHING' if done else 'nothing'} changed", result
    end = result.outcome.replace("_", " ")
    if end == "completed":
        told = [one.split(" could not")[0] for one in result.record if "could not be written" in one]
        unwritten = sorted({one.split("UTC the ")[-1] for one in told})
        end = DEPLOYED + (f", its {' and '.join(unwritten)} missing and named" if unwritten else "")
    elif end == "partially applied" and "and healthy, and " in str(result.reason):
        end = f"deployed, {str(result.reason).split('and healthy, and ')[1].split(':')[0]}, and said so"
    elif not done:
        end = f"{end}, nothing changed"
    return f"{first}{end}", str(result.reason)
