"""How bad a deployment can turn out: its risk class, from what steps may destroy and whether there is a way back."""

from collections.abc import Iterable
from typing import Final

from hitl.approval.plan import Change, Plan, Risk
from workflows.deploy_feature.goals import RiskClass

_SAID: Final = {
    RiskClass.R0: "nothing is changed",
    RiskClass.R1: "all of it can be taken back",
    RiskClass.R2: "something is replaced or deleted that holds no data, or nothing says how to go back",
    RiskClass.R3: "something is lost that cannot be brought back",
}
_LOSES: Final = frozenset({Change.DELETE, Change.REPLACE})


def risk_class(changes: Iterable[Plan], *, way_back: bool) -> RiskClass:
    """The class of all steps together.

    Args:
        changes: The plans of what is changed. Their own risk is high where what holds data is destroyed, or nobody
            can say what happens.
        way_back: Whether each of them can be taken back as the manifest says.
    """
    plans = tuple(changes)
    if not plans:
        return RiskClass.R0
    if any(one.risk is Risk.HIGH for one in plans):
        return RiskClass.R3
    destroys = any(one.risk is Risk.MEDIUM or any(part.change in _LOSES for part in one.resources) for one in plans)
    return RiskClass.R2 if destroys or not way_back else RiskClass.R1


def said(risk: RiskClass, *, kept: bool = False) -> str:
    """The class in people's words.

    Args:
        risk: Which.
        kept: Whether all that is lost is in a snapshot that is part of the plan.
    """
    if risk is not RiskClass.R3:
        return f"{risk}: {_SAID[risk]}"
    how = "but by the snapshots of this plan" if kept else "and the policy lets it go without a snapshot"
    return f"{risk}: {_SAID[risk]}, {how}"
