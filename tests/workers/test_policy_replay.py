"""`banksman policy replay`, as people call it, over audit files of a worker and over an export of them."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from typer.testing import CliRunner, Result

from activities.guard.approval_facts import ApprovalFacts, DecidedBy
from tests.activities.guard.collecting import Books, event
from tests.hitl.approval.granting import POLICY
from workers.cli import app
from workers.commands.policy_replay import since

STRICT = POLICY.replace("quorum: 2", "quorum: 3")


def run(*args: str) -> Result:
    return CliRunner().invoke(app, ["policy", "replay", *args], env={"COLUMNS": "1000"})


@pytest_asyncio.fixture
async def books(tmp_path: Path) -> AsyncIterator[Books]:
    """One goal with two steps, the second of them approved by two people."""
    made = Books(tmp_path)
    goal = {"workflow_id": "delete-branch/acme/\u202eshop", "effect": "read", "action": "github.read_file"}
    made.logs["connectors"].append(event(activity_id="1", role="connectors", **goal))
    facts = ApprovalFacts(
        id="approval/1",
        digest="sha256:plan",
        requester="slack:U0ERIN",
        decisions=tuple(DecidedBy(person=one, verdict="approve", surface="slack") for one in ("alice", "bob")),
    )
    made.logs["destructive"].append(event(activity_id="2", approval=facts, workflow_id=goal["workflow_id"]))
    made.logs["destructive"].append(event("finished", activity_id="2", workflow_id=goal["workflow_id"]))
    await made.look()
    yield made
    made.close()


@pytest.fixture
def strict(tmp_path: Path) -> Path:
    path = tmp_path / "strict.yaml"
    path.write_text(STRICT)
    return path


async def test_it_names_the_goal_the_step_and_why(books: Books, strict: Path) -> None:
    done = run("--policy", str(strict), "--from", str(books.folder))
    assert done.exit_code == 0, done.output
    for told in (
        "2 decisions of 1 goal under strict.yaml: 1 goal would have gone another way",
        "step 2 of 2, github.delete_branch",
        "was allowed, approved by alice, bob",
        "would be not approved: environments.live.approvals[0]",
        "wants 3 of release, and 2 of those who approved it count (alice, bob)",
    ):
        assert told in done.output
    assert "\u202e" not in done.output


async def test_an_export_says_the_same(books: Books, strict: Path) -> None:
    there = run("--policy", str(strict), "--from", str(books.folder)).output
    assert run("--policy", str(strict), "--from", str(books.export())).output == there


async def test_the_same_policy_finds_nothing(books: Books, tmp_path: Path) -> None:
    same = tmp_path / "same.yaml"
    same.write_text(POLICY)
    done = run("--policy", str(same), "--from", str(books.folder), "--json")
    assert json.loads(done.output) == {"judged": 2, "goals": 1, "left_out": 0, "otherwise": []}


async def test_json_has_the_step(books: Books, strict: Path) -> None:
    told = json.loads(run("--policy", str(strict), "--from", str(books.folder), "--json").output)
    (one,) = told["otherwise"]
    assert (one["step"], one["of"], one["action"], one["was"]) == (2, 2, "github.delete_branch", "allowed")


async def test_what_is_older_is_not_looked_at(books: Books, strict: Path) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    assert (
        "0 decisions of 0 goals"
        in run("--policy", str(strict), "--from", str(books.folder), "--since", tomorrow).output
    )
    assert "2 decisions" in run("--policy", str(strict), "--from", str(books.folder), "--since", "1h").output


async def test_a_log_that_somebody_touched_is_said_to_be_one(books: Books, strict: Path) -> None:
    file = books.file("destructive")
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[1:]))
    done = run("--policy", str(strict), "--from", str(books.folder))
    assert done.exit_code == 0
    assert "the audit log is not whole" in done.stderr


async def test_so_is_an_export_that_somebody_touched(books: Books, strict: Path) -> None:
    export = books.export()
    assert "not whole" not in run("--policy", str(strict), "--from", str(export)).stderr
    export.write_text(export.read_text().replace("alice", "carol", 1))
    assert "the audit log is not whole" in run("--policy", str(strict), "--from", str(export)).stderr


@pytest.mark.parametrize("given", ["yesterday", "7", "0d", "2026-13-01"])
async def test_a_time_that_is_none_is_said_to_be_none(books: Books, strict: Path, given: str) -> None:
    done = run("--policy", str(strict), "--from", str(books.folder), "--since", given)
    assert done.exit_code == 2
    assert "is no time" in done.stderr


def test_times() -> None:
    now = datetime(2026, 11, 29, 12, tzinfo=UTC)
    assert since("7d", now=now) == datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert since("2026-11-01", now=now) == datetime(2026, 11, 1, tzinfo=UTC)
    assert since("2026-11-01T10:00:00+02:00", now=now) == datetime(2026, 11, 1, 8, tzinfo=UTC)
