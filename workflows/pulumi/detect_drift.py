"""The goal `DetectDrift`: what stands outside otherwise than a stack's state says, told once when it is new."""

from datetime import timedelta
from functools import partial
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.pulumi.contracts import DETECT_DRIFT, DriftLook, DriftSeen
    from workflows.contracts import State
    from workflows.execute import execute
    from workflows.goal_type import goal
    from workflows.pulumi.drift_contracts import MAX_DRIFT_LINES, TELL_DRIFT, TellDrift
    from workflows.pulumi.goal import StackGoal
    from workflows.pulumi.goals import DETECT_DRIFT as GOAL
    from workflows.pulumi.goals import DetectDriftInput, DetectDriftResult, asked_for

_TELLING: Final = timedelta(hours=1)
"""Then the look ends without it: what people were not told is new again in the next one."""


@goal(GOAL)
class DetectDriftWorkflow(StackGoal):
    """Look, and tell people of what the look before did not see. As a schedule, each look goes on from the last."""

    @workflow.init
    def __init__(self, request: DetectDriftInput) -> None:
        super().__init__(request, asked_for(request))

    @workflow.run
    async def run(self, request: DetectDriftInput) -> DetectDriftResult:
        """Look and tell; a refusal by the guard is a result."""
        return await self.run_goal(
            self._detect(),
            denied=lambda reason: DetectDriftResult(
                outcome=State.DENIED, reason=reason, repository=request.repository, stack=request.stack
            ),
        )

    async def _detect(self) -> DetectDriftResult:
        place, known = self.stack.place, _known()
        await self.stack.prepare()
        async with self.stack.holding():
            seen = await self.stack.inspect(
                DETECT_DRIFT, partial(DriftLook, known=known), summary=f"Detect drift of {self.stack.name}"
            )
        told = not seen.new or await self._tell(f"{self.stack.name} ({place.repository})", seen)
        return DetectDriftResult(
            repository=place.repository,
            stack=place.stack,
            deployed=seen.deployed,
            drifted=len(seen.fingerprints),
            quiet=seen.quiet,
            looked_at=seen.looked_at,
            complete=seen.complete,
            lines=seen.lines,
            new=seen.new,
            # An incomplete look proves nothing gone; what it did not see is not new when it is seen again.
            fingerprints=_remembered(seen, known, told=told),
            report=seen.report,
        )

    async def _tell(self, place: str, seen: DriftSeen) -> bool:
        """Whether people were told."""
        # Of each difference its first line: what lies below says the same, property by property.
        new = tuple(line for line in seen.new if not line.startswith(" "))
        lines = new[:MAX_DRIFT_LINES]
        try:
            await execute(
                TELL_DRIFT,
                TellDrift(place=place, lines=lines, more=len(new) - len(lines), key="new"),
                preset=TELL_DRIFT.preset.within(_TELLING),
                summary="Announce new drift",
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.warning("people could not be told of drift: %s", error.cause)
            return False
        return True


def _known() -> tuple[str, ...]:
    """What people were told of by the looks before of the same schedule."""
    before: DetectDriftResult | None = workflow.get_last_completion_result(DetectDriftResult)
    return before.fingerprints if before is not None else ()


def _remembered(seen: DriftSeen, known: tuple[str, ...], *, told: bool) -> tuple[str, ...]:
    now = seen.fingerprints if told else tuple(one for one in seen.fingerprints if one in known)
    return now if seen.complete else tuple(dict.fromkeys((*now, *known)))
