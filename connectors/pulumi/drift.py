"""What stands outside otherwise than the state says, as a refresh sees it: the whole difference, not counts.

A refresh asks each provider to read, and then to compare. What the provider calls different is drift. With CLI 3.200 a
provider that reads and cannot compare (one without `diff`, such as a dynamic one of Python's) looks in the events just
like one that compared and found nothing. So what was read is compared here too, for the properties that the program
sets: other outputs (times, counters) change by themselves. Where a provider does not read at all, nobody sees anything.
"""

import hashlib
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Final

from pydantic import Field, JsonValue

from connectors.pulumi.changes import PropertyChange, property_changes
from connectors.pulumi.events import EventLog, Metadata, Part, ResourceEvent, Side, Stage
from connectors.pulumi.noise import Noise, NoiseEntry
from connectors.pulumi.urn import is_bookkeeping, read_urn
from connectors.pulumi.values import at_path, gist, masked, shown
from hitl.canonical import NotCanonical, canonical_json, tagged_digest

_TAG: Final = "banksman-pulumi-drift/v1"


class DriftKind(StrEnum):
    """How a resource differs."""

    CHANGED = "changed"
    DELETED = "deleted"


class SeenBy(StrEnum):
    """Who says that it differs."""

    PROVIDER = "provider"
    COMPARISON = "comparison"
    """The provider calls it unchanged, and what it read is not what the program had set."""


class DriftItem(Part):
    """One resource that is not as the state says.

    Attributes:
        properties: `before` is what the state holds, `after` what is really there; secrets masked.
        fingerprint: The same for the same difference of the same resource, whenever it is seen. Of a secret it says
            that it differs, not from what.
    """

    urn: str
    type: str
    name: str
    kind: DriftKind
    seen_by: SeenBy = SeenBy.PROVIDER
    properties: tuple[PropertyChange, ...] = ()
    fingerprint: str


class QuietItem(Part):
    """A difference that is known noise.

    Attributes:
        until: After this day it is told again.
    """

    item: DriftItem
    reason: str
    until: date


class DriftReport(Part):
    """What one look found.

    Attributes:
        items: What differs and is no known noise; deleted ones first.
        quiet: Known noise that was seen.
        expired: Entries of the noise file whose day is over.
        unused: Entries of the noise file that nothing matched; they may be deleted.
        looked_at: How many resources were refreshed.
        complete: Whether the look reached its end without an error; else what is missing here is not proved absent.
        problems: What went wrong.
    """

    items: tuple[DriftItem, ...] = ()
    quiet: tuple[QuietItem, ...] = ()
    expired: tuple[NoiseEntry, ...] = ()
    unused: tuple[NoiseEntry, ...] = ()
    looked_at: int = 0
    complete: bool = True
    problems: tuple[str, ...] = ()

    @property
    def fingerprints(self) -> frozenset[str]:
        """What to remember until the next look."""
        return frozenset(one.fingerprint for one in self.items)


class SinceLast(Part):
    """One look against the one before it.

    Attributes:
        new: Only these are worth a message.
        gone: Fingerprints that are no longer seen; empty after an incomplete look, which proves nothing gone.
    """

    new: tuple[DriftItem, ...] = ()
    still: tuple[DriftItem, ...] = ()
    gone: frozenset[str] = Field(default_factory=frozenset[str])


def find_drift(log: EventLog, *, today: date, noise: Noise | None = None) -> DriftReport:
    """What a refresh saw: `pulumi refresh`, with `--preview-only` or without, or `pulumi preview --refresh`.

    Args:
        log: Of that one run.
        today: For the end dates of the noise.
        noise: What is known and not to be told.
    """
    refreshed = _refreshed(log.resources)
    items = sorted(
        filter(None, map(_item, refreshed.values())), key=lambda one: (one.kind != DriftKind.DELETED, one.urn)
    )
    began = {one.metadata.urn for one in log.resources if one.metadata.op == "refresh" and not _ours(one)}
    problems = [gist(one.message) for one in log.errors]
    if missing := began - set(refreshed):
        problems.append(f"{len(missing)} resources were not read to the end, such as {min(missing)!r}")
    if log.resources_dropped or not log.ended:
        problems.append("the event log is not whole")
    return _without_noise(items, noise or Noise(), today).model_copy(
        update={"looked_at": len(refreshed), "complete": not problems, "problems": tuple(problems)}
    )


def since_last(report: DriftReport, known: Iterable[str]) -> SinceLast:
    """What is new against the fingerprints of the look before."""
    before = frozenset(known)
    return SinceLast(
        new=tuple(one for one in report.items if one.fingerprint not in before),
        still=tuple(one for one in report.items if one.fingerprint in before),
        gone=before - report.fingerprints if report.complete else frozenset(),
    )


def _ours(event: ResourceEvent) -> bool:
    return is_bookkeeping(event.metadata.type)


def _refreshed(events: Iterable[ResourceEvent]) -> dict[str, Metadata]:
    """What each refresh of a resource came to: the first end after its beginning."""
    began: set[str] = set()
    ended: dict[str, Metadata] = {}
    for event in events:
        about = event.metadata
        if _ours(event):
            continue
        if event.stage is Stage.BEGAN and about.op == "refresh":
            began.add(about.urn)
        elif event.stage is Stage.DONE and about.urn in began and about.urn not in ended:
            ended[about.urn] = about
    return ended


def _item(about: Metadata) -> DriftItem | None:
    if about.old is None:
        return None
    if about.new is None:
        return _made(about, DriftKind.DELETED, SeenBy.PROVIDER, ())
    if about.detailed or about.diffs:
        return _made(about, DriftKind.CHANGED, SeenBy.PROVIDER, property_changes(about))
    compared = _compared(about.old, about.new)
    return _made(about, DriftKind.CHANGED, SeenBy.COMPARISON, compared) if compared else None


def _compared(old: Side, new: Side) -> tuple[PropertyChange, ...]:
    state, real = old.outputs, new.outputs
    names = sorted(name for name in old.inputs if state.get(name) != real.get(name) and not name.startswith("__"))
    return tuple(
        PropertyChange(
            path=name,
            kind="add" if name not in state else "delete" if name not in real else "update",
            before=shown(masked(state[name], name=name)) if name in state else None,
            after=shown(masked(real[name], name=name)) if name in real else None,
        )
        for name in names
    )


def _made(about: Metadata, kind: DriftKind, seen_by: SeenBy, properties: tuple[PropertyChange, ...]) -> DriftItem:
    return DriftItem(
        urn=about.urn,
        type=about.type,
        name=read_urn(about.urn).name,
        kind=kind,
        seen_by=seen_by,
        properties=properties,
        fingerprint=_fingerprint(about, kind, [one.path for one in properties]),
    )


def _fingerprint(about: Metadata, kind: DriftKind, paths: list[str]) -> str:
    """Over what is really there, uncut (the tail of a long value counts), of the properties that differ only."""
    real: dict[str, JsonValue] = {path: at_path(about.new.outputs, path) for path in paths} if about.new else {}
    told: JsonValue = {"urn": about.urn, "kind": kind.value, "real": real}
    try:
        return tagged_digest(_TAG, canonical_json(told))
    except NotCanonical:  # a number beyond what JSON says alike everywhere
        return "sha256:" + hashlib.sha256(f"{_TAG}\n{told!r}".encode(errors="surrogatepass")).hexdigest()


def _without_noise(items: Iterable[DriftItem], noise: Noise, today: date) -> DriftReport:
    told: list[DriftItem] = []
    quiet: list[QuietItem] = []
    used: set[NoiseEntry] = set()
    for item in items:
        paths = [] if item.kind is DriftKind.DELETED else [one.path for one in item.properties]
        entries = noise.covering(item.urn, paths, today)
        used |= set(entries)
        if entries:
            reason = "; ".join(dict.fromkeys(one.reason for one in entries))
            quiet.append(QuietItem(item=item, reason=reason, until=min(one.until for one in entries)))
        else:
            told.append(item)
    over = tuple(one for one in noise.noise if one.until < today)
    idle = tuple(one for one in noise.noise if one not in used and one not in over)
    return DriftReport(items=tuple(told), quiet=tuple(quiet), expired=over, unused=idle)
