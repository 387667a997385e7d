"""What our GitHub Apps may do: said once for each credential, and held against every token that a step asks for.

From here come the manifests that the Apps are made by, so an App has all that a step may ask for, and no more.
"""

from collections.abc import Mapping
from typing import Final

from connectors.github.manifest import DELETE_BRANCH, MERGE_PULL_REQUEST, READ, WRITE
from connectors.provider import Credential, Secret

Permissions = Mapping[str, str]
"""As GitHub names them, with their levels: `{"contents": "read"}`."""

_LEVELS: Final = ("read", "write", "admin")
AT_MOST: Final[Mapping[Credential, Permissions]] = {
    READ: {"checks": "read", "contents": "read", "issues": "read", "metadata": "read", "pull_requests": "read"},
    WRITE: {"checks": "write", "contents": "write", "issues": "write", "pull_requests": "write"},
    DELETE_BRANCH: {"contents": "write"},
    MERGE_PULL_REQUEST: {"contents": "write", "pull_requests": "read"},
}
"""What tokens of each credential may do at most. A step narrows them: to its one repository, and its one thing."""


def missing(granted: Permissions, wanted: Permissions) -> dict[str, str]:
    """What of this is not granted, or not at that level."""
    return {name: level for name, level in wanted.items() if _rank(granted.get(name)) < _rank(level)}


def together(*those: Permissions) -> dict[str, str]:
    """All of them, each at its highest level, in order of their names."""
    names = sorted({name for one in those for name in one})
    return {name: max((one[name] for one in those if name in one), key=_rank) for name in names}


def of_app(secret: Secret) -> dict[str, str]:
    """What the App must have whose key this secret is; GitHub gives `metadata: read` to every App."""
    used = [permissions for credential, permissions in AT_MOST.items() if credential.secret == secret]
    return together({"metadata": "read"}, *used)


def require_within(credential: Credential, permissions: Permissions) -> None:
    """Refuse a step that wants more than its credential is for.

    Raises:
        ValueError: It wants more: declare that here first, for the App must be granted it.
    """
    if more := missing(AT_MOST[credential], permissions):
        raise ValueError(f"tokens of {credential.name!r} are not for {more!r}: declare it in {__name__}")


def _rank(level: str | None) -> int:
    return _LEVELS.index(level) + 1 if level in _LEVELS else 0


def named(permissions: Permissions) -> str:
    """For people: `contents: read, issues: write`."""
    return ", ".join(f"{name}: {level}" for name, level in permissions.items())
