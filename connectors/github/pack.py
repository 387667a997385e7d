"""A repository at one commit as git's own pack: bytes that nobody unpacks here.

A connector holds credentials, and unpacking is where a hostile repository would attack; so the pack is only carried,
by a client in Python that reads nothing of it, to a place without credentials. The token goes to the host that
GitHub itself names as the repository's, over smart HTTP, as documented under "Authenticating as a GitHub App
installation": user `x-access-token`.
"""

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import urllib3
from dulwich.client import HTTPUnauthorized, Urllib3HttpGitClient
from dulwich.errors import GitProtocolError, NotGitRepository
from dulwich.object_store import ObjectStoreGraphWalker
from dulwich.objects import ObjectID
from dulwich.refs import Ref
from typing_extensions import override

from connectors.errors import AuthDenied, ConnectorError, InvalidRequest, NotFound, Unavailable

MAX_PACK_BYTES: Final = 256 * 1024 * 1024
"""A larger one is refused: it would not fit into a sandbox's memory either."""

_USER: Final = "x-access-token"


@dataclass(frozen=True)
class Pack:
    """The objects of one commit.

    Attributes:
        commit: Its id.
        content: The pack file.
    """

    commit: str
    content: bytes


@dataclass(frozen=True)
class NamedPack:
    """The objects that names lead to, with all of their history.

    Attributes:
        refs: Objects by name.
        content: The pack file; empty where there are none.
    """

    refs: Mapping[str, str]
    content: bytes


class Abandoned(Exception):
    """Nobody waits for it any more."""


def fetch_pack(  # noqa: PLR0913 - each is a fact of one request
    clone_url: str, token: str, *, repository: str, commit: str, timeout: float, abandoned: threading.Event
) -> Pack:
    """Fetch one commit without its history; blocking.

    Args:
        clone_url: As GitHub's API names it.
        token: An installation token that may read contents.
        repository: `OWNER/NAME`, for messages.
        commit: What to fetch.
        timeout: Seconds to connect, and to wait for each part of the answer.
        abandoned: Set when nobody waits any more.

    Raises:
        InvalidRequest: It is larger than `MAX_PACK_BYTES`.
        ConnectorError: By the tree.
    """
    received = bytearray()
    keep = _keeping(received, f"{repository!r} at {commit}", abandoned)

    def only(refs: Mapping[Ref, ObjectID], depth: int | None = None) -> list[ObjectID]:
        del refs, depth
        return [ObjectID(commit.encode())]

    base, path = split_url(clone_url)
    with Connections(timeout) as pool, _mapped(repository):
        client = Urllib3HttpGitClient(
            base, dumb=False, pool_manager=pool, username=_USER, password=token, thin_packs=False, quiet=True
        )
        # The list of refs is not needed, and some repositories have many.
        client.fetch_pack(path, only, _Nothing(), keep, depth=1, ref_prefix=[b"HEAD"])
    return Pack(commit, bytes(received))


def fetch_named_pack(  # noqa: PLR0913 - each is a fact of one request
    clone_url: str,
    token: str,
    *,
    repository: str,
    chosen: Callable[[Mapping[Ref, ObjectID]], Mapping[str, str]],
    most: int,
    timeout: float,
    abandoned: threading.Event,
) -> NamedPack:
    """Fetch what names lead to, with its history; blocking.

    Args:
        clone_url: As GitHub's API names it.
        token: An installation token that may read contents.
        repository: `OWNER/NAME`, for messages.
        chosen: Which of all names, and what each is; from the very answer that the objects come with.
        most: So many names at most.
        timeout: Seconds to connect, and to wait for each part of the answer.
        abandoned: Set when nobody waits any more.

    Raises:
        InvalidRequest: It is larger than `MAX_PACK_BYTES`, or has more names.
        ConnectorError: By the tree.
    """
    received, named = bytearray(), dict[str, str]()

    def wanted(refs: Mapping[Ref, ObjectID], depth: int | None = None) -> list[ObjectID]:
        del depth
        named.update(chosen(refs))
        if len(named) > most:
            raise InvalidRequest(f"{repository!r} has {len(named)} branches and tags, and {most} are copied at most")
        return [ObjectID(sha.encode()) for sha in sorted(set(named.values()))]

    base, path = split_url(clone_url)
    with Connections(timeout) as pool, _mapped(repository):
        client = Urllib3HttpGitClient(
            base, dumb=False, pool_manager=pool, username=_USER, password=token, thin_packs=False, quiet=True
        )
        client.fetch_pack(path, wanted, _Nothing(), _keeping(received, f"{repository!r} as a whole", abandoned))
    return NamedPack(named, bytes(received))


def _keeping(received: bytearray, what: str, abandoned: threading.Event) -> Callable[[bytes], int]:
    def keep(data: bytes) -> int:
        if abandoned.is_set():
            raise Abandoned
        received.extend(data)
        if len(received) > MAX_PACK_BYTES:
            raise InvalidRequest(f"{what} is larger than {MAX_PACK_BYTES // 2**20} MiB, which no sandbox takes")
        return len(data)

    return keep


class Connections(urllib3.PoolManager):
    """Closes what dulwich leaves open: the answer to a request that failed, with its connection."""

    def __init__(self, timeout: float) -> None:
        super().__init__(retries=False, timeout=timeout)
        self._answers: list[urllib3.BaseHTTPResponse] = []

    @override
    def urlopen(self, method: str, url: str, redirect: bool = True, **kw: Any) -> urllib3.BaseHTTPResponse:
        answer = super().urlopen(method, url, redirect, **kw)
        self._answers.append(answer)
        return answer

    @property
    def refused(self) -> bool:
        """Whether the last answer was that the token may not."""
        return bool(self._answers) and self._answers[-1].status == HTTPStatus.FORBIDDEN

    @override
    def clear(self) -> None:
        for answer in self._answers:
            answer.close()
        super().clear()


class _Nothing(ObjectStoreGraphWalker):
    """What we have of the repository already: nothing."""

    def __init__(self) -> None:
        super().__init__([], _no_parents)


def _no_parents(commit: ObjectID) -> list[ObjectID]:
    del commit
    return []


def split_url(clone_url: str) -> tuple[str, str]:
    """The host and the path of a repository's address."""
    parts = urlsplit(clone_url)
    return f"{parts.scheme}://{parts.netloc}", parts.path


@contextmanager
def _mapped(repository: str) -> Generator[None]:
    try:
        yield
    except (ConnectorError, Abandoned):
        raise
    except HTTPUnauthorized as error:
        raise AuthDenied(
            f"GitHub refuses our token for the contents of {repository!r}: grant the App the permission to read them"
        ) from error
    except NotGitRepository as error:
        raise NotFound(
            f"{repository!r} is there no more, or the App may not read it: look at the App's installation"
        ) from error
    except (GitProtocolError, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise Unavailable(
            f"GitHub did not hand over {repository!r} ({type(error).__name__}); it is tried again"
        ) from error
