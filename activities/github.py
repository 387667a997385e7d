"""Steps on GitHub. Each leases its own installation token, narrowed to one repository, and gives it back."""

import base64
import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from temporalio import activity

from activities.effects import step
from activities.github_ports import Writes
from activities.secrets import StepTokens
from hitl.protocol import Effect, PolicyContext

_INLINE_LIMIT = 256 * 1024
_APP_SECRET = "github/app"  # noqa: S105 - where the secret lies, not what it is


class File(Protocol):
    """A file as the connector hands it over."""

    @property
    def commit(self) -> str:
        """The commit that was read."""
        ...

    @property
    def sha(self) -> str:
        """Git's id of the content."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    @property
    def content(self) -> bytes:
        """All of it."""
        ...


class Pack(Protocol):
    """A commit as git's own pack, unopened."""

    @property
    def commit(self) -> str:
        """Its id."""
        ...

    @property
    def content(self) -> bytes:
        """The pack file."""
        ...


class Commit(Protocol):
    """A commit as people know it."""

    @property
    def sha(self) -> str:
        """Its id."""
        ...

    @property
    def subject(self) -> str:
        """The first line of its message."""
        ...


class Loss(Protocol):
    """What goes with a branch."""

    @property
    def head(self) -> str:
        """The commit that it stands at."""
        ...

    @property
    def commits(self) -> Sequence[Commit]:
        """What only it holds, newest first."""
        ...

    @property
    def default(self) -> bool:
        """Whether it is the repository's default branch."""
        ...


class GitHubSession(Protocol):
    """One repository, with a token that lives as long as the session."""

    async def read_file(self, path: str, *, ref: str | None = None) -> File:
        """One file, at the default branch when no ref is given."""
        ...

    async def fetch_pack(self, *, ref: str | None = None) -> Pack:
        """One commit without its history, at the default branch when no ref is given."""
        ...

    async def branch_loss(self, branch: str) -> Loss:
        """Where a branch stands, and the commits that only it holds."""
        ...

    @property
    def writes(self) -> Writes:
        """What may be written to it."""
        ...


class GitHub(Protocol):
    """Opens sessions; the token is revoked when the session ends."""

    def session(
        self, app: Mapping[str, SecretStr], *, repository: str, permissions: Mapping[str, str]
    ) -> AbstractAsyncContextManager[GitHubSession]:
        """A session on one repository, with just these permissions."""
        ...


class Artifacts(Protocol):
    """Keeps what is too large for a history."""

    async def put(self, content: bytes) -> str:
        """Keep these bytes; the answer names them."""
        ...


class ReadFileRequest(BaseModel):
    """Which file to read."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str
    path: str
    ref: str | None = None

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext.of_repository(self.repository)


class FetchRepositoryRequest(BaseModel):
    """Which commit to fetch."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str
    ref: str | None = None

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext.of_repository(self.repository)


class RepositoryFetched(BaseModel):
    """A commit in the artifact store."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    commit: str
    pack: str = Field(description="The artifact: a pack of git's.")
    size: int = Field(description="Bytes of the pack.")


class FileRead(BaseModel):
    """A file, inline up to 256 kB, else by reference."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    commit: str
    blob: str
    size: int = Field(description="Bytes.")
    encoding: Literal["utf-8", "base64"] | None = None
    content: str | None = None
    artifact: str | None = None


@contextlib.asynccontextmanager
async def session_for_step(  # noqa: PLR0913 - each is a fact of one step
    github: GitHub, vault: StepTokens, *, action: str, secret: str, repository: str, permissions: Mapping[str, str]
) -> AsyncGenerator[GitHubSession]:
    """A session for the step that runs now; its token ends with the block.

    Args:
        github: Opens it.
        vault: Makes the token that reads the App's key, and nothing else.
        action: That token's role.
        secret: Where the App's key lies.
        repository: The one that it is narrowed to.
        permissions: All that it may do there.
    """
    info = activity.info()
    lifetime = (info.start_to_close_timeout or timedelta(minutes=1)) + timedelta(seconds=60)
    metadata = {"workflow_id": info.workflow_id or "", "run_id": info.workflow_run_id or ""}
    metadata["attempt"] = str(info.attempt)
    async with vault.step(action, metadata=metadata, ttl=lifetime) as token:
        app = await token.read(secret)
        token.release_soon()
        async with github.session(app, repository=repository, permissions=permissions) as session:
            yield session


class GitHubActivities:
    """The steps, with the ports they need."""

    def __init__(self, github: GitHub, vault: StepTokens, *, artifacts: Artifacts) -> None:
        self._github = github
        self._vault = vault
        self._artifacts = artifacts

    @step(name="github.read_file", effect=Effect.READ)
    async def read_file(self, request: ReadFileRequest) -> FileRead:
        """Read one file of one repository.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        async with self._reading(request.repository) as repository:
            file = await repository.read_file(request.path, ref=request.ref)
        return await self._as_result(file)

    @step(name="github.fetch_repository", effect=Effect.READ)
    async def fetch_repository(self, request: FetchRepositoryRequest) -> RepositoryFetched:
        """Fetch one commit into the artifact store. It is not unpacked here, where credentials are.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        async with self._reading(request.repository) as repository:
            found = await repository.fetch_pack(ref=request.ref)
        reference = await self._artifacts.put(found.content)
        return RepositoryFetched(commit=found.commit, pack=reference, size=len(found.content))

    def _reading(self, repository: str) -> AbstractAsyncContextManager[GitHubSession]:
        """A session whose token reads this one repository, and ends with the block."""
        return session_for_step(
            self._github,
            self._vault,
            action="github-read",
            secret=_APP_SECRET,
            repository=repository,
            permissions={"contents": "read"},
        )

    async def _as_result(self, file: File) -> FileRead:
        found = FileRead(commit=file.commit, blob=file.sha, size=file.size)
        if file.size > _INLINE_LIMIT:
            return found.model_copy(update={"artifact": await self._artifacts.put(file.content)})
        try:
            return found.model_copy(update={"encoding": "utf-8", "content": file.content.decode()})
        except UnicodeDecodeError:
            content = base64.b64encode(file.content).decode()
            return found.model_copy(update={"encoding": "base64", "content": content})
