"""Steps that read what people asked for on GitHub."""

from typing import Final

from activities.github.asked_contracts import (
    LOOK_AT_REPOSITORY,
    MOST_DIFF,
    MOST_WORDS,
    READ_ISSUE,
    READ_PULL,
    Diff,
    DiffOfFile,
    IssueRead,
    LookAtRepositoryRequest,
    PullRead,
    ReadNumberedRequest,
    RepositorySeen,
)
from activities.github.session import reading_session
from activities.secrets import StepTokens
from activities.step import implements
from connectors.artifacts import ArtifactStore
from connectors.github.asked import DiffFile
from connectors.github.client import GitHubApp

_TITLE: Final = 300


class AskedActivities:
    """The steps, with the ports they need. All raise by the tree in `connectors/errors.py`; the guard maps it."""

    def __init__(self, github: GitHubApp, vault: StepTokens, *, artifacts: ArtifactStore) -> None:
        self._github, self._vault, self._artifacts = github, vault, artifacts

    @implements(LOOK_AT_REPOSITORY)
    async def look_at_repository(self, request: LookAtRepositoryRequest) -> RepositorySeen:
        """Whether a repository is private, and what else decides on who may be told of it."""
        async with reading_session(self._github, self._vault, request.repository, "metadata") as repository:
            found = await repository.asked.about()
        return RepositorySeen(
            default_branch=found.default_branch, private=found.private, archived=found.archived, fork=found.fork
        )

    @implements(READ_ISSUE)
    async def read_issue(self, request: ReadNumberedRequest) -> IssueRead:
        """One issue, in its own words.

        Raises:
            NotFound: There is none.
        """
        async with reading_session(self._github, self._vault, request.repository, "issues") as repository:
            found = await repository.asked.issue(request.number)
        words = found.body or ""
        return IssueRead(
            number=found.number,
            url=found.html_url,
            state=found.state,
            title=found.title[:_TITLE],
            words=words[:MOST_WORDS],
            cut=len(words) > MOST_WORDS,
            author=found.user.login if found.user else "",
            pull=found.pull_request is not None,
        )

    @implements(READ_PULL)
    async def read_pull(self, request: ReadNumberedRequest) -> PullRead:
        """One pull request, in its own words, with its diff as an artifact.

        Raises:
            NotFound: There is none.
        """
        async with reading_session(self._github, self._vault, request.repository, "pull_requests") as repository:
            found = await repository.asked.pull(request.number)
            files, more = await repository.asked.files(request.number)
        kept, left_out = _within(files)
        diff = Diff(head=found.head.sha, files=kept)
        words = found.body or ""
        base = found.base.repo
        return PullRead(
            number=found.number,
            url=found.html_url,
            state="merged" if found.merged else found.state,
            title=found.title[:_TITLE],
            words=words[:MOST_WORDS],
            cut=len(words) > MOST_WORDS,
            author=found.user.login if found.user else "",
            head=found.head.sha,
            head_branch=found.head.ref,
            base=found.base.ref,
            fork=found.head.repo is None or base is None or found.head.repo.full_name != base.full_name,
            files=len(files),
            diff=await self._artifacts.put(diff.model_dump_json().encode()),
            left_out=left_out + more,
        )


def _within(files: list[DiffFile]) -> tuple[tuple[DiffOfFile, ...], int]:
    """Those whose hunks fit, each of the others without; and how many are without."""
    room, kept, without = MOST_DIFF, list[DiffOfFile](), 0
    for one in files:
        size = len(one.patch.encode()) if one.patch is not None else 0
        fits = one.patch is not None and size <= room
        room -= size if fits else 0
        without += not fits
        kept.append(DiffOfFile(path=one.filename, status=one.status, patch=one.patch if fits else None))
    return tuple(kept), without
