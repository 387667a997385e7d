"""An approval as a message: what is shown comes from the plan's own bytes, and none of it is markup.

Names, summaries and reasons stand in `plain_text` objects, in which Slack reads no markup, with what hides made
visible. Whatever is too long is cut there, and the link leads to the whole plan under the same digest.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict

from connectors.pulumi.approval import DESTROY_ACTION, UP_ACTION
from hitl.approvers import Path
from hitl.decision import Verdict
from hitl.gateway.asked import Asked
from hitl.gateway.server import FoundApproval
from hitl.plan import Change, Cost, Plan, plan_digest, visible
from hitl.slack.blocks import Block, Shown, context, fitting, header, link, listed, plain, short
from workflows.approval_contracts import ApprovalState, ApprovalView, CountedDecision

EVENT_TYPE: Final = "banksman_approval"
BLOCK: Final = "banksman-approval"
APPROVE, REJECT, CHANGES = "approve", "reject", "request_changes"
VERDICTS: Final = {APPROVE: Verdict.APPROVE, REJECT: Verdict.REJECT, CHANGES: Verdict.REQUEST_CHANGES}

STACK_ACTIONS: Final = frozenset({UP_ACTION, DESTROY_ACTION})
_WORST_FIRST: Final = (Change.REPLACE, Change.DELETE, Change.UPDATE, Change.CREATE)
_PLACE: Final = frozenset({"repository", "folder", "environment", "project", "stack", "commit"})
"""What people know a stack by, among a plan's parameters."""
_MOST_LISTED: Final = 20
_MOST_PEOPLE: Final = 10
_SHORT: Final = 140

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
    """

    temporal: str
    namespace: str
    console: str | None = None

    def workflow(self, workflow_id: str, run_id: str) -> str:
        """A workflow in the Temporal UI."""
        base = f"{self.temporal.rstrip('/')}/namespaces/{quote(self.namespace, safe='')}"
        return f"{base}/workflows/{quote(workflow_id, safe='')}/{quote(run_id, safe='')}/history"

    def approval(self, approval_id: str, run_id: str) -> str:
        """An approval with its whole plan: in the console, else as the approval's input in the Temporal UI."""
        if self.console is None:
            return self.workflow(approval_id, run_id)
        return f"{self.console.rstrip('/')}/approval?{urlencode({'id': approval_id})}"


def decided(one: CountedDecision) -> str:
    """One decision, in one line."""
    because = f": “{short(visible(one.reason), _SHORT)}”" if one.reason else ""
    return f"{one.person} {_SAID[one.verdict]} ({one.surface.value}){because}"


def approval_message(found: FoundApproval, view: ApprovalView, *, asked: Asked, links: Links, ended: str = "") -> Shown:
    """The message of an approval, as it stands.

    Args:
        found: As the server says it is.
        view: Where it stands, as the approval tells it.
        asked: Who asked for it.
        links: Where people look further.
        ended: How the approved step ended, once it has.
    """
    digest, title, stage = plan_digest(found.request.plan), _title(found, view), _stage(view, ended)
    payload = {"request_id": found.id, "run_id": found.run_id, "plan_digest": digest, "stage": stage}
    around = [_context(found, digest, links)]
    if found.running and view.state is ApprovalState.WAITING:
        around.append(_buttons(found, digest))
    texts = [*_plan_texts(found), _people(found, view, asked)]
    if ended:
        texts.append(f"How it ended: {visible(ended)}")
    return Shown(
        text=f"{title}: {found.plan.action} ({digest[:19]})",
        blocks=fitting(header(title), texts, around),
        metadata={"event_type": EVENT_TYPE, "event_payload": payload},
        stage=stage,
    )


def _stage(view: ApprovalView, ended: str) -> int:
    """Grows with the approval: an update that comes late shows nothing older than what is shown."""
    return 2 if ended else 0 if view.state is ApprovalState.WAITING else 1


def _title(found: FoundApproval, view: ApprovalView) -> str:
    glass = "BREAK GLASS: " if found.request.rule.path is Path.BREAK_GLASS else ""
    if view.state is not ApprovalState.WAITING:
        return f"{glass}{view.state.value.replace('_', ' ').capitalize()}"
    return f"{glass}Approval needed" + (" (reminder)" if view.reminders else "")


def _plan_texts(found: FoundApproval) -> Iterator[str]:
    plan = found.plan
    cost = f" · costs {_money(plan.cost)}" if plan.cost else ""
    environment = visible(found.request.rule.environment)
    yield f"{plan.action} in {environment} · risk {plan.risk.value}{cost}"
    if plan.action in STACK_ACTIONS:
        yield from _stack_texts(plan)
        return
    yield listed("Exactly this will be done:", plan.parameter_lines())
    touched = [f"{one.change.value} {one.kind} {one.name}" for one in plan.resources]
    yield listed(f"It touches {len(touched)}:", touched, most=_MOST_LISTED)
    yield listed("The goal says of it:", [f"“{one}”" for one in plan.summary], most=_MOST_LISTED)


def _stack_texts(plan: Plan) -> Iterator[str]:
    """Of a stack's plan only what can be read at a glance: digests and each single change are in the console."""
    lines = plan.parameter_lines()
    told = [line for line in lines if line.partition(":")[0] in _PLACE]
    yield listed("Exactly this will be done, and the whole plan has its digests:", told, more=len(lines) - len(told))
    counted = Counter(one.change for one in plan.resources)
    touched = ", ".join(f"{counted[kind]} to {kind.value}" for kind in _WORST_FIRST if counted[kind])
    told = [f"“{one}”" for one in plan.summary]
    yield listed(f"It names {len(plan.resources)} resources ({touched}). The goal says of it:", told, most=_MOST_LISTED)


def _people(found: FoundApproval, view: ApprovalView, asked: Asked) -> str:
    groups = [*found.request.rule.groups, *([view.escalated_to] if view.escalated_to else [])]
    lines = [
        f"Asked by: {visible(asked.who)}; for the goal {visible(found.goal)}",
        f"Decided by: {' or '.join(map(visible, groups))}; {asked.needs} must approve, never who asked",
        f"Until: {view.expires_at:%Y-%m-%d %H:%M} UTC",
        *(f"• {decided(one)}" for one in view.decisions[:_MOST_PEOPLE]),
    ]
    if view.state is not ApprovalState.WAITING and view.reason:
        lines.append(f"Why: {visible(view.reason)}")
    return "\n".join(lines)


def _context(found: FoundApproval, digest: str, links: Links) -> Block:
    plan = link(links.approval(found.id, found.run_id), "The whole plan")
    goal = link(links.workflow(found.goal, found.goal_run_id), "The goal in Temporal")
    return context([f"`{digest}`", plan, goal])


def _buttons(found: FoundApproval, digest: str) -> Block:
    value = ButtonValue(approval=found.id, digest=digest).model_dump_json()
    confirm = {
        "title": plain("Approve exactly this?"),
        "text": plain(short(f"{found.plan.action}: {visible(found.plan.resources[0].name)}", 200) + f"\n{digest}"),
        "confirm": plain("Approve"),
        "deny": plain("Cancel"),
    }
    approve = _button("Approve", APPROVE, value) | {"style": "primary", "confirm": confirm}
    reject = _button("Reject…", REJECT, value) | {"style": "danger"}
    return {
        "type": "actions",
        "block_id": BLOCK,
        "elements": [approve, reject, _button("Ask for changes…", CHANGES, value)],
    }


def _button(label: str, action: str, value: str) -> Block:
    return {"type": "button", "action_id": action, "text": plain(label), "value": value}


def _money(cost: Cost) -> str:
    per = {"once": "once", "hour": "an hour", "month": "a month"}[cost.per]
    return f"${cost.usd_cents / 100:,.2f} {per}"
