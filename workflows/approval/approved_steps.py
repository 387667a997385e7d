"""What a goal with many destructive steps does: plan them all, ask people once, and run each as the goal reaches it.

The grant lets each step run once, in the order of the plan, each after the one before was carried out. That is the
guard's to see to, by its records in Vault; here it is kept in the same way, so that no step is asked for in vain. What
is left when the goal ends otherwise is given up: nothing of it can run later.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.approvals.giving_up_contracts import GIVE_UP_STEPS
    from activities.guard.error_types import ErrorType
    from activities.guard.granted import GiveUpRequest, GrantedRequest
    from activities.step import Step
    from activities.step_end import ApprovedAnswer, StepEnd
    from hitl.approval.plan import Plan
    from hitl.approval.sequence import SequencePlan, step_id_at
    from hitl.approval.stricter import Stricter
    from hitl.hidden import unhidden
    from workflows.approval.approved import Approved, RuleChanged
    from workflows.approval.approved_step import WORTH_ASKING_AGAIN, ApprovingGoal, tightened
    from workflows.approval.contracts import ENDED
    from workflows.approval.step_ends import LOOK_FIRST, end_with, end_without_an_answer
    from workflows.goal import NotApproved, StepDenied

Answer = TypeVar("Answer", bound=ApprovedAnswer)
Result = TypeVar("Result")

_CARRIED_OUT = "completed"
_NOTHING_DONE = frozenset({"denied", "failed", "refused"})


class ApprovedSteps:
    """The steps that people said yes to, of which the goal runs one after another.

    Args:
        goal: Whose they are.
        plan: What was approved.
        approved: The grant.
    """

    def __init__(self, goal: ApprovingGoal, plan: SequencePlan, approved: Approved) -> None:
        self._goal = goal
        self.plan = plan
        self.approved = approved
        self.done = 0
        """So many steps were carried out."""
        self.stopped: StepEnd | None = None
        """How the step ended that was not, and after which none runs."""
        self.given_up = False

    @property
    def untouched(self) -> bool:
        """Whether nothing of it was done."""
        return self.done == 0 and (self.stopped is None or self.stopped.way in _NOTHING_DONE)

    async def run(
        self,
        step: Step[GrantedRequest, Answer],
        *,
        summary: str,
        under: Callable[[], AbstractAsyncContextManager[None]] = contextlib.nullcontext,
        confirm: Callable[[Plan, Answer], Awaitable[None]] | None = None,
    ) -> Answer:
        """Run the next step of the plan.

        Args:
            step: Which one; it is the next of the plan, and reads everything from there.
            summary: What people see of it.
            under: What is held while it runs. It may look again first, and raise `Conflict`.
            confirm: As of `ApprovingGoal.approved_step`, with this step's own plan.

        Raises:
            StepDenied: The guard refused it, as when the time for all of them ran out.
            ApplicationError: It failed for good.
        """
        position = self._next(step.name)
        looks = False
        # No `finally`: see `ApprovingGoal`.
        try:
            async with under():
                answer = await self._goal.step(
                    step,
                    self.approved.request.model_copy(update={"position": position}),
                    preset=step.preset.ending_first(),
                    summary=summary,
                    step_id=step_id_at(self.approved.step_id, position),
                )
                if confirm is not None:
                    looks = True
                    await self._goal.confirm_answer(confirm, self.plan.at(position), answer)
        except (StepDenied, FailureError, asyncio.CancelledError) as error:
            self.stopped = end_without_an_answer(error, looks=looks)
            if isinstance(error, StepDenied):
                raise StepDenied(self._in_the_middle(position, error), reason=error.reason) from error
            raise
        end = end_with(answer)
        if end.way == _CARRIED_OUT:
            self.done = position
            self._goal.progress = f"{position} of {len(self.plan.steps)} steps are done: {step.name}"
        else:
            self.stopped = end
        self._goal.end_if_cancelled()
        return answer

    async def give_up(self, why: str) -> None:
        """Let nothing that is left run any more, also where the goal goes on without it.

        Args:
            why: For whoever reads the record.

        Raises:
            StepDenied: The guard refused it: the grant is not of this run, so nothing of it runs here anyway.
            ApplicationError: It failed for good.
        """
        self.given_up = True
        request = GiveUpRequest(
            plan=self.approved.request.plan, decisions=self.approved.request.decisions, why=unhidden(why)[:500]
        )
        await self._goal.step(
            GIVE_UP_STEPS,
            request,
            summary="Give up the rest of what was approved",
            step_id=f"{self.approved.step_id}/given-up",
        )

    def end(self, error: BaseException | None) -> StepEnd:
        """How all of it ended.

        Args:
            error: What the goal met; None where it met nothing.
        """
        names = tuple(f"{position} {step.action}" for position, step in enumerate(self.plan.steps, start=1))
        done, rest = names[: self.done], names[self.done :]
        if not rest:
            return StepEnd(way="completed", done=done)
        stopped = self.stopped or self._end_between(error)
        in_doubt = rest[:1] if stopped.way == "unknown" and self.stopped else ()
        half = rest[:1] if stopped.way == "partially_applied" else ()
        way = stopped.way if not done or in_doubt else "partially_applied"
        return StepEnd(
            way=way,
            why=stopped.why or stopped.sentence(),
            done=done,
            failed=half,
            in_doubt=in_doubt,
            not_done=rest[len(in_doubt) + len(half) :],
            next_step=stopped.next_step or LOOK_FIRST,
        )

    def _next(self, name: str) -> int:
        position = self.done + 1
        if self.stopped is not None or self.given_up or position > len(self.plan.steps):
            raise RuntimeError(f"{name!r} cannot run: what was approved is over")
        if self.plan.at(position).action != name:
            raise RuntimeError(f"{name!r} is not the next of the plan: that is {self.plan.named(position)}")
        return position

    def _in_the_middle(self, position: int, error: StepDenied) -> str:
        if position == 1:
            return str(error)
        return f"{self.done} of {len(self.plan.steps)} steps were carried out, and no more: {error}"

    def _end_between(self, error: BaseException | None) -> StepEnd:
        """Of a goal that ended between two steps."""
        if error is None:
            return StepEnd(way="failed", why="the goal gave the rest up")
        if is_cancelled_exception(error):
            return StepEnd(way="cancelled")
        text = error.message if isinstance(error, ApplicationError) else str(error)
        return StepEnd(way="failed", why=unhidden(text))


class SequenceGoal(ApprovingGoal):
    """A goal that destroys several things, with people's consent to all of them at once."""

    async def approved_steps(
        self,
        make_plan: Callable[[], Awaitable[SequencePlan]],
        work: Callable[[ApprovedSteps], Awaitable[Result]],
        *,
        replans: int = 0,
        tightening: Stricter | None = None,
    ) -> Result:
        """Do the goal's work with steps that people approved together.

        Args:
            make_plan: Reads what is there and plans; called again when it has to be asked again.
            work: Runs the steps, by their names and in their order, and whatever comes between them. Called again
                where people are asked again, which they are only while nothing of what they approved was done.
            replans: How many times it is planned and asked anew where what is there is not what was approved.
            tightening: As of `ApprovingGoal.approved_step`, for all of its steps.

        Raises:
            NotApproved: People, or the lack of them, decided otherwise.
            StepDenied: The policy lets nobody approve it, or the guard refused what was approved.
            ApplicationError: A step failed for good.
        """
        again = False
        while True:
            plan = tightened(await make_plan(), tightening)
            steps: ApprovedSteps | None = None
            try:
                steps = ApprovedSteps(self, plan, await self.ask(plan))
                return await self._work(steps, work)
            except (StepDenied, RuleChanged) as refusal:
                untouched = steps is None or steps.untouched
                if again or not untouched or refusal.reason not in WORTH_ASKING_AGAIN:
                    raise
                again = True
                self.why_again = str(refusal)
                workflow.logger.info("asks people again", extra={"reason": str(refusal.reason)})
            except ApplicationError as error:
                untouched = steps is None or steps.untouched
                if error.type != ErrorType.CONFLICT or replans <= 0 or not untouched:
                    raise
                replans -= 1
                self.why_again = error.message
                workflow.logger.info("plans again", extra={"reason": error.message})

    async def _work(self, steps: ApprovedSteps, work: Callable[[ApprovedSteps], Awaitable[Result]]) -> Result:
        """People hear meanwhile that it was approved, how far it is, and then how it ended."""
        told = asyncio.create_task(steps.approved.tell("approved"))
        progress = asyncio.create_task(self.say_progress(steps.approved))

        async def tell_end(error: BaseException | None) -> None:
            progress.cancel()
            end = steps.end(error)
            self.ended_with = f"What was approved: {end.sentence()}"
            await told
            await steps.approved.tell(ENDED, end)

        try:
            result = await work(steps)
        except (StepDenied, NotApproved, FailureError, asyncio.CancelledError) as error:
            if not is_cancelled_exception(error):  # of a goal that is cancelled the guard lets nothing run
                await self._give_up_rest(steps, str(error))
            await tell_end(error)
            raise
        await self._give_up_rest(steps, "the goal ended without it")
        await tell_end(None)
        return result

    async def _give_up_rest(self, steps: ApprovedSteps, why: str) -> None:
        """What is left can never run. Where the guard refuses that, it runs nothing for this run either."""
        if steps.done < len(steps.plan.steps) and not steps.given_up:
            with contextlib.suppress(StepDenied):
                await steps.give_up(why)
