"""A repository as a rehearsal needs it: every branch and tag with its history, and the open pull requests.

The objects are a pack that nobody unpacks where credentials are; as with `connectors.github.pack`, it is only carried.
What is beside git is what goals look at. Rules of the repository, webhooks and closed pull requests stay behind.
"""

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from dulwich.objects import ObjectID
from dulwich.refs import Ref
from pydantic import BaseModel, ConfigDict

from connectors.github.pack import NamedPack, fetch_named_pack

MOST_PULLS: Final = 30
MOST_REFS: Final = 5_000
_COPIED: Final = (b"refs/heads/", b"refs/tags/")


class _Copied(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class CopiedReview(_Copied):
    """The last word of one person."""

    person: str
    verdict: Literal["approved", "changes_requested", "dismissed"]
    commit: str | None


class CopiedCheck(_Copied):
    """A check run on the head."""

    name: str
    conclusion: str | None


class CopiedPull(_Copied):
    """An open pull request from a branch of the repository itself."""

    number: int
    title: str
    head: str
    base: str
    draft: bool
    commit: str
    reviews: tuple[CopiedReview, ...]
    checks: tuple[CopiedCheck, ...]


class CopiedRepository(_Copied):
    """All of it but the objects."""

    repository: str
    default_branch: str
    refs: dict[str, str]
    """Commits and tags by full name, as in `refs/heads/main`."""
    pulls: tuple[CopiedPull, ...]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where it is copied from.

    Attributes:
        clone_url: As GitHub's API names it.
        token: An installation token that reads contents.
        repository: `OWNER/NAME`.
        timeout: Seconds to connect, and to wait for each part of the answer.
    """

    clone_url: str
    token: str
    repository: str
    timeout: float


async def copy_objects(origin: Origin) -> NamedPack:
    """Every branch and tag with all that they lead to.

    Raises:
        InvalidRequest: It is too large, or has too many branches and tags.
        ConnectorError: By the tree.
    """
    abandoned = threading.Event()
    try:
        return await asyncio.to_thread(
            fetch_named_pack,
            origin.clone_url,
            origin.token,
            repository=origin.repository,
            chosen=_chosen,
            most=MOST_REFS,
            timeout=origin.timeout,
            abandoned=abandoned,
        )
    finally:
        abandoned.set()


def _chosen(refs: Mapping[Ref, ObjectID]) -> dict[str, str]:
    return {name.decode(): sha.decode() for name, sha in refs.items() if name.startswith(_COPIED) and b"^{" not in name}
