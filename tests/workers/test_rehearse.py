"""What `banksman rehearse` and `banksman run --rehearsal` refuse before anything is asked of anybody."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer import Exit as Exit_
from typer.testing import CliRunner

from activities.copies.steps import copy_step_for
from connectors.provider import copied
from hitl.approval.rehearsal import Rehearsal, RehearsedEffect
from workers.cli import app
from workers.commands.copying import require_copy_of
from workers.commands.exits import Exit
from workers.commands.stack_copies import PULUMI
from workflows.catalogue import GOALS
from workflows.goal_type import GoalType
from workflows.repository.goals import DeleteBranchInput

REQUEST = DeleteBranchInput(repository="acme/shop", branch="old")
GIVEN = REQUEST.model_dump_json(exclude_unset=True)


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No environment is here."""
    monkeypatch.setenv("BANKSMAN_HOME", str(tmp_path / "s"))
    monkeypatch.setenv("COLUMNS", "1000")


def document(of: DeleteBranchInput = REQUEST) -> Rehearsal:
    return Rehearsal.sealed(
        goal="DeleteBranch",
        of=of.digest(),
        made_at=datetime.now(UTC),
        copied=(),
        effects=(RehearsedEffect(action="github.delete_branch", on=("branch old",)),),
        milliseconds=1,
    )


def refused(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.stderr


def run(rehearsal: str) -> tuple[int, str]:
    return refused("run", "DeleteBranch", "--input", GIVEN, "--rehearsal", rehearsal)


def test_a_goal_that_reaches_what_is_not_copied_cannot_be_rehearsed() -> None:
    code, said = refused("rehearse", "LeaseGpu", "--input", "{}")
    assert code == Exit.USAGE
    assert "LeaseGpu cannot be rehearsed" in said
    listed = ("DeleteBranch", "OpenPullRequest", "ReadFile", "ProvisionRedis", "RunInSandbox", "PreviewAndUp")
    assert all(name in said for name in (*listed, "DeployNewFeature"))


@pytest.mark.parametrize(
    "content", [b"{", b'{"of": "upstash", "part": "other"}', b'{"of": "neon", "part": ""}', b'{"of": "upstash"}']
)
def test_a_copy_of_another_account_or_provider_is_used_for_nothing(
    content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Exit_) as ended:
        require_copy_of("upstash", "", content)
    assert ended.value.exit_code != 0
    assert "nothing was rehearsed" in capsys.readouterr().err


def test_a_copy_of_what_was_asked_for_is_used() -> None:
    require_copy_of("upstash", "", b'{"of": "upstash", "part": "", "databases": []}')


@pytest.mark.parametrize("goal", [one for one in GOALS if one.rehearses], ids=lambda one: one.name)
def test_whatever_a_goal_reaches_is_copied_and_is_what_it_declares(goal: GoalType) -> None:
    reaches = goal.example.reaches()
    assert reaches
    assert reaches.keys() <= goal.rehearses <= copied().keys() | {PULUMI}
    assert all(name == "github" or copy_step_for(name, part) for name, part in reaches.items())


@pytest.mark.parametrize("user", [0, 1000])
def test_a_goal_that_needs_containers_is_refused_at_once_where_no_engine_can_start(
    user: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr("shutil.which", lambda *_, **_more: None)
    code, said = refused("rehearse", "RunInSandbox", "--input", '{"repository":"acme/shop","command":["true"]}')
    assert code == Exit.FAILED
    assert ("lacks dockerd, containerd" if user == 0 else "only root") in said


@pytest.mark.parametrize("role", ["connectors", "sandbox", "destructive"])
def test_a_worker_that_plays_its_effects_does_not_start_where_something_is_reached(
    role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BANKSMAN_VAULT_SECRET_ID_FILE", str(tmp_path / "secret-id"))
    monkeypatch.setenv("BANKSMAN_REHEARSAL", "true")
    code, said = refused("worker", role)
    assert code == Exit.FAILED
    assert "BANKSMAN_REHEARSAL is for the inside of a rehearsal" in said


def test_a_document_that_is_not_there_is_named_also_by_its_digest(tmp_path: Path) -> None:
    digest = "sha256:" + "a" * 64
    for named, shown in ((str(tmp_path / "no.json"), "no.json"), (digest, "rehearsals/" + "a" * 64)):
        code, said = run(named)
        assert code == Exit.USAGE
        assert f"{shown}" in said


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "JSON"),
        (json.dumps({**document().model_dump(mode="json"), "effects": []}), "not as it was made"),
        (document(DeleteBranchInput(repository="acme/shop", branch="other")).model_dump_json(), "of another input"),
    ],
)
def test_what_is_no_document_of_this_input_is_refused(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "r.json"
    file.write_text(content)
    code, said = run(str(file))
    assert code == Exit.USAGE
    assert says in said


def test_one_that_was_made_here_is_found_by_its_digest(tmp_path: Path) -> None:
    """It is taken, and then there is no Temporal to ask."""
    made = document()
    folder = tmp_path / "s" / "rehearsals"
    folder.mkdir(parents=True)
    (folder / f"{made.digest.removeprefix('sha256:')}.json").write_text(made.model_dump_json())
    assert run(made.digest)[0] == Exit.NO_STACK
