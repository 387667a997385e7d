"""Plans: the same bytes and digest in every process and release, and strict reading."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import JsonValue, ValidationError

from hitl.approval.plan import (
    MAX_PLAN_BYTES,
    Change,
    Cost,
    Plan,
    PlanError,
    PlanParameters,
    Resource,
    Risk,
    plan_digest,
    read_plan,
    visible,
)
from hitl.canonical import NotCanonical, canonical_json, require_canonical
from hitl.protocol import PolicyContext

ROOT = Path(__file__).parents[3]

GOLDEN_TEXT = (
    '{"action":"github.delete_branch","cost":{"per":"month","usd_cents":1250},'
    '"parameters":{"branch":"feature/ünï","expected_head":"0123456789abcdef0123456789abcdef01234567",'
    '"force":false,"repository":"acme/shop"},'
    '"resources":[{"change":"delete","kind":"git branch","name":"feature/ünï of acme/shop"}],'
    '"risk":"medium","schema":"banksman-plan",'
    '"summary":["Delete the branch feature/ünï","2 commits are merged nowhere"],"version":1}'
)
GOLDEN_DIGEST = "sha256:7bd9cf427ec0e21bd20df6f80c69d0ad4336742a976d8882ce6877d888f569d8"


def plan(**changes: object) -> Plan:
    fields: dict[str, object] = {
        "action": "github.delete_branch",
        "parameters": {
            "repository": "acme/shop",
            "branch": "feature/ünï",
            "expected_head": "0123456789abcdef0123456789abcdef01234567",
            "force": False,
        },
        "resources": (Resource(kind="git branch", name="feature/ünï of acme/shop", change=Change.DELETE),),
        "summary": ("Delete the branch feature/ünï", "2 commits are merged nowhere"),
        "risk": Risk.MEDIUM,
        "cost": Cost(usd_cents=1250, per="month"),
    }
    return Plan.model_validate(fields | changes)


class DeleteBranch(PlanParameters):
    repository: str
    branch: str
    expected_head: str
    force: bool


def with_(**changes: JsonValue) -> str:
    """The golden plan's text with other top-level fields, canonical again."""
    return canonical_json(json.loads(GOLDEN_TEXT) | changes)


def test_the_bytes_and_the_digest_are_golden() -> None:
    assert plan().text() == GOLDEN_TEXT
    assert plan_digest(GOLDEN_TEXT) == GOLDEN_DIGEST


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_another_process_makes_the_same_bytes(seed: str) -> None:
    code = (
        "import sys; from hitl.approval.plan import plan_digest, read_plan\n"
        "text = read_plan(sys.argv[1]).text(); print(plan_digest(text), text == sys.argv[1])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, GOLDEN_TEXT],
        cwd=ROOT,
        env={"PYTHONHASHSEED": seed, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == [GOLDEN_DIGEST, "True"]


def test_what_is_written_is_read() -> None:
    assert read_plan(plan().text()) == plan()


def test_the_digest_is_of_a_plan_and_of_nothing_else() -> None:
    """The tag is in it: the plain hash of these bytes, which some other protocol may sign, is another."""
    assert plan_digest(GOLDEN_TEXT) != "sha256:" + hashlib.sha256(GOLDEN_TEXT.encode()).hexdigest()


@pytest.mark.parametrize(
    "text",
    [
        with_(risk="high"),
        with_(summary=["Tidy up"]),
        GOLDEN_TEXT.replace("acme/shop", "acme/shoq"),
        GOLDEN_TEXT.replace("1250", "1251"),
        GOLDEN_TEXT.replace('"force":false', '"force":true'),
    ],
)
def test_every_change_is_another_digest(text: str) -> None:
    read_plan(text)
    assert plan_digest(text) != GOLDEN_DIGEST


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (with_(note="hello"), "note"),
        (with_(version=2), "banksman-plan version 2"),
        (with_(version=True), "banksman-plan version True"),
        (with_(schema="terraform-plan"), "terraform-plan version 1"),
        (canonical_json({"schema": "\x1b[2J<b>", "version": 1}), "??2J?b?"),
        (with_(action="rm -rf"), "action"),
        (with_(action="github.*"), "action"),
        (with_(resources=[]), "resources"),
        (with_(resources=[{"kind": "x", "name": "y", "change": "delete", "more": 1}]), "more"),
        (with_(summary=[]), "summary"),
        (with_(summary=["harmless\u202egnp.exe"]), "U+202E"),
        (with_(summary=["one\ntwo"]), "U+000A"),
        (with_(risk="none"), "risk"),
        (with_(cost={"per": "month", "usd_cents": "1"}), "usd_cents"),
        (with_(parameters={"Repository": "x"}), "Repository"),
        (canonical_json({"schema": "banksman-plan", "version": 1}), "action"),
        ("[]", "None version None"),
        ("null", "None version None"),
        ("", "not JSON"),
        (GOLDEN_TEXT[:-1], "not JSON"),
        (GOLDEN_TEXT + " ", "canonical"),
        (GOLDEN_TEXT.replace('"risk"', ' "risk"'), "canonical"),
        (GOLDEN_TEXT.replace("ünï", "\\u00fcnï"), "canonical"),
        (GOLDEN_TEXT.replace('"version":1', '"version":1.0'), "canonical"),
        (GOLDEN_TEXT.replace('"risk":"medium"', '"risk":"low","risk":"medium"'), "canonical"),
        (GOLDEN_TEXT.replace("1250", "NaN"), "NaN"),
        (GOLDEN_TEXT.replace("1250", "9" * 30), "canonical"),
        (GOLDEN_TEXT.replace("1250", "9" * 5000), "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('"\\ud800"', "canonical"),
        (with_(summary=["x" * 501]), "500"),
    ],
)
def test_what_is_not_a_plan_of_this_release_is_refused(text: str, part: str) -> None:
    with pytest.raises(PlanError) as caught:
        read_plan(text)
    assert part in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_plan_that_nobody_would_read_is_refused() -> None:
    long = plan(parameters={"repository": "acme/shop", "diff": "x" * MAX_PLAN_BYTES})
    with pytest.raises(PlanError, match="128 KiB"):
        long.text()
    with pytest.raises(PlanError, match="128 KiB"):
        read_plan("x" * (MAX_PLAN_BYTES + 1))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, "\ud800"])
def test_what_json_cannot_say_alike_everywhere_is_refused(value: JsonValue) -> None:
    with pytest.raises(NotCanonical):
        canonical_json({"x": value})
    with pytest.raises((PlanError, ValidationError)):
        plan(parameters={"x": value}).text()


def test_canonical_is_a_fixed_point() -> None:
    require_canonical(canonical_json({"b": [1, 1.5, None, "é\n"], "a": {"\U0001f600": True, "z": -0.0}}))


def test_a_step_reads_its_parameters_and_nothing_else() -> None:
    assert read_plan(GOLDEN_TEXT).parameters_as(DeleteBranch).branch == "feature/ünï"


@pytest.mark.parametrize(
    ("parameters", "part"),
    [
        ({"repository": "acme/shop", "branch": "x", "expected_head": "y", "force": False, "also": "main"}, "also"),
        ({"repository": "acme/shop", "branch": "x", "expected_head": "y"}, "force"),
        ({"repository": "acme/shop", "branch": "x", "expected_head": "y", "force": "false"}, "force"),
    ],
)
def test_parameters_of_another_form_are_refused(parameters: JsonValue, part: str) -> None:
    with pytest.raises(PlanError, match=part):
        plan(parameters=parameters).parameters_as(DeleteBranch)


def test_a_step_that_would_overlook_a_parameter_is_a_mistake() -> None:
    class Careless(DeleteBranch, extra="ignore"): ...

    with pytest.raises(TypeError, match="unknown fields"):
        plan().parameters_as(Careless)


@pytest.mark.parametrize(
    ("cost", "dollars"),
    [
        (Cost(usd_cents=1_01, per="once"), 2),
        (Cost(usd_cents=20_00, per="month"), 20),
        (Cost(usd_cents=1_00, per="hour"), 744),
    ],
)
def test_rules_match_what_it_costs_in_a_month_at_most(cost: Cost, dollars: int) -> None:
    assert plan(cost=cost).policy_context().cost == dollars


@pytest.mark.parametrize(
    ("parameters", "resource"),
    [({"stack": "prod"}, "prod"), ({"resource": "x", "branch": "y"}, "x"), ({"branch": ["y"]}, None), ({}, None)],
)
def test_rules_match_the_one_thing_that_it_touches(parameters: dict[str, JsonValue], resource: str | None) -> None:
    context = plan(parameters={**parameters, "account": "acme-eu"}).policy_context()
    assert (context.resource, context.account) == (resource, "acme-eu")


def test_rules_match_the_repository_that_the_step_will_touch() -> None:
    touched = PolicyContext(repository_owner="acme", repository_name="shop", resource="feature/ünï", cost=13)
    assert plan().policy_context() == touched
    assert plan(parameters={}, cost=None).policy_context() == PolicyContext()
    for wrong in ("shop", ["acme/shop"], 7):
        with pytest.raises(ValueError, match="OWNER/NAME"):
            plan(parameters={"repository": wrong}).policy_context()


def test_parameters_are_shown_whole_and_nothing_hides_in_them() -> None:
    shown = plan(parameters={"branch": "a\u202eb\n*c*", "many": [1, {"x": None}]}).parameter_lines()
    assert shown == ["branch: a\\u202eb\\u000a*c*", 'many: [1,{"x":null}]']
    assert visible("ünï 😀") == "ünï 😀"
