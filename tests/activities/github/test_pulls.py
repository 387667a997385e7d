"""Looking at a pull request, and merging it by a grant: what each attempt does after what the one before may have done.

As Temporal runs them, against the twin over real git; of the guard there is the use of the grant and the last look.
"""

import itertools
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import JsonValue

from activities.github.contracts import (
    LOOK_AT_PULL_REQUEST,
    MERGE_PULL_REQUEST,
    CheckRunRequest,
    LookAtPullRequestRequest,
    MergePullRequestParameters,
    OpenPullRequestRequest,
    PullRequestMerged,
    PullRequestSeen,
)
from activities.guard.current_attempt import NotCurrent
from activities.guard.granted import GrantedRequest
from activities.step import step_of
from connectors.errors import Conflict, InvalidRequest, NotFound, Unavailable
from connectors.github.pulls import Pulls
from hitl.approval.plan import PlanError
from hitl.protocol import Effect
from tests.activities.github.at_work import REPOSITORY, House, at_work
from tests.activities.guard.attempts import Records, Waited, admitted
from tests.connectors.github.shop import git
from tests.hitl.approval.granting import Gateway, make_plan

LOOK, MERGE = LOOK_AT_PULL_REQUEST.name, MERGE_PULL_REQUEST.name
SENDS = {"method": "PUT", "path": "/merge$"}
"""The one request that merges."""
_NUMBERS = itertools.count(1)


@dataclass
class Proposed:
    """A pull request of this test's own, into a branch of its own."""

    house: House
    number: int
    branch: str
    base: str
    head: str

    def push(self, name: str, content: str, *, onto: str | None = None) -> str:
        """Commit a file onto a branch (its own when None), by git; where it stands then."""
        branch = onto or self.branch
        return push(self.house, branch, name, content)

    @property
    def base_now(self) -> str:
        return self.house.head(self.base)


def push(house: House, branch: str, name: str, content: str) -> str:
    """One more commit on a branch, with one file of the root changed."""
    bare = house.shop.bare
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work"
        git("worktree", "add", "--quiet", "--detach", "--no-checkout", str(work), branch, at=bare)
        git("reset", "--quiet", at=work)
        (work / name).write_text(content)
        git("add", name, at=work)
        git("commit", "--quiet", "-m", f"Change {name}", at=work)
        commit = git("rev-parse", "HEAD", at=work)
        git("worktree", "remove", "--force", str(work), at=bare)
    git("update-ref", f"refs/heads/{branch}", commit, at=bare)
    return commit


async def look(house: House, **which: Any) -> PullRequestSeen | None:
    request = LookAtPullRequestRequest(repository=REPOSITORY, **which)
    return (await at_work(LOOK).run(house.pulls.look_at_pull_request, request)).found


@pytest_asyncio.fixture
async def pull(house: House) -> AsyncIterator[Proposed]:
    number = next(_NUMBERS)
    base, branch = f"base/{number}", f"topic/{number}"
    for name in (base, branch):
        git("update-ref", f"refs/heads/{name}", house.shop.main, at=house.shop.bare)
    head = push(house, branch, f"page-{number}.txt", "new\n")
    request = OpenPullRequestRequest(repository=REPOSITORY, head=branch, base=base, title="A page", body="")
    opened = await at_work("github.open_pull_request").run(house.writes.open_pull_request, request)
    house.twin.forget()
    house.actions.clear()
    house.permissions.clear()
    yield Proposed(house, opened.number, branch, base, head)
    for name in (base, branch):
        git("update-ref", "-d", f"refs/heads/{name}", at=house.shop.bare)


async def test_a_look_tells_how_the_open_one_of_a_branch_stands(house: House, pull: Proposed) -> None:
    check = CheckRunRequest(
        repository=REPOSITORY, commit=pull.head, name="tests", conclusion="success", title="t", summary="s"
    )
    await at_work("github.check_run").run(house.writes.check_run, check)
    seen = await look(house, branch=pull.branch)
    assert seen is not None
    assert (seen.number, seen.state, seen.head, seen.head_branch) == (pull.number, "open", pull.head, pull.branch)
    assert (seen.base, seen.base_commit, seen.fork, seen.draft) == (pull.base, house.shop.main, False, False)
    assert (seen.title, seen.author, seen.mergeable, seen.mergeable_state) == (
        "A page",
        "banksman[bot]",
        True,
        "clean",
    )
    assert [(one.name, one.conclusion) for one in seen.checks] == [("tests", "success")]
    assert (house.actions[-1], house.permissions[-1]) == ("github-read", {"pull_requests": "read", "checks": "read"})
    assert house.twin.live_tokens == 0
    assert await look(house, number=pull.number) == seen


async def test_a_look_tells_of_reviews_the_last_word_of_each(house: House, pull: Proposed) -> None:
    permissions = {"pull_requests": "write", "contents": "read"}
    async with house.twin.github().session(
        house.twin.credentials, repository=REPOSITORY, permissions=permissions
    ) as session:
        token = session.pulls._api.bearer  # pyright: ignore[reportPrivateUsage] - the session's own, to write a review by
        bearer = {"Authorization": f"Bearer {token}"}
        for event in ("REQUEST_CHANGES", "COMMENT"):
            path = f"/repos/{REPOSITORY}/pulls/{pull.number}/reviews"
            house.twin.hands.post(path, json={"event": event, "body": "hm"}, headers=bearer).raise_for_status()
    seen = await look(house, number=pull.number)
    assert seen is not None
    assert [(one.person, one.verdict, one.commit) for one in seen.reviews] == [
        ("banksman[bot]", "changes_requested", pull.head)
    ]


async def test_what_is_not_worked_out_yet_is_told_as_unknown_and_then_as_it_is(house: House, pull: Proposed) -> None:
    pull.push("README.md", "# ours\n")
    pull.push("README.md", "# theirs\n", onto=pull.base)
    first, second = await look(house, number=pull.number), await look(house, number=pull.number)
    assert first is not None
    assert second is not None
    assert (first.mergeable, first.mergeable_state) == (None, "unknown")
    assert (second.mergeable, second.mergeable_state) == (False, "dirty")


async def test_a_look_finds_none_where_none_is_open_or_there(house: House, pull: Proposed) -> None:
    assert await look(house, branch="nowhere") is None
    assert await look(house, number=10**6) is None
    assert await look(house, branch=pull.branch, base="main") is None


@pytest.mark.parametrize("which", [{}, {"number": 1, "branch": "x"}], ids=["neither", "both"])
async def test_a_look_wants_a_number_or_a_branch(house: House, which: Mapping[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="number or its branch"):
        await look(house, **which)
    assert house.actions == []


class Execution:
    """One execution of the step by one grant: its attempts come one after the other, as the server counts them."""

    def __init__(self, house: House, folder: Path, parameters: Mapping[str, JsonValue]) -> None:
        self.house = house
        self.records = Records()
        folder.mkdir(exist_ok=True)
        decisions = tuple(Gateway(folder).grant("alice", "bob"))
        plan = make_plan(parameters=dict(parameters)).model_copy(update={"action": MERGE})
        self.request = GrantedRequest(plan=plan.text(), decisions=decisions)
        self.scheduled = datetime.now(UTC)
        self.attempts = 0

    async def attempt(self, waited: Waited | None = None, **info: Any) -> PullRequestMerged:
        """The next one."""
        self.attempts += 1
        started = self.scheduled + timedelta(milliseconds=self.attempts)
        given: dict[str, Any] = {"scheduled_time": self.scheduled, "started_time": started, "attempt": self.attempts}
        step = admitted(self.house.merging.merge_pull_request, self.records, waited)
        return await at_work(MERGE, **{**given, **info}).run(step, self.request)

    @property
    def merges(self) -> int:
        """How often the twin did it."""
        return self.house.posts("merge", "PUT")


def wanted(pull: Proposed, **other: Any) -> dict[str, JsonValue]:
    parameters: dict[str, Any] = {
        "repository": REPOSITORY,
        "number": pull.number,
        "expected_head": pull.head,
        "branch": pull.base,
        "method": "merge",
    }
    return MergePullRequestParameters.model_validate({**parameters, **other}).model_dump()


@pytest.fixture
def merge(house: House, pull: Proposed, tmp_path: Path) -> Execution:
    return Execution(house, tmp_path, wanted(pull))


async def test_the_first_attempt_merges_at_the_head_that_was_approved(merge: Execution, pull: Proposed) -> None:
    done = await merge.attempt()
    house, bare = merge.house, merge.house.shop.bare
    assert done == PullRequestMerged(commit=pull.base_now)
    assert git("rev-parse", f"{done.commit}^2", at=bare) == pull.head
    assert git("show", f"{pull.base}:page-{pull.branch.rpartition('/')[2]}.txt", at=bare) == "new"
    assert house.actions == ["github-merge-pull-request"]
    assert house.permissions == [{"contents": "write", "pull_requests": "read"}]
    assert (merge.merges, house.twin.live_tokens) == (1, 0)
    seen = await look(house, number=pull.number)
    assert seen is not None
    assert (seen.state, seen.merge_commit, seen.merged_by) == ("merged", done.commit, "banksman[bot]")
    assert await look(house, branch=pull.branch) is None


@pytest.mark.parametrize(("method", "parents", "commits"), [("squash", 1, 1), ("rebase", 1, 2)])
async def test_the_method_is_the_one_that_was_approved(
    house: House, pull: Proposed, tmp_path: Path, method: str, parents: int, commits: int
) -> None:
    head = pull.push("second.txt", "more\n")
    pull.push("third.txt", "theirs\n", onto=pull.base)
    before = pull.base_now
    await Execution(house, tmp_path, wanted(pull, method=method, expected_head=head)).attempt()
    bare = house.shop.bare
    assert len(git("rev-list", "--parents", "-1", pull.base, at=bare).split()) == 1 + parents
    assert git("rev-list", "--count", f"{before}..{pull.base}", at=bare) == str(commits)
    assert git("show", f"{pull.base}:second.txt", at=bare) == "more"
    assert git("show", f"{pull.base}:third.txt", at=bare) == "theirs"


@pytest.mark.parametrize("info", [{}, {"attempt": 1}], ids=["counted on", "counted from one again"])
async def test_an_attempt_after_a_lost_answer_finds_it_merged_and_is_done(
    merge: Execution, pull: Proposed, info: dict[str, Any]
) -> None:
    merge.house.twin.plant(kind="drop_after_effect", **SENDS)
    with pytest.raises(Unavailable):
        await merge.attempt()
    there = pull.base_now
    assert there != merge.house.shop.main
    done = await merge.attempt(**info)
    assert done == PullRequestMerged(commit=there, merged_by="banksman[bot]")
    assert (merge.merges, pull.base_now) == (1, there)


async def test_an_attempt_after_one_that_had_no_effect_merges(merge: Execution, pull: Proposed) -> None:
    merge.house.twin.plant(kind="drop", **SENDS)
    with pytest.raises(Unavailable):
        await merge.attempt()
    assert pull.base_now == merge.house.shop.main
    assert await merge.attempt() == PullRequestMerged(commit=pull.base_now)


async def test_one_that_somebody_merged_before_is_told_so(merge: Execution, pull: Proposed, tmp_path: Path) -> None:
    first = await Execution(merge.house, tmp_path / "other", wanted(pull)).attempt()
    done = await merge.attempt()
    assert done == PullRequestMerged(commit=first.commit, merged_by="banksman[bot]", before=True)
    assert merge.merges == 1


async def test_somebody_who_is_quicker_by_a_moment_is_told_so_too(
    merge: Execution, pull: Proposed, tmp_path: Path
) -> None:
    other = Execution(merge.house, tmp_path / "other", wanted(pull))

    class Quicker(Waited):
        async def require(self, info: Any) -> None:
            await super().require(info)
            if self.asked == 2:
                await other.attempt()

    done = await merge.attempt(Quicker())
    assert done.before
    assert done.commit == pull.base_now


@pytest.mark.parametrize("fault", [None, "drop", "drop_after_effect"])
async def test_what_was_pushed_to_the_branch_meanwhile_is_not_merged(
    merge: Execution, pull: Proposed, fault: str | None
) -> None:
    if fault:
        merge.house.twin.plant(kind=fault, **SENDS)
        with pytest.raises(Unavailable):
            await merge.attempt()
    before = pull.base_now
    pull.push("evil.txt", "not approved\n")
    if fault == "drop_after_effect":
        assert (
            await merge.attempt()
        ).commit == before  # merged at the approved head before; what came later is not in it
    else:
        with pytest.raises(Conflict, match="moved from"):
            await merge.attempt()
    assert pull.base_now == before
    assert "evil.txt" not in git("ls-tree", "--name-only", pull.base, at=merge.house.shop.bare)


async def test_a_push_between_the_look_and_the_merge_is_refused_by_github_itself(
    merge: Execution, pull: Proposed
) -> None:
    class Pushes(Waited):
        async def require(self, info: Any) -> None:
            await super().require(info)
            if self.asked == 2:
                pull.push("evil.txt", "not approved\n")

    with pytest.raises(Conflict, match="Head branch was modified"):
        await merge.attempt(Pushes())
    assert pull.base_now == merge.house.shop.main


async def test_one_that_goes_elsewhere_than_approved_is_not_merged(
    house: House, pull: Proposed, tmp_path: Path
) -> None:
    with pytest.raises(Conflict, match="goes into"):
        await Execution(house, tmp_path, wanted(pull, branch="main")).attempt()
    assert (house.head("main"), pull.base_now) == (house.shop.main, house.shop.main)


async def test_one_that_conflicts_is_not_merged(merge: Execution, pull: Proposed, tmp_path: Path) -> None:
    theirs = pull.push("README.md", "# theirs\n", onto=pull.base)
    head = pull.push("README.md", "# ours\n")
    with pytest.raises(Conflict, match="not mergeable"):
        await Execution(merge.house, tmp_path / "other", wanted(pull, expected_head=head)).attempt()
    assert pull.base_now == theirs


async def test_one_that_is_not_there_is_told(house: House, pull: Proposed, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="#1000000"):
        await Execution(house, tmp_path, wanted(pull, number=10**6)).attempt()


async def test_an_attempt_that_nobody_waits_for_is_given_no_credential(merge: Execution, pull: Proposed) -> None:
    with pytest.raises(NotCurrent):
        await merge.attempt(Waited(until=0))
    assert (merge.house.actions, merge.house.twin.requests()) == ([], [])
    assert pull.base_now == merge.house.shop.main


async def test_an_attempt_is_looked_at_once_more_before_it_merges(merge: Execution, pull: Proposed) -> None:
    waited = Waited(until=1)
    with pytest.raises(NotCurrent):
        await merge.attempt(waited)
    assert (waited.asked, merge.merges, pull.base_now) == (2, 0, merge.house.shop.main)
    assert await merge.attempt() == PullRequestMerged(commit=pull.base_now)


@pytest.mark.parametrize("change", [{"expected_head": None}, {"method": "force"}, {"admin": True}])
async def test_a_plan_with_other_parameters_than_the_steps_is_given_no_credential(
    house: House, pull: Proposed, tmp_path: Path, change: dict[str, JsonValue]
) -> None:
    with pytest.raises(PlanError):
        await Execution(house, tmp_path, {**wanted(pull), **change}).attempt()
    assert (house.actions, pull.base_now) == ([], house.shop.main)


async def test_it_runs_behind_its_guard_alone(house: House, merge: Execution, pull: Proposed) -> None:
    with pytest.raises(RuntimeError, match="without its guard"):
        await at_work(MERGE).run(house.merging.merge_pull_request, merge.request)
    assert (house.actions, pull.base_now) == ([], house.shop.main)


async def test_several_open_ones_of_a_branch_are_told_apart_by_their_base(house: House, pull: Proposed) -> None:
    async with house.twin.github().session(
        house.twin.credentials, repository=REPOSITORY, permissions={"pull_requests": "write", "contents": "read"}
    ) as session:
        await session.writes.open_pull_request(pull.branch, base="main", title="T", body="")
        assert isinstance(session.pulls, Pulls)
        with pytest.raises(Conflict, match="say which by its number"):
            await session.pulls.open_of(pull.branch, base=None)
        found = await session.pulls.open_of(pull.branch, base=pull.base)
    assert found is not None
    assert found.number == pull.number


def test_they_say_what_they_do(house: House) -> None:
    assert step_of(house.pulls.look_at_pull_request) is LOOK_AT_PULL_REQUEST
    assert step_of(house.merging.merge_pull_request) is MERGE_PULL_REQUEST
    assert (LOOK_AT_PULL_REQUEST.effect, MERGE_PULL_REQUEST.effect) == (Effect.READ, Effect.DESTRUCTIVE)
