"""By what an effect is known: what it touches, and no id that a run makes for itself."""

import base64

import pytest

from activities.approvals.contracts import RESOLVE_RULE, ResolveRule
from activities.approvals.surprise_contracts import ALLOW_SURPRISE
from activities.effect import effect_of, effect_of_plan
from activities.github.contracts import (
    CHECK_RUN,
    COMMIT_FILES,
    DELETE_BRANCH,
    OPEN_PULL_REQUEST,
    READ_FILE,
    CheckRunRequest,
    CommitFilesRequest,
    FileToCommit,
    OpenPullRequestRequest,
    ReadFileRequest,
)
from activities.guard.granted import GrantedRequest
from hitl.approval.plan import Change, Cost, Plan, Resource, Risk

REPOSITORY = "acme/shop"
COMMIT = CommitFilesRequest(
    repository=REPOSITORY,
    branch="feature/a",
    files=(FileToCommit(path="a", content_base64=base64.b64encode(b"x").decode()),),
    message="Say hello",
)


def plan(*resources: str, head: str = "a" * 40, prepared: str = "sha256:1") -> Plan:
    return Plan(
        action="github.delete_branch",
        parameters={"repository": REPOSITORY, "branch": "old", "expected_head": head, "prepared": prepared},
        resources=tuple(Resource(kind="git branch", name=one, change=Change.DELETE) for one in resources),
        summary=("Delete it",),
        risk=Risk.LOW,
        cost=Cost(usd_cents=30, per="once"),
    )


def test_what_only_reads_or_asks_people_has_no_effect_outside() -> None:
    text = plan("old").text()
    assert effect_of(READ_FILE, ReadFileRequest(repository=REPOSITORY, path="a")) is None
    assert effect_of(RESOLVE_RULE, ResolveRule(plan=text)) is None
    assert effect_of(ALLOW_SURPRISE, GrantedRequest(plan=text, decisions=())) is None


def test_a_commit_is_its_branch_and_its_files() -> None:
    found = effect_of(COMMIT_FILES, COMMIT)
    assert found is not None
    assert found.on[:2] == (f"repository {REPOSITORY}", "branch feature/a")
    assert found.on[2].startswith("file a ")


@pytest.mark.parametrize(
    "other",
    [
        {"branch": "feature/b"},
        {"repository": "acme/other"},
        {"files": (FileToCommit(path="b", content_base64="eA=="),)},
        {"files": (FileToCommit(path="a", content_base64="eQ=="),)},
        {"files": (FileToCommit(path="a", content_base64=None),)},
    ],
)
def test_another_commit_is_another_effect(other: dict[str, object]) -> None:
    assert effect_of(COMMIT_FILES, COMMIT.model_copy(update=other)) != effect_of(COMMIT_FILES, COMMIT)


def test_what_is_said_around_it_is_not_what_it_is() -> None:
    pull = OpenPullRequestRequest(repository=REPOSITORY, head="a", base="main", title="T", body="at noon")
    assert effect_of(OPEN_PULL_REQUEST, pull) == effect_of(
        OPEN_PULL_REQUEST, pull.model_copy(update={"body": "at one"})
    )
    check = CheckRunRequest(
        repository=REPOSITORY, commit="c" * 40, name="deploy", conclusion=None, title="Deploying", summary=""
    )
    done = check.model_copy(update={"conclusion": "success", "title": "Deployed", "summary": "in 3 s"})
    assert effect_of(CHECK_RUN, check) == effect_of(CHECK_RUN, done)


def test_a_destructive_step_is_what_its_plan_touches_in_any_order() -> None:
    found = effect_of(DELETE_BRANCH, GrantedRequest(plan=plan("a", "b").text(), decisions=()))
    assert found == effect_of_plan(plan("b", "a", prepared="sha256:2"))
    assert found is not None
    assert found.cents == 30
    assert "delete git branch a" in found.on


@pytest.mark.parametrize("other", [plan("a", "b", "c"), plan("a"), plan("a", "b", head="b" * 40)])
def test_one_more_thing_or_another_head_is_another_effect(other: Plan) -> None:
    assert effect_of_plan(other).identity != effect_of_plan(plan("a", "b")).identity
