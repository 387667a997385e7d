"""What Estuary's twin keeps, and what a publication does with it: all of a draft or nothing."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from pydantic import BaseModel, ConfigDict, JsonValue

from connectors.estuary.models import NOT_THERE, SpecType, StagedSpec, same_id
from connectors.twins.clock import TwinClock

_IMAGES: Final = "ghcr.io/estuary/"


class TwinSpec(BaseModel):
    """A specification that is live from the start."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: SpecType
    model: JsonValue
    pub_id: str | None = None


@dataclass
class Live:
    """A specification that is published.

    Attributes:
        activated: The publication that its data plane runs.
    """

    type: SpecType
    model: JsonValue
    pub_id: str
    at: float
    activated: str = ""
    history: list[dict[str, JsonValue]] = field(default_factory=list[dict[str, JsonValue]])


@dataclass
class DraftRow:
    """A draft and what it holds, of one user."""

    id: str
    user: str
    detail: str
    specs: dict[str, StagedSpec] = field(default_factory=dict[str, StagedSpec])
    errors: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


@dataclass
class PublicationRow:
    """A publication, of one user."""

    id: str
    user: str
    draft_id: str
    dry_run: bool
    detail: str | None
    logs_token: str
    status: str = "queued"
    failures: list[dict[str, JsonValue]] = field(default_factory=list[dict[str, JsonValue]])
    pub_id: str | None = None
    log: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])


class Catalog:
    """Everything that is live, drafted and published.

    Args:
        clock: By which publications and activations end.
        prefix: What may be published below.
        building: Seconds that a publication takes.
        activating: Seconds until a data plane runs what was published.
        live: What there is from the start.
    """

    def __init__(
        self, clock: TwinClock, *, prefix: str, building: float, activating: float, live: Mapping[str, TwinSpec]
    ) -> None:
        self._clock, self._prefix, self._activating = clock, prefix, activating
        self.building = building
        self._ids = 0x0A00_0000_0000_0000
        self.drafts: dict[str, DraftRow] = {}
        self.publications: dict[str, PublicationRow] = {}
        self.passing_failures: list[str] = []
        """How the next publications end, whatever they hold: `buildIdLockFailure`, `publishFailed`."""
        self.live = {name: self._alive(one.type, one.model, one.pub_id or self.new_id()) for name, one in live.items()}
        for one in self.live.values():
            one.activated = one.pub_id

    def new_id(self) -> str:
        """The next one, as the tables write it; they grow."""
        self._ids += 1
        digits = f"{self._ids:016x}"
        return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))

    def publish(self, user: str, draft_id: str, *, dry_run: bool, detail: str | None) -> PublicationRow:
        """Queue a publication."""
        row = PublicationRow(
            id=self.new_id(),
            user=user,
            draft_id=draft_id,
            dry_run=dry_run,
            detail=detail,
            logs_token=secrets.token_hex(16),
        )
        self.publications[row.id] = row
        self._say(row, "queued")
        self._clock.after(self.building, lambda: self._end(row))
        return row

    def _end(self, row: PublicationRow) -> None:
        draft = self.drafts.get(row.draft_id)
        row.status = self._outcome(row, draft)
        if row.status == "success" and draft is not None:
            row.pub_id = self.new_id()
            if not row.dry_run:
                self._commit(draft, row)
        self._say(row, f"the publication ended: {row.status}")

    def _outcome(self, row: PublicationRow, draft: DraftRow | None) -> str:
        if draft is None or not draft.specs:
            return "emptyDraft"
        if self.passing_failures:
            return self.passing_failures.pop(0)
        draft.errors = []
        row.failures = list(self._changed(draft))
        if row.failures:
            return "expectPubIdMismatch"
        draft.errors = list(self._wrong(draft))
        for _, detail in draft.errors:
            self._say(row, detail)
        return "buildFailed" if draft.errors else "success"

    def _changed(self, draft: DraftRow) -> Iterator[dict[str, JsonValue]]:
        for name, spec in draft.specs.items():
            actual = self.live[name].pub_id if name in self.live else NOT_THERE
            if not same_id(spec.expect_pub_id, actual):
                yield {"catalog_name": name, "expected": spec.expect_pub_id, "actual": actual}

    def _wrong(self, draft: DraftRow) -> Iterator[tuple[str, str]]:
        for name in draft.specs:
            if not name.startswith(self._prefix):
                yield f"flow://{name}", f"User is not authorized to {name}"
        gone = {name for name, spec in draft.specs.items() if spec.spec_type is None}
        there = (self.live.keys() | draft.specs.keys()) - gone
        models: dict[str, JsonValue] = {name: one.model for name, one in self.live.items()}
        models |= {name: spec.spec for name, spec in draft.specs.items()}
        for name in sorted(models.keys() - gone):
            scope = f"flow://{name}"
            for other in _referred(models[name]):
                if other not in there and (name in draft.specs or other in gone):
                    yield scope, f"{name} refers to the collection {other}, which is not defined"
            image = _image(models[name])
            if name in draft.specs and image is not None and not image.startswith(_IMAGES):
                yield scope, f"connector image {image} could not be pulled"

    def _commit(self, draft: DraftRow, row: PublicationRow) -> None:
        pub_id = row.pub_id or ""
        for name, spec in draft.specs.items():
            if spec.spec_type is None:
                self.live.pop(name, None)
                continue
            before = self.live.get(name)
            self.live[name] = live = self._alive(spec.spec_type, spec.spec, pub_id)
            live.activated = before.activated if before else ""
            said: dict[str, JsonValue] = {"id": pub_id, "detail": row.detail}
            live.history = [said, *(before.history if before else [])]
            self._clock.after(self._activating, lambda live=live: self._activate(live))
        del self.drafts[draft.id]

    def _alive(self, kind: SpecType, model: JsonValue, pub_id: str) -> Live:
        return Live(type=kind, model=model, pub_id=pub_id, at=self._clock())

    def _activate(self, live: Live) -> None:
        live.activated = live.pub_id

    def _say(self, row: PublicationRow, text: str) -> None:
        row.log.append((self._clock(), text))


def _referred(model: JsonValue) -> Iterator[str]:
    """The collections that a task's bindings are about."""
    found = _get(model, "bindings")
    for binding in found if isinstance(found, list) else []:
        source = _get(binding, "source")
        for name in (_get(binding, "target"), _get(source, "name") if isinstance(source, dict) else source):
            if isinstance(name, str):
                yield name


def _image(model: JsonValue) -> str | None:
    found = _get(_get(_get(model, "endpoint"), "connector"), "image")
    return found if isinstance(found, str) else None


def _get(value: JsonValue, name: str) -> JsonValue:
    return cast("dict[str, JsonValue]", value).get(name) if isinstance(value, dict) else None
