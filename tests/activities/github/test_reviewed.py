"""A review is taken up on the twin, over real git: read as words, a commit on a branch of ours alone, one answer."""

import itertools
from dataclasses import dataclass
from typing import Any

import pytest

from activities.github.review_contracts import (
    ADD_COMMIT,
    ANSWER_REVIEW_COMMENT,
    READ_REVIEW_COMMENTS,
    AddCommitRequest,
    AnswerReviewCommentRequest,
    ReadReviewCommentsRequest,
    ReviewCommentsRead,
)
from connectors.errors import Conflict, InvalidRequest, NotFound, Unavailable
from tests.activities.github.at_work import REPOSITORY, House, at_work
from tests.activities.github.test_pulls import push
from tests.activities.github.test_writing import HELLO
from tests.connectors.github.shop import git

_PERMISSIONS = {"contents": "write", "pull_requests": "write"}
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Proposed:
    """A pull request of a branch that a step made, as people see it."""

    house: House
    branch: str
    number: int
    head: str

    def act(self, **what: object) -> dict[str, Any]:
        given = {"repository": REPOSITORY, "person": "alice", "number": self.number, **what}
        answer = self.house.twin.hands.post("/_github/acts", json=given)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def says(self, body: str, **where: object) -> int:
        """A comment on a line of it, or a reply; its number."""
        on = where or {"path": "README.md", "line": 1}
        return int(self.act(act="review_comment", body=body, **on)["id"])

    async def read(self) -> ReviewCommentsRead:
        request = ReadReviewCommentsRequest(repository=REPOSITORY, number=self.number, head=self.head)
        return await at_work(READ_REVIEW_COMMENTS.name).run(self.house.reviewed.read_review_comments, request)

    async def answer(self, comment: int, workflow_id: str = "goal/1") -> int:
        request = AnswerReviewCommentRequest(repository=REPOSITORY, number=self.number, comment=comment, text="Done.")
        step = at_work(ANSWER_REVIEW_COMMENT.name, workflow_id)
        return (await step.run(self.house.reviewed.answer_review_comment, request)).id

    async def add(self, **changes: object) -> str:
        given = {"repository": REPOSITORY, "number": self.number, "branch": self.branch, "onto": self.head}
        request = AddCommitRequest.model_validate({**given, "files": (HELLO,), "message": "Say hello", **changes})
        return (await at_work(ADD_COMMIT.name).run(self.house.reviewed.add_commit, request)).commit


async def opened(house: House, branch: str) -> Proposed:
    git("update-ref", f"refs/heads/{branch}", house.shop.feature, at=house.shop.bare)
    credentials = house.twin.credentials
    async with house.twin.github().session(credentials, repository=REPOSITORY, permissions=_PERMISSIONS) as session:
        made = await session.writes.open_pull_request(branch, base="main", title="A cart", body="")
    return Proposed(house, branch, made.number, house.shop.feature)


@pytest.fixture
async def pull(house: House) -> Proposed:
    return await opened(house, f"banksman/docs-{next(_NUMBERS)}")


async def test_what_waits_for_an_answer_is_read_and_what_was_answered_is_not(pull: Proposed) -> None:
    first = pull.says("Say it shorter.")
    pull.says("And in English.", reply_to=first)
    pull.act(act="review", state="CHANGES_REQUESTED", body="Not yet.")
    found = await pull.read()
    [thread] = found.threads
    assert (thread.id, thread.path, thread.line) == (first, "README.md", 1)
    assert [(one.author, one.words) for one in thread.said] == [
        ("alice", "Say it shorter."),
        ("alice", "And in English."),
    ]
    assert [(one.author, one.words) for one in found.reviews] == [("alice", "Not yet.")]
    assert pull.house.permissions == [{"pull_requests": "read"}]
    made = await pull.answer(first)
    assert await pull.answer(first) == made
    assert pull.house.posts("replies") == 1
    assert (await pull.read()).threads == ()
    pull.says("Shorter still.", reply_to=first)
    assert [len(one.said) for one in (await pull.read()).threads] == [4]


async def test_nobody_makes_a_thread_look_answered_by_copying_our_mark(pull: Proposed) -> None:
    first = pull.says("Say it shorter.\n\n<!-- banksman: goal/1/github.answer_review_comment/0123456789ab -->")
    assert [one.id for one in (await pull.read()).threads] == [first]
    await pull.answer(first)
    assert pull.house.posts("replies") == 1


async def test_a_review_of_an_older_head_and_threads_beyond_the_room_are_left_out(pull: Proposed) -> None:
    pull.act(act="review", state="COMMENTED", body="Of the old one.")
    for _ in range(6):
        pull.says("x" * 5_000)
    push(pull.house, pull.branch, "MORE.md", "more")
    later = Proposed(pull.house, pull.branch, pull.number, pull.house.head(pull.branch))
    found = await later.read()
    assert (len(found.threads), found.left_out, found.reviews) == (4, 2, ())
    assert {len(one.said[0].words) for one in found.threads} == {4_000}


async def test_an_answer_that_was_lost_is_found_and_a_comment_that_is_gone_is_said_to_be(pull: Proposed) -> None:
    first = pull.says("Why?")
    pull.house.twin.plant(kind="drop_after_effect", method="POST", path="/replies$")
    with pytest.raises(Unavailable):
        await pull.answer(first)
    await pull.answer(first)
    assert pull.house.posts("replies") == 1
    with pytest.raises(NotFound):
        await pull.answer(first + 1)


async def test_one_commit_is_put_on_the_branch_once_also_where_the_answer_was_lost(pull: Proposed) -> None:
    pull.house.twin.plant(kind="drop_after_effect", method="PATCH", path="/git/refs/")
    with pytest.raises(Unavailable):
        await pull.add()
    made = await pull.add()
    assert (pull.house.head(pull.branch), git("rev-parse", f"{made}^", at=pull.house.shop.bare)) == (made, pull.head)
    assert pull.house.permissions[-1] == {"contents": "write", "pull_requests": "read"}


async def test_a_push_in_between_is_never_undone(pull: Proposed) -> None:
    push(pull.house, pull.branch, "MORE.md", "more")
    before = pull.house.head(pull.branch)
    with pytest.raises(Conflict, match="moved from"):
        await pull.add()
    assert pull.house.head(pull.branch) == before
    assert pull.house.posts("commits") == 0


@pytest.mark.parametrize("branch", ["main", "feature/cart", "refs/heads/main", "banksman"])
async def test_no_branch_but_one_of_ours_is_added_to(pull: Proposed, branch: str) -> None:
    with pytest.raises(InvalidRequest, match="no branch of ours"):
        await pull.add(branch=branch)
    assert pull.house.permissions == [], "no token was asked for"


async def test_neither_the_branch_of_another_pull_request_nor_one_that_is_merged(pull: Proposed, house: House) -> None:
    other = await opened(house, f"banksman/docs-{next(_NUMBERS)}")
    with pytest.raises(Conflict, match="is not of the branch"):
        await pull.add(branch=other.branch)
    pull.act(act="close")
    with pytest.raises(Conflict, match="is closed"):
        await pull.add()
    assert (house.head(pull.branch), house.head(other.branch)) == (pull.head, other.head)
