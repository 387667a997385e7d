"""Steps that write on GitHub: each may be tried again as often as need be, and does its work once.

What makes it so is a key that GitHub keeps with what was made. It is built here, from the id of the workflow that
asks and from all that is asked: another attempt finds what the first one made, and another request takes nothing of it
for its own.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final

from temporalio import activity

from activities.github.asked_contracts import REVIEW_PULL_REQUEST, ReviewPullRequestRequest
from activities.github.contracts import (
    CHECK_RUN,
    COMMENT,
    COMMIT_FILES,
    LABEL,
    OPEN_PULL_REQUEST,
    CheckRunRequest,
    CommentRequest,
    CommitFilesRequest,
    FilesCommitted,
    FileToCommit,
    Labelled,
    LabelRequest,
    OpenPullRequestRequest,
    PullRequestOpened,
    ThingMade,
    WriteRequest,
)
from activities.github.keys import workflow_key
from activities.github.session import session_for_step
from activities.secrets import StepTokens
from activities.step import implements
from connectors.artifacts import ArtifactStore
from connectors.errors import InvalidRequest
from connectors.github import manifest
from connectors.github.client import GitHubApp
from connectors.github.content import GitHubSession
from connectors.github.reviews import LineComment
from connectors.github.writes import FileChange

_COMMITS: Final = {"contents": "write"}
# GitHub compares the two branches as the token sees them.
_PULLS: Final = {"pull_requests": "write", "contents": "read"}
_TALKS: Final = {"pull_requests": "write"}
_CHECKS: Final = {"checks": "write"}


class GitHubWriteActivities:
    """The steps, with the ports they need. All raise by the tree in `connectors/errors.py`; the guard maps it."""

    def __init__(self, github: GitHubApp, vault: StepTokens, *, artifacts: ArtifactStore) -> None:
        self._github = github
        self._vault = vault
        self._artifacts = artifacts

    @implements(COMMIT_FILES)
    async def commit_files(self, request: CommitFilesRequest) -> FilesCommitted:
        """Make one commit of several files on a new branch.

        Raises:
            Conflict: The branch is there and is another request's.
            InvalidRequest: A file cannot be, or the workflow's id cannot be written into a commit.
        """
        key, changes = key_of(request), [await as_change(file, self._artifacts) for file in request.files]
        async with self._writing(request, _COMMITS) as repository:
            base = request.base or await repository.writes.default_branch()
            commit = await repository.writes.commit_files(
                request.branch, changes, base=base, onto=request.onto, message=request.message, key=key
            )
        return FilesCommitted(commit=commit, base=base)

    @implements(OPEN_PULL_REQUEST)
    async def open_pull_request(self, request: OpenPullRequestRequest) -> PullRequestOpened:
        """Open a pull request, or find the one that there is between these branches, even a closed one."""
        async with self._writing(request, _PULLS) as repository:
            pull = await repository.writes.open_pull_request(
                request.head, base=request.base, title=request.title, body=request.body
            )
        return PullRequestOpened(number=pull.number, url=pull.html_url, state=pull.state)

    @implements(COMMENT)
    async def comment(self, request: CommentRequest) -> ThingMade:
        """Say something on a pull request, once for each text."""
        key = key_of(request)
        async with self._writing(request, _TALKS) as repository:
            made = await repository.writes.comment(request.number, request.text, key=key)
        return ThingMade(id=made.id, url=made.html_url)

    @implements(LABEL)
    async def label(self, request: LabelRequest) -> Labelled:
        """Put labels on a pull request; GitHub itself adds each once."""
        async with self._writing(request, _TALKS) as repository:
            await repository.writes.label(request.number, request.labels)
        return Labelled(number=request.number)

    @implements(CHECK_RUN)
    async def check_run(self, request: CheckRunRequest) -> ThingMade:
        """Report a check on a commit, completed or in progress."""
        key = key_of(request)
        async with self._writing(request, _CHECKS) as repository:
            made = await repository.writes.check_run(
                request.commit,
                request.name,
                conclusion=request.conclusion,
                title=request.title,
                summary=request.summary,
                key=key,
            )
        return ThingMade(id=made.id, url=made.html_url)

    @implements(REVIEW_PULL_REQUEST)
    async def review_pull_request(self, request: ReviewPullRequestRequest) -> ThingMade:
        """Say something of a pull request and of its lines, once. It approves nothing, and refuses nothing."""
        key = key_of(request)
        lines = [LineComment(path=one.path, line=one.line, first=one.first, body=one.body) for one in request.comments]
        async with self._writing(request, _TALKS) as repository:
            made = await repository.reviews.comment(
                request.number, commit=request.commit, body=request.body, comments=lines, key=key
            )
        return ThingMade(id=made.id, url=made.html_url)

    def _writing(
        self, request: WriteRequest, permissions: Mapping[str, str]
    ) -> AbstractAsyncContextManager[GitHubSession]:
        """A session whose token does this one thing to this one repository, and ends with the block."""
        return session_for_step(
            self._github,
            self._vault,
            credential=manifest.WRITE,
            repository=request.repository,
            permissions=permissions,
        )


def key_of(request: WriteRequest) -> str:
    """What tells this piece of work from every other, on one line that a commit or a comment can carry.

    Raises:
        InvalidRequest: The workflow's id would end the line or the hidden comment that it stands in.
    """
    workflow = workflow_key()
    # Defaults are left out, so that a field added by a later release leaves the keys of today's requests alone.
    asked = request.model_dump_json(exclude_defaults=True).encode()
    return f"{workflow}/{activity.info().activity_type}/{hashlib.sha256(asked).hexdigest()[:12]}"


async def as_change(file: FileToCommit, artifacts: ArtifactStore) -> FileChange:
    """The same for the connector.

    Args:
        file: What is written, or deleted.
        artifacts: Where contents lie that are not in the request.

    Raises:
        InvalidRequest: The content is not base64.
        NotFound: The artifact is gone.
        Unavailable: The artifact store cannot be read.
    """
    if file.content_base64 is None and file.content is None:
        return FileChange(path=file.path, content=None)
    content = await _content(file, artifacts)
    return FileChange(path=file.path, content=content, mode="100755" if file.executable else "100644")


async def _content(file: FileToCommit, artifacts: ArtifactStore) -> bytes:
    if file.content_base64 is None:
        return await artifacts.get(file.content or "")
    try:
        return base64.b64decode(file.content_base64, validate=True)
    except binascii.Error as error:
        raise InvalidRequest(f"the content of {file.path!r} is not base64: write it anew") from error
