"""The child workflow `Approval`: decisions on one plan, until enough said yes, one said no, or time is up.

Weeks of waiting cost a timer. Decisions come as the update `decide`, from every surface alike; its validator refuses
with a reason, its handler counts and never awaits: between a check and an await, one person was counted twice.
Messages are steps of the gateway in the background. Nothing here waits for them: an approval works without Slack.

What is decided here is early: the guard in the destructive worker checks every decision again.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.workflow import ParentInfo

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType, application_error, policy_denied
    from hitl.approval.approvers import Path
    from hitl.approval.decision import UNVERIFIED, CoveredStep, Decision, SignedDecision, Verdict, read_decision
    from hitl.approval.plan import plan_digest
    from hitl.approval.scope import AskedUnder, DecisionScope
    from hitl.approval.sequence import AnyPlan, SequencePlan, read_any_plan
    from hitl.hidden import unhidden_lines
    from hitl.protocol import Denial, Effect, Refusal, RefusalReason
    from workflows.approval.check_decision import check_here
    from workflows.approval.contracts import (
        APPROVAL_WORKFLOW,
        AlsoWanted,
        ApprovalOutcome,
        ApprovalRequest,
        ApprovalResult,
        ApprovalState,
        ApprovalView,
        CountedDecision,
        DecisionReceipt,
        PostApproval,
        PostedApproval,
        StepApproval,
        UpdateApproval,
        lacking,
    )
    from workflows.approval.messages import in_words, post, tell, try_again_later, update
    from workflows.approval.rule_in_force import changed, why_another_rule
    from workflows.approval.waiting_span import WaitingSpan
    from workflows.contracts import EFFECT_ATTRIBUTE, REPOSITORY_ATTRIBUTE, STATE_ATTRIBUTE, State
    from workflows.one_input import OneInput

_GONE: Final = "The goal that asked for it is gone."
_CANCELLED: Final = "It was cancelled, by hand or with the goal that asked for it."
_LOOKS_AT_RULE: Final = "a-waiting-approval-looks-at-its-rule"
"""The patch: approvals that had looked for their goal without it do not look at their rule."""
_ENDS: Final[Mapping[Verdict, ApprovalOutcome]] = {
    Verdict.REJECT: State.REJECTED,
    Verdict.REQUEST_CHANGES: State.CHANGES_REQUESTED,
    Verdict.WITHDRAW: State.WITHDRAWN,
}


@workflow.defn(name=APPROVAL_WORKFLOW)
class ApprovalWorkflow(OneInput):
    """One plan, and what people decide on it."""

    @workflow.init
    def __init__(self, request: ApprovalRequest) -> None:
        self._request = request
        self._plan = _plan_of(request)
        self._digest = plan_digest(request.plan)
        self._goal = _goal_of()
        self._opened = workflow.info().workflow_start_time
        self._waiting = WaitingSpan(self._opened)
        self._state: ApprovalState = State.WAITING
        self._approvals: list[SignedDecision] = []
        self._counted: list[CountedDecision] = []
        self._named: list[tuple[CoveredStep, ...]] = []
        self._of: list[tuple[str, ...]] = []
        self._requester: str | None = None
        self._reason = ""
        self._ended_by: str | None = None
        self._rule_changed = False
        self._look = False
        self._escalated = False
        self._reminders = 0
        self._changes = 0
        self._told = 0
        self._never_posted = workflow.info().run_id == workflow.info().first_execution_run_id
        self._posted: PostedApproval | None = None

    @workflow.run
    async def run(self, request: ApprovalRequest) -> ApprovalResult:
        """Wait for an end; silence is never consent."""
        del request
        workflow.upsert_search_attributes([EFFECT_ATTRIBUTE.value_set(Effect.DESTRUCTIVE.value)])
        touched = self._plan.policy_context()
        if touched.repository_owner:
            repository = f"{touched.repository_owner}/{touched.repository_name}"
            workflow.upsert_search_attributes([REPOSITORY_ATTRIBUTE.value_set(repository)])
        self._show()
        messages = asyncio.create_task(self._keep_people_informed())
        watches = [asyncio.create_task(one) for one in (self._watch_goal(), self._heed_hints())]
        try:
            await self._wait()
        except asyncio.CancelledError:
            self._end(State.SUPERSEDED, _CANCELLED)
            self._trace_wait()
            await self._say_how_it_ended(messages)
            raise
        finally:
            for watch in watches:
                watch.cancel()
        self._trace_wait()
        if self._state is State.APPROVED:
            self._show()  # the goal goes on at once, and tells it with how the step ends
            messages.cancel()
        else:
            await self._say_how_it_ended(messages)
        return ApprovalResult(
            outcome=self._outcome(),
            decisions=tuple(self._approvals) if self._state is State.APPROVED else (),
            person=self._ended_by,
            reason=self._reason,
            view=self.view(),
            posted=self._posted,
            rule_changed=self._rule_changed,
        )

    @workflow.query
    def view(self) -> ApprovalView:
        """All that a surface shows of it."""
        rule, info = self._request.rule, workflow.info()
        return ApprovalView(
            id=info.workflow_id,
            run_id=info.run_id,
            goal=self._goal.workflow_id,
            goal_run_id=self._goal.run_id,
            step_id=self._request.step_id,
            action=self._plan.action,
            environment=rule.environment,
            state=self._state,
            digest=self._digest,
            rule=rule.name,
            rule_digest=rule.digest,
            path=rule.path,
            groups=rule.groups,
            requester=self._requester or (self._posted.requester if self._posted else None),
            needs=self._needs(),
            also=self._also(rule.also),
            steps=self._steps(),
            decisions=tuple(self._counted),
            opened_at=self._opened,
            expires_at=self._opened + rule.approve_within,
            escalated_to=" or ".join(rule.later_groups) if self._escalated and rule.later_groups else None,
            reminders=self._reminders,
            reason=self._reason,
        )

    @workflow.query
    def plan(self) -> str:
        """The plan's text, whole: what the digest is of."""
        return self._request.plan

    @workflow.update
    def decide(self, signed: SignedDecision) -> DecisionReceipt:
        """Count one decision. Must not await: the validator's answer holds for this moment."""
        decision = read_decision(signed.text)
        if decision.verdict is Verdict.APPROVE and decision.rule_digest != self._request.rule.digest:
            return self._ask_again()
        self._requester = decision.requester
        self._waiting.decided(decision)
        self._counted.append(
            CountedDecision(
                person=decision.person,
                surface=decision.surface,
                verdict=decision.verdict,
                reason=decision.reason,
                decided_at=decision.decided_at,
            )
        )
        if decision.verdict is not Verdict.APPROVE:
            self._end(_ENDS[decision.verdict], decision.reason, by=decision.person)
        else:
            self._approvals.append(signed)
            self._named.append(decision.steps or ())
            self._of.append(decision.also or ())
            if len(self._approvals) >= self._needs():
                self._end(State.APPROVED, "", by=decision.person)
        self._changes += 1
        self._show()
        return DecisionReceipt(state=self._state, approvals=len(self._approvals), needs=self._needs())

    def _ask_again(self) -> DecisionReceipt:
        """What nobody was asked by is in force, by the word of the gateway and of this worker's own policy."""
        self._end_for_another_rule(changed(self._request))
        return DecisionReceipt(state=self._state, approvals=len(self._approvals), needs=self._needs(), counted=False)

    def _end_for_another_rule(self, why: str) -> None:
        self._rule_changed = self._rule_changed or self._state is State.WAITING
        self._end(State.SUPERSEDED, f"{why} The goal asks again.")
        self._changes += 1
        self._show()

    @decide.validator
    def _may_decide(self, signed: SignedDecision) -> None:
        if refusal := self._refuse(signed):
            raise policy_denied(
                Denial(
                    reason=refusal.reason,
                    action=self._plan.action,
                    effect=Effect.DESTRUCTIVE,
                    environment=self._request.rule.environment,
                    rule=self._request.rule.name,
                    explanation=refusal.explanation,
                )
            )

    @workflow.signal
    def superseded(self, reason: str) -> None:
        """A newer plan took this one's place. Whoever sends it can only prevent."""
        self._end(State.SUPERSEDED, reason[:500] or "A newer plan took its place.")

    @workflow.signal
    def policy_changed(self) -> None:
        """From the gateway, when it sees another policy. Whether the rule is another, it looks for itself."""
        self._look = True

    def _refuse(self, signed: SignedDecision) -> Refusal | None:
        """Why this decision does not count, by every rule there is."""
        if (state := self._state_now()) is not State.WAITING:
            return _refusal(RefusalReason.CLOSED, f"This is over: it was {in_words(state)}.")
        found = check_here(signed, self._occasion())
        if isinstance(found, Refusal):
            return found
        return self._refuse_here(found.decision) or self._refuse_requester(found.decision, found.requester)

    def _state_now(self) -> ApprovalState:
        """The state, also where the timer that would end it is late."""
        late = workflow.now() >= self._opened + self._request.rule.approve_within
        return State.EXPIRED if late and self._state is State.WAITING else self._state

    def _occasion(self) -> DecisionScope:
        """What a decision must have been signed for: the goal by the server's word, never by the input's."""
        return DecisionScope(
            environment=self._request.rule.environment,
            cluster="",  # the worker knows its own
            namespace=self._goal.namespace,
            workflow_id=self._goal.workflow_id,
            run_id=self._goal.run_id,
            step_id=self._request.step_id,
            action=self._plan.action,
            plan_text=self._request.plan,
            escalated=self._escalated,
            asked=AskedUnder(path=self._request.rule.path, groups=self._asked_groups()),
        )

    def _asked_groups(self) -> tuple[str, ...]:
        rule = self._request.rule
        return (*rule.groups, *(rule.later_groups if self._escalated else ()))

    def _refuse_here(self, decision: Decision) -> Refusal | None:
        """What only this approval can tell."""
        info = workflow.info()
        if (decision.approval_id, decision.approval_run_id) != (info.workflow_id, info.run_id):
            text = f"This was decided for the approval {decision.approval_id!r}; decide on this one."
            return _refusal(RefusalReason.OTHER_APPROVAL, text)
        another_rule = decision.verdict is Verdict.APPROVE and decision.rule_digest != self._request.rule.digest
        if not another_rule and any(one.person == decision.person for one in self._counted):
            return _refusal(RefusalReason.DUPLICATE_PERSON, f"{decision.person!r} is counted already.")
        return None

    def _refuse_requester(self, decision: Decision, requester: str) -> Refusal | None:
        """All decisions are about one requester, of whom the policy still knows who that is: the quorum rests on it."""
        if decision.verdict is not Verdict.APPROVE:
            return None
        another = self._requester not in {None, decision.requester}
        forgotten = requester == UNVERIFIED and decision.requester != UNVERIFIED
        if another or forgotten:
            text = "Who asked for this is no longer known as it was; the goal has to ask again."
            return _refusal(RefusalReason.UNVERIFIED_REQUESTER, text)
        return None

    def _needs(self) -> int:
        """How many must approve at least: those who did, and how many are lacking; of many steps, where most are."""
        rule, have = self._request.rule, len(self._approvals)
        if rule.steps:
            return have + max(one.lacks for one in self._steps())
        wants = rule.quorum + (1 if rule.one_more_for_strangers and self._requester == UNVERIFIED else 0)
        return have + lacking(wants - have, self._also(rule.also))

    def _also(self, groups: tuple[str, ...], position: int | None = None) -> tuple[AlsoWanted, ...]:
        """Who has approved of each of these groups, by what the gateway signed of them: one step, or the whole."""
        yes = zip(self._yes(), self._of, self._named, strict=True)
        said = [(one, of) for one, of, named in yes if position is None or _counts_for(named, position)]
        return tuple(
            AlsoWanted(group=group, approved_by=tuple(one for one, of in said if group in of)) for group in groups
        )

    def _yes(self) -> list[str]:
        return [one.person for one in self._counted if one.verdict is Verdict.APPROVE]

    def _steps(self) -> tuple[StepApproval, ...]:
        """Of a plan of many: who has approved which step, each under its own rule."""
        stranger = self._requester == UNVERIFIED
        return tuple(
            StepApproval(
                action=one.action,
                groups=one.groups,
                needs=one.needs(stranger=stranger),
                approved_by=tuple(
                    person
                    for person, named in zip(self._yes(), self._named, strict=True)
                    if _counts_for(named, position)
                ),
                also=self._also(one.also, position),
            )
            for position, one in enumerate(self._request.rule.steps, start=1)
        )

    async def _wait(self) -> None:
        """Until somebody ends it; on the way, remind, ask others too, and expire."""
        for at, happen in sorted(self._deadlines(), key=lambda one: one[0]):
            try:
                await workflow.wait_condition(
                    lambda: self._state is not State.WAITING,
                    timeout=max(at - workflow.now(), timedelta()),
                    timeout_summary=happen.__name__.strip("_").replace("_", " "),
                )
            except TimeoutError:
                happen()
                self._changes += 1
                self._show()
            else:
                break
        await workflow.wait_condition(workflow.all_handlers_finished)

    async def _watch_goal(self) -> None:
        """End when the run that asked is gone, or the rule is another: a reset leaves its approvals behind.

        How often it looks by itself is a matter of histories: a look is sixteen events, and thousands may wait.
        """
        run = workflow.get_external_workflow_handle(self._goal.workflow_id, run_id=self._goal.run_id)
        while True:
            await workflow.sleep(self._request.look_after)
            try:
                # Let go, never cancelled: a signal that is cancelled in the task that sends it wedges the workflow.
                await asyncio.shield(run.signal("approval_waits", workflow.info().workflow_id))
            except ApplicationError:  # the server knows no such run, or it is over
                self._end(State.SUPERSEDED, _GONE)
                return
            await self._look_at_rule()

    async def _heed_hints(self) -> None:
        """Look at once when the gateway has seen another policy."""
        while True:
            await workflow.wait_condition(lambda: self._look)
            self._look = False
            await self._look_at_rule()

    async def _look_at_rule(self) -> None:
        why = await why_another_rule(self._request) if workflow.patched(_LOOKS_AT_RULE) else None
        if why and self._state is State.WAITING:
            self._end_for_another_rule(why)

    def _deadlines(self) -> Iterator[tuple[datetime, Callable[[], None]]]:
        rule = self._request.rule
        yield self._opened + rule.approve_within, self._expire
        if rule.remind_after:
            yield self._opened + rule.remind_after, self._remind
        if rule.escalation_after:
            yield self._opened + rule.escalation_after, self._escalate

    def _remind(self) -> None:
        self._reminders += 1

    def _escalate(self) -> None:
        self._escalated = True

    def _expire(self) -> None:
        self._end(State.EXPIRED, "Too few people answered in time, and silence is no consent.")

    def _end(self, outcome: ApprovalOutcome, reason: str, *, by: str | None = None) -> None:
        """The first end is the end."""
        if self._state is State.WAITING:
            self._state, self._reason, self._ended_by = outcome, reason, by

    def _outcome(self) -> ApprovalOutcome:
        if self._state is State.WAITING:
            raise RuntimeError("the approval was to end, and waits still")
        return self._state

    def _trace_wait(self) -> None:
        self._waiting.end(action=self._plan.action, risk=self._plan.risk.value, outcome=self._state.value)

    def _show(self) -> None:
        """What the Temporal UI tells."""
        workflow.upsert_search_attributes([STATE_ATTRIBUTE.value_set(self._state.value)])
        glass = "**BREAK GLASS.** " if self._request.rule.path is Path.BREAK_GLASS else ""
        yes = ", ".join(self._yes()) or "nobody yet"
        missing = [one.group for one in self._also(self._request.rule.also) if not one.approved_by]
        among = f", and nobody yet of {' or of '.join(missing)}" if missing else ""
        count = f"{len(self._approvals)} of {self._needs()} approved ({yes}){among}"
        told = f"{glass}**{self._state}**: {self._plan.action}, {count}\n\n{self._digest}\n\n{self._reason}"
        workflow.set_current_details(unhidden_lines(told))

    async def _keep_people_informed(self) -> None:
        """Post once, then follow every change. Nobody waits for this; when the gateway refuses, try again later."""
        while True:
            await workflow.wait_condition(self._has_news)
            changes = self._changes
            try:
                if self._posted is None:
                    self._posted = await post(self._as_post())
                else:
                    await update(self._as_update())
                self._told = changes
            except ActivityError as error:
                await try_again_later(error)

    def _has_news(self) -> bool:
        return self._state is State.WAITING and (self._posted is None or self._changes > self._told)

    def _as_post(self) -> PostApproval:
        """The first of them says so: what a step that failed for good, or a run that was reset, posted is unknown."""
        first, self._never_posted = self._never_posted, False
        return PostApproval(view=self.view(), plan=self._request.plan, first=first)

    def _as_update(self) -> UpdateApproval:
        return UpdateApproval(view=self.view(), plan=self._request.plan, posted=self._posted)

    async def _say_how_it_ended(self, messages: "asyncio.Task[None]") -> None:
        self._show()
        messages.cancel()
        await tell(self._as_update(), what="notice")


def _plan_of(request: ApprovalRequest) -> AnyPlan:
    """The plan, or the end of the approval: an unreadable one would fail the workflow task for ever."""
    try:
        plan = read_any_plan(request.plan)
        plan.policy_context()
        _require_rules(request, plan)
    except ValueError as error:
        raise application_error(ErrorType.INVALID_REQUEST, str(error)) from None
    return plan


def _require_rules(request: ApprovalRequest, plan: AnyPlan) -> None:
    """Each step of a plan of many has its own rule; where one had none, too few people could seem enough."""
    wanted = tuple(one.action for one in plan.steps) if isinstance(plan, SequencePlan) else ()
    if tuple(one.action for one in request.rule.steps) != wanted:
        raise ValueError("the approval was asked for with the rules of another plan; ask again")


def _counts_for(named: tuple[CoveredStep, ...], position: int) -> bool:
    return any(step.position == position for step in named)


def _goal_of() -> ParentInfo:
    """The goal that waits, by the server's word. Started by hand there is none, and nothing to approve."""
    parent = workflow.info().parent
    if parent is None:
        raise application_error(
            ErrorType.INVALID_REQUEST, "an approval is asked for by a goal, and nobody's goal waits for this one"
        )
    return parent


def _refusal(reason: RefusalReason, explanation: str) -> Refusal:
    return Refusal(reason=reason, explanation=explanation)
