"""What a preview found out, as one thing that people can approve: typed, complete, and without secrets."""

from collections import Counter
from datetime import date
from typing import Final

from pydantic import Field

from connectors.pulumi.changes import ChangeKind, PropertyChange, ResourceChange, Step, resource_change, steps
from connectors.pulumi.drift import DriftReport, find_drift
from connectors.pulumi.events import EventLog, Part, PolicyViolation, ResourceEvent, Stage
from connectors.pulumi.noise import Noise
from connectors.pulumi.prices import CostChange, Prices, cost_change
from connectors.pulumi.stateful import StatefulTypes
from connectors.pulumi.urn import STACK_TYPE, is_bookkeeping, read_urn
from connectors.pulumi.values import cause, gist, masked, shown

MANDATORY: Final = "mandatory"


class PlanImpossible(ValueError):
    """A preview is no plan: it failed, or its log is not whole. The message says what to do."""


class PolicyFinding(Part):
    """A policy pack does not like something."""

    pack: str
    version: str
    policy: str
    level: str
    urn: str
    message: str


class StackPlan(Part):
    """What an update would do.

    Attributes:
        commit: Of the program's repository.
        changes: Replacements and deletions first, what holds something before what does not.
        unchanged: How many resources stay as they are.
        outputs: What becomes of the stack's outputs.
        drift: What the preview's refresh saw; None where it did not refresh. The update overwrites it where the
            program says otherwise.
        overwrites: The names of drifted resources that the update changes too.
        findings: What policy packs say that only warns. A preview that they refuse is no plan.
        policy_packs: Which packs looked, by name their versions.
        cost: As far as prices are known.
    """

    project: str
    stack: str
    commit: str
    changes: tuple[ResourceChange, ...] = ()
    unchanged: int = 0
    outputs: tuple[PropertyChange, ...] = ()
    drift: DriftReport | None = None
    overwrites: tuple[str, ...] = ()
    findings: tuple[PolicyFinding, ...] = ()
    policy_packs: dict[str, str] = Field(default_factory=dict[str, str])
    cost: CostChange = CostChange()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do, and so nothing to approve."""
        return not self.changes and not self.outputs

    @property
    def counts(self) -> dict[ChangeKind, int]:
        """How many of each, in the order of `ChangeKind`."""
        found = Counter(one.change for one in self.changes)
        return {kind: found[kind] for kind in ChangeKind if found[kind]}

    @property
    def expected(self) -> dict[str, ChangeKind]:
        """By URN, what an update may do: the measure for how it ended."""
        return {one.urn: one.change for one in self.changes}


class Knowledge(Part):
    """What a plan is judged by.

    Attributes:
        today: For the end dates of known noise.
    """

    stateful: StatefulTypes
    prices: Prices
    noise: Noise = Noise()
    today: date


def stack_plan(log: EventLog, *, commit: str, knowledge: Knowledge, drift: DriftReport | None = None) -> StackPlan:
    """The plan that a preview's event log holds.

    Args:
        log: Of `pulumi preview`, or of `pulumi destroy --preview-only`.
        commit: Of the program.
        knowledge: What it is judged by.
        drift: What a `pulumi refresh` right before found and wrote into the state; where the preview refreshed itself
            (`--refresh`, and then `up` needs it too), its own log has it.

    Raises:
        PlanImpossible: The preview failed, a policy pack refuses it, or the log is not whole.
    """
    _require_whole(log)
    _require_allowed(log)
    findings = tuple(_finding(one) for one in log.events if isinstance(one, PolicyViolation))
    events = tuple(one for one in log.resources if one.planning)
    changes = tuple(sorted((_change(one, knowledge) for one in steps(events)), key=_rank))
    if _refreshed(events):
        drift = find_drift(log, today=knowledge.today, noise=knowledge.noise)
    drifted = {one.urn for one in (*drift.items, *(one.item for one in drift.quiet))} if drift else set[str]()
    stack = _stack(events)
    return StackPlan(
        project=stack.project,
        stack=stack.stack,
        commit=commit,
        changes=changes,
        unchanged=_unchanged(events),
        outputs=_outputs(events),
        drift=drift,
        overwrites=tuple(one.name for one in changes if one.urn in drifted),
        findings=findings,
        policy_packs={
            _pack(name): version for name, version in (log.summary.policy_packs if log.summary else {}).items()
        },
        cost=cost_change(changes),
    )


def _require_whole(log: EventLog) -> None:
    if log.resources_dropped:
        raise PlanImpossible(
            "the preview says more than can be read: what is not seen cannot be approved; split the stack, or raise "
            "the limits of the event log"
        )
    if log.summary is None or not log.ended:
        said = f": {cause(log.errors[0].message)}" if log.errors else ""
        raise PlanImpossible(f"the preview did not reach its end{said}; look at its messages, and preview again")
    if not log.summary.preview:
        raise PlanImpossible("this is the log of an update, not of a preview; preview again")


def refusal(log: EventLog) -> str:
    """Why policy packs refuse what this log tells of; empty: they do not."""
    refused = [one for one in log.events if isinstance(one, PolicyViolation) and one.level == MANDATORY]
    if not refused:
        return ""
    first = refused[0]
    return (
        f"the policy {first.policy!r} of {first.pack!r} refuses {first.urn!r} ({len(refused)} violations in all): "
        f"{gist(first.message)}; change the program, and preview again"
    )


def _require_allowed(log: EventLog) -> None:
    if why := refusal(log):
        raise PlanImpossible(why)
    if log.errors:
        raise PlanImpossible(f"the preview failed: {cause(log.errors[0].message)}; mend that, and preview again")


def _finding(event: PolicyViolation) -> PolicyFinding:
    return PolicyFinding(
        pack=event.pack,
        version=event.version,
        policy=event.policy,
        level=event.level,
        urn=event.urn,
        message=event.message.strip(),
    )


def _pack(name: str) -> str:
    """`house|local|/some/path` says where the pack lay on some machine; its name is enough."""
    return name.partition("|")[0]


def _change(step: Step, knowledge: Knowledge) -> ResourceChange:
    change = resource_change(step, stateful=knowledge.stateful.loses(step.last.type))
    return knowledge.prices.priced(change, step.last)


def _rank(change: ResourceChange) -> tuple[bool, bool, int, str]:
    """What destroys comes first, and among that what holds something."""
    order = list(ChangeKind).index(change.change)
    return (not change.destroys and change.change is not ChangeKind.OTHER, not change.stateful, order, change.urn)


def _refreshed(events: tuple[ResourceEvent, ...]) -> bool:
    return any(one.metadata.op == "refresh" for one in events)


def _unchanged(events: tuple[ResourceEvent, ...]) -> int:
    return len(
        {
            one.metadata.urn
            for one in events
            if one.metadata.op == "same" and one.stage is Stage.BEGAN and not is_bookkeeping(one.metadata.type)
        }
    )


class _Stack(Part):
    project: str
    stack: str


def _stack(events: tuple[ResourceEvent, ...]) -> _Stack:
    if not events:
        return _Stack(project="", stack="")
    urn = read_urn(events[0].metadata.urn)
    return _Stack(project=urn.project, stack=urn.stack)


def _outputs(events: tuple[ResourceEvent, ...]) -> tuple[PropertyChange, ...]:
    """The last word on the stack itself."""
    last = [
        one.metadata
        for one in events
        if one.metadata.type == STACK_TYPE and one.stage is Stage.DONE and one.metadata.op != "refresh"
    ]
    if not last:
        return ()
    before = last[-1].old.outputs if last[-1].old else {}
    after = last[-1].new.outputs if last[-1].new else {}
    return tuple(
        PropertyChange(
            path=name,
            kind="add" if name not in before else "delete" if name not in after else "update",
            before=shown(masked(before[name], name=name)) if name in before else None,
            after=shown(masked(after[name], name=name)) if name in after else None,
        )
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )
