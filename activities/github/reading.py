"""Steps that read on GitHub. Each leases its own installation token, narrowed to one repository, and gives it back."""

import base64
from contextlib import AbstractAsyncContextManager

from activities.github.contracts import (
    COPY_REPOSITORY,
    FETCH_REPOSITORY,
    READ_FILE,
    CopyRepositoryRequest,
    FetchRepositoryRequest,
    FileRead,
    ReadFileRequest,
    RepositoryCopied,
    RepositoryFetched,
)
from activities.github.name_contracts import (
    FIND_BRANCHES,
    FIND_REPOSITORIES,
    BranchesFound,
    FindBranchesRequest,
    FindRepositoriesRequest,
    RepositoriesFound,
)
from activities.github.session import reading_session
from activities.secrets import StepTokens, secret_for_step
from activities.step import implements
from connectors.artifacts import ArtifactStore
from connectors.github.client import GitHubApp
from connectors.github.content import GitHubSession
from connectors.github.installed import installed_repositories
from connectors.github.manifest import READ
from connectors.github.models import AppCredentials, FileContent

_COPIES = ("contents", "pull_requests", "checks")


class GitHubActivities:
    """The steps, with the ports they need."""

    def __init__(self, github: GitHubApp, vault: StepTokens, *, artifacts: ArtifactStore) -> None:
        self._github = github
        self._vault = vault
        self._artifacts = artifacts

    @implements(READ_FILE)
    async def read_file(self, request: ReadFileRequest) -> FileRead:
        """Read one file of one repository.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        async with self._reading(request.repository) as repository:
            file = await repository.read_file(request.path, ref=request.ref)
        found = await self._as_result(file, inline=request.inline)
        return found.model_copy(update={"installation": repository.installation})

    @implements(FIND_REPOSITORIES)
    async def find_repositories(self, request: FindRepositoriesRequest) -> RepositoriesFound:
        """Tell the names of those that the App is installed on.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        async with secret_for_step(self._vault, READ) as app:
            found = await installed_repositories(self._github, AppCredentials.of(app), most=request.most)
        return RepositoriesFound(repositories=tuple(found))

    @implements(FIND_BRANCHES)
    async def find_branches(self, request: FindBranchesRequest) -> BranchesFound:
        """Tell the names of one repository's branches.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        async with self._reading(request.repository) as repository:
            return BranchesFound(branches=tuple(await repository.branches(most=request.most)))

    @implements(FETCH_REPOSITORY)
    async def fetch_repository(self, request: FetchRepositoryRequest) -> RepositoryFetched:
        """Fetch one commit into the artifact store. It is not unpacked here, where credentials are.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        async with self._reading(request.repository) as repository:
            found = await repository.fetch_pack(ref=request.ref)
        reference = await self._artifacts.put(found.content)
        return RepositoryFetched(commit=found.commit, pack=reference, size=len(found.content))

    @implements(COPY_REPOSITORY)
    async def copy_repository(self, request: CopyRepositoryRequest) -> RepositoryCopied:
        """Copy a repository into the artifact store, with all of its history. It is not unpacked here.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        session = reading_session(self._github, self._vault, request.repository, *_COPIES)
        async with session as repository:
            copied, objects = await repository.copy()
        described = await self._artifacts.put(copied.model_dump_json().encode())
        return RepositoryCopied(
            described=described,
            pack=await self._artifacts.put(objects),
            size=len(objects),
            branches=sum(one.startswith("refs/heads/") for one in copied.refs),
            pull_requests=len(copied.pulls),
            default_branch=copied.default_branch,
            head=copied.refs.get(f"refs/heads/{copied.default_branch}", ""),
        )

    def _reading(self, repository: str) -> AbstractAsyncContextManager[GitHubSession]:
        """A session whose token reads this one repository, and ends with the block."""
        return reading_session(self._github, self._vault, repository, "contents")

    async def _as_result(self, file: FileContent, *, inline: int) -> FileRead:
        found = FileRead(commit=file.commit, blob=file.sha, size=file.size)
        if file.size > inline:
            return found.model_copy(update={"artifact": await self._artifacts.put(file.content)})
        try:
            return found.model_copy(update={"encoding": "utf-8", "content": file.content.decode()})
        except UnicodeDecodeError:
            content = base64.b64encode(file.content).decode()
            return found.model_copy(update={"encoding": "base64", "content": content})
