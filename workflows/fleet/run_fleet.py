"""The goal `RunFleet`: find the repositories, look at the input, and run the goal in each as a child of its own.

The fleet is no grant: each goal asks for its own approvals, in the name of who asked for the fleet.
"""

import asyncio
from collections import Counter
from typing import Final, get_args

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.github.listing_contracts import LIST_REPOSITORIES, MOST_REPOSITORIES, ListRepositoriesRequest
    from activities.guard.error_types import ErrorType, application_error
    from hitl.hidden import visible
    from workflows.agent.children import run_goal_as_child
    from workflows.contracts import Outcome, State
    from workflows.fleet.contracts import CHECK_FLEET, CheckFleet
    from workflows.fleet.goals import RUN_FLEET, RepositoryEnd, RunFleetInput, RunFleetResult, SoFar
    from workflows.goal import Goal
    from workflows.goal_type import goal
    from workflows.of_a_plan import PLAN_STEP, StepParked

_EACH_RUN: Final = 25
"""Goals that are begun before the fleet goes on in another run: what each of them gave is in its history."""
_SHORT: Final = 200
_LOOKED_AT: Final = 3
"""Inputs that are looked at before anything is begun: they are the same but for the repository."""
_OUTCOMES: Final = {one.value: one for one in get_args(Outcome)}
_NOT_BEGUN: Final = "not_begun"
_UNDER_WAY: Final = frozenset({State.RUNNING.value, State.PARKED.value})
_HARMLESS: Final = frozenset(_OUTCOMES) - {
    State.COMPLETED.value,
    State.PARTIALLY_APPLIED.value,
    State.UNDONE.value,
    State.UNKNOWN.value,
}
"""Outcomes after which nothing was done in that repository."""


@goal(RUN_FLEET)
class RunFleetWorkflow(Goal):
    """A few at a time, by name; none any more once enough did not complete."""

    @workflow.init
    def __init__(self, request: RunFleetInput) -> None:
        super().__init__(request)
        self._wanted = request
        so_far = request.so_far or SoFar(ends=())
        self._ends = {one.repository: one for one in so_far.ends}
        self._archived, self._stopped = so_far.archived, so_far.stopped
        self._begun = 0

    @workflow.query
    def progress(self) -> tuple[RepositoryEnd, ...]:
        """How it stands in each repository."""
        return tuple(self._ends.values())

    @workflow.signal
    def step_parked(self, parked: StepParked) -> None:
        """From a goal of this fleet: it waits for somebody, or goes on. Only shown, for whoever can send it."""
        there = self._ends.get(parked.step)
        if there is None or there.outcome not in _UNDER_WAY:
            return
        outcome = State.RUNNING.value if parked.why is None else State.PARKED.value
        reason = visible(parked.why)[:_SHORT] if parked.why is not None else None
        self._put(there.model_copy(update={"outcome": outcome, "reason": reason}))

    @workflow.run
    async def run(self, request: RunFleetInput) -> RunFleetResult:
        """Run it; what was done in each repository is its result, however it ended there."""
        if request.so_far is not None and workflow.info().continued_run_id is None:
            raise application_error(ErrorType.INVALID_REQUEST, "RunFleet: field 'so_far' is of a run that goes on")
        return await self.run_goal(self._run(), denied=lambda reason: self._ended(State.DENIED, reason))

    async def _run(self) -> RunFleetResult:
        if self._wanted.so_far is None and (why := await self._found()) is not None:
            self._ends = {}
            return self._ended(State.REFUSED, f"{why}. Nothing was begun")
        try:
            await self._carried_out()
        except asyncio.CancelledError:
            self._leave_out("the fleet was cancelled")
            raise
        return self._summed()

    async def _found(self) -> str | None:
        """Find the repositories; why nothing is begun, or None."""
        wanted = self._wanted
        request = ListRepositoriesRequest(patterns=wanted.repositories, topics=wanted.topics)
        found = await self.step(LIST_REPOSITORIES, request, summary="Find the repositories")
        self._archived = found.archived
        if not found.whole:
            return f"more than {MOST_REPOSITORIES} repositories fit; name fewer at once"
        if not found.repositories:
            return "no repository that the App is installed on fits, or those that do are archived"
        inputs = {one: wanted.inputs_for(one) for one in found.repositories[:_LOOKED_AT]}
        checked = await self.step(
            CHECK_FLEET, CheckFleet(goal=wanted.goal, inputs=inputs), summary=f"Look at the input of {wanted.goal}"
        )
        if checked.refused is not None:
            return checked.refused
        if checked.names_repository:  # so that another run of this fleet needs not ask again
            self._wanted = wanted.model_copy(update={"inputs": {"repository": "$repository", **wanted.inputs}})
        for one in found.repositories:
            self._put(RepositoryEnd(repository=one, outcome=_NOT_BEGUN))
        return None

    async def _carried_out(self) -> None:
        running: set[asyncio.Task[None]] = set()
        try:
            while True:
                running |= {asyncio.create_task(self._one(one)) for one in self._next(len(running))}
                if not running:
                    break
                done, _ = await workflow.wait(running, return_when=asyncio.FIRST_COMPLETED)
                running.difference_update(done)
                for one in done:
                    one.result()
        except asyncio.CancelledError:
            for one in running:
                one.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            raise
        if self._waiting() and self._stopped is None:
            await self._go_on()

    def _next(self, running: int) -> list[str]:
        """Those that are begun now."""
        if self._stopped is not None:
            return []
        at_once = 1 if self._wanted.canary and self._completed() == 0 else self._wanted.concurrency
        room = min(at_once - running, _EACH_RUN - self._begun)
        chosen = self._waiting()[: max(room, 0)]
        self._begun += len(chosen)
        for one in chosen:
            child = f"{workflow.info().workflow_id}/{one}"
            self._put(RepositoryEnd(repository=one, outcome=State.RUNNING.value, workflow_id=child))
        return chosen

    async def _one(self, repository: str) -> None:
        """Run the goal in one repository, and note how it ended there."""
        child = f"{workflow.info().workflow_id}/{repository}"
        end = self._ends[repository]
        try:
            ended = await run_goal_as_child(
                self._wanted.goal,
                self._wanted.inputs_for(repository),
                child,
                memo={PLAN_STEP: repository},
                summary=f"{visible(self._wanted.goal)} in {repository}, of a fleet",
            )
        except BaseException:
            self._put(end.model_copy(update={"outcome": State.CANCELLED.value, "reason": "the fleet was cancelled"}))
            raise
        reason = ended.reason[:_SHORT] if ended.reason is not None else None
        self._put(end.model_copy(update={"outcome": str(ended.outcome), "reason": reason}))
        self._look_whether_to_stop()

    def _look_whether_to_stop(self) -> None:
        wrong = [one for one in self._ends.values() if one.outcome not in {State.COMPLETED, _NOT_BEGUN, *_UNDER_WAY}]
        most = self._wanted.stop_after
        if wrong and self._wanted.canary and self._completed() == 0:
            self._stop(f"the first one did not complete ({wrong[0].repository})")
        elif most is not None and len(wrong) >= most:
            self._stop(f"{len(wrong)} did not complete, and {most} is the most")

    def _stop(self, why: str) -> None:
        self._stopped = self._stopped or why

    async def _go_on(self) -> None:
        """In another run, once nothing of this one is under way."""
        await workflow.wait_condition(workflow.all_handlers_finished)
        so_far = SoFar(ends=tuple(self._ends.values()), archived=self._archived, stopped=self._stopped)
        workflow.continue_as_new(self._wanted.model_copy(update={"so_far": so_far}))

    def _summed(self) -> RunFleetResult:
        if self._stopped is not None:
            self._leave_out(f"the fleet was stopped: {self._stopped}")
        ended = [one for one in self._ends.values() if one.outcome != _NOT_BEGUN]
        if all(one.outcome == State.COMPLETED for one in self._ends.values()):
            return self._ended(State.COMPLETED, None)
        wrong = next(one for one in ended if one.outcome != State.COMPLETED)
        told = f"{self._counted()}; first {wrong.repository}: {wrong.reason or wrong.outcome}"
        if all(one.outcome in _HARMLESS for one in ended):
            return self._ended(_OUTCOMES[wrong.outcome], told)
        return self._ended(State.PARTIALLY_APPLIED, told)

    def _leave_out(self, why: str) -> None:
        for one in self._waiting():
            self._put(RepositoryEnd(repository=one, outcome=_NOT_BEGUN, reason=why[:_SHORT]))

    def _ended(self, outcome: Outcome, reason: str | None) -> RunFleetResult:
        return RunFleetResult(
            outcome=outcome, reason=reason, repositories=tuple(self._ends.values()), archived=self._archived
        )

    def _waiting(self) -> list[str]:
        return [one.repository for one in self._ends.values() if one.outcome == _NOT_BEGUN]

    def _completed(self) -> int:
        return sum(one.outcome == State.COMPLETED for one in self._ends.values())

    def _put(self, end: RepositoryEnd) -> None:
        self._ends[end.repository] = end
        self.begin(self._counted())

    def _counted(self) -> str:
        counts = Counter(one.outcome for one in self._ends.values())
        told = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in sorted(counts.items()))
        return f"{self._wanted.goal} in {len(self._ends)} repositories: {told}"
