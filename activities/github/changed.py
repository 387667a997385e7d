"""The step that tells whether what a pull request changes fits patterns of paths."""

from activities.github.changed_contracts import (
    MATCH_CHANGED_FILES,
    MOST_CHANGED,
    ChangedFilesMatched,
    MatchChangedFilesRequest,
)
from activities.github.session import reading_session
from activities.secrets import StepTokens
from activities.step import implements
from connectors.github.client import GitHubApp
from hitl.policy.path_patterns import touches


class ChangedActivities:
    """The step.

    Args:
        github: GitHub, as the App sees it.
        vault: Makes the token that reads the App's key.
    """

    def __init__(self, github: GitHubApp, vault: StepTokens) -> None:
        self._github, self._vault = github, vault

    @implements(MATCH_CHANGED_FILES)
    async def match_changed_files(self, request: MatchChangedFilesRequest) -> ChangedFilesMatched:
        """Look at all files that GitHub lists; a file that was moved counts by both of its names.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        async with reading_session(self._github, self._vault, request.repository, "pull_requests") as repository:
            files, more = await repository.asked.files(request.number, most=MOST_CHANGED)
        paths = [path for one in files for path in (one.filename, one.previous_filename) if path]
        fitting = tuple(more or touches(paths, one) for one in request.filters)
        return ChangedFilesMatched(fitting=fitting, files=len(files), whole=not more)
