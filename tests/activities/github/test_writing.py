"""Steps that write, run as Temporal runs them, against the twin over real git: narrow, keyed, and done once."""

import base64
from collections.abc import Awaitable, Callable

import pytest

from activities.github.contracts import (
    CheckRunRequest,
    CommentRequest,
    CommitFilesRequest,
    FileToCommit,
    LabelRequest,
    OpenPullRequestRequest,
)
from activities.step import implemented, step_of
from connectors.errors import Conflict, InvalidRequest, Unavailable
from hitl.protocol import Effect
from tests.activities.github.at_work import House, at_work
from tests.connectors.github.shop import git

BRANCH = "banksman/say-hello-1"
HELLO = FileToCommit(path="HELLO.md", content_base64=base64.b64encode(b"Hello.\n").decode())
COMMIT = CommitFilesRequest(repository="acme/shop", branch=BRANCH, files=(HELLO,), message="Say hello")
PULL = OpenPullRequestRequest(repository="acme/shop", head=BRANCH, base="main", title="Say hello")


async def commit(house: House, request: CommitFilesRequest = COMMIT, workflow_id: str = "goal/1") -> str:
    made = await at_work("github.commit_files", workflow_id).run(house.writes.commit_files, request)
    return made.commit


async def test_a_commit_is_made_on_the_default_branch_and_found_again(house: House) -> None:
    made = await at_work("github.commit_files").run(house.writes.commit_files, COMMIT)
    assert (made.base, made.commit) == ("main", git("rev-parse", BRANCH, at=house.shop.bare))
    assert git("show", f"{BRANCH}:HELLO.md", at=house.shop.bare) == "Hello."
    assert await commit(house) == made.commit
    assert git("rev-list", "--count", f"main..{BRANCH}", at=house.shop.bare) == "1"


async def test_files_are_written_made_programs_and_deleted(house: House) -> None:
    files = (
        HELLO.model_copy(update={"executable": True}),
        FileToCommit(path="README.md", content_base64=None),
    )
    await commit(house, COMMIT.model_copy(update={"files": files, "base": "feature/cart"}))
    changed = git("diff", "--name-status", "feature/cart", BRANCH, at=house.shop.bare).splitlines()
    assert changed == ["A\tHELLO.md", "D\tREADME.md"]
    assert git("ls-tree", BRANCH, "HELLO.md", at=house.shop.bare).startswith("100755")


@pytest.mark.parametrize(
    ("request_", "workflow_id"),
    [(COMMIT, "goal/2"), (COMMIT.model_copy(update={"message": "Say more"}), "goal/1")],
    ids=["another goal", "another request of the same goal"],
)
async def test_nobody_takes_anothers_commit_for_theirs(
    house: House, request_: CommitFilesRequest, workflow_id: str
) -> None:
    first = await commit(house)
    with pytest.raises(Conflict):
        await commit(house, request_, workflow_id)
    assert git("rev-parse", BRANCH, at=house.shop.bare) == first


async def test_a_file_may_lie_in_the_artifact_store(house: House) -> None:
    kept = await house.artifacts.put(b"Hello.\n" * 100_000)
    file = FileToCommit(path="uv.lock", content_base64=None, content=kept)
    await commit(house, COMMIT.model_copy(update={"files": (file,)}))
    assert git("cat-file", "-s", f"{BRANCH}:uv.lock", at=house.shop.bare) == "700000"


async def test_content_that_is_not_base64_is_named(house: House) -> None:
    wrong = COMMIT.model_copy(update={"files": (FileToCommit(path="a", content_base64="%"),)})
    with pytest.raises(InvalidRequest, match="'a' is not base64"):
        await commit(house, wrong)
    assert house.twin.requests() == []


@pytest.mark.parametrize("workflow_id", ["", "a\nb", "a --> <b>", "a\u2028b", " a"])
async def test_an_id_that_would_spoil_the_mark_is_refused(house: House, workflow_id: str) -> None:
    environment = at_work("github.comment", workflow_id)
    with pytest.raises(InvalidRequest, match="workflow id"):
        await environment.run(house.writes.comment, CommentRequest(repository="acme/shop", number=1, text="x"))
    assert house.twin.requests() == []


async def test_everything_after_the_commit_is_done_once_though_every_answer_is_lost(house: House) -> None:
    sha = await commit(house)
    await lost(house, "/pulls$", lambda: at_work("github.open_pull_request").run(house.writes.open_pull_request, PULL))
    pull = await at_work("github.open_pull_request").run(house.writes.open_pull_request, PULL)
    look = CommentRequest(repository="acme/shop", number=pull.number, text="Look")
    await lost(house, "/comments$", lambda: at_work("github.comment").run(house.writes.comment, look))
    labels = LabelRequest(repository="acme/shop", number=pull.number, labels=("agent",))
    await lost(house, "/labels$", lambda: at_work("github.label").run(house.writes.label, labels))
    check = CheckRunRequest(
        repository="acme/shop", commit=sha, name="banksman", conclusion="success", title="T", summary="S"
    )
    await lost(house, "/check-runs$", lambda: at_work("github.check_run").run(house.writes.check_run, check))
    assert [house.posts(name) for name in ("pulls", "comments", "check-runs")] == [1, 1, 1]
    again = look.model_copy(update={"text": "Look again"})
    await at_work("github.comment").run(house.writes.comment, again)
    assert house.posts("comments") == 2
    assert house.twin.live_tokens == 0


async def lost(house: House, path: str, attempt: Callable[[], Awaitable[object]]) -> None:
    """Lose the answer to the one request that has the effect; then the next attempt."""
    house.twin.plant(kind="drop_after_effect", method="POST", path=path)
    with pytest.raises(Unavailable):
        await attempt()
    await attempt()


async def test_each_token_may_do_its_one_thing(house: House) -> None:
    sha = await commit(house)
    pull = await at_work("github.open_pull_request").run(house.writes.open_pull_request, PULL)
    words = CommentRequest(repository="acme/shop", number=pull.number, text="Look")
    await at_work("github.comment").run(house.writes.comment, words)
    await at_work("github.label").run(
        house.writes.label, LabelRequest(repository="acme/shop", number=pull.number, labels=("agent",))
    )
    check = CheckRunRequest(
        repository="acme/shop", commit=sha, name="banksman", conclusion="failure", title="T", summary="S"
    )
    await at_work("github.check_run").run(house.writes.check_run, check)
    assert house.permissions == [
        {"contents": "write"},
        {"pull_requests": "write", "contents": "read"},
        {"pull_requests": "write"},
        {"pull_requests": "write"},
        {"checks": "write"},
    ]
    assert set(house.actions) == {"github-write"}


def test_they_say_what_they_do(house: House) -> None:
    found = [step for one in implemented(house.writes) if (step := step_of(one))]
    assert {step.effect for step in found} == {Effect.WRITE}
    assert len(found) == 6
