"""The ways that plans, and what is asked in words, can go, with the real binder, guard and signatures; replayed."""

import contextlib
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import JsonValue
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from activities.guard.error_types import ErrorType, application_error
from activities.models.contracts import ModelsFound
from hitl.approval.decision import Verdict
from tests.hitl.plan_language.planning import MOTTO, OPEN, plan_of, step
from tests.replay.scenarios import exhausted, until_parked
from tests.workflows.agent.asking import FOUND, OPENS, READS, TWO, AskingHouse, answers, asks, planned, refuses
from tests.workflows.agent.looking import READ, LookingHouse, Said, call, claims, says, unknown
from tests.workflows.agent.running import DELETE, DESTROYS, RUN, WRITES, PlanHouse, there
from tests.workflows.played import Played
from tests.workflows.scripted import Steps
from workflows.agent.goals import ASK_FOR, INVESTIGATE, RUN_PLAN
from workflows.contracts import Resume

Run = WorkflowHandle[Any, Any]


async def _nobody(house: PlanHouse, goal: Run) -> None:
    del house, goal


async def _approved(house: PlanHouse, goal: Run) -> None:
    await house.click(goal, RUN)


async def _rejected(house: PlanHouse, goal: Run) -> None:
    await house.click(goal, RUN, Verdict.REJECT)


async def _approved_twice(house: PlanHouse, goal: Run) -> None:
    await house.click(goal, RUN)
    await house.click(house.child(goal, "act/gone"), DELETE)


async def _rejected_by_itself(house: PlanHouse, goal: Run) -> None:
    await house.click(goal, RUN)
    await house.click(house.child(goal, "act/gone"), DELETE, Verdict.REJECT)


async def _cancelled(house: PlanHouse, goal: Run) -> None:
    await house.click(goal, RUN)
    child = house.child(goal, "act/gone")
    await there(child)
    await house.approval_of(child)
    await goal.cancel()


async def _resumed(house: PlanHouse, goal: Run) -> None:
    child = house.child(goal, "explore/motto")
    await there(child)
    await until_parked(child)
    await child.execute_update("resume", Resume(note="unsealed"))


@dataclass(frozen=True, kw_only=True)
class PlanPlayed(Played):
    """A run of a plan.

    Attributes:
        plan: Which.
        drive: What people do.
        steps: What GitHub answers; as it does when all is well, where nothing is said.
        unasked: Whether the policy lets plans that only write run unasked.
        limited: Whether a day on which people decide is.
    """

    plan: dict[str, JsonValue]
    drive: Callable[[PlanHouse, Run], Awaitable[None]] = _nobody
    steps: Callable[[], Steps] | None = None
    unasked: bool = False
    limited: bool = False

    async def run(self, client: Client) -> Run:
        """To its end, whichever that is."""
        with tempfile.TemporaryDirectory() as scratch:
            limited = AskingHouse(client, Path(scratch), answers("")) if self.limited else None
            house = limited or PlanHouse(client, Path(scratch), unasked=self.unasked)
            if self.steps is not None:
                house.steps = self.steps()
            async with house.workers(gateway=True):
                goal = await house.run(self.plan, name=f"RunPlan/{self.name}", limited=self.limited)
                await self.drive(house, goal)
                with contextlib.suppress(WorkflowFailureError):
                    await goal.result()
        return goal


@dataclass(frozen=True, kw_only=True)
class AskPlayed(Played):
    """A run of what was asked in words.

    Attributes:
        text: The words.
        said: What the model answers, one after the other.
        drive: What people do about the plan.
        found: Who may be asked.
        manifests: What `banksman.yaml` of a repository says.
    """

    text: str
    said: tuple[Any, ...]
    manifests: dict[str, str] = field(default_factory=dict[str, str])
    drive: Callable[[PlanHouse, Run], Awaitable[None]] = _nobody
    found: ModelsFound = FOUND

    async def run(self, client: Client) -> Run:
        """To its end, whichever that is."""
        with tempfile.TemporaryDirectory() as scratch:
            house = AskingHouse(client, Path(scratch), answers(*self.said))
            house.model.found = self.found
            house.names.manifests = dict(self.manifests)
            async with house.workers(gateway=True):
                goal = await house.ask_for(self.text, name=f"AskFor/{self.name}")
                await self.drive(house, goal)
                with contextlib.suppress(WorkflowFailureError):
                    await goal.result()
        return goal


@dataclass(frozen=True, kw_only=True)
class LookPlayed(Played):
    """An investigation.

    Attributes:
        said: What the model says, turn by turn.
        asked: Other inputs than the usual ones.
        found: Who may be asked.
    """

    said: tuple[Said, ...]
    asked: dict[str, Any] = field(default_factory=dict[str, Any])
    found: ModelsFound = FOUND

    async def run(self, client: Client) -> Run:
        """To its end, whichever that is."""
        with tempfile.TemporaryDirectory() as scratch:
            house = LookingHouse(client, Path(scratch), says(*self.said))
            house.model.found = self.found
            async with house.workers(destructive=False):
                goal = await house.investigate(name=f"Investigate/{self.name}", **self.asked)
                with contextlib.suppress(WorkflowFailureError):
                    await goal.result()
        return goal


async def _plan_approved(house: PlanHouse, goal: Run) -> None:
    await house.click(house.child(goal, "plan"), RUN)


async def _plan_rejected(house: PlanHouse, goal: Run) -> None:
    await house.click(house.child(goal, "plan"), RUN, Verdict.REJECT)


async def _cancelled_while_people_decide(house: PlanHouse, goal: Run) -> None:
    plan = house.child(goal, "plan")
    await there(plan)
    await house.approval_of(plan)
    await goal.cancel()


def _denied() -> Steps:
    return Steps(answers=[application_error(ErrorType.POLICY_DENIED, "acme/shop is not to be read")])


def _played(name: str, plan: dict[str, JsonValue], **how: Any) -> PlanPlayed:
    return PlanPlayed(goal=RUN_PLAN, name=name, answers={}, plan=plan, **how)


def _asked(name: str, text: str, *said: Any, **how: Any) -> AskPlayed:
    return AskPlayed(goal=ASK_FOR, name=name, answers={}, text=text, said=said, **how)


def _looked(name: str, *said: Said, **how: Any) -> LookPlayed:
    return LookPlayed(goal=INVESTIGATE, name=name, answers={}, said=said, **how)


_WRONG = plan_of(explore=[], act=[step(MOTTO, goal="X")])
_MANIFEST = "version: 1\nservice: {name: shop, owner: {team: web}}\npulumi: {stacks: {local: shop-dev}}\n"
_EMPTY = application_error(ErrorType.QUOTA_EXHAUSTED, "the account has no credit left: add some")

SCENARIOS = (
    _played("only-reads", plan_of(act=[{**MOTTO, "id": "again"}])),
    _played("approved", WRITES, drive=_approved),
    _played("rejected", WRITES, drive=_rejected),
    _played("unasked", WRITES, unasked=True),
    _played("destroys", DESTROYS, drive=_approved_twice),
    _played("stopped-by-a-step", DESTROYS, drive=_rejected_by_itself),
    _played("cancelled", DESTROYS, drive=_cancelled),
    _played("cancelled-on-a-limited-day", DESTROYS, drive=_cancelled, limited=True),
    _played("explored-in-vain", WRITES, steps=_denied),
    _played("with-mistakes", plan_of(act=[step(OPEN, goal="X")])),
    _played("parked-and-resumed", plan_of(act=[]), drive=_resumed, steps=exhausted),
    _asked("only-reads", READS, planned(plan_of(explore=[], act=[MOTTO]))),
    _asked("approved", OPENS, planned(WRITES), drive=_plan_approved),
    _asked("rejected", OPENS, planned(WRITES), drive=_plan_rejected),
    _asked("cancelled", OPENS, planned(WRITES), drive=_cancelled_while_people_decide),
    _asked("asked-back", "Read it.", asks("Which file?")),
    _asked("names-of-a-manifest", READS, asks("Which stack?"), manifests={"acme/shop": _MANIFEST}),
    _asked("refused", "Brew coffee.", refuses("No goal brews coffee.")),
    _asked("corrected", READS, planned(_WRONG), planned(plan_of(explore=[], act=[MOTTO]))),
    _asked("not-mended", READS, planned(_WRONG)),
    _asked("next-model", READS, _EMPTY, planned(plan_of(explore=[], act=[MOTTO])), found=TWO),
    _asked("no-model", READS, _EMPTY),
    _looked("answered", call("read_file", READ), claims(("It says onwards.", "r1", "Onwards, and upwards."))),
    _looked("not-known", unknown("Nothing tells who wrote it.")),
    _looked("corrected", claims(("It burns.", "r1", "fire")), unknown("Nothing says so.")),
    _looked("refused-tools", call("DeleteBranch", {"branch": "main"}), unknown("It cannot be done.")),
    _looked("never-ends", call("read_file", READ), asked={"turns": 2}),
    _looked("no-model", _EMPTY),
    _looked("of-no-goal", unknown("x"), asked={"goal": "nowhere/at-all"}),
    _looked("of-a-goal", unknown("It runs."), asked={"goal": "Investigate/of-a-goal"}),
)
