"""The parts of a deployment that need no server: its risk, what it does not do, when something was well for long."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from activities.github.contracts import MERGE_PULL_REQUEST
from activities.neon.migrations.contracts import MIGRATE_DATABASE
from activities.pulumi.contracts import UPDATE_STACK, Deployment
from hitl.approval.plan import Change, Plan, Resource, Risk
from hitl.approval.stricter import Stricter
from hitl.policy.tightening import Tightening
from tests.replay.record import HISTORIES
from tests.workflows.deploy_feature.deploying import MANIFEST
from tests.workflows.manifest.told import WHOLE
from workflows.deploy_feature.base_manifest import Base, Irreconcilable, base_of, difference_lines, stricter_of_both
from workflows.deploy_feature.goals import DeployNewFeatureInput, RiskClass
from workflows.deploy_feature.planning import MOST_LINES, cut
from workflows.deploy_feature.preparing import previous
from workflows.deploy_feature.refusals import held_nowhere, not_done, unknown_environments
from workflows.deploy_feature.risk import risk_class
from workflows.deploy_feature.streak import Streak
from workflows.manifest.reading import read_manifest

_NEEDS = read_manifest(WHOLE.encode()).manifest.needs
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


def plan(change: Change, risk: Risk = Risk.LOW) -> Plan:
    part = Resource(kind="container", name="web", change=change)
    return Plan(action="pulumi.update_stack", parameters={}, resources=(part,), summary=("x",), risk=risk)


def test_every_step_that_nobody_approves_is_known_as_one() -> None:
    kept = [HISTORIES / "DeployNewFeature" / f"{name}.json" for name in ("undone", "migrated-and-undone")]
    recorded = "\n".join(one.read_text(encoding="utf-8") for one in kept)
    begun = set(re.findall(r'"activityType":\s*{\s*"name":\s*"([a-z_.]+)"', recorded))
    asking = {one for one in begun if one.startswith(("approval.", "hitl."))}
    people = {UPDATE_STACK.name, MERGE_PULL_REQUEST.name, MIGRATE_DATABASE.name, *asking}
    asked = {f"policy.actions[0]: `deny: {name}`" for name in begun - people}
    said = {
        held_nowhere(Tightening.model_validate({"actions": [{"deny": name}]}), _NEEDS)[0].split(" means")[0]
        for name in begun - people
    }
    assert said == asked
    assert not any(held_nowhere(Tightening.model_validate({"actions": [{"deny": name}]}), _NEEDS) for name in people)


@pytest.mark.parametrize(
    ("plans", "way_back", "risk"),
    [
        ([], True, RiskClass.R0),
        ([plan(Change.CREATE), plan(Change.UPDATE)], True, RiskClass.R1),
        ([plan(Change.UPDATE)], False, RiskClass.R2),
        ([plan(Change.UPDATE), plan(Change.REPLACE)], True, RiskClass.R2),
        ([plan(Change.DELETE)], True, RiskClass.R2),
        ([plan(Change.UPDATE, Risk.MEDIUM)], True, RiskClass.R2),
        ([plan(Change.UPDATE), plan(Change.DELETE, Risk.HIGH)], True, RiskClass.R3),
        ([plan(Change.UPDATE, Risk.HIGH)], False, RiskClass.R3),
    ],
)
def test_the_risk_is_that_of_the_worst_step(plans: list[Plan], *, way_back: bool, risk: RiskClass) -> None:
    assert risk_class(plans, way_back=way_back) is risk


def test_a_manifest_with_all_that_can_be_needed_is_carried_out_whole() -> None:
    assert not_done(read_manifest(WHOLE.encode()).manifest, ("staging", "production")) == ()


def test_of_a_migration_what_is_not_carried_out_is_named() -> None:
    text = WHOLE.replace(
        "  database: orders\n\n", "  database: orders\n  limits: {cpus: 2, time: 5m}\n  artifacts: [x]\n\n"
    ).replace('command: [alembic, downgrade, "-1"]', "command: [a]\n    purpose: git\n    limits: {memory_mib: 2048}")
    text = text.replace("      database: orders\n", "      database: an.odd.name\n")
    asks = not_done(read_manifest(text.encode()).manifest, ("staging",))
    assert [one.split(": ")[0] for one in asks if not one.startswith("needs")] == [
        "migrate.limits.cpus",
        "migrate.artifacts",
        "migrate",
        "rollback.down.limits.memory_mib",
        "rollback.down.purpose",
        "rollback.down",
    ]
    assert any(one.startswith("migrate: database: ") for one in asks)


def _asks(**asked: object) -> Stricter:
    return Stricter(
        source="banksman.yaml",
        asked=Tightening.model_validate(asked).model_dump(mode="json", exclude_none=True, exclude_defaults=True),
    )


def test_of_what_a_feature_and_its_base_ask_the_stricter_holds() -> None:
    feature = _asks(
        phase="production", environments=["staging", "production"], budget={"day": 5}, actions=[{"deny": "a.b"}]
    )
    base = _asks(
        phase="read_only",
        environments=["staging"],
        budget={"day": 9, "goal": 3},
        actions=[{"deny": "c.d"}, {"deny": "a.b"}],
        approvals=[{"action": "a.*", "quorum": 2}],
    )
    both = stricter_of_both(feature, base)
    assert both is not None
    assert both.asked == {
        "phase": "read_only",
        "environments": ["staging"],
        "budget": {"day": 5, "goal": 3},
        "actions": [{"deny": "a.b"}, {"deny": "c.d"}],
        "approvals": [{"action": "a.*", "quorum": 2}],
    }
    assert stricter_of_both(None, base) is base
    assert stricter_of_both(feature, None) is feature


def test_where_a_feature_and_its_base_leave_no_environment_nothing_is_planned() -> None:
    with pytest.raises(Irreconcilable, match="is for staging alone, and that of the base for production"):
        stricter_of_both(_asks(environments=["staging"]), _asks(environments=["production"]))


def test_a_long_difference_of_manifests_is_cut_and_counted() -> None:
    base = base_of("main", MANIFEST + "# a\n" * 20, "f")
    told = list(difference_lines(base, MANIFEST))
    assert (told[0], len(told), told[-1]) == (
        "Manifest: 20 lines differ from main",
        12,
        "and 10 lines more of the manifest",
    )
    assert list(difference_lines(base_of("main", MANIFEST, "f"), MANIFEST)) == []
    assert list(difference_lines(Base(branch="main"), MANIFEST)) == ["Manifest: main has none"]
    assert "has 1 mistakes, so nobody knows" in next(difference_lines(base_of("main", MANIFEST + "x: 1\n", "f"), "a"))


def test_what_another_environment_needs_is_not_asked_for() -> None:
    text = WHOLE.replace("      database: orders\n", "      database: an.odd.name\n      environments: [production]\n")
    manifest = read_manifest(text.encode()).manifest
    assert not [one for one in not_done(manifest, ("staging",)) if "an.odd.name" in one or "database: " in one]
    assert any(one.startswith("migrate: database: ") for one in not_done(manifest, ("production",)))


def test_a_manifest_that_is_carried_out_whole_asks_for_nothing_else() -> None:
    manifest = read_manifest(MANIFEST.encode()).manifest
    assert not_done(manifest, ("staging", "production")) == ()
    assert unknown_environments(manifest, ("staging",)) == ()


def _walk(looks: str, *, lasts: int = 2, tolerate: int = 0) -> list[bool]:
    """One look a second, `+` where it is well."""
    streak = Streak(timedelta(seconds=lasts), tolerate=tolerate)
    return [streak.look(NOON + timedelta(seconds=at), well=one == "+") for at, one in enumerate(looks)]


@pytest.mark.parametrize(
    ("looks", "tolerate", "lasted"),
    [
        ("+++", 0, [False, False, True]),
        ("+-+++", 0, [False, False, False, False, True]),
        ("--+++", 0, [False] * 4 + [True]),
        ("+-+", 1, [False, False, True]),
        ("+--+++", 1, [False] * 5 + [True]),
        ("+--", 2, [False] * 3),
    ],
)
def test_it_is_well_when_it_was_so_for_long_enough_without_a_break(
    looks: str, tolerate: int, lasted: list[bool]
) -> None:
    assert _walk(looks, tolerate=tolerate) == lasted


def test_it_is_given_up_when_there_is_no_time_left_for_it_to_last() -> None:
    streak = Streak(timedelta(seconds=10))
    later = NOON + timedelta(seconds=1)
    assert streak.can_last(NOON + timedelta(seconds=11), next_look=later)
    assert not streak.can_last(NOON + timedelta(seconds=10), next_look=later)
    streak.look(NOON, well=True)
    assert streak.can_last(NOON + timedelta(seconds=10), next_look=later)


def test_the_way_back_is_to_what_runs_now_and_to_nothing_older() -> None:
    known = Deployment(version=3, kind="update", result="succeeded", commit="3" * 40)
    unknown = Deployment(version=4, kind="update", result="succeeded")
    failed = Deployment(version=5, kind="update", result="failed", commit="5" * 40)
    refreshed = Deployment(version=6, kind="refresh", result="succeeded")
    assert previous((refreshed, failed, known)) is known
    assert previous((unknown, known)) is None
    assert previous(()) is None


def test_a_plan_that_would_be_too_long_is_cut_and_says_so() -> None:
    told = cut(["x" * 600, *("line" for _ in range(60))])
    assert (len(told), told[-1], len(told[0])) == (MOST_LINES, "and 12 more lines", 500)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "write one of them"),
        ({"branch": "a", "pull_request": 1}, "not both"),
        ({"branch": "a", "environments": ("x", "x")}, "names one twice"),
        ({"branch": "a", "environments": ()}, "at least 1"),
        ({"branch": "a", "environments": ("X",)}, "should match"),
    ],
)
def test_what_is_not_meant_is_refused_at_once(given: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        DeployNewFeatureInput.model_validate({"repository": "acme/shop"} | given)


def test_a_goal_is_known_by_its_branch_or_pull_request() -> None:
    branch = DeployNewFeatureInput(repository="acme/shop", branch="feature/cart")
    pull = DeployNewFeatureInput(repository="acme/shop", pull_request=7, break_glass=True)
    assert branch.business_key() == "deploy-new-feature/acme/shop/feature/cart"
    assert pull.business_key() == "deploy-new-feature-break-glass/acme/shop/#7"
    assert pull.summary() == "BREAK GLASS: Deploy #7 of acme/shop"
