"""Writing through the client into real git; a lost answer and another try do nothing twice."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from connectors.errors import AuthDenied, Conflict, InvalidRequest, NotFound, Unavailable
from connectors.github.writes import FileChange, Made, Writes
from tests.connectors.github.recorded import Served
from tests.connectors.github.shop import BINARY, Shop, git

BRANCH, KEY = "banksman/goal-1", "goal-1/commit"
CHANGES = (
    FileChange(path="new/binary", content=BINARY),
    FileChange(path="README.md", content="# Geschäft\n".encode()),
    FileChange(path="tool.sh", content=b"#!/bin/sh\n", mode="100755"),
    FileChange(path="way", content=b"README.md", mode="120000"),
    FileChange(path="empty", content=None),
)
PERMISSIONS = {"contents": "write", "pull_requests": "write", "checks": "write"}


@pytest_asyncio.fixture
async def writes(twin: Served, shop: Shop) -> AsyncIterator[Writes]:
    async with twin.github().session(twin.credentials, repository="acme/shop", permissions=PERMISSIONS) as session:
        yield session.writes
    for name in git("for-each-ref", "--format=%(refname)", "refs/heads/banksman", at=shop.bare).split():
        git("update-ref", "-d", name, at=shop.bare)


def commit(writes: Writes, branch: str = BRANCH) -> Awaitable[str]:
    return writes.commit_files(branch, CHANGES, base="main", message="Change things", key=KEY)


async def twice(twin: Served, path: str, work: Callable[[], Awaitable[object]]) -> None:
    """Lose the answer to the one request that has the effect, and try again."""
    twin.plant(kind="drop_after_effect", method="POST", path=path)
    with pytest.raises(Unavailable):
        await work()
    await work()


async def test_files_of_all_kinds_are_one_commit_on_a_new_branch(writes: Writes, shop: Shop) -> None:
    sha = await commit(writes)
    assert git("rev-parse", BRANCH, at=shop.bare) == sha
    assert git("rev-parse", f"{BRANCH}^", at=shop.bare) == shop.main
    changed = git("diff", "--name-status", "--no-renames", "main", BRANCH, at=shop.bare).splitlines()
    assert changed == ["M\tREADME.md", "D\tempty", "A\tnew/binary", "A\ttool.sh", "A\tway"]
    modes = git("ls-tree", BRANCH, "tool.sh", "way", at=shop.bare).split("\n")
    assert [line.split()[0] for line in modes] == ["100755", "120000"]
    assert git("cat-file", "-s", f"{BRANCH}:new/binary", at=shop.bare) == str(len(BINARY))


async def test_a_lost_answer_makes_no_second_commit(writes: Writes, twin: Served, shop: Shop) -> None:
    await twice(twin, "/git/refs$", lambda: commit(writes))
    assert git("rev-list", "--count", f"main..{BRANCH}", at=shop.bare) == "1"
    assert await commit(writes) == git("rev-parse", BRANCH, at=shop.bare)


async def test_somebody_elses_branch_is_left_alone(writes: Writes, shop: Shop) -> None:
    git("update-ref", f"refs/heads/{BRANCH}", shop.feature, at=shop.bare)
    with pytest.raises(Conflict, match="somebody else's"):
        await commit(writes)
    assert git("rev-parse", BRANCH, at=shop.bare) == shop.feature


async def test_what_cannot_be_committed_leaves_no_branch(writes: Writes, shop: Shop) -> None:
    gone = FileChange(path="not/there", content=None)
    with pytest.raises(InvalidRequest):
        await writes.commit_files(BRANCH, [gone], base="main", message="x", key=KEY)
    with pytest.raises(NotFound, match="'nowhere'"):
        await writes.commit_files(BRANCH, CHANGES, base="nowhere", message="x", key=KEY)
    assert git("for-each-ref", "refs/heads/banksman", at=shop.bare) == ""


async def test_a_pull_request_is_opened_once(writes: Writes, twin: Served) -> None:
    branch = "banksman/pull"
    await commit(writes, branch)
    await twice(twin, "/pulls$", lambda: writes.open_pull_request(branch, base="main", title="T", body="B"))
    first = await writes.open_pull_request(branch, base="main", title="T", body="B")
    again = await writes.open_pull_request(branch, base="main", title="T", body="B")
    assert first == again
    made = [one for one in twin.requests() if one["method"] == "POST" and str(one["path"]).endswith("/pulls")]
    assert len(made) == 1


async def test_comment_label_and_check_run_come_once(writes: Writes, twin: Served) -> None:
    branch = "banksman/more"
    sha = await commit(writes, branch)
    number = (await writes.open_pull_request(branch, base="main", title="T", body="B")).number
    await twice(twin, "/comments$", lambda: writes.comment(number, "hello", key="goal-1/comment"))
    await twice(twin, "/labels$", lambda: writes.label(number, ["agent", "agent"]))
    await twice(twin, "/check-runs$", lambda: _check(writes, sha))
    posts = [str(one["path"]).rsplit("/", 1)[-1] for one in twin.requests() if one["method"] == "POST"]
    assert (posts.count("comments"), posts.count("check-runs")) == (1, 1)
    other = await writes.comment(number, "more", key="goal-1/other")
    assert other.id != (await writes.comment(number, "hello", key="goal-1/comment")).id


async def test_every_answer_is_as_github_describes_it(writes: Writes, twin: Served) -> None:
    branch = "banksman/described"  # the fixture `twin` judges every exchange of a test without faults
    sha = await commit(writes, branch)
    pull = await writes.open_pull_request(branch, base="main", title="T", body="B")
    assert await writes.open_pull_request(branch, base="main", title="T", body="B") == pull
    for _ in range(2):
        await writes.comment(pull.number, "hello", key="k")
        await _check(writes, sha)
    await writes.label(pull.number, ["agent"])


@pytest.mark.parametrize("lacking", ["contents", "pull_requests"])
async def test_a_narrower_token_writes_nothing(twin: Served, shop: Shop, lacking: str) -> None:
    permissions = {**PERMISSIONS, lacking: "read"}
    async with twin.github().session(twin.credentials, repository="acme/shop", permissions=permissions) as session:
        work = {
            "contents": lambda: commit(session.writes),
            "pull_requests": lambda: session.writes.open_pull_request("feature/cart", base="main", title="T", body="B"),
        }
        with pytest.raises(AuthDenied):
            await work[lacking]()
    assert git("for-each-ref", "refs/heads/banksman", at=shop.bare) == ""


async def test_a_check_in_progress_is_followed_by_its_conclusion(writes: Writes) -> None:
    sha = await commit(writes, "banksman/checked")

    def begin() -> Awaitable[Made]:
        return writes.check_run(sha, "banksman", conclusion=None, title="T", summary="S", key="goal-1/begun")

    first = await begin()
    assert (await begin()).id == first.id
    last = await _check(writes, sha)
    assert isinstance(last, Made)
    assert last.id != first.id


async def _check(writes: Writes, sha: str) -> object:
    return await writes.check_run(sha, "banksman", conclusion="success", title="T", summary="S", key="goal-1/check")
