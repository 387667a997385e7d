"""Which state a stack has, as one digest: the canonical form of `pulumi stack export`.

What was found by experiment with CLI 3.200, on a file backend with a passphrase:

- Two exports of one state are the same bytes.
- An `up` or a `refresh` that changes nothing writes the state anew, with another `manifest.time`, another order of the
  resources, and other ciphertext for every secret (a new nonce each time).
- A refresh that changes nothing drops the entries of `propertyDependencies` that are empty.
- `sourcePosition` and `stackTrace` say on which path and line a program stood.
- `created` and `modified` stay as they are until that very resource is changed; a secret that is rotated to another
  value changes nothing else in the export but its ciphertext and `modified`.

So the identity leaves out the manifest, positions, ciphertext and empty dependencies, sorts the resources, and keeps
`created` and `modified`: they stand for the secrets' values. Also kept are pending operations and the secrets
provider with its salt: with another one a saved plan can no longer be read.

Only the standard library is used here, so that this file may run beside the CLI, in the engine's container.
"""

import hashlib
import json
from typing import Final, cast

NO_STATE: Final = "0" * 64
"""The identity of a stack that has nothing: never deployed, or all of it destroyed."""

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
"""The key by which Pulumi marks a value as something special."""
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - what Pulumi marks secrets with, not one
"""The mark of a secret."""

_WRITTEN_ANEW: Final = frozenset({"manifest"})
_POSITIONS: Final = frozenset({"sourcePosition", "stackTrace"})
_DEPENDENCIES: Final = "propertyDependencies"


def state_identity(exported: bytes) -> str:
    """The identity of what `pulumi stack export` printed, in hexadecimal.

    Raises:
        ValueError: It is no exported deployment.
    """
    deployment = read_deployment(exported)
    resources = cast("list[object]", deployment.get("resources") or [])
    if not resources and not deployment.get("pending_operations"):
        return NO_STATE
    kept = {name: _canonical(value) for name, value in deployment.items() if name not in _WRITTEN_ANEW}
    kept["resources"] = sorted(map(canonical_resource, resources))
    return hashlib.sha256(_text(kept).encode(errors="surrogatepass")).hexdigest()


def read_deployment(exported: bytes) -> dict[str, object]:
    """The deployment of an export; empty where the stack was never deployed.

    Raises:
        ValueError: It is no exported deployment.
    """
    try:
        read: object = json.loads(exported)
    except (ValueError, RecursionError) as error:
        raise ValueError("this is not what `pulumi stack export` prints: it is no JSON") from error
    found = cast("dict[str, object]", read).get("deployment", ...) if isinstance(read, dict) else ...
    if found is None:
        return {}
    if not isinstance(found, dict) or not isinstance(cast("dict[str, object]", found).get("resources") or [], list):
        raise ValueError("this is not what `pulumi stack export` prints: it has no deployment")  # noqa: TRY004 - of the text, not of a caller's type
    return cast("dict[str, object]", found)


def canonical_resource(resource: object) -> str:
    """One resource of an export as a text that changes only when the resource does."""
    kept = _canonical(resource)
    return _text(_without_empty(cast("dict[str, object]", kept)) if isinstance(kept, dict) else kept)


def _without_empty(resource: dict[str, object]) -> dict[str, object]:
    needs = cast("dict[str, object]", resource.get(_DEPENDENCIES) or {})
    others = {name: value for name, value in resource.items() if name != _DEPENDENCIES}
    real = {name: urns for name, urns in needs.items() if urns}
    return {**others, _DEPENDENCIES: real} if real else others


def _canonical(value: object) -> object:
    if isinstance(value, list):
        return [_canonical(one) for one in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, object]", value)
    if fields.get(SIGNATURE) == SECRET:
        return {SIGNATURE: SECRET}
    return {name: _canonical(one) for name, one in fields.items() if name not in _POSITIONS}


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
