"""An approval as a message: what is shown comes from the plan's own bytes, and none of it is markup.

The first line says how it stands and what it is about; bold fields say what, where, at which risk and cost. Names in
those fields stand as code, in which nothing is markup; all else of other people's words stands in `plain_text` objects,
in which Slack reads none. What hides is made visible everywhere. What is too long is cut there, under a title that says
so, and the link leads to the whole plan under the same digest.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict

from hitl.approval.approvers import Path
from hitl.approval.decision import Verdict
from hitl.approval.plan import Plan, plan_digest
from hitl.approval.sequence import AnyPlan, SequencePlan
from hitl.gateway.asked import Asked
from hitl.gateway.server import FoundApproval
from hitl.hidden import unhidden, visible
from hitl.slack.blocks import (
    Block,
    Passage,
    Shown,
    context,
    escaped,
    fields,
    fitting,
    header,
    link,
    markup,
    named,
    plain,
    short,
)
from hitl.slack.opinions import opinion_buttons
from hitl.slack.wording import (
    STACK_ACTIONS,
    cost,
    costs,
    counted,
    does,
    middle,
    place,
    question,
    risk,
    said,
    subject,
    worst_first,
)
from workflows.approval.contracts import ApprovalView, CountedDecision
from workflows.contracts import State

EVENT_TYPE: Final = "banksman_approval"
BLOCK: Final = "banksman-approval"
APPROVE, COMMENT, REJECT, CHANGES = "approve", "approve_with_comment", "reject", "request_changes"
VERDICTS: Final = {
    APPROVE: Verdict.APPROVE,
    COMMENT: Verdict.APPROVE,
    REJECT: Verdict.REJECT,
    CHANGES: Verdict.REQUEST_CHANGES,
}

_PLACE: Final = frozenset({"repository", "folder", "environment", "project", "stack", "commit"})
"""What people know a stack by, among a plan's parameters."""
_BY_ONE: Final = frozenset({State.REJECTED, State.CHANGES_REQUESTED, State.WITHDRAWN})
"""The ends that one person decided."""
_MOST_CHANGES: Final = 10
_MOST_STEPS: Final = 8
_MOST_QUOTED: Final = 20
_MOST_PEOPLE: Final = 10
_SHORT: Final = 140
_LINE: Final = 200
_NAME: Final = 300
_TITLE: Final = 150
_STANDS: Final = 50
_CONFIRM_TITLE: Final = 100
_CONFIRM_TEXT: Final = 130
_CLAUSE: Final = re.compile(r"[:;(]|\. ")

_SAID: Final = {
    Verdict.APPROVE: "approved",
    Verdict.REJECT: "rejected",
    Verdict.REQUEST_CHANGES: "asked for changes",
    Verdict.WITHDRAW: "withdrew it",
}


class ButtonValue(BaseModel):
    """What a button carries: no secret, and nothing that a decision rests on but the digest that was shown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    approval: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class Links:
    """Where people look further.

    Attributes:
        temporal: The Temporal UI.
        console: The web console, where there is one.
        traces: Page of a goal's traces, where there is one; `{workflow_id}` stands for its id.
    """

    temporal: str
    namespace: str
    console: str | None = None
    traces: str | None = None

    def workflow(self, workflow_id: str, run_id: str) -> str:
        """A workflow in the Temporal UI."""
        base = f"{self.temporal.rstrip('/')}/namespaces/{quote(self.namespace, safe='')}"
        return f"{base}/workflows/{quote(workflow_id, safe='')}/{quote(run_id, safe='')}/history"

    def of_traces(self, workflow_id: str) -> list[str]:
        """A link to the traces of a goal; nothing where they have no page."""
        if self.traces is None:
            return []
        return [link(self.traces.replace("{workflow_id}", quote(workflow_id, safe="")), "Its traces")]

    def goal(self, goal_id: str, run_id: str) -> str | None:
        """A goal's page in the console; None without a console."""
        if self.console is None:
            return None
        return f"{self.console.rstrip('/')}/goal?{urlencode({'id': goal_id, 'run': run_id})}"

    def approval(self, approval_id: str, run_id: str) -> str:
        """An approval with its whole plan: in the console, else as the approval's input in the Temporal UI."""
        if self.console is None:
            return self.workflow(approval_id, run_id)
        return f"{self.console.rstrip('/')}/approval?{urlencode({'id': approval_id})}"


def decided(one: CountedDecision) -> str:
    """One decision, in one line."""
    because = f": “{short(unhidden(one.reason), _SHORT)}”" if one.reason else ""
    return f"{one.person} {_SAID[one.verdict]} ({one.surface.value}){because}"


def approval_message(  # noqa: PLR0913 - all that a message tells of
    found: FoundApproval,
    view: ApprovalView,
    *,
    asked: Asked,
    links: Links,
    ended: str = "",
    next_step: str = "",
    mentions: str = "",
) -> Shown:
    """The message of an approval, as it stands.

    Args:
        found: As the server says it is.
        view: Where it stands, as the approval tells it.
        asked: Who asked for it.
        links: Where people look further.
        ended: How the approved step ended, once it has.
        next_step: What a person does now, where it ended otherwise than was approved.
        mentions: Of those who are asked.
    """
    digest, title, stage = plan_digest(found.request.plan), _title(found, view, ended), _stage(view, ended)
    payload = {"request_id": found.id, "run_id": found.run_id, "plan_digest": digest, "stage": stage}
    waits = found.running and view.state is State.WAITING
    heads = [header(title), _at_a_glance(found)]
    now = [f"What to do now: {unhidden(next_step)}"] if next_step else []
    passages = [Passage(f"How it ended: {unhidden(ended)}", now)] if ended else []
    passages += [_people(found, view, asked), *plan_passages(found.plan, waits=waits)]
    around = [markup(f"*Please decide:* {mentions}")] if waits and mentions else []
    around += [_context(found, digest, links), *_actions(found, view, digest, waits=waits, ended=ended)]
    return Shown(
        text=escaped(f"{title} ({digest[:19]})"),
        blocks=fitting(heads, passages, around),
        metadata={"event_type": EVENT_TYPE, "event_payload": payload},
        stage=stage,
    )


def _stage(view: ApprovalView, ended: str) -> int:
    """Grows with the approval: an update that comes late shows nothing older than what is shown."""
    return 2 if ended else 0 if view.state is State.WAITING else 1


def _title(found: FoundApproval, view: ApprovalView, ended: str) -> str:
    """How it stands, before what it is about."""
    glass = "BREAK GLASS: " if found.request.rule.path is Path.BREAK_GLASS else ""
    stands = f"{glass}{_stands(view, ended)}: "
    about = said(found.plan, _TITLE - len(stands) - 1)
    about = about[:1].lower() + about[1:]
    return stands + about + ("?" if view.state is State.WAITING and not ended else "")


def _stands(view: ApprovalView, ended: str) -> str:
    if ended:
        first = _CLAUSE.split(unhidden(ended), maxsplit=1)[0].strip()
        return first[:1].upper() + first[1:] if 0 < len(first) <= _STANDS else "Ended"
    if view.state is State.WAITING:
        return "Approval needed" + (" (reminder)" if view.reminders else "")
    by = view.decisions[-1].person if view.decisions and view.state in _BY_ONE else ""
    return view.state.value.replace("_", " ").capitalize() + (f" by {short(visible(by), _STANDS)}" if by else "")


def _at_a_glance(found: FoundApproval) -> Block:
    plan, environment = found.plan, named(found.request.rule.environment)
    where = f"{named(middle(place(plan), _NAME))} in {environment}" if place(plan) else environment
    return fields(
        (
            ("What", f"{escaped(does(plan))} {named(middle(subject(plan), _NAME))}"),
            ("Where", where),
            ("Risk", risk(plan)),
            ("Cost", costs(plan)),
        )
    )


def plan_passages(plan: AnyPlan, *, waits: bool) -> Iterator[Passage]:
    """What a message says of a plan; what was not rehearsed comes first.

    Args:
        plan: Which.
        waits: Whether people still decide on it.
    """
    if plan.rehearsal is not None and plan.rehearsal.surprises:
        yield Passage("*SURPRISE:* it would do what it did not do when it was rehearsed:", plan.rehearsal.surprises)
    if isinstance(plan, SequencePlan):
        yield from _step_passages(plan, waits=waits)
    else:
        yield from _single_passages(plan, waits=waits)
    if plan.rehearsal is not None:
        head = "What the goal did when it was rehearsed"
        yield Passage(f"{head}:", plan.rehearsal.effects, title_when_cut=f"{head} (all of it is in the whole plan):")
        if plan.rehearsal.left:
            yield Passage("It was rehearsed without a copy of:", plan.rehearsal.left)
    if plan.tightening is not None:
        cut = f"{visible(plan.tightening.source)} tightens the policy; all of it is in the whole plan:"
        head = f"{visible(plan.tightening.source)} tightens the deployment's policy for it:"
        yield Passage(head, plan.tightening.told(), title_when_cut=cut)
    quoted, lines = [f"“{unhidden(one)}”" for one in plan.summary], len(plan.summary)
    of = f" (the first {_MOST_QUOTED} of {lines} lines)" if lines > _MOST_QUOTED else ""
    yield Passage(f"The goal says of it{of}:", quoted[:_MOST_QUOTED])


def _step_passages(plan: SequencePlan, *, waits: bool) -> Iterator[Passage]:
    """Each step with its parameters, in order. Slack takes so many blocks, and the whole is linked below."""
    what = "will be done, in this order and once each" if waits else "was asked for, in this order"
    names = [f"{number}. {said(step, _LINE)} ({step.action})" for number, step in enumerate(plan.steps, start=1)]
    yield Passage(f"Exactly this {what}:", names)
    for number, step in enumerate(plan.steps[:_MOST_STEPS], start=1):
        head = f"Step {number} of {len(plan.steps)}, {step.action} (risk {step.risk.value}, cost {cost(step.cost)})"
        touched = [f"• {middle(line, _LINE)}" for line in worst_first(step.resources)[:_MOST_CHANGES]]
        more = len(step.resources) - len(touched)
        rest = [f"• and {more} more in the whole plan"] if more else []
        cut = f"{head} begins so; all {len(step.parameters)} values are in the whole plan:"
        of_stack = (
            ", whole under the same digest in the plan that is linked below" if step.action in STACK_ACTIONS else ""
        )
        yield Passage(f"{head}{of_stack}:", [*_values(step), *touched, *rest], title_when_cut=cut)
    if len(plan.steps) > _MOST_STEPS:
        yield Passage(f"The values of steps {_MOST_STEPS + 1} to {len(plan.steps)} are in the whole plan.")


def _single_passages(plan: Plan, *, waits: bool) -> Iterator[Passage]:
    if plan.action in STACK_ACTIONS:
        yield Passage(f"{plan.action}, whole under the same digest in the plan that is linked below:", _values(plan))
    else:
        what = "will be done" if waits else "was asked for"
        cut = f"What {what} begins so; all {len(plan.parameters)} values are in the whole plan:"
        yield Passage(f"Exactly this {what} ({plan.action}):", plan.parameter_lines(), title_when_cut=cut)
    yield _changes(plan)


def _values(plan: Plan) -> list[str]:
    """The parameters; of a stack only which it is, for digests and each single change are in the console."""
    lines = plan.parameter_lines()
    return [line for line in lines if line.partition(":")[0] in _PLACE] if plan.action in STACK_ACTIONS else lines


def _changes(plan: Plan) -> Passage:
    """The worst first, with the count of all."""
    title = counted(plan.resources)
    if len(plan.resources) > _MOST_CHANGES:
        title += f" All of them are in the whole plan; the worst {_MOST_CHANGES}:"
    lines = [f"• {middle(line, _LINE)}" for line in worst_first(plan.resources)[:_MOST_CHANGES]]
    return Passage(title, lines)


def _people(found: FoundApproval, view: ApprovalView, asked: Asked) -> Passage:
    groups = [*found.request.rule.groups, *([view.escalated_to] if view.escalated_to else [])]
    least = "at least " if asked.steps or asked.also else ""
    lines = [
        f"Decided by: {' or '.join(map(visible, groups))}; {least}{asked.needs} must approve, never who asked",
        *(f"• {visible(one)}" for one in (*asked.steps, *asked.more(view))),
        f"Until: {view.expires_at:%Y-%m-%d %H:%M} UTC",
        *(f"• {decided(one)}" for one in view.decisions[:_MOST_PEOPLE]),
    ]
    if view.state is not State.WAITING and view.reason:
        lines.append(f"Why: {unhidden(view.reason)}")
    return Passage(f"Asked by: {visible(asked.who)}; for the goal {visible(found.goal)}", lines)


def _context(found: FoundApproval, digest: str, links: Links) -> Block:
    plan = link(links.approval(found.id, found.run_id), "The whole plan")
    page = links.goal(found.goal, found.goal_run_id)
    goal = link(links.workflow(found.goal, found.goal_run_id), "The goal in Temporal")
    steps = [link(page, "The goal, step by step")] if page else []
    return context([f"`{digest}`", plan, *steps, goal, *links.of_traces(found.goal)])


def _actions(found: FoundApproval, view: ApprovalView, digest: str, *, waits: bool, ended: str) -> list[Block]:
    """Deciding while it waits, judging once it is over, and nothing while the step runs."""
    value = ButtonValue(approval=found.id, digest=digest).model_dump_json()
    if waits:
        return [_buttons(found, digest, value)]
    over = bool(ended) or view.state not in {State.WAITING, State.APPROVED}
    return [opinion_buttons(value)] if over else []


def _buttons(found: FoundApproval, digest: str, value: str) -> Block:
    confirm = {
        "title": plain(question(found.plan, _CONFIRM_TITLE)),
        "text": plain(f"{said(found.plan, _CONFIRM_TEXT)}\n{counted(found.plan.resources)}\n{digest}"),
        "confirm": plain("Approve"),
        "deny": plain("Cancel"),
    }
    approve = _button("Approve", APPROVE, value) | {"style": "primary", "confirm": confirm}
    reject = _button("Reject…", REJECT, value) | {"style": "danger"}
    commented = _button("Approve with a comment…", COMMENT, value)
    return {
        "type": "actions",
        "block_id": BLOCK,
        "elements": [approve, commented, reject, _button("Ask for changes…", CHANGES, value)],
    }


def _button(label: str, action: str, value: str) -> Block:
    return {"type": "button", "action_id": action, "text": plain(label), "value": value}
