"""How an up ended, read from the state before and after it and from its events; never from an exit code or a text.

With CLI 3.200 the exit code is 255 for an update that was refused before any change, for one that was stopped in the
middle, and for one that did all it was to do and whose program then had another stack output.

What counts as evidence, the strongest first: the state that the engine wrote (it notes each operation before it
begins), then the events of the update itself. Events of the preview that comes before it are no evidence of anything.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from connectors.pulumi.changes import ChangeKind, change_of
from connectors.pulumi.events import EventLog, Metadata, Part, ResourceEvent, Stage
from connectors.pulumi.stack_plan import refusal
from connectors.pulumi.state import State
from connectors.pulumi.urn import STACK_TYPE, is_bookkeeping, read_urn, told
from connectors.pulumi.values import cause, gist, shown
from hitl.hidden import visible

MOST_ERRORS: Final = 20
_LONGEST_ERROR: Final = 1_000
_NOBODY_KNOWS: Final = 2
"""The status of a failure of which the provider does not say whether it was done; the engine then also calls its state
perhaps corrupt."""


_LIMIT: Final = re.compile(
    r"quota|too many (?:connections|clients|requests)|limit ?exceeded|exceed\w*[^.\n]{0,60}\blimit|rate limit|throttl"
    r"|resource[_ ]?exhausted|maximum number of|no space left|connection slots are reserved",
    re.IGNORECASE,
)
"""How clouds and servers say that somebody has used up what they may have; each in its own words."""
_LONGEST_LIMIT: Final = 300


class Ended(StrEnum):
    """How an up ended."""

    APPLIED = "applied"
    """All of the plan was done, and nothing else; the program ended as it should."""
    REFUSED = "refused"
    """Nothing was changed, and nothing was tried: no provider was asked to change anything."""
    PARTIALLY_APPLIED = "partially_applied"
    """Some of it was done, or tried, or something else was: it is listed. Nothing is tried again by itself."""
    UNKNOWN = "unknown"
    """Nobody can say: an operation began and its end was not seen, or the state could not be read."""


class ResourceChange(Part):
    """One resource and what became of it."""

    urn: str
    change: ChangeKind


class Failure(Part):
    """One operation that a provider could not do. It may have been done in part."""

    urn: str
    op: str


class UpOutcome(Part):
    """How an up ended, with the evidence.

    Attributes:
        done: Of the plan, and done.
        not_done: Of the plan, and not done.
        unplanned: Done and not in the plan.
        failed: Tried, and failed.
        in_doubt: Began, or failed in a way that does not tell; whether it happened is to be looked up at the provider.
        outputs_recorded: Whether the program ended and its stack outputs were written.
        errors: What the engine said, bounded; without secrets if the log's reader knew them.
    """

    ended: Ended
    done: tuple[ResourceChange, ...] = ()
    not_done: tuple[ResourceChange, ...] = ()
    unplanned: tuple[ResourceChange, ...] = ()
    failed: tuple[Failure, ...] = ()
    in_doubt: tuple[Failure, ...] = ()
    outputs_recorded: bool = False
    errors: tuple[str, ...] = ()
    state_before: str = ""
    state_after: str = ""

    @property
    def limit(self) -> str:
        """What the provider said of a quota that is used up, on one line; empty where it said nothing of one."""
        said = (line for error in self.errors for line in error.splitlines() if _LIMIT.search(line))
        return gist(visible(next(said, "")), most=_LONGEST_LIMIT)

    @property
    def why(self) -> str:
        """What stood in its way, in one line: the first error, which names its resource; empty where nothing did."""
        if self.ended is Ended.APPLIED:
            return ""
        return visible(cause(self.errors[0])) if self.errors else ""

    @property
    def next_step(self) -> str:
        """What a person does now."""
        if self.limit and self.ended is not Ended.APPLIED:
            return f"A quota or limit is used up ({self.limit}): raise it, or free what counts there. {self._way_on}"
        return self._way_on

    @property
    def _way_on(self) -> str:
        match self.ended:
            case Ended.APPLIED:
                return "Nothing is to be done."
            case Ended.REFUSED:
                return "Nothing was changed. Read the errors, and plan again."
            case Ended.PARTIALLY_APPLIED:
                return (
                    "The state holds what was done. Look at what failed and at what was not done, mend the cause, and "
                    "plan again: the new plan holds the rest. Or roll back to an earlier deployment."
                )
            case Ended.UNKNOWN:
                return (
                    "Look up at the provider what became of the resources in doubt, refresh the stack so that the "
                    "state says so, and plan again."
                )


def classify_up(
    planned: Mapping[str, ChangeKind], log: EventLog, *, before: State, after: State | None, destroy: bool = False
) -> UpOutcome:
    """How an up ended.

    Args:
        planned: `StackPlan.expected` of the plan that was approved.
        log: The event log of this up; may be cut off.
        before: Exported under the lock, right before.
        after: Exported right after; None where it cannot be had.
        destroy: Whether it was a `destroy`, in which no program runs that could end.
    """
    real = [one for one in log.resources if not one.planning]
    if after is None:
        return _unreadable(planned, real, log, before)
    changed = before.changes_to(after)
    failed = tuple(_failure(one.metadata) for one in real if one.stage is Stage.FAILED)
    in_doubt = _in_doubt(real, changed, before=before, after=after)
    doubtful = {one.urn for one in (*failed, *in_doubt)} | set(after.condemned)
    done = {urn: change for urn, change in changed.items() if _as_planned(planned.get(urn), change, urn in doubtful)}
    noticed = _only_noticed(real)
    others = {urn: change for urn, change in changed.items() if urn not in planned and urn not in noticed}
    outcome = UpOutcome(
        ended=Ended.UNKNOWN,
        done=_changes({urn: planned[urn] for urn in done}),
        not_done=_changes({urn: change for urn, change in planned.items() if urn not in done}),
        unplanned=_changes(others),
        failed=failed,
        in_doubt=in_doubt,
        outputs_recorded=destroy or _program_ended(real),
        errors=_errors(log),
        state_before=before.identity,
        state_after=after.identity,
    )
    tried = bool(set(changed) - noticed or failed) or any(_changes_something(one.metadata) for one in real)
    corrupt = log.summary is not None and log.summary.maybe_corrupt
    return outcome.model_copy(update={"ended": Ended.UNKNOWN if corrupt else _ended(outcome, tried=tried)})


def _ended(outcome: UpOutcome, *, tried: bool) -> Ended:
    if outcome.in_doubt:
        return Ended.UNKNOWN
    clean = not (outcome.not_done or outcome.unplanned or outcome.failed or outcome.errors)
    if clean and outcome.outputs_recorded:
        return Ended.APPLIED
    return Ended.PARTIALLY_APPLIED if tried else Ended.REFUSED


def _as_planned(wanted: ChangeKind | None, found: ChangeKind, doubtful: bool) -> bool:
    """Whether a change in the state is the one that was planned."""
    if wanted is None or doubtful:
        return False
    made = {ChangeKind.CREATE, ChangeKind.IMPORT}
    gone = {ChangeKind.DELETE, ChangeKind.FORGET}
    same = wanted is found or {wanted, found} <= made or {wanted, found} <= gone
    # A replacement may keep the id, and what a newer CLI calls otherwise can only be seen to have changed.
    return same or wanted is ChangeKind.OTHER or (wanted is ChangeKind.REPLACE and found is ChangeKind.UPDATE)


def _in_doubt(
    real: list[ResourceEvent], changed: Mapping[str, ChangeKind], *, before: State, after: State
) -> tuple[Failure, ...]:
    """What the state calls pending, what failed without a clear no, and what began and neither ended nor shows."""
    old = {(one.urn, one.operation) for one in before.pending}
    found = {
        one.urn: Failure(urn=one.urn, op=one.operation) for one in after.pending if (one.urn, one.operation) not in old
    }
    open_: dict[tuple[str, str], Metadata] = {}
    for event in real:
        about = event.metadata
        if event.stage is not Stage.BEGAN:
            open_.pop((about.urn, about.op), None)
            if event.stage is Stage.FAILED and event.status == _NOBODY_KNOWS:
                found.setdefault(about.urn, _failure(about))
        elif _changes_something(about) and about.op != "replace":
            open_[about.urn, about.op] = about
    for urn, op in open_:
        if urn not in changed:
            found.setdefault(urn, Failure(urn=urn, op=op))
    return tuple(found.values())


def _only_noticed(real: list[ResourceEvent]) -> frozenset[str]:
    """What `up --refresh` wrote into the state because it stands so outside, and then left alone."""
    touched = {one.metadata.urn for one in real if _changes_something(one.metadata)}
    return frozenset(one.metadata.urn for one in real if one.metadata.op == "refresh") - touched


def _changes_something(about: Metadata) -> bool:
    return change_of(about.op) is not None and not is_bookkeeping(about.type)


def _program_ended(real: list[ResourceEvent]) -> bool:
    """The engine reports the stack itself as done when the program has handed in its outputs, and never otherwise."""
    return any(one.metadata.type == STACK_TYPE and one.stage is Stage.DONE for one in real)


def _failure(about: Metadata) -> Failure:
    return Failure(urn=about.urn, op=about.op)


def _changes(changes: Mapping[str, ChangeKind]) -> tuple[ResourceChange, ...]:
    return tuple(ResourceChange(urn=urn, change=change) for urn, change in sorted(changes.items()))


def _errors(log: EventLog) -> tuple[str, ...]:
    """What a policy pack refuses first: the engine itself then says little more than that it failed."""
    refused = [why] if (why := refusal(log)) else []
    # Of a failure the engine says two things: what failed at a resource, and that it therefore stops.
    said = [_about(one.urn, one.message) for one in sorted(log.errors, key=lambda one: not _names_a_resource(one.urn))]
    return tuple(shown(one, most=_LONGEST_ERROR) for one in [*refused, *said])[:MOST_ERRORS]


def _about(urn: str, message: str) -> str:
    """A message that names the resource it is about. The stack itself is nobody's resource."""
    return f"{told(urn)}: {message}" if _names_a_resource(urn) and urn not in message else message


def _names_a_resource(urn: str) -> bool:
    try:
        return read_urn(urn).type != STACK_TYPE
    except ValueError:
        return False


def _unreadable(
    planned: Mapping[str, ChangeKind], real: list[ResourceEvent], log: EventLog, before: State
) -> UpOutcome:
    """Without the state only events are left; they say what was done, and cannot say what was not."""
    ended = {one.metadata.urn for one in real if one.stage is Stage.DONE and _changes_something(one.metadata)}
    return UpOutcome(
        ended=Ended.UNKNOWN,
        done=_changes({urn: change for urn, change in planned.items() if urn in ended}),
        not_done=_changes({urn: change for urn, change in planned.items() if urn not in ended}),
        failed=tuple(_failure(one.metadata) for one in real if one.stage is Stage.FAILED),
        errors=_errors(log),
        state_before=before.identity,
    )
