"""Steps that take up a review: they read what people said, put a commit on a branch of ours, and answer."""

from collections.abc import Sequence
from typing import Final

from activities.github.contracts import ThingMade
from activities.github.review_contracts import (
    ADD_COMMIT,
    ANSWER_REVIEW_COMMENT,
    MOST_SAID,
    MOST_THREADS,
    OWN_BRANCHES,
    READ_REVIEW_COMMENTS,
    AddCommitRequest,
    AnswerReviewCommentRequest,
    CommitAdded,
    ReadReviewCommentsRequest,
    ReviewCommentsRead,
    ThreadRead,
    WordsRead,
)
from activities.github.session import reading_session, session_for_step
from activities.github.writing import as_change, key_of
from activities.secrets import StepTokens
from activities.step import implements
from connectors.artifacts import ArtifactStore
from connectors.errors import Conflict, InvalidRequest
from connectors.github import manifest
from connectors.github.client import GitHubApp
from connectors.github.pulls import Pull
from connectors.github.review_comments import ReviewThread

_TALKS: Final = {"pull_requests": "write"}
_ADDS: Final = {"contents": "write", "pull_requests": "read"}
_MOST_WORDS: Final = 4_000


class ReviewedActivities:
    """The steps, with the ports they need. All raise by the tree in `connectors/errors.py`; the guard maps it."""

    def __init__(self, github: GitHubApp, vault: StepTokens, *, artifacts: ArtifactStore) -> None:
        self._github, self._vault, self._artifacts = github, vault, artifacts

    @implements(READ_REVIEW_COMMENTS)
    async def read_review_comments(self, request: ReadReviewCommentsRequest) -> ReviewCommentsRead:
        """What people said of a pull request and waits for an answer: on lines, and of its head as a whole.

        Raises:
            NotFound: There is no such pull request.
        """
        async with reading_session(self._github, self._vault, request.repository, "pull_requests") as repository:
            threads = [one for one in await repository.review_comments.threads(request.number) if one.waits]
            bodies = await repository.reviews.said_of(request.number, request.head)
        kept = _within(threads)
        reviews = tuple(WordsRead(author=author, words=words[:_MOST_WORDS]) for author, words in bodies[-MOST_THREADS:])
        return ReviewCommentsRead(threads=kept, reviews=reviews, left_out=len(threads) - len(kept))

    @implements(ANSWER_REVIEW_COMMENT)
    async def answer_review_comment(self, request: AnswerReviewCommentRequest) -> ThingMade:
        """Answer a comment on a line, once.

        Raises:
            NotFound: The comment is gone.
        """
        key = key_of(request)
        session = session_for_step(
            self._github, self._vault, credential=manifest.WRITE, repository=request.repository, permissions=_TALKS
        )
        async with session as repository:
            made = await repository.review_comments.answer(request.number, request.comment, request.text, key=key)
        return ThingMade(id=made.id, url=made.html_url)

    @implements(ADD_COMMIT)
    async def add_commit(self, request: AddCommitRequest) -> CommitAdded:
        """Put one commit on the branch of an open pull request of ours, which stands where it is said to.

        Raises:
            InvalidRequest: The branch is none that a step made.
            Conflict: The pull request is not open, is of another branch, or stands elsewhere.
        """
        if not request.branch.startswith(OWN_BRANCHES):
            raise InvalidRequest(
                f"{request.branch!r} is no branch of ours: only those that begin with {OWN_BRANCHES!r} are added to"
            )
        key, changes = key_of(request), [await as_change(file, self._artifacts) for file in request.files]
        session = session_for_step(
            self._github, self._vault, credential=manifest.WRITE, repository=request.repository, permissions=_ADDS
        )
        async with session as repository:
            _require_of(await repository.pulls.get(request.number), request)
            commit = await repository.writes.add_commit(
                request.branch, changes, onto=request.onto, message=request.message, key=key
            )
        return CommitAdded(commit=commit)


def _require_of(pull: Pull, request: AddCommitRequest) -> None:
    here, there = pull.base.repo, pull.head.repo
    ours = here is not None and there is not None and here.full_name == there.full_name
    if pull.state != "open":
        raise Conflict(f"#{pull.number} is {'merged' if pull.merged else 'closed'}: nothing was put on its branch")
    if not ours or pull.head.ref != request.branch:
        raise Conflict(f"#{pull.number} is not of the branch {request.branch!r} of {request.repository!r}")


def _within(threads: Sequence[ReviewThread]) -> tuple[ThreadRead, ...]:
    """The oldest, as many as there is room for."""
    room, kept = MOST_SAID, list[ThreadRead]()
    for one in threads[:MOST_THREADS]:
        said = tuple(WordsRead(author=word.author, words=word.body[:_MOST_WORDS]) for word in one.comments)
        room -= sum(len(word.words) for word in said)
        if room < 0 and kept:
            break
        kept.append(ThreadRead(id=one.first.id, path=one.first.path, line=one.first.line, said=said))
    return tuple(kept)
