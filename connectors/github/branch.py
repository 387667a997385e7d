"""One branch as git's own protocol shows it: what would be lost with it, and its deletion by compare-and-swap.

REST's deletion of a ref has no precondition, so a push in between would be lost with the branch. A push of git's
names the commit that the branch must stand at, and the server refuses it under its own lock when it does not. Both
questions go over smart HTTP and need no checkout; of the answer only commits are looked at.
"""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import urllib3
from dulwich.client import HTTPUnauthorized, Urllib3HttpGitClient
from dulwich.errors import GitProtocolError, NotGitRepository
from dulwich.object_format import DEFAULT_OBJECT_FORMAT
from dulwich.object_store import ObjectStoreGraphWalker
from dulwich.objects import Commit, ObjectID
from dulwich.pack import PackData, PackInflater, UnpackedObject
from dulwich.protocol import ZERO_SHA
from dulwich.refs import Ref

from connectors.errors import AuthDenied, Conflict, ConnectorError, InvalidRequest, NotFound, Unavailable
from connectors.github.pack import Abandoned, Connections, split_url
from observability.redaction import redact

MAX_COMMIT_BYTES: Final = 8 * 1024 * 1024
"""Of commits alone: some ten thousand of them. A branch that holds more of its own is refused."""

LastLook = Callable[[], Awaitable[None]]
"""Raises where what was asked for is no longer wanted."""

_LOOK_SECONDS: Final = 20
_USER: Final = "x-access-token"
_KEEPS: Final = (b"refs/heads/", b"refs/tags/")
_ONLY_COMMITS: Final = b"tree:0"


@dataclass(frozen=True)
class LostCommit:
    """A commit that no other branch and no tag holds.

    Attributes:
        sha: Its id.
        author: As the commit says, which nobody verified.
        subject: The first line of its message.
    """

    sha: str
    author: str
    subject: str


@dataclass(frozen=True)
class BranchLoss:
    """What goes when a branch goes.

    Attributes:
        head: The commit that the branch stands at.
        commits: Newest first, as the commits date themselves.
        default: Whether it is the repository's default branch, which GitHub deletes for nobody.
    """

    head: str
    commits: tuple[LostCommit, ...]
    default: bool = False


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A repository as git's protocol reaches it.

    Attributes:
        clone_url: As GitHub's API names it.
        token: An installation token; writing contents for a deletion, reading them for the rest.
        repository: `OWNER/NAME`, for messages.
        timeout: Seconds to connect, and to wait for each part of an answer.
        default_branch: As GitHub's API names it.
    """

    clone_url: str
    token: str
    repository: str
    timeout: float
    default_branch: str = ""

    async def branch_loss(self, branch: str) -> BranchLoss:
        """Where a branch stands, and the commits that only it holds.

        A commit counts as held when another branch or a tag leads to it. A pull request's own ref does not count, and
        a squashed merge leaves the branch's commits held by nobody.

        Raises:
            NotFound: There is no such repository or branch.
            InvalidRequest: Its own commits are more than `MAX_COMMIT_BYTES`.
            ConnectorError: By the tree.
        """
        return await asyncio.to_thread(self._loss, branch)

    async def delete_branch(self, branch: str, *, expected_head: str, last_look: LastLook) -> bool:
        """Delete a branch that stands at this commit, and no other; whether it was there.

        A second call after a lost answer finds nothing, and says so. A cancellation waits for what has been sent, so
        that nothing goes after it; it is raised where nothing was sent, and else this ends with what really happened.

        Args:
            branch: Its name.
            expected_head: The commit.
            last_look: Awaited between git's two requests, right before the one that deletes; what it raises is raised.

        Raises:
            Conflict: The branch stands elsewhere, also when it moved in this very moment. It is kept.
            InvalidRequest: GitHub refuses, as it does for the default branch and for protected ones.
            ConnectorError: By the tree.
        """
        loop = asyncio.get_running_loop()
        abandoned, sends = threading.Event(), threading.Event()

        def look() -> None:
            asyncio.run_coroutine_threadsafe(_awaited(last_look), loop).result(_LOOK_SECONDS)
            if abandoned.is_set():
                raise Abandoned
            sends.set()

        deleting = asyncio.create_task(asyncio.to_thread(self._delete, branch, expected_head, look))
        cancelled: asyncio.CancelledError | None = None
        while not deleting.done():
            try:
                await asyncio.wait({deleting})
            except asyncio.CancelledError as error:
                cancelled = error
                abandoned.set()
        if cancelled is not None and deleting.exception() is not None and not sends.is_set():
            raise cancelled
        return deleting.result()

    def _loss(self, branch: str) -> BranchLoss:
        name, received = _ref(branch), bytearray()
        heads: list[ObjectID] = []
        held = _Held()

        def wanted(refs: Mapping[Ref, ObjectID], depth: int | None = None) -> list[ObjectID]:
            del depth
            heads.extend(sha for ref, sha in refs.items() if ref == name)
            held.names = [sha for ref, sha in refs.items() if ref != name and ref.startswith(_KEEPS)]
            # A branch that another ref stands at too loses nothing, and git would have nothing to send.
            return heads if heads and heads[0] not in held.names else []

        def keep(data: bytes) -> int:
            received.extend(data)
            if len(received) > MAX_COMMIT_BYTES:
                raise InvalidRequest(f"{branch!r} of {self.repository!r} holds too many commits of its own to list")
            return len(data)

        with self._client() as (client, path):
            client.fetch_pack(path, wanted, held, keep, filter_spec=_ONLY_COMMITS)
        if not heads:
            raise NotFound(f"{self.repository!r} has no branch {branch!r}")
        with _readable(self.repository):
            return BranchLoss(heads[0].decode(), _commits(bytes(received)), default=branch == self.default_branch)

    def _delete(self, branch: str, expected_head: str, look: Callable[[], None]) -> bool:
        reason = self._push_deletion(branch, expected_head, look)
        if reason is None:
            return True
        # Why it was refused is told by what stands there now, not by the server's words.
        now = self._head(branch)
        if now is None:
            return False
        if now != expected_head:
            raise Conflict(_moved(self.repository, branch, expected_head, now))
        raise InvalidRequest(f"GitHub refuses to delete {branch!r} of {self.repository!r}: {reason}")

    def _push_deletion(self, branch: str, expected_head: str, look: Callable[[], None]) -> str | None:
        """None when it is done; else why not."""
        name = Ref(_ref(branch))

        def update(refs: dict[Ref, ObjectID]) -> dict[Ref, ObjectID]:
            # What is sent as the old value is what was advertised; so it has to be the one that was approved.
            if refs.get(name) != expected_head.encode():
                return {}
            look()
            return {name: ZERO_SHA}

        with self._client() as (client, path):
            answer = client.send_pack(path, update, _no_objects)
        told = answer.ref_status or {}
        if name not in told:
            return "it does not stand where it should"
        return None if told[name] is None else redact.head(str(told[name]), 200)

    def _head(self, branch: str) -> str | None:
        with self._client() as (client, path):
            found = client.get_refs(path).refs.get(Ref(_ref(branch)))
        return found.decode() if found else None

    @contextlib.contextmanager
    def _client(self) -> Generator[tuple[Urllib3HttpGitClient, str]]:
        base, path = split_url(self.clone_url)
        with Connections(self.timeout) as pool, _mapped(self.repository, pool):
            yield (
                Urllib3HttpGitClient(
                    base,
                    dumb=False,
                    pool_manager=pool,
                    username=_USER,
                    password=self.token,
                    thin_packs=False,
                    quiet=True,
                ),
                path,
            )


class _Held(ObjectStoreGraphWalker):
    """What git may take for known: all that other refs lead to. The names come with the answer to the first request."""

    def __init__(self) -> None:
        super().__init__([], _no_parents)
        self.names: list[ObjectID] = []

    def __next__(self) -> ObjectID | None:
        return self.names.pop() if self.names else None

    next = __next__


async def _awaited(look: LastLook) -> None:
    await look()


def _no_parents(commit: ObjectID) -> list[ObjectID]:
    del commit
    return []


def _no_objects(
    have: object, want: object, *, ofs_delta: bool = False, progress: object = None
) -> tuple[int, Iterator[UnpackedObject]]:
    del have, want, ofs_delta, progress
    return 0, iter(())


def _ref(branch: str) -> bytes:
    return f"refs/heads/{branch}".encode()


def _commits(pack: bytes) -> tuple[LostCommit, ...]:
    if not pack:
        return ()
    data = PackData.from_file(BytesIO(pack), DEFAULT_OBJECT_FORMAT, len(pack))
    try:
        found = [one for one in PackInflater.for_pack_data(data) if isinstance(one, Commit)]
    finally:
        data.close()
    return tuple(map(_told, sorted(found, key=lambda one: one.commit_time, reverse=True)))


def _told(commit: Commit) -> LostCommit:
    subject = commit.message.decode(errors="replace").strip().partition("\n")[0]
    return LostCommit(commit.id.decode(), commit.author.decode(errors="replace"), subject)


def _moved(repository: str, branch: str, expected: str, now: str) -> str:
    return (
        f"{branch!r} of {repository!r} moved from {expected[:12]} to {now[:12]} and is kept: look at what came, and "
        "plan again"
    )


@contextlib.contextmanager
def _readable(repository: str) -> Generator[None]:
    """What comes out of a pack was made by whoever pushed; the parser's complaints have no common parent."""
    try:
        yield
    except Exception as error:
        raise Unavailable(
            f"the commits of {repository!r} make no sense ({type(error).__name__}); it is tried again"
        ) from error


@contextlib.contextmanager
def _mapped(repository: str, pool: Connections) -> Generator[None]:
    try:
        yield
    except ConnectorError:
        raise
    except HTTPUnauthorized as error:
        raise AuthDenied(_refused(repository)) from error
    except NotGitRepository as error:
        raise NotFound(
            f"{repository!r} is there no more, or the App may not read it: look at the App's installation"
        ) from error
    except (GitProtocolError, urllib3.exceptions.HTTPError, OSError, ValueError, AssertionError) as error:
        if pool.refused:
            raise AuthDenied(_refused(repository)) from error
        raise Unavailable(
            f"GitHub cannot be asked for {repository!r} ({type(error).__name__}); it is tried again"
        ) from error


def _refused(repository: str) -> str:
    return f"GitHub refuses our token for {repository!r}: grant the App the permission for its contents that it lacks"
