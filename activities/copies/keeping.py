"""How a step keeps a copy: without secrets, in the artifact store, and no more of it than a rehearsal can carry."""

from typing import Final

from activities.copies.contracts import StateCopied
from connectors.artifacts import ArtifactStore
from connectors.copies import CopiedState
from connectors.errors import InvalidRequest

_LARGEST: Final = 8 * 1024 * 1024


async def keep_copy(artifacts: ArtifactStore, copied: CopiedState) -> StateCopied:
    """Keep it, and tell of it.

    Raises:
        InvalidRequest: It is too large, or nothing but what looks like a secret.
        Unavailable: The store cannot be written.
    """
    try:
        content = copied.document()
    except ValueError as error:
        raise InvalidRequest(
            f"what was read of {copied.of!r} is no copy without what looks like a secret in it: nothing is kept"
        ) from error
    if len(content) > _LARGEST:
        raise InvalidRequest(
            f"the copy of {copied.of!r} has {len(content)} bytes, and {_LARGEST} are kept at most: name a smaller part"
        )
    return StateCopied(described=await artifacts.put(content), size=len(content), told=copied.told())
