"""Steps that list: a repository's files, with a token that reads this one repository, and repositories by name."""

from typing import Final

from activities.github.listing_contracts import (
    LIST_FILES,
    LIST_REPOSITORIES,
    MOST_LISTED,
    MOST_REPOSITORIES,
    FilesListed,
    ListFilesRequest,
    ListRepositoriesRequest,
    RepositoriesListed,
)
from activities.github.session import reading_session
from activities.secrets import StepTokens, secret_for_step
from activities.step import implements
from connectors.artifacts import ArtifactStore
from connectors.github.client import GitHubApp
from connectors.github.installed import describe_installed
from connectors.github.manifest import READ
from connectors.github.models import AppCredentials
from hitl.hidden import visible
from hitl.policy.triggers import fits_any

_LOOKED_THROUGH: Final = 10_000
_ARCHIVED: Final = 20


class ListingActivities:
    """The steps.

    Args:
        github: GitHub, as the App sees it.
        vault: Makes the token that reads the App's key.
        artifacts: Where the list lies.
    """

    def __init__(self, github: GitHubApp, vault: StepTokens, *, artifacts: ArtifactStore) -> None:
        self._github, self._vault, self._artifacts = github, vault, artifacts

    @implements(LIST_FILES)
    async def list_files(self, request: ListFilesRequest) -> FilesListed:
        """List the files at one commit.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        async with reading_session(self._github, self._vault, request.repository, "contents") as repository:
            listed = await repository.files(ref=request.ref)
        fitting = sorted(path for path in listed.files if request.contains in path)
        lines = [f"{visible(path)} ({listed.files[path]} bytes)" for path in fitting[:MOST_LISTED]]
        if len(fitting) > MOST_LISTED:
            lines.append(f"and {len(fitting) - MOST_LISTED} more: ask for those with some words in their path")
        if not listed.whole:
            lines.append("GitHub listed no more: there are others")
        content = ("\n".join([f"at commit {listed.commit}", *lines])).encode("utf-8", "replace")
        return FilesListed(
            commit=listed.commit,
            artifact=await self._artifacts.put(content),
            found=len(fitting),
            whole=listed.whole,
        )

    @implements(LIST_REPOSITORIES)
    async def list_repositories(self, request: ListRepositoriesRequest) -> RepositoriesListed:
        """List those that fit, of all that the App is installed on; names are compared without their case.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        async with secret_for_step(self._vault, READ) as app:
            there = await describe_installed(self._github, AppCredentials.of(app), most=_LOOKED_THROUGH)
        patterns, topics = [one.lower() for one in request.patterns], {one.lower() for one in request.topics}
        fitting = [one for one in there if fits_any(one.full_name.lower(), patterns) and topics <= {*one.topics}]
        live = [one.full_name for one in fitting if not one.archived]
        archived = [one.full_name for one in fitting if one.archived]
        return RepositoriesListed(
            repositories=tuple(live[:MOST_REPOSITORIES]),
            archived=tuple(archived[:_ARCHIVED]),
            whole=len(live) <= MOST_REPOSITORIES and len(there) < _LOOKED_THROUGH,
        )
