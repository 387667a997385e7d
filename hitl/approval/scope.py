"""What a decision must have been signed for, and one that counts. Light enough for workflow code: it checks nothing."""

from dataclasses import dataclass

from hitl.approval.approvers import Path
from hitl.approval.decision import Decision


@dataclass(frozen=True, kw_only=True)
class AskedUnder:
    """The rule that an approval asked by: whom it named may still say no, whatever the policy says by now.

    Attributes:
        path: Which of an action's rules it is.
        groups: All that were asked by now, those of an escalation with them.
    """

    path: Path
    groups: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DecisionScope:
    """What a decision must have been signed for, as the server and the plan's own text say it.

    Attributes:
        workflow_id: Of the goal that runs the step.
        run_id: Of that goal.
        step_id: The step's activity id.
        action: The step's name.
        plan_text: What the step will read its parameters from.
        escalated: Whether those whom the rule asks later may decide by now.
        position: Of the step in a plan of many, from 1; None for a plan of one, and where the whole is decided on.
        asked: Where an approval asks, what it asked by. Under a grant nobody says no any more.
    """

    environment: str
    cluster: str
    namespace: str
    workflow_id: str
    run_id: str
    step_id: str
    action: str
    plan_text: str
    escalated: bool = True
    position: int | None = None
    asked: AskedUnder | None = None


@dataclass(frozen=True, kw_only=True)
class Heard:
    """A decision that counts."""

    decision: Decision
    requester: str
    """The person who asked, or `unverified`."""
