"""What a goal with a destructive step does: plan, ask people, run it with their grant; ask again once."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final, TypeVar

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    FailureError,
    TerminatedError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)
from temporalio.exceptions import TimeoutError as TimedOut
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.approvals.contracts import RESOLVE_RULE, ResolvedRule, ResolveRule
    from activities.approvals.surprise_contracts import ALLOW_SURPRISE
    from activities.guard.error_types import ErrorType, application_error
    from activities.guard.granted import GrantedRequest
    from activities.models.decision_contracts import COUNT_DECISIONS, CountDecisions
    from activities.step import Step
    from activities.step_end import ApprovedAnswer, StepEnd, headline
    from hitl.approval.approvers import Path
    from hitl.approval.plan import Plan, plan_digest, read_plan
    from hitl.approval.rehearsal import RehearsedEffect
    from hitl.approval.sequence import AnyPlan, SequencePlan
    from hitl.approval.stricter import Stricter
    from hitl.hidden import visible
    from hitl.protocol import RefusalReason
    from workflows.approval.approved import Approved, RuleChanged
    from workflows.approval.contracts import (
        ENDED,
        ApprovalRequest,
        ApprovalResult,
    )
    from workflows.approval.step_ends import end_with, end_without_an_answer, is_unknown
    from workflows.approval.workflow import ApprovalWorkflow
    from workflows.contracts import DestructiveGoalInput, State
    from workflows.goal import Goal, NotApproved, StepDenied
    from workflows.of_a_plan import set_aside

Answer = TypeVar("Answer", bound=ApprovedAnswer)

PEOPLE_MAY_ALLOW: Final = frozenset({RefusalReason.NO_ALLOW_RULE, RefusalReason.DENY_RULE})
"""A step refused so is one that the policy lets no goal do by itself; another that does the same by approval may be."""

WORTH_ASKING_AGAIN: Final = frozenset({RefusalReason.OTHER_RUN, RefusalReason.EXPIRED, RefusalReason.RULE_CHANGED})
"""The grant is of a run that was reset, came too late, or is of another rule: what people decided on may well be wanted
still."""

_IDS: Final = 3
"""So many are tried for an approval, where somebody has taken one."""

_BEFORE_GOALS: Final = Priority(priority_key=1)
"""A click is answered in seconds, also where a thousand goals have just been started; those have the middle one, 3."""

_PROGRESS_AFTER: Final = timedelta(seconds=30)
"""Between two lines about a step's progress."""

_CONFIRMED_FIRST: Final = "confirm-before-telling"
"""The patch: runs that began without it told people first, and looked then, if at all."""


_BEGUN_ASKS_AGAIN: Final = "what-was-begun-is-asked-again"
"""The patch: runs that ended without it did so as denied."""

ENDS_FIRST: Final = "a-cancelled-approved-step-ends-first"
"""The patch: runs that began without it were cancelled at once, and did not know what their step still did."""


class ApprovingGoal(Goal):
    """A goal that destroys something, with people's consent."""

    def __init__(self, request: DestructiveGoalInput) -> None:
        super().__init__(request)
        self._asked = 0
        self.why_again = ""
        """Why people are asked a second time, for them."""
        self.progress = ""
        """How far the approved step is, in one line; a goal whose step tells of it sets this."""
        self.confirmed = False
        """Whether it was looked at what the approved step did."""
        self._path = Path.BREAK_GLASS if request.break_glass else Path.ORDINARY

    async def approved_step(  # noqa: PLR0913 - all but two are named by every caller
        self,
        step: Step[GrantedRequest, Answer],
        make_plan: Callable[[], Awaitable[Plan]],
        *,
        summary: str,
        under: Callable[[], AbstractAsyncContextManager[None]] = contextlib.nullcontext,
        confirm: Callable[[Plan, Answer], Awaitable[None]] | None = None,
        replans: int = 0,
        tightening: Stricter | None = None,
    ) -> Answer:
        """Run one destructive step on a plan that people approved.

        Args:
            step: Which one; it reads everything from the plan.
            make_plan: Reads what is there and plans; called again when it has to be asked again.
            summary: What people see of it.
            under: What is held while the step runs. It may look again first, and raise `Conflict`.
            confirm: Looks, by another process with other credentials, whether what the step says is so, and raises
                where it is not. Whoever takes the queue can say anything: people hear how it ended after this.
            replans: How many times it is planned and asked anew where what is there is not what was approved.
            tightening: How the service's own file tightens the deployment's policy. It goes into the plan's text, and
                everybody who judges the plan holds it to that.

        Raises:
            NotApproved: People, or the lack of them, decided otherwise.
            StepDenied: The policy lets nobody approve it, or the guard refused what was approved.
            ApplicationError: It failed for good.
        """
        again = False
        while True:
            plan = tightened(await make_plan(), tightening)
            try:
                approved = await self.ask(plan)
                return await self._run_approved(step, approved, summary=summary, under=under, confirm=confirm)
            except (StepDenied, RuleChanged) as refusal:
                if again or not _worth_asking_again(refusal.reason):
                    raise
                again = True
                self.why_again = str(refusal)
                workflow.logger.info("asks people again", extra={"reason": str(refusal.reason)})
            except ApplicationError as error:
                if error.type != ErrorType.CONFLICT or replans <= 0:
                    raise
                replans -= 1
                workflow.logger.info("plans again", extra={"reason": error.message})

    async def _run_approved(
        self,
        step: Step[GrantedRequest, Answer],
        approved: Approved,
        *,
        summary: str,
        under: Callable[[], AbstractAsyncContextManager[None]],
        confirm: Callable[[Plan, Answer], Awaitable[None]] | None,
    ) -> Answer:
        """Run the step at once; people hear meanwhile that it was approved, and then how it ended."""
        ends_first = workflow.patched(ENDS_FIRST)
        told = asyncio.create_task(approved.tell("approved"))
        progress = asyncio.create_task(self.say_progress(approved))

        async def tell_end(end: StepEnd) -> None:
            progress.cancel()
            self.ended_with = f"What was approved: {end.sentence()}"
            await told
            await approved.tell(ENDED, end)

        looks = False
        # No `finally`: where the worker ends, it would await outside of the workflow (temporalio/sdk-python#494).
        try:
            async with under():
                answer = await self.step(
                    step,
                    approved.request,
                    preset=step.preset.ending_first() if ends_first else step.preset,
                    summary=summary,
                    step_id=approved.step_id,
                )
                if confirm is not None and workflow.patched(_CONFIRMED_FIRST):
                    looks = True
                    await self.confirm_answer(confirm, read_plan(approved.request.plan), answer)
        except (StepDenied, FailureError, asyncio.CancelledError) as error:
            end = end_without_an_answer(error, looks=looks)
            await tell_end(end)
            if ends_first and end.way != "unknown":
                self.end_if_cancelled()  # rather than that it plans and asks again
            raise
        await tell_end(end_with(answer))
        return answer

    async def confirm_answer(
        self, confirm: Callable[[Plan, Answer], Awaitable[None]], plan: Plan, answer: Answer
    ) -> None:
        """Look whether what the step says is so. Where nobody can, it is in doubt: not denied, and not planned again.

        Raises:
            ApplicationError: `OutcomeUnknown`.
        """
        try:
            await confirm(plan, answer)
        except (StepDenied, FailureError) as error:
            if is_cancelled_exception(error) or is_unknown(error):
                raise
            said = headline(answer.end().way)
            text = f"{plan.action} is said to be {said}; nobody could look whether it is so: {error}"
            raise application_error(ErrorType.OUTCOME_UNKNOWN, text) from error
        self.confirmed = True

    async def say_progress(self, approved: Approved) -> None:
        """Below the message about the approval, now and then, where the step tells of any. Nobody waits for it."""
        said = ""
        while True:
            await workflow.wait_condition(lambda seen=said: self.progress != seen)
            said = self.progress
            with contextlib.suppress(ActivityError):
                await approved.say(said)
            await workflow.sleep(_PROGRESS_AFTER)

    async def ask(self, plan: AnyPlan) -> Approved:
        """Ask, and wait for as long as the policy says.

        Raises:
            NotApproved: They did not say yes.
        """
        await self._count_decision()
        surprises = self._effects.surprises_of(plan)
        if surprises:
            await self.report_surprises(surprises)
        plan = self._effects.shown_on(plan, surprises)
        text = plan.text()
        rule = await self.step(
            RESOLVE_RULE,
            ResolveRule(plan=text, path=self._path),
            summary=f"Resolve approvers of {plan.action}",
        )
        self._asked += 1
        step_id = f"{plan.action}/{self._asked}"
        found = await self._decided(ApprovalRequest(plan=text, step_id=step_id, rule=rule), plan, rule)
        if found.outcome is not State.APPROVED:
            refusal = RuleChanged if found.rule_changed else NotApproved
            raise refusal(found.outcome, _why(found, plan))
        self._effects.allow(surprises)
        return Approved(step_id=step_id, request=GrantedRequest(plan=text, decisions=found.decisions), result=found)

    async def _count_decision(self) -> None:
        """Where people's decisions are limited, take one more of the day than the plan has set aside for this goal.

        Raises:
            StepDenied: There is none left.
        """
        aside = set_aside()
        if aside is None or self._asked < aside:
            return
        request = CountDecisions(decisions=self._asked + 1 - aside)
        counted = await self.step(COUNT_DECISIONS, request, summary="Count a decision of people")
        if counted.refused is not None:
            raise StepDenied(counted.refused)

    async def ask_about(self, surprise: RehearsedEffect) -> None:
        """Ask people whether the goal may go on; the guard looks at what they signed.

        Raises:
            NotApproved: They did not say yes.
            StepDenied: The policy lets nobody say it.
        """

        async def plan() -> Plan:
            return self._effects.plan_to_allow(surprise)

        await self.approved_step(ALLOW_SURPRISE, plan, summary=f"Allow {surprise.action}")

    async def _decided(self, request: ApprovalRequest, plan: AnyPlan, rule: ResolvedRule) -> ApprovalResult:
        for _ in range(_IDS):
            # Never a fixed id: a run that was reset would meet the approval of the run before, or its answer. And none
            # that somebody could foresee, and take: a workflow's own chance follows from its run's id.
            drawn = f"-{rule.drawn}" if rule.drawn else ""
            approval = f"approval/{workflow.info().workflow_id}/{workflow.uuid4()}{drawn}"
            try:
                found = await self._answer(request, plan, approval)
            except WorkflowAlreadyStartedError:
                workflow.logger.warning("somebody has taken the id of an approval: %s", approval)
                continue
            self._waiting_for = None
            self._show(State.RUNNING, f"**{found.outcome}:** {plan.action}")
            return found
        raise NotApproved(
            State.APPROVAL_LOST, _lost(plan, "could not be opened: somebody holds the ids that were tried")
        )

    async def _answer(self, request: ApprovalRequest, plan: AnyPlan, approval: str) -> ApprovalResult:
        """What people say, however long it takes.

        Raises:
            NotApproved: The approval ended otherwise.
            WorkflowAlreadyStartedError: There is something of that id.
        """
        groups = " or ".join(request.rule.groups)
        seen = visible(approval)
        self._waiting_for = f"the approval {seen} by {groups}"
        waits = f"**Waiting** for {groups} to approve {plan.action}: {plan.summary[0]}"
        again = f"\n\nAsked again: {self.why_again}" if self.why_again else ""
        self._show(State.WAITING, f"{waits}{again}\n\n{seen}\n\n{plan_digest(request.plan)}")
        try:
            return await workflow.execute_child_workflow(
                ApprovalWorkflow.run,
                request,
                id=approval,
                parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
                static_summary=f"{plan.action}: {plan.summary[0]}",
                priority=_BEFORE_GOALS,
            )
        except ChildWorkflowError as error:
            if workflow.cancellation_reason() is not None:
                raise
            raise NotApproved(State.APPROVAL_LOST, _lost(plan, _how_it_ended(error))) from error


AnyKindOfPlan = TypeVar("AnyKindOfPlan", Plan, SequencePlan)


def tightened(plan: AnyKindOfPlan, tightening: Stricter | None) -> AnyKindOfPlan:
    """The plan with what the service's file asks of the policy; as it is where there is nothing."""
    return plan if tightening is None else plan.model_copy(update={"tightening": tightening})


def _how_it_ended(error: ChildWorkflowError) -> str:
    match error.cause:
        case TerminatedError():
            return "was terminated by hand before people decided"
        case CancelledError():
            return "was cancelled by hand before people decided"
        case TimedOut():
            return "ran out of the time that Temporal gave it"
        case cause:
            said = cause.message if isinstance(cause, FailureError) else "it does not say why"
            return f"failed: {said}"


def _lost(plan: AnyPlan, how: str) -> str:
    return f"{plan.action} was not approved: its approval {how}. Nothing was done; ask again."


def _worth_asking_again(reason: RefusalReason | None) -> bool:
    """Of a grant that was begun before: where the goal parked meanwhile. What was done shows when it plans again."""
    if reason is RefusalReason.ALREADY_USED:
        return workflow.patched(_BEGUN_ASKS_AGAIN)
    return reason in WORTH_ASKING_AGAIN


def _why(found: ApprovalResult, plan: AnyPlan) -> str:
    """The reason of a goal that people did not let go on."""
    by = f" by {found.person}" if found.person else ""
    words = found.outcome.value.replace("_", " ")
    return f"{plan.action} was not approved: {words}{by}" + (f": {found.reason}" if found.reason else ".")
