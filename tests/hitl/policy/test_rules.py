"""The table of verdicts."""

from itertools import product

import pytest

from hitl.policy.explain import explain
from hitl.policy.rules import Allow, Deny, Environment, Policy, Rule, evaluate
from hitl.protocol import Effect, Phase, PolicyContext, RefusalReason

SHOP = PolicyContext.of_repository("acme/shop")
NOTHING = PolicyContext()


def rule(verdict: str, action: str, **where: str) -> Rule:
    name = f"environments.here.actions[{verdict} {action}]"
    if verdict == "allow":
        return Rule(name=name, line=7, verdict="allow", action=action, where=where)
    return Rule(name=name, line=7, verdict="deny", action=action, where=where, because="it is frozen")


def policy(phase: Phase, *rules: Rule) -> Policy:
    return Policy(source="policy.yaml", environments={"here": Environment(phase=phase, rules=rules)})


def outcome(
    found: Policy,
    *,
    action: str = "github.open_pull_request",
    effect: Effect = Effect.WRITE,
    context: PolicyContext = SHOP,
) -> str:
    verdict = evaluate(found, "here", action=action, effect=effect, context=context)
    return "allow" if isinstance(verdict, Allow) else verdict.reason


@pytest.mark.parametrize(
    ("phase", "effect", "expected"),
    [
        (Phase.READ_ONLY, Effect.READ, "allow"),
        (Phase.READ_ONLY, Effect.WRITE, "phase"),
        (Phase.READ_ONLY, Effect.DESTRUCTIVE, "phase"),
        (Phase.NON_CRITICAL_WRITES, Effect.READ, "allow"),
        (Phase.NON_CRITICAL_WRITES, Effect.WRITE, "allow"),
        (Phase.NON_CRITICAL_WRITES, Effect.DESTRUCTIVE, "phase"),
        (Phase.PRODUCTION, Effect.READ, "allow"),
        (Phase.PRODUCTION, Effect.WRITE, "allow"),
        (Phase.PRODUCTION, Effect.DESTRUCTIVE, "no_allow_rule"),
    ],
)
def test_without_rules_the_phase_decides_and_what_destroys_is_denied(
    phase: Phase, effect: Effect, expected: str
) -> None:
    assert outcome(policy(phase), effect=effect) == expected


def test_no_rule_loosens_the_phase() -> None:
    assert outcome(policy(Phase.READ_ONLY, rule("allow", "*")), effect=Effect.WRITE) == "phase"


@pytest.mark.parametrize("rules", [("allow", "deny"), ("deny", "allow")])
def test_a_deny_wins_in_any_order(rules: tuple[str, str]) -> None:
    found = policy(Phase.PRODUCTION, *(rule(verdict, "github.open_pull_request") for verdict in rules))
    assert outcome(found) == "deny_rule"


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("github.open_pull_request", True),
        ("github.*", True),
        ("*", True),
        ("github.open_pull", False),
        ("github.open_pull_request_now", False),
        ("git.*", False),
        ("hub.*", False),
        ("neon.*", False),
    ],
)
def test_an_action_is_matched_by_its_whole_name_or_its_whole_system(pattern: str, matches: bool) -> None:
    expected = "deny_rule" if matches else "allow"
    assert outcome(policy(Phase.PRODUCTION, rule("deny", pattern))) == expected


@pytest.mark.parametrize(
    ("where", "matches"),
    [
        ({"repository_owner": "acme"}, True),
        ({"repository_owner": "acme", "repository_name": "shop"}, True),
        ({"repository_owner": "acme", "repository_name": "s*p"}, True),
        ({"repository_name": "*"}, True),
        ({"repository_name": "shop*"}, True),
        ({"repository_owner": "ACME", "repository_name": "Shop"}, True),
        ({"repository_owner": "acm"}, False),
        ({"repository_owner": "acme2"}, False),
        ({"repository_name": "sho"}, False),
        ({"repository_name": "sh.p"}, False),
        ({"repository_name": "sh?p"}, False),
        ({"repository_name": "[s]hop"}, False),
        ({"repository_owner": "acme", "repository_name": "till"}, False),
        ({"repository_owner": "acme/shop"}, False),
    ],
)
def test_each_field_is_matched_whole_and_by_itself(where: dict[str, str], matches: bool) -> None:
    denied = "deny_rule" if matches else "allow"
    allowed = "allow" if matches else "no_allow_rule"
    assert outcome(policy(Phase.PRODUCTION, rule("deny", "*", **where))) == denied
    assert outcome(policy(Phase.PRODUCTION, rule("allow", "*", **where))) == allowed


def test_the_purpose_of_a_command_is_matched() -> None:
    only = policy(Phase.PRODUCTION, rule("deny", "sandbox.*", purpose="package-*"))
    for purpose, expected in (("package-registries", "deny_rule"), ("git", "allow")):
        context = SHOP.model_copy(update={"purpose": purpose})
        assert outcome(only, action="sandbox.run_command", context=context) == expected


def test_the_provider_is_that_of_the_action_whatever_the_step_says() -> None:
    frozen = policy(Phase.PRODUCTION, rule("deny", "*", provider="github"))
    assert outcome(frozen) == "deny_rule"
    assert outcome(frozen, context=SHOP.model_copy(update={"provider": "neon"})) == "deny_rule"
    assert outcome(frozen, action="neon.read_branch", effect=Effect.READ) == "allow"


@pytest.mark.parametrize(("field", "value"), [("account", "acme-eu"), ("resource", "prod")])
def test_account_and_resource_are_matched(field: str, value: str) -> None:
    only = policy(Phase.PRODUCTION, rule("deny", "*", **{field: value}))
    assert outcome(only, context=SHOP.model_copy(update={field: value})) == "deny_rule"
    assert outcome(only, context=SHOP.model_copy(update={field: "another"})) == "allow"


@pytest.mark.parametrize(
    ("limit", "cost", "matches"),
    [("<= 20", 20, True), ("<=20", 21, False), ("> 20", 21, True), ("> 20", 20, False), ("> 20", 100, True)],
)
def test_a_cost_is_compared_as_a_number(limit: str, cost: int, matches: bool) -> None:
    context = SHOP.model_copy(update={"cost": cost})
    denied = policy(Phase.PRODUCTION, rule("deny", "*", cost=limit))
    assert outcome(denied, context=context) == ("deny_rule" if matches else "allow")


def test_a_cost_that_nobody_knows_counts_against_the_step() -> None:
    assert outcome(policy(Phase.PRODUCTION, rule("deny", "*", cost="> 20"))) == "deny_rule"
    assert outcome(policy(Phase.PRODUCTION, rule("allow", "*", cost="<= 20"))) == "no_allow_rule"


def test_a_newline_in_a_field_does_not_slip_past_a_pattern() -> None:
    context = PolicyContext(repository_owner="acme", repository_name="shop\nx")
    assert outcome(policy(Phase.PRODUCTION, rule("deny", "*", repository_name="shop*")), context=context) == "deny_rule"
    assert outcome(policy(Phase.PRODUCTION, rule("deny", "*", repository_name="shop")), context=context) == "allow"


def test_a_field_that_is_not_said_counts_against_the_step() -> None:
    denies = policy(Phase.PRODUCTION, rule("deny", "github.*", repository_owner="evil"))
    allows = policy(Phase.PRODUCTION, rule("allow", "github.*", repository_owner="acme"))
    assert outcome(denies, context=NOTHING) == "deny_rule"
    assert outcome(allows, context=NOTHING) == "no_allow_rule"


def test_an_allow_rule_narrows_its_action_and_no_other() -> None:
    found = policy(Phase.PRODUCTION, rule("allow", "github.open_pull_request", repository_name="till"))
    assert outcome(found) == "no_allow_rule"
    assert outcome(found, action="github.read_file", effect=Effect.READ) == "allow"


def test_what_destroys_needs_a_rule_that_names_it_and_covers_this_case() -> None:
    found = policy(Phase.PRODUCTION, rule("allow", "github.delete_branch", repository_name="shop"))
    assert outcome(found, action="github.delete_branch", effect=Effect.DESTRUCTIVE) == "allow"
    assert outcome(found, action="github.merge", effect=Effect.DESTRUCTIVE) == "no_allow_rule"
    assert outcome(found, action="github.delete_branch", effect=Effect.DESTRUCTIVE, context=NOTHING) == "no_allow_rule"


def test_an_unknown_environment_is_denied() -> None:
    verdict = evaluate(
        policy(Phase.PRODUCTION), "there", action="github.read_file", effect=Effect.READ, context=NOTHING
    )
    assert isinstance(verdict, Deny)
    assert (verdict.reason, verdict.phase) == (RefusalReason.UNKNOWN_ENVIRONMENT, None)
    assert "'there'" in verdict.explanation
    assert "'here'" in verdict.explanation


def test_every_question_gets_a_verdict() -> None:
    rules = [rule(verdict, action) for verdict, action in product(("allow", "deny"), ("*", "a.*", "a.b"))]
    for phase, effect, one in product(Phase, Effect, rules):
        for action, context in product(("", "a", "a.b", "a.*", "*", ".", "[", "a.b\n"), (NOTHING, SHOP)):
            verdict = evaluate(policy(phase, one), "here", action=action, effect=effect, context=context)
            assert verdict.explanation


@pytest.mark.parametrize(
    ("found", "effect", "said"),
    [
        (policy(Phase.READ_ONLY), Effect.WRITE, ["denied (phase)", "decided by: environments.here.phase", "read_only"]),
        (policy(Phase.PRODUCTION), Effect.WRITE, ["allowed", "decided by: the phase"]),
        (policy(Phase.PRODUCTION), Effect.DESTRUCTIVE, ["decided by: the default, deny", "- allow: github.merge"]),
        (policy(Phase.PRODUCTION, rule("deny", "*")), Effect.WRITE, ["(line 7)", "it is frozen"]),
        (
            policy(Phase.PRODUCTION, rule("allow", "*", repository_name="till")),
            Effect.WRITE,
            ["denied (no_allow_rule)", "repository_name is 'till'", "(line 7)"],
        ),
    ],
)
def test_an_explanation_names_the_rule_and_the_reason(found: Policy, effect: Effect, said: list[str]) -> None:
    text = explain(found, "here", action="github.merge", effect=effect, context=SHOP)
    assert "repository_owner='acme'" in text
    for part in said:
        assert part in text
