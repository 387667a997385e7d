"""The rehearsal of a plan of goals: it is bound for real, and what acts is rehearsed in order in one room.

What explores only reads, so it runs on the running environment, by the policy, as in any run of the plan. What it
found becomes literals, and by these it is known what the goals that act will reach.
"""

import asyncio
import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import typer
from pydantic import ValidationError
from rich.markup import escape
from rich.table import Table

from connectors.provider import copied as copyable
from deploy.local.rehearsal.contained import require_able
from deploy.local.rehearsal.order import Found, Order, OrderedGoal
from deploy.local.rehearsal.sealed import CannotSeal
from hitl.approval.rehearsal import Rehearsal, RehearsedEffect, RehearsedStep, digest_of_inputs
from hitl.canonical import canonical_json
from hitl.plan_language.bound import BoundError, BoundPlan, BoundStep, read_bound
from hitl.protocol import Effect
from workers.commands.connection import client_settings, command_telemetry, connect_or_fail
from workers.commands.copying import Copied
from workers.commands.exits import Exit, err, fail, out, shown
from workers.commands.folder import running_stack
from workers.commands.follow import Ended, Started, follow, report, start
from workers.commands.rehearsal_parts import (
    facts_of,
    fail_with,
    keep,
    prepare,
    print_effects,
    rehearsal_folder,
    rehearsed_in,
)
from workers.commands.waiting import Waits
from workflows.agent.goals import ASK_FOR, RUN_PLAN, AskForInput, AskForResult, RunPlanInput, RunPlanResult, Said
from workflows.catalogue import find_goal
from workflows.contracts import GoalInput
from workflows.goal_type import GoalType

_COMPLETED: Final = "completed"
_NEEDS: Final[tuple[Literal["sandbox", "stacks"] | None, ...]] = (None, "sandbox", "stacks")
"""Each part of an environment brings those before it."""


async def planned(request: AskForInput, workflow_id: str | None, *, as_json: bool) -> RunPlanInput:
    """What a model makes of the words, as the plan that is to be rehearsed; ends with its answer where that is none."""
    asked = request.model_copy(update={"plan_only": True, "rehearsal": None})
    started, ended = await _ran(ASK_FOR, asked, workflow_id or asked.business_key())
    if not (ended.result or {}).get("plan"):
        raise typer.Exit(int(report(started, ended, stack=running_stack(), as_json=as_json)))
    found = AskForResult.model_validate(ended.result)
    said = Said(
        text=asked.text,
        answers=asked.answers,
        backend=found.backend or "",
        model=found.model or "",
        prompt=found.prompt or "",
        requests=found.requests,
        cost_micros=found.cost_micros,
    )
    limits = {"decisions": found.decisions, "limited": found.limited}
    return RunPlanInput.model_validate({"plan": found.plan, "lists": found.lists, "said": said, **limits})


async def _bound(request: RunPlanInput) -> BoundPlan:
    """Run what explores, on the running environment, and read what acts."""
    asked = request.model_copy(update={"bind_only": True, "rehearsal": None})
    # Of its own id each time: what was found an hour ago is not what is there now.
    started, ended = await _ran(RUN_PLAN, asked, f"{asked.business_key()}/{datetime.now(UTC):%Y%m%dT%H%M%S.%f}")
    if ended.result is None:
        fail(f"the plan cannot be bound, so nothing was rehearsed: {ended.error}. Look at {started.workflow_id}")
    found = RunPlanResult.model_validate(ended.result)
    if found.bound is None:
        fail(f"the plan cannot be bound, so nothing was rehearsed: {found.reason}", Exit.INCOMPLETE)
    try:
        return read_bound(canonical_json(found.bound))
    except BoundError as error:
        fail(str(error))


async def _ran(goal: GoalType, request: GoalInput, workflow_id: str) -> tuple[Started, Ended]:
    settings = client_settings()
    telemetry = command_telemetry(settings)
    try:
        client = await connect_or_fail(settings, telemetry)
        started = await start(client, goal, request, workflow_id=workflow_id, settings=settings)
        err.print(f"{escape(shown(request.summary()))}\n  {started.link}", soft_wrap=True)
        return started, await follow(started, Waits(client, settings, started.workflow_id), quiet=True)
    finally:
        telemetry.shutdown()


@dataclass(frozen=True, kw_only=True)
class Staged:
    """One step that acts.

    Attributes:
        goal: What it runs.
        request: Its input.
        why: Why it is not rehearsed; None where it is.
    """

    step: BoundStep
    goal: GoalType
    request: GoalInput
    why: str | None


def staged(bound: BoundPlan) -> tuple[Staged, ...]:
    """Which steps are rehearsed. What comes after one that has an effect and is not rehearsed may depend on it.

    Args:
        bound: Its steps are literals alone.
    """
    return tuple(_staged(bound.steps))


def _staged(steps: Sequence[BoundStep]) -> Iterator[Staged]:
    parts, blocked = dict[str, str](), None
    for step in steps:
        goal = find_goal(step.goal)
        if goal is None:
            fail(f"there is no goal {step.goal!r} here: this command is of another release than the environment")
        request = _request_of(goal, step)
        why = blocked or _why_not(goal, request, parts)
        if why is None:
            parts.update(request.reaches())
        elif blocked is None and step.effect is not Effect.READ:
            blocked = f"it comes after {step.id!r}, which is not rehearsed: what that does would not be there"
        yield Staged(step=step, goal=goal, request=request, why=why)


def _request_of(goal: GoalType, step: BoundStep) -> GoalInput:
    try:
        return goal.input.model_validate({name: one for name, one in step.inputs.items() if name != "rehearsal"})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        fail(f"step {step.id!r}: {'.'.join(map(str, first['loc']))}: {first['msg']}", Exit.USAGE)


def _why_not(goal: GoalType, request: GoalInput, parts: dict[str, str]) -> str | None:
    if not goal.rehearses:
        return f"{goal.name} reaches what is not copied for a rehearsal"
    if goal.needs is not None:
        try:
            require_able()
        except CannotSeal as error:
            return str(error)
    for provider, part in request.reaches().items():
        other = parts.get(provider, part)
        if other != part and not copyable()[provider].several:
            return f"of {provider} an earlier step reaches {other!r} and this one {part!r}, and one of them is copied"
    return None


@dataclass(frozen=True, kw_only=True)
class PlanRehearsal:
    """The rehearsal of one plan.

    Attributes:
        request: Of the real run, to which the document belongs.
        workflow_id: Of the real run; its business key when None.
        patience: Seconds that each goal may take.
    """

    request: RunPlanInput
    workflow_id: str | None
    patience: float
    as_json: bool

    def run(self) -> Exit:
        """From what explores to the document; how the command ends."""
        steps = staged(asyncio.run(_bound(self.request)))
        _tell(steps)
        goes = [one for one in steps if one.why is None]
        if not goes:
            fail("no step of the plan can be rehearsed", Exit.USAGE)
        order = self._order(goes)
        with rehearsal_folder() as folder:
            copied = asyncio.run(prepare(folder, [(one.goal, one.request) for one in goes], order))
            err.print(f"Rehearsing {len(goes)} of {len(steps)} steps where nothing leads out; this takes a while.")
            found = asyncio.run(rehearsed_in(folder))
        return self._report(steps, goes, found, copied)

    @property
    def _id(self) -> str:
        return self.workflow_id or self.request.business_key()

    def _order(self, goes: Sequence[Staged]) -> Order:
        goals = [
            OrderedGoal(
                goal=one.goal.name,
                request=one.request.model_dump(mode="json", exclude={"rehearsal"}, exclude_unset=True),
                workflow_id=f"{self._id}/act/{one.step.id}",
            )
            for one in goes
        ]
        needs = _NEEDS[max(_NEEDS.index(one.goal.needs) for one in goes)]
        return Order(goals=tuple(goals), patience=self.patience, needs=needs)

    def _report(
        self, steps: Sequence[Staged], goes: Sequence[Staged], found: tuple[Found, ...], copied: Copied
    ) -> Exit:
        effects = tuple(effect for one in found for effect in one.effects)
        if found[-1].outcome != _COMPLETED:
            what = f"the rehearsal of step {goes[len(found) - 1].step.id!r}"
            fail_with(found[-1], effects, what=what, as_json=self.as_json)
        by_step = {one.step.id: ended for one, ended in zip(goes, found, strict=True)}
        document = self._document(tuple(_rehearsed(one, by_step) for one in steps), effects, found, copied)
        file = keep(document)
        asked = file.with_suffix(".input.json")
        asked.write_text(self.request.model_dump_json(exclude_defaults=True, indent=1) + "\n", encoding="utf-8")
        self._print(document, file, asked)
        return Exit.COMPLETED

    def _document(
        self,
        steps: tuple[RehearsedStep, ...],
        effects: tuple[RehearsedEffect, ...],
        found: Sequence[Found],
        copied: Copied,
    ) -> Rehearsal:
        try:
            return Rehearsal.sealed(
                goal=RUN_PLAN.name,
                of=self.request.digest(),
                made_at=datetime.now(UTC),
                copied=tuple(copied.told),
                left=tuple(copied.left),
                effects=effects,
                milliseconds=sum(one.milliseconds for one in found),
                steps=steps,
            )
        except ValueError as error:
            fail(f"what the plan did cannot be listed: {error}")

    def _print(self, document: Rehearsal, file: Path, asked: Path) -> None:
        if self.as_json:
            told = {"file": str(file), "input": str(asked), "rehearsal": document.model_dump(mode="json")}
            out.print_json(json.dumps(told))
            return
        print_effects(document.effects)
        for label, words in facts_of(document, file).items():
            err.print(f"[dim]{label:<9}[/] {escape(shown(words))}", soft_wrap=True)
        line = ["banksman", "run", RUN_PLAN.name, "--input", f"@{asked}", "--rehearsal", str(file)]
        same_id = [] if self._id == self.request.business_key() else ["--id", self._id]
        err.print(f"  [dim]$[/] {escape(shown(shlex.join([*line, *same_id])))}", soft_wrap=True)


def _tell(steps: Sequence[Staged]) -> None:
    """Before anything is rehearsed: which steps are, and why others are not."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for one in steps:
        table.add_row(one.step.id, one.goal.name, escape(f"not rehearsed: {one.why}" if one.why else "rehearsed"))
    err.print(table)


def _rehearsed(one: Staged, found: dict[str, Found]) -> RehearsedStep:
    ended, inputs = found.get(one.step.id), digest_of_inputs(one.step.goal, dict(one.step.inputs))
    if ended is None:
        return RehearsedStep(id=one.step.id, goal=one.step.goal, inputs=inputs, why=(one.why or "it did not run")[:500])
    return RehearsedStep(
        id=one.step.id, goal=one.step.goal, inputs=inputs, of=one.request.digest(), effects=len(ended.effects)
    )
