"""Looking at a branch, and its deletion by a grant: what each attempt does after what the one before may have done.

As Temporal runs them, against the twin over real git; of the guard there is the use of the grant and the last look.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue
from temporalio.exceptions import ApplicationError

from activities.github.contracts import (
    DELETE_BRANCH,
    LOOK_AT_BRANCH,
    BranchDeleted,
    BranchSeen,
    DeleteBranchParameters,
    LookAtBranchRequest,
)
from activities.guard.current_attempt import NotCurrent
from activities.guard.error_types import ErrorType
from activities.guard.granted import GrantedRequest
from activities.step import step_of
from connectors.errors import Conflict, InvalidRequest, NotFound, Unavailable
from hitl.approval.plan import PlanError
from hitl.protocol import Effect
from tests.activities.github.at_work import REPOSITORY, House, at_work
from tests.activities.guard.attempts import Records, Waited, admitted
from tests.connectors.github.shop import git
from tests.hitl.approval.granting import Gateway, make_plan

LOOK, DELETE = "github.look_at_branch", "github.delete_branch"
TOPIC = "topic/x"
SENDS = {"method": "POST", "path": "/git-receive-pack$"}
"""The one request that deletes."""


def place(house: House, branch: str, *subjects: str) -> str:
    """Let a branch stand on top of `main` with commits of its own; where it stands then."""
    head = house.shop.main
    for subject in subjects:
        head = git("commit-tree", f"{head}^{{tree}}", "-p", head, "-m", subject, at=house.shop.bare)
    git("update-ref", f"refs/heads/{branch}", head, at=house.shop.bare)
    return head


@pytest.fixture
def topic(house: House) -> Iterator[str]:
    """Where the branch stands that people are asked about."""
    yield place(house, TOPIC, "First", "Second")
    git("update-ref", "-d", f"refs/heads/{TOPIC}", at=house.shop.bare)


async def look(house: House, branch: str) -> BranchSeen:
    request = LookAtBranchRequest(repository=REPOSITORY, branch=branch)
    return await at_work(LOOK).run(house.branches.look_at_branch, request)


async def test_a_look_tells_what_only_this_branch_holds(house: House, topic: str) -> None:
    seen = await look(house, TOPIC)
    assert (seen.head, seen.lost, seen.default) == (topic, 2, False)
    assert {one.subject for one in seen.commits} == {"First", "Second"}
    assert (house.actions, house.permissions) == (["github-read"], [{"contents": "read"}])
    assert house.twin.live_tokens == 0
    assert house.head(TOPIC) == topic


async def test_a_look_lists_no_more_than_a_person_reads(house: House, topic: str) -> None:
    place(house, TOPIC, *(f"{number:03} {'x' * 300}" for number in range(101)))
    seen = await look(house, TOPIC)
    assert (seen.lost, len(seen.commits)) == (101, 100)
    assert {len(one.subject) for one in seen.commits} == {200}


async def test_a_look_knows_the_default_branch_and_one_that_is_not_there(house: House) -> None:
    assert (await look(house, "main")).default
    assert await look(house, "nowhere") == BranchSeen(head=None)


class Execution:
    """One execution of the step by one grant: its attempts come one after the other, as the server counts them."""

    def __init__(self, house: House, folder: Path, parameters: Mapping[str, JsonValue]) -> None:
        self.house = house
        self.records = Records()
        decisions = tuple(Gateway(folder).grant("alice", "bob"))
        self.request = GrantedRequest(plan=make_plan(parameters=dict(parameters)).text(), decisions=decisions)
        self.scheduled = datetime.now(UTC)
        self.attempts = 0

    async def attempt(self, waited: Waited | None = None, **info: Any) -> BranchDeleted:
        """The next one."""
        self.attempts += 1
        started = self.scheduled + timedelta(milliseconds=self.attempts)
        given: dict[str, Any] = {"scheduled_time": self.scheduled, "started_time": started, "attempt": self.attempts}
        given |= info
        step = admitted(self.house.destruction.delete_branch, self.records, waited)
        return await at_work(DELETE, **given).run(step, self.request)


@pytest.fixture
def deletion(house: House, topic: str, tmp_path: Path) -> Execution:
    wanted = DeleteBranchParameters(repository=REPOSITORY, branch=TOPIC, expected_head=topic)
    return Execution(house, tmp_path, wanted.model_dump())


async def test_the_first_attempt_deletes_at_the_commit_that_was_approved(deletion: Execution, topic: str) -> None:
    assert await deletion.attempt() == BranchDeleted(head=topic)
    house = deletion.house
    assert (house.head(TOPIC), house.head("main")) == ("", house.shop.main)
    assert house.actions == ["github-delete-branch"]
    assert (house.posts("git-receive-pack"), house.twin.live_tokens) == (1, 0)


@pytest.mark.parametrize("info", [{}, {"attempt": 1}], ids=["counted on", "counted from one again"])
async def test_an_attempt_after_a_lost_answer_finds_it_gone_and_is_done(
    deletion: Execution, topic: str, info: dict[str, Any]
) -> None:
    deletion.house.twin.plant(kind="drop_after_effect", **SENDS)
    with pytest.raises(Unavailable):
        await deletion.attempt()
    assert deletion.house.head(TOPIC) == ""
    assert await deletion.attempt(**info) == BranchDeleted(head=topic)
    assert deletion.house.posts("git-receive-pack") == 1


async def test_an_attempt_after_one_that_had_no_effect_deletes(deletion: Execution, topic: str) -> None:
    deletion.house.twin.plant(kind="drop", **SENDS)
    with pytest.raises(Unavailable):
        await deletion.attempt()
    assert deletion.house.head(TOPIC) == topic
    assert await deletion.attempt() == BranchDeleted(head=topic)
    assert deletion.house.head(TOPIC) == ""
    assert deletion.house.twin.live_tokens == 0


@pytest.mark.parametrize("fault", ["drop", "drop_after_effect"])
async def test_what_somebody_pushed_between_two_attempts_is_kept(deletion: Execution, fault: str) -> None:
    house = deletion.house
    house.twin.plant(kind=fault, **SENDS)
    with pytest.raises(Unavailable):
        await deletion.attempt()
    pushed = place(house, TOPIC, "Of somebody else")
    with pytest.raises(Conflict, match="is kept"):
        await deletion.attempt()
    assert house.head(TOPIC) == pushed


async def test_a_branch_that_moved_before_the_first_attempt_is_kept(deletion: Execution) -> None:
    pushed = place(deletion.house, TOPIC, "Of somebody else")
    with pytest.raises(Conflict, match="is kept"):
        await deletion.attempt()
    assert deletion.house.head(TOPIC) == pushed
    assert deletion.house.posts("git-receive-pack") == 0


async def test_a_first_attempt_that_finds_nothing_does_not_say_that_it_deleted(deletion: Execution) -> None:
    git("update-ref", "-d", f"refs/heads/{TOPIC}", at=deletion.house.shop.bare)
    with pytest.raises(NotFound, match="somebody deleted it"):
        await deletion.attempt()


@pytest.mark.parametrize(
    "another",
    [{"activity_id": "2"}, {"workflow_run_id": "another"}, {"scheduled_time": datetime(2026, 1, 1, tzinfo=UTC)}],
    ids=["another step", "another run", "the same id again"],
)
async def test_a_grant_that_is_used_up_deletes_nothing_that_came_back(
    deletion: Execution, topic: str, another: dict[str, Any]
) -> None:
    house = deletion.house
    await deletion.attempt()
    git("update-ref", f"refs/heads/{TOPIC}", topic, at=house.shop.bare)
    asked = len(house.twin.requests())
    with pytest.raises(ApplicationError, match="begun already") as refused:
        await deletion.attempt(**another)
    assert refused.value.type == ErrorType.POLICY_DENIED
    assert house.head(TOPIC) == topic
    assert (house.actions, len(house.twin.requests())) == (["github-delete-branch"], asked)


async def test_an_attempt_that_nobody_waits_for_is_given_no_credential(deletion: Execution, topic: str) -> None:
    with pytest.raises(NotCurrent):
        await deletion.attempt(Waited(until=0))
    assert (deletion.house.actions, deletion.house.twin.requests()) == ([], [])
    assert deletion.house.head(TOPIC) == topic


async def test_an_attempt_is_looked_at_once_more_before_it_deletes(deletion: Execution, topic: str) -> None:
    waited = Waited(until=1)
    with pytest.raises(NotCurrent):
        await deletion.attempt(waited)
    assert waited.asked == 2
    assert deletion.house.posts("git-receive-pack") == 0
    assert (deletion.house.head(TOPIC), deletion.house.twin.live_tokens) == (topic, 0)
    assert await deletion.attempt() == BranchDeleted(head=topic)


@pytest.mark.parametrize("change", [{"expected_head": None}, {"force": True}], ids=["one too few", "one too many"])
async def test_a_plan_with_other_parameters_than_the_steps_is_given_no_credential(
    house: House, topic: str, tmp_path: Path, change: dict[str, JsonValue]
) -> None:
    wanted = {"repository": REPOSITORY, "branch": TOPIC, "expected_head": topic, **change}
    with pytest.raises(PlanError):
        await Execution(house, tmp_path, wanted).attempt()
    assert (house.actions, house.head(TOPIC)) == ([], topic)


async def test_the_default_branch_stays(house: House, tmp_path: Path) -> None:
    wanted = {"repository": REPOSITORY, "branch": "main", "expected_head": house.shop.main}
    with pytest.raises(InvalidRequest, match="refuses to delete 'main'"):
        await Execution(house, tmp_path, wanted).attempt()
    assert house.head("main") == house.shop.main


async def test_it_runs_behind_its_guard_alone(house: House, deletion: Execution, topic: str) -> None:
    with pytest.raises(RuntimeError, match="without its guard"):
        await at_work(DELETE).run(house.destruction.delete_branch, deletion.request)
    assert (house.actions, house.head(TOPIC)) == ([], topic)


def test_they_say_what_they_do(house: House) -> None:
    assert step_of(house.branches.look_at_branch) is LOOK_AT_BRANCH
    assert step_of(house.destruction.delete_branch) is DELETE_BRANCH
    assert (LOOK_AT_BRANCH.effect, DELETE_BRANCH.effect) == (Effect.READ, Effect.DESTRUCTIVE)
