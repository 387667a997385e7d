"""A repository tightens the deployment's policy, and whatever it says, it never loosens it."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hitl.approval.approvers import ApprovalRule, Escalation, Key, Path, People, Requesters, StepUps
from hitl.approval.decision import UNVERIFIED
from hitl.approval.grant import execution_expiry
from hitl.approval.plan import Cost
from hitl.policy.loosening import find_loosening
from hitl.policy.rules import Allow, Budget, Deny, Environment, Policy, Rule, approval_rule, evaluate
from hitl.policy.tighten import tighten
from hitl.policy.tightening import Tightening
from hitl.protocol import Effect, Phase, PolicyContext, RefusalReason

OPENED: Final = datetime(2026, 11, 1, tzinfo=UTC)
UPDATE: Final = "pulumi.update_stack"
ENVIRONMENTS: Final = ("staging", "live")
ACTIONS: Final = (UPDATE, "pulumi.destroy_stack", "neon.delete_branch", "github.read_file")
PATTERNS: Final = (*ACTIONS, "pulumi.*", "neon.*", "*")
GROUPS: Final = ("platform", "leads", "emergency")
PEOPLE: Final = People(
    groups={
        "platform": frozenset({"alice", "bob", "carol"}),
        "leads": frozenset({"carol", "dave"}),
        "emergency": frozenset({"alice", "dave"}),
        "others": frozenset({"erin"}),
    },
    keys={"alice": (Key(id="a", public_key="a", host="localhost"),)},
)
CONTEXTS: Final = (
    PolicyContext(),
    PolicyContext.of_repository("acme/shop"),
    PolicyContext(resource="live", cost=30, repository_owner="acme", repository_name="infra"),
)
COSTS: Final = (
    None,
    *(Cost(usd_cents=cents, per=per) for cents in (0, 900, 9000) for per in ("once", "hour", "month")),
)


def rule(**given_: Any) -> ApprovalRule:
    told: dict[str, Any] = {
        "name": "environments.live.approvals[0]",
        "line": 9,
        "action": UPDATE,
        "groups": ("platform",),
    }
    return ApprovalRule(**(told | given_))


def policy(*approvals: ApprovalRule, phase: Phase = Phase.PRODUCTION, budget: Budget | None = None) -> Policy:
    allowed = tuple(Rule(name="allow", line=3, verdict="allow", action=action) for action in ACTIONS[:3])
    live = Environment(phase=phase, rules=allowed, approvals=approvals, slack_channel="C0LIVE", budget=budget)
    return Policy(source="policy.yaml", environments={"live": live, "staging": live}, people=PEOPLE)


def asked(**said: Any) -> Tightening:
    return Tightening.model_validate(said)


def tightened(found: Policy, wanted: Tightening) -> Policy:
    return tighten(found, wanted, source="banksman.yaml")


def approval(
    found: Policy, *, action: str = UPDATE, path: Path = Path.ORDINARY, environment: str = "live"
) -> ApprovalRule:
    one = approval_rule(found, environment, action=action, path=path)
    assert isinstance(one, ApprovalRule)
    return one


def verdict(found: Policy, *, action: str = UPDATE, environment: str = "live", **context: Any) -> Allow | Deny:
    return evaluate(found, environment, action=action, effect=Effect.DESTRUCTIVE, context=PolicyContext(**context))


# What is asked and stricter, holds.

STRICTER: Final = (
    ({"quorum": 3}, "quorum", 3),
    ({"groups": ["platform"]}, "groups", ("platform",)),
    ({"also": ["leads"]}, "also", ("leads",)),
    ({"approve_within": "4h"}, "approve_within", timedelta(hours=4)),
    ({"execute_within": "10m"}, "execute_within", timedelta(minutes=10)),
    ({"cost_limits": {"month": 5}}, "cost_limits", {"month": 5}),
    ({"unverified_requester": "deny"}, "unverified_requester", Requesters.DENY),
    ({"step_up": "webauthn"}, "step_up", StepUps.WEBAUTHN),
    ({"escalate": False}, "escalation", None),
)


@pytest.mark.parametrize(("said", "field", "expected"), STRICTER, ids=[field for _, field, _ in STRICTER])
def test_what_is_stricter_holds_and_people_are_asked_by_another_rule(
    said: dict[str, Any], field: str, expected: object
) -> None:
    of = rule(groups=("platform", "leads"), escalation=Escalation(group="emergency", after=timedelta(hours=1)))
    found = approval(tightened(policy(of), asked(approvals=[{"action": UPDATE, **said}])))
    assert getattr(found, field) == expected
    assert found.digest("live", UPDATE) != of.digest("live", UPDATE)
    assert str(found) == "environments.live.approvals[0] (line 9), tightened by banksman.yaml (line 1)"


def test_an_emergency_path_can_be_closed_and_keeps_its_own_people_otherwise() -> None:
    emergency = rule(path=Path.BREAK_GLASS, groups=("emergency",), quorum=2)
    of = policy(rule(), emergency)
    closed = tightened(of, asked(approvals=[{"action": "*", "break_glass": False}]))
    assert not isinstance(approval_rule(closed, "live", action=UPDATE, path=Path.BREAK_GLASS), ApprovalRule)
    assert isinstance(approval_rule(closed, "live", action=UPDATE), ApprovalRule)
    narrowed = tightened(of, asked(approvals=[{"action": UPDATE, "groups": ["leads"], "quorum": 1}]))
    assert approval(narrowed, path=Path.BREAK_GLASS).groups == ("emergency",)


def test_what_is_denied_is_denied_there_and_only_there_with_the_reason_and_whom_to_ask() -> None:
    said = {"deny": "pulumi.*", "where": {"resource": "live"}, "because": "frozen", "environments": ["live"]}
    found = tightened(policy(rule()), asked(actions=[said]))
    refused = verdict(found, resource="live")
    assert isinstance(refused, Deny)
    assert refused.reason is RefusalReason.DENY_RULE
    assert (
        "denied by banksman.yaml: policy.actions[0] (line 1): frozen; its owners can change it" in refused.explanation
    )
    assert isinstance(verdict(found, resource="other"), Allow)
    assert isinstance(verdict(found, resource="live", environment="staging"), Allow)


def test_fewer_environments_a_lower_phase_and_a_smaller_budget() -> None:
    found = tightened(policy(rule()), asked(environments=["staging"], budget={"day": 10}))
    assert "the service is for staging alone" in verdict(found).explanation
    assert isinstance(verdict(found, environment="staging"), Allow)
    assert found.environments["staging"].budget == Budget(day=1000)
    lower = verdict(tightened(policy(rule()), asked(phase="read_only")))
    assert isinstance(lower, Deny)
    assert lower.reason is RefusalReason.PHASE


def test_a_narrower_action_has_the_wider_rule_of_the_deployment_and_what_is_asked() -> None:
    found = tightened(policy(rule(action="*", quorum=2)), asked(approvals=[{"action": UPDATE, "quorum": 3}]))
    assert approval(found).quorum == 3
    assert approval(found, action="pulumi.destroy_stack").quorum == 2


def test_a_wider_action_is_about_the_narrower_rules_of_the_deployment_too() -> None:
    of = policy(rule(action="*"), rule(quorum=2), rule(action="neon.delete_branch"))
    found = tightened(of, asked(approvals=[{"action": "pulumi.*", "quorum": 3}]))
    assert [approval(found, action=action).quorum for action in ACTIONS] == [3, 3, 1, 1]


def test_nobody_is_reminded_or_asked_when_it_is_over() -> None:
    late = timedelta(hours=5)
    of = rule(remind_after=late, escalation=Escalation(group="leads", after=late))
    found = approval(tightened(policy(of), asked(approvals=[{"action": UPDATE, "approve_within": "4h"}])))
    assert (found.remind_after, found.escalation) == (None, None)


# What would loosen, changes nothing.

LOOSER: Final = (
    ({"quorum": 1}, "quorum"),
    ({"groups": ["platform", "emergency"]}, "groups"),
    ({"approve_within": "366d"}, "approve_within"),
    ({"execute_within": "366d"}, "execute_within"),
    ({"cost_limits": {"month": 10**9}}, "cost_limits"),
    ({"unverified_requester": "one_more"}, "unverified_requester"),
)


@pytest.mark.parametrize(("said", "field"), LOOSER, ids=[field for _, field in LOOSER])
def test_what_would_loosen_changes_nothing(said: dict[str, Any], field: str) -> None:
    of = rule(quorum=2, cost_limits={"month": 20}, unverified_requester=Requesters.DENY, step_up=StepUps.WEBAUTHN)
    found = approval(tightened(policy(of), asked(approvals=[{"action": "*", **said}])))
    assert getattr(found, field) == getattr(of, field)
    assert found.digest("live", UPDATE) == of.digest("live", UPDATE)


def test_a_group_of_ones_own_is_nobody_and_not_a_way_in() -> None:
    found = approval(tightened(policy(rule()), asked(approvals=[{"action": UPDATE, "groups": ["emergency"]}])))
    assert PEOPLE.members(found.all_groups) == frozenset()


def test_who_is_asked_later_is_not_asked_where_other_groups_alone_count() -> None:
    of = rule(groups=("platform", "leads"), escalation=Escalation(group="emergency", after=timedelta(hours=1)))
    found = approval(tightened(policy(of), asked(approvals=[{"action": UPDATE, "groups": ["platform"]}])))
    assert found.all_groups == ("platform",)


def test_a_group_that_must_be_among_them_decides_nothing_by_that() -> None:
    of = rule(groups=("leads",))
    found = approval(tightened(policy(of), asked(approvals=[{"action": UPDATE, "also": ["emergency"]}])))
    assert found.all_groups == of.all_groups


def test_a_cost_of_another_kind_stays_over_the_limit() -> None:
    said = {"action": UPDATE, "cost_limits": {"hour": 100}}
    found = approval(tightened(policy(rule(cost_limits={"month": 20})), asked(approvals=[said])))
    assert found.refuse_cost(Cost(usd_cents=1, per="hour")) is not None
    assert found.refuse_cost(Cost(usd_cents=1, per="month")) is not None


def test_nobody_approves_what_the_deployment_lets_nobody_approve() -> None:
    found = tightened(policy(), asked(approvals=[{"action": UPDATE, "groups": ["platform"], "quorum": 1}]))
    assert not isinstance(approval_rule(found, "live", action=UPDATE), ApprovalRule)


def test_neither_phase_nor_budget_grow_and_no_environment_is_added() -> None:
    of = policy(rule(), phase=Phase.READ_ONLY, budget=Budget(goal=100))
    found = tightened(of, asked(phase="production", environments=["other", "live"], budget={"goal": 1000}))
    assert found.environments["live"].phase is Phase.READ_ONLY
    assert found.environments["live"].budget == Budget(goal=100)
    assert set(found.environments) == set(of.environments)


@pytest.mark.parametrize(
    "said",
    [
        {"actions": [{"allow": UPDATE}]},
        {"actions": [{"deny": UPDATE, "allow": UPDATE}]},
        {"approvals": [{"action": UPDATE, "break_glass": {"groups": ["platform"]}}]},
        {"approvals": [{"action": UPDATE, "break_glass": True}]},
        {"approvals": [{"action": UPDATE, "escalate": {"group": "leads", "after": "1h"}}]},
        {"approvals": [{"action": UPDATE, "unverified_requester": "allow"}]},
        {"approvals": [{"action": UPDATE, "quorum": 0}]},
        {"approvals": [{"action": UPDATE, "quorum": -2}]},
        {"approvals": [{"action": UPDATE, "cost_limits": {"month": -1}}]},
        {"approvals": [{"action": UPDATE, "remind_after": "1h"}]},
        {"approvals": [{"action": UPDATE}]},
        {"people": {"mallory": ["slack:U0MALLORY"]}},
        {"groups": {"platform": ["mallory"]}},
        {"keys": {}},
        {"slack_channel": "C0MINE"},
    ],
)
def test_there_is_no_word_for_loosening(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        asked(**said)


# Whatever it says.

_durations = st.sampled_from(["1m", "30m", "4h", "7d", "366d"])
_environments = st.none() | st.lists(st.sampled_from([*ENVIRONMENTS, "other"]), min_size=1, max_size=2, unique=True)
_times = st.sampled_from([timedelta(minutes=5), timedelta(hours=4), timedelta(days=30)])
_limits = st.dictionaries(st.sampled_from(["once", "hour", "month"]), st.integers(0, 100))
_budgets = st.none() | st.builds(Budget, day=st.none() | st.integers(0, 9000), goal=st.none() | st.integers(0, 9000))
_where = st.fixed_dictionaries(
    {}, optional={"repository_owner": st.sampled_from(["acme", "*"]), "cost": st.just("> 20")}
)


@st.composite
def environments(draw: st.DrawFn) -> Environment:
    approvals: list[ApprovalRule] = []
    for action in draw(st.lists(st.sampled_from(PATTERNS), unique=True, max_size=4)):
        one = ApprovalRule(
            name="rule",
            line=1,
            action=action,
            groups=tuple(draw(st.lists(st.sampled_from(GROUPS), min_size=1, unique=True))),
            quorum=draw(st.integers(1, 4)),
            approve_within=draw(_times),
            execute_within=draw(_times),
            remind_after=draw(st.none() | _times),
            escalation=draw(st.none() | st.builds(Escalation, group=st.sampled_from(GROUPS), after=_times)),
            cost_limits=draw(_limits),
            unverified_requester=draw(st.sampled_from(Requesters)),
            step_up=draw(st.none() | st.just(StepUps.WEBAUTHN)),
        )
        approvals.append(one)
        if draw(st.booleans()):
            approvals.append(rule(action=action, path=Path.BREAK_GLASS, groups=("emergency",), quorum=2))
    verdicts = st.sampled_from(["allow", "deny"])
    rules = st.builds(
        Rule, name=st.just("r"), line=st.just(1), verdict=verdicts, action=st.sampled_from(PATTERNS), where=_where
    )
    return Environment(
        phase=draw(st.sampled_from(Phase)),
        rules=tuple(draw(st.lists(rules, max_size=4))),
        approvals=tuple(approvals),
        budget=draw(_budgets),
    )


policies = st.builds(
    Policy,
    source=st.just("policy.yaml"),
    environments=st.fixed_dictionaries(dict.fromkeys(ENVIRONMENTS, environments())),
    people=st.just(PEOPLE),
)
_more = st.fixed_dictionaries(
    {"action": st.sampled_from(PATTERNS), "quorum": st.integers(1, 20)},
    optional={
        "environments": _environments,
        "groups": st.lists(st.sampled_from([*GROUPS, "mine"]), min_size=1, unique=True),
        "also": st.lists(st.sampled_from([*GROUPS, "mine"]), min_size=1, unique=True),
        "approve_within": _durations,
        "execute_within": _durations,
        "cost_limits": _limits,
        "unverified_requester": st.sampled_from(["one_more", "deny"]),
        "step_up": st.just("webauthn"),
        "escalate": st.sampled_from([False]),
        "break_glass": st.sampled_from([False]),
    },
)
_denials = st.fixed_dictionaries(
    {"deny": st.sampled_from(PATTERNS)}, optional={"where": _where, "environments": _environments}
)
tightenings = st.fixed_dictionaries(
    {},
    optional={
        "environments": _environments,
        "phase": st.sampled_from(Phase),
        "actions": st.lists(_denials, max_size=3),
        "approvals": st.lists(_more, max_size=4),
        "budget": st.fixed_dictionaries({"day": st.integers(0, 100)}, optional={"goal": st.integers(0, 100)}),
    },
).map(Tightening.model_validate)


def looser(now: ApprovalRule, before: ApprovalRule) -> list[str]:
    """In what a rule is looser than it was."""
    found = {
        "people": now.quorum < before.quorum,
        "strangers": now.unverified_requester is not Requesters.DENY
        and now.needs(UNVERIFIED) < before.needs(UNVERIFIED),
        "who asked": before.unverified_requester is Requesters.DENY and now.unverified_requester is not Requesters.DENY,
        "members": not PEOPLE.members(now.all_groups) <= PEOPLE.members(before.all_groups),
        "at once": not PEOPLE.members(now.groups) <= PEOPLE.members(before.groups),
        "deciding": now.approve_within > before.approve_within,
        "carrying out": now.execute_within > before.execute_within,
        "expiry": execution_expiry(OPENED, now) > execution_expiry(OPENED, before),
        "cost": any(before.refuse_cost(cost) and not now.refuse_cost(cost) for cost in COSTS),
        "step up": before.step_up is not None and now.step_up is None,
        "also": not set(before.also) <= set(now.also),
        "path": now.path is not before.path,
    }
    return [what for what, worse in found.items() if worse]


@settings(max_examples=300, deadline=None)
@given(before=policies, wanted=tightenings)
def test_whatever_is_asked_nothing_becomes_looser(before: Policy, wanted: Tightening) -> None:
    now = tightened(before, wanted)
    assert now.people == before.people
    assert set(now.environments) == set(before.environments)
    for environment, action, effect, context in product((*ENVIRONMENTS, "other"), ACTIONS, Effect, CONTEXTS):
        was, after = (
            evaluate(one, environment, action=action, effect=effect, context=context) for one in (before, now)
        )
        assert isinstance(was, Allow) or isinstance(after, Deny)
    for environment, action, path in product(ENVIRONMENTS, ACTIONS, Path):
        after = approval_rule(now, environment, action=action, path=path)
        if isinstance(after, ApprovalRule):
            was = approval_rule(before, environment, action=action, path=path)
            assert isinstance(was, ApprovalRule)
            assert looser(after, was) == []
    for name, one in before.environments.items():
        for cents in (0, 50, 5000, 9500):
            budget = now.environments[name].budget
            assert not (one.budget and one.budget.refuse(cents)) or (budget and budget.refuse(cents))
        assert now.environments[name].slack_channel == one.slack_channel


@settings(max_examples=100, deadline=None)
@given(before=policies, wanted=tightenings, more=tightenings)
def test_a_second_one_loosens_nothing_of_the_first_and_asking_nothing_changes_nothing(
    before: Policy, wanted: Tightening, more: Tightening
) -> None:
    assert tightened(before, Tightening()) == before
    first = tightened(before, wanted)
    second = tightened(first, more)
    for environment, action, path in product(ENVIRONMENTS, ACTIONS, Path):
        after = approval_rule(second, environment, action=action, path=path)
        was = approval_rule(first, environment, action=action, path=path)
        assert not isinstance(after, ApprovalRule) or (isinstance(was, ApprovalRule) and looser(after, was) == [])


# What its author is told.

ONE: Final = rule(quorum=2, cost_limits={"month": 20}, approve_within=timedelta(days=1))


@pytest.mark.parametrize(
    ("said", "where", "part"),
    [
        ({"environments": ["stagin"]}, ("environments", 0), "no environment 'stagin'; did you mean 'staging'?"),
        (
            {"actions": [{"deny": "*", "environments": ["x"]}]},
            ("actions", 0, "environments", 0),
            "It has live, staging",
        ),
        ({"phase": "production"}, ("phase",), "write non_critical_writes or less"),
        ({"budget": {"day": 30}}, ("budget", "day"), "$30 is more than the $20 of the deployment"),
        ({"approvals": [{"action": "*", "quorum": 4}]}, ("approvals", 0, "action"), ""),
        ({"approvals": [{"action": "neon.*", "quorum": 4}]}, ("approvals", 0, "action"), "no rule on who approves"),
        ({"approvals": [{"action": UPDATE, "quorum": 1}]}, ("approvals", 0, "quorum"), "1 is fewer than the 2"),
        ({"approvals": [{"action": UPDATE, "quorum": 4}]}, ("approvals", 0, "quorum"), "nobody could ever approve"),
        (
            {"approvals": [{"action": UPDATE, "groups": ["leds"]}]},
            ("approvals", 0, "groups", 0),
            "did you mean 'leads'",
        ),
        ({"approvals": [{"action": UPDATE, "also": ["ledas"]}]}, ("approvals", 0, "also", 0), "did you mean 'leads'"),
        ({"approvals": [{"action": UPDATE, "also": ["others"]}]}, ("approvals", 0, "also"), "nobody of 'others' may"),
        ({"approvals": [{"action": UPDATE, "step_up": "webauthn"}]}, ("approvals", 0, "step_up"), "with a key"),
        (
            {"approvals": [{"action": UPDATE, "approve_within": "2d"}]},
            ("approvals", 0, "approve_within"),
            "than the 1d",
        ),
        (
            {"approvals": [{"action": UPDATE, "execute_within": "2h"}]},
            ("approvals", 0, "execute_within"),
            "longer than the 1h",
        ),
        (
            {"approvals": [{"action": UPDATE, "cost_limits": {"month": 21}}]},
            ("approvals", 0, "cost_limits", "month"),
            "$21 is more than the $20",
        ),
    ],
)
def test_its_author_is_told_what_changes_nothing(said: dict[str, Any], where: tuple[str | int, ...], part: str) -> None:
    of = policy(ONE, phase=Phase.NON_CRITICAL_WRITES, budget=Budget(day=2000))
    found = dict(find_loosening(of, asked(**said)))
    if not part:
        assert where not in found
        return
    assert part in found[where]


def test_what_tightens_is_no_mistake() -> None:
    said = {
        "environments": ["live"],
        "phase": "read_only",
        "budget": {"day": 5},
        "actions": [{"deny": "neon.*"}],
        "approvals": [{"action": UPDATE, "quorum": 3, "approve_within": "4h", "cost_limits": {"month": 5}}],
    }
    of = policy(ONE, phase=Phase.NON_CRITICAL_WRITES, budget=Budget(day=2000))
    assert list(find_loosening(of, asked(**said))) == []
