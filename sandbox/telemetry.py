"""Telemetry that a run without a network wrote to its file, as OTLP/JSON lines: bounded, checked, and marked.

The lines are a stranger's words. What is not a resource's spans, logs or metrics is counted and dropped; every
resource is given the run's id and loses whatever it says of itself that only we may say.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final, cast

from pydantic import BaseModel, ConfigDict

_KINDS: Final = ("resourceSpans", "resourceLogs", "resourceMetrics")
_MOST_LINES: Final = 1000
_LONGEST_LINE: Final = 64 * 1024
_OURS: Final = ("banksman.", "temporal.", "service.")
RUN_ATTRIBUTE: Final = "banksman.sandbox.run_id"

Resource = Mapping[str, object]


class Telemetry(BaseModel):
    """What is left of a run's lines.

    Attributes:
        resources: By kind, ready to be put under the kind's name into one OTLP/JSON request.
        dropped: Lines that were not telemetry, too long, or too many.
    """

    model_config = ConfigDict(frozen=True)

    resources: Mapping[str, tuple[Resource, ...]]
    dropped: int


def read_telemetry(lines: bytes, run_id: str) -> Telemetry:
    """Check and mark what a run wrote; never fails, whatever it is."""
    found: dict[str, list[Resource]] = {kind: [] for kind in _KINDS}
    dropped = 0
    for number, line in enumerate(part for part in lines.split(b"\n") if part.strip()):
        parsed = _parse(line) if number < _MOST_LINES else None
        if parsed is None:
            dropped += 1
            continue
        kind, resources = parsed
        found[kind].extend(_marked(resource, run_id) for resource in resources)
    return Telemetry(resources={kind: tuple(items) for kind, items in found.items()}, dropped=dropped)


def _parse(line: bytes) -> tuple[str, Sequence[Mapping[str, object]]] | None:
    if len(line) > _LONGEST_LINE:
        return None
    try:
        said = cast("object", json.loads(line))
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or len(cast("dict[str, object]", said)) != 1:
        return None
    ((kind, items),) = cast("dict[str, object]", said).items()
    if kind not in _KINDS or not isinstance(items, list):
        return None
    resources = cast("list[object]", items)
    if not all(isinstance(item, dict) for item in resources):
        return None
    return kind, cast("list[Mapping[str, object]]", resources)


def _marked(resource: Mapping[str, object], run_id: str) -> Resource:
    said = resource.get("resource")
    attributes = cast("dict[str, object]", said).get("attributes") if isinstance(said, dict) else None
    entries = cast("list[object]", attributes) if isinstance(attributes, list) else []
    kept = [cast("Mapping[str, object]", entry) for entry in entries if isinstance(entry, dict)]
    mark = {"key": RUN_ATTRIBUTE, "value": {"stringValue": run_id}}
    service = {"key": "service.name", "value": {"stringValue": "banksman-sandboxed-command"}}
    theirs = [entry for entry in kept if not str(entry.get("key", "")).startswith(_OURS)]
    return {**resource, "resource": {"attributes": [service, mark, *theirs]}}
