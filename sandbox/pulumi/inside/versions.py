"""Which update of a stack was the last, as Pulumi Cloud counts them; other backends do not count."""

import json
from typing import Final, NotRequired, TypedDict, cast

_NOTHING: Final = frozenset({"same"})


class _Entry(TypedDict):
    version: int
    kind: str
    result: str
    resourceChanges: NotRequired[dict[str, int]]


def update_version(history: bytes) -> int:
    """Of what `pulumi stack history --json` printed, the newest first; 0 where there is none.

    A refresh that changed no resource is passed over: a plan begins with one, and would void every other plan that
    waits for people. What it left is compared by the state's identity.

    Raises:
        ValueError: That is no history.
    """
    entries = cast("list[_Entry]", json.loads(history))
    for entry in entries:
        if not _only_looked(entry):
            return int(entry["version"])
    # All that was read: whoever compares sees another number when one more is made.
    return int(entries[0]["version"]) if entries else 0


def _only_looked(entry: _Entry) -> bool:
    done = {kind for kind, number in (entry.get("resourceChanges") or {}).items() if number}
    return entry["kind"] == "refresh" and entry["result"] == "succeeded" and bool(done) and done <= _NOTHING
