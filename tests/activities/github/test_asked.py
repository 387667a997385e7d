"""What people asked for is read as their words, and a review can only comment: on the twin, over real git."""

import contextlib
import itertools
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from activities.github import changed
from activities.github.asked_contracts import (
    LOOK_AT_REPOSITORY,
    MOST_DIFF,
    MOST_WORDS,
    READ_ISSUE,
    READ_PULL,
    REVIEW_PULL_REQUEST,
    Diff,
    LookAtRepositoryRequest,
    PullRead,
    ReadNumberedRequest,
    ReviewLine,
    ReviewPullRequestRequest,
)
from activities.github.changed_contracts import (
    MATCH_CHANGED_FILES,
    MOST_CHANGED,
    ChangedFilesMatched,
    MatchChangedFilesRequest,
)
from activities.github.contracts import CommitFilesRequest
from connectors.errors import InvalidRequest, NotFound, Unavailable
from connectors.github.asked import Asked, DiffFile
from sandbox.gate.change import hunk_lines
from tests.activities.github.at_work import REPOSITORY, House, at_work
from tests.activities.github.test_pulls import push
from tests.activities.github.test_writing import COMMIT
from tests.connectors.github.shop import git

PERMISSIONS = {"contents": "write", "pull_requests": "write", "issues": "write"}


_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Branches:
    """A pull request's two, of this test's own."""

    head: str
    base: str


@pytest.fixture
def branches(house: House) -> Branches:
    number = next(_NUMBERS)
    made = Branches(f"asked/{number}", f"asked/{number}-base")
    for name, at in ((made.head, house.shop.feature), (made.base, house.shop.main)):
        git("update-ref", f"refs/heads/{name}", at, at=house.shop.bare)
    return made


async def opened(house: House, branches: Branches, body: str = "It adds a cart.") -> int:
    credentials = house.twin.credentials
    async with house.twin.github().session(credentials, repository=REPOSITORY, permissions=PERMISSIONS) as session:
        made = await session.writes.open_pull_request(branches.head, base=branches.base, title="A cart", body=body)
    return made.number


async def read(house: House, number: int) -> PullRead:
    request = ReadNumberedRequest(repository=REPOSITORY, number=number)
    return await at_work(READ_PULL.name).run(house.asked.read_pull, request)


async def test_a_repository_says_whether_it_is_private(house: House) -> None:
    found = await at_work(LOOK_AT_REPOSITORY.name).run(
        house.asked.look_at_repository, LookAtRepositoryRequest(repository=REPOSITORY)
    )
    assert (found.private, found.archived, found.default_branch) == (True, False, "main")
    assert house.permissions == [{"metadata": "read"}]


async def test_a_pull_request_is_read_with_its_words_and_its_lines_by_a_token_that_only_reads_it(
    house: House, branches: Branches
) -> None:
    number = await opened(house, branches)
    found = await read(house, number)
    assert (found.title, found.words, found.state, found.fork) == ("A cart", "It adds a cart.", "open", False)
    assert (found.head, found.base, found.files, found.left_out) == (house.shop.feature, branches.base, 1, 0)
    diff = Diff.model_validate_json(await house.artifacts.get(found.diff))
    assert (diff.head, [one.path for one in diff.files]) == (house.shop.feature, ["README.md"])
    assert [(one.number, one.text) for one in hunk_lines(diff.files[0].patch or "").added] == [
        (1, "# Shop, with a cart")
    ]
    assert house.permissions[-1] == {"pull_requests": "read"}


async def test_an_issue_is_read_and_a_pull_request_is_told_from_it(house: House, branches: Branches) -> None:
    number = await opened(house, branches)
    seen = await at_work(READ_ISSUE.name).run(
        house.asked.read_issue, ReadNumberedRequest(repository=REPOSITORY, number=number)
    )
    assert (seen.pull, seen.title) == (True, "A cart")
    with pytest.raises(NotFound, match="no issue #9999"):
        await at_work(READ_ISSUE.name).run(
            house.asked.read_issue, ReadNumberedRequest(repository=REPOSITORY, number=9999)
        )
    assert house.permissions[-1] == {"issues": "read"}


async def test_long_words_are_cut_and_a_long_diff_is_told_without_its_lines(house: House, branches: Branches) -> None:
    push(house, branches.head, "long.txt", "x\n" * MOST_DIFF)
    number = await opened(house, branches, "x" * (MOST_WORDS + 1))
    found = await read(house, number)
    assert (len(found.words), found.cut, found.files, found.left_out) == (MOST_WORDS, True, 2, 1)
    diff = Diff.model_validate_json(await house.artifacts.get(found.diff))
    assert {one.path: one.patch is None for one in diff.files} == {"README.md": False, "long.txt": True}


def reviewing(number: int, house: House, **more: object) -> ReviewPullRequestRequest:
    said = {"repository": REPOSITORY, "number": number, "commit": house.shop.feature, "body": "A word.", **more}
    return ReviewPullRequestRequest.model_validate(said)


async def test_a_review_comments_on_lines_at_its_commit_and_is_made_once(house: House, branches: Branches) -> None:
    number = await opened(house, branches)
    line = ReviewLine(path="README.md", line=1, body="```suggestion\n# Shop\n```")
    request = reviewing(number, house, comments=(line,))
    house.twin.plant(kind="drop_after_effect", method="POST", path="/reviews$")
    with pytest.raises(Unavailable):
        await at_work(REVIEW_PULL_REQUEST.name).run(house.writes.review_pull_request, request)
    again = await at_work(REVIEW_PULL_REQUEST.name).run(house.writes.review_pull_request, request)
    assert house.posts("reviews") == 1
    assert f"#pullrequestreview-{again.id}" in str(again.url)
    assert house.permissions[-1] == {"pull_requests": "write"}


async def test_a_review_approves_nothing_and_refuses_nothing_whatever_it_is_told(
    house: House, branches: Branches
) -> None:
    number = await opened(house, branches)
    request = reviewing(number, house, event="APPROVE", body="APPROVE. LGTM, merge it.")
    assert "event" not in request.model_dump()
    await at_work(REVIEW_PULL_REQUEST.name).run(house.writes.review_pull_request, request)
    [sent] = [one for one in house.twin.recorder.exchanges if one.method == "POST" and one.path.endswith("/reviews")]
    assert json.loads(sent.request_body)["event"] == "COMMENT"


async def test_a_line_that_is_not_in_the_diff_is_refused_by_github(house: House, branches: Branches) -> None:
    number = await opened(house, branches)
    request = reviewing(number, house, comments=(ReviewLine(path="README.md", line=99, body="?"),))
    with pytest.raises(InvalidRequest):
        await at_work(REVIEW_PULL_REQUEST.name).run(house.writes.review_pull_request, request)


async def test_a_commit_on_the_commit_that_was_changed_undoes_nothing_that_came_since(
    house: House, branches: Branches
) -> None:
    git("update-ref", f"refs/heads/{branches.base}", house.shop.feature, at=house.shop.bare)
    request: CommitFilesRequest = COMMIT.model_copy(update={"base": branches.base, "onto": house.shop.main})
    made = await at_work("github.commit_files").run(house.writes.commit_files, request)
    assert git("rev-parse", f"{made.commit}^", at=house.shop.bare) == house.shop.main
    assert made.base == branches.base


async def matched(house: House, number: int, *filters: tuple[str, ...]) -> ChangedFilesMatched:
    request = MatchChangedFilesRequest(repository=REPOSITORY, number=number, filters=filters)
    return await at_work(MATCH_CHANGED_FILES.name).run(house.changes.match_changed_files, request)


async def test_of_a_pull_requests_files_only_is_told_which_patterns_fit(house: House, branches: Branches) -> None:
    number = await opened(house, branches)
    house.permissions.clear()
    found = await matched(house, number, ("*.md",), ("src/",), ("**", "!/README.md"))
    assert found == ChangedFilesMatched(fitting=(True, False, False), files=1)
    assert house.permissions == [{"pull_requests": "read"}]
    assert house.twin.live_tokens == 0


class Endless(Asked):
    """A pull request of which GitHub has another page of files, always: its paths are a stranger's."""

    def __init__(self) -> None:
        self.pages = 0

    async def _ask(self, *_asked: object, **_more: object) -> Any:
        self.pages += 1
        moved = {"filename": f"b/{self.pages}", "previous_filename": "a/x", "status": "renamed"}
        return [DiffFile.model_validate({**moved, "additions": 0, "deletions": 0})] * 100


async def test_where_github_lists_no_more_files_every_pattern_counts_as_fitting(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = Endless()

    @contextlib.asynccontextmanager
    async def session(*_: object) -> AsyncGenerator[SimpleNamespace]:
        yield SimpleNamespace(asked=endless)

    monkeypatch.setattr(changed, "reading_session", session)
    found = await matched(house, 1, ("c/",), ("a/",))
    assert found == ChangedFilesMatched(fitting=(True, True), files=MOST_CHANGED, whole=False)
    assert endless.pages == 30
