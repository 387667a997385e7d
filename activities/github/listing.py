"""The step that lists a repository's files, with a token that reads this one repository."""

from activities.github.listing_contracts import LIST_FILES, MOST_LISTED, FilesListed, ListFilesRequest
from activities.github.session import reading_session
from activities.secrets import StepTokens
from activities.step import implements
from connectors.artifacts import ArtifactStore
from connectors.github.client import GitHubApp
from hitl.hidden import visible


class ListingActivities:
    """The step.

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
