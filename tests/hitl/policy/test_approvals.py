"""Approval rules in policy files: what is taken, what is refused with its line, and which rule decides."""

from datetime import timedelta
from pathlib import Path

import pytest

from deploy.local.defaults import DEFAULT_POLICY, ENVIRONMENT
from hitl.approval.approvers import ApprovalRule, Escalation, People, Requesters
from hitl.approval.approvers import Path as ApprovalPath
from hitl.policy.approvals import EMBEDDED_ENVIRONMENT
from hitl.policy.explain import explain
from hitl.policy.file import PolicyError, load_policy
from hitl.policy.rules import Policy, approval_rule
from hitl.protocol import Effect, PolicyContext, Refusal, RefusalReason
from tests.hitl.approval.granting import ACTION, POLICY, Gateway


def load(folder: Path, text: str) -> Policy:
    path = folder / "policy.yaml"
    path.write_text(text)
    return load_policy(path)


def problems(folder: Path, text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(PolicyError) as caught:
        load(folder, text)
    return [(line, where, message) for line, where, message in caught.value.problems]


def test_a_whole_rule(tmp_path: Path) -> None:
    policy = load(tmp_path, POLICY)
    live = policy.environments["live"]
    assert live.slack_channel == "C0OPS"
    ordinary, emergency = live.approvals
    assert ordinary == ApprovalRule(
        name="environments.live.approvals[0]",
        line=18,
        action=ACTION,
        groups=("release",),
        quorum=2,
        approve_within=timedelta(days=7),
        execute_within=timedelta(hours=1),
        remind_after=timedelta(hours=4),
        escalation=Escalation(group="leads", after=timedelta(days=1)),
    )
    assert (emergency.path, emergency.groups, emergency.quorum) == (ApprovalPath.BREAK_GLASS, ("emergency",), 2)
    assert emergency.approve_within + emergency.execute_within == timedelta(hours=1)
    assert emergency.escalation is None
    assert policy.people.person("github:alice-a") == policy.people.person("github:ALICE-A") == "alice"
    assert policy.people.members(("release", "leads")) == {"alice", "bob", "carol", "dave"}


def test_the_defaults_ask_one_person_and_one_more_for_a_stranger(tmp_path: Path) -> None:
    [rule] = load(tmp_path, _policy("{action: '*', groups: [g]}")).environments["live"].approvals
    assert (rule.quorum, rule.approve_within, rule.execute_within) == (1, timedelta(days=7), timedelta(hours=1))
    assert rule.unverified_requester is Requesters.ONE_MORE


def _policy(approval: str, *, environment: str = "live", head: str = "") -> str:
    head = head or "people: {a: ['slack:U0A'], b: ['slack:U0B']}\ngroups: {g: [a, b], h: [b]}\n"
    return f"{head}environments:\n  {environment}:\n    phase: production\n    approvals:\n      - {approval}\n"


AT = "environments.live.approvals[0]"


@pytest.mark.parametrize(
    ("approval", "where", "part"),
    [
        ("{groups: [g]}", f"{AT}.action", "is missing"),
        ("{action: delete, groups: [g]}", f"{AT}.action", "'delete' is not an action"),
        ("{action: '*'}", f"{AT}.groups", "is missing"),
        ("{action: '*', groups: []}", f"{AT}.groups", "is empty, so that nobody could ever approve"),
        ("{action: '*', groups: g}", f"{AT}.groups", "write names in brackets"),
        ("{action: '*', groups: [gg]}", f"{AT}.groups[0]", "there is no group 'gg'; did you mean 'g'?"),
        ("{action: '*', groups: [zzz]}", f"{AT}.groups[0]", "name it under `groups`"),
        ("{action: '*', groups: [g, g]}", f"{AT}.groups[1]", "already in this list"),
        ("{action: '*', groups: [g], quorum: 3}", f"{AT}.quorum", "needs 3 people, and the groups have 2"),
        ("{action: '*', groups: [g, h], quorum: 3}", f"{AT}.quorum", "needs 3 people, and the groups have 2"),
        ("{action: '*', groups: [g], quorum: 0}", f"{AT}.quorum", "greater than or equal to 1"),
        ("{action: '*', groups: [g], quorum: two}", f"{AT}.quorum", "is not a whole number"),
        ("{action: '*', groups: [g], quorum: true}", f"{AT}.quorum", "is not a whole number"),
        ("{action: '*', groups: [g], approve_within: 7}", f"{AT}.approve_within", "7 is not text"),
        ("{action: '*', groups: [g], approve_within: 1w}", f"{AT}.approve_within", "'1w' is not a time"),
        ("{action: '*', groups: [g], approve_within: 0d}", f"{AT}.approve_within", "is not a time"),
        ("{action: '*', groups: [g], approve_within: 9999d}", f"{AT}.approve_within", "a year at most"),
        ("{action: '*', groups: [g], remind_after: 7d}", f"{AT}.remind_after", "for approving are over"),
        ("{action: '*', groups: [g], escalate: {group: h, after: 8d}}", f"{AT}.escalate.after", "are over"),
        ("{action: '*', groups: [g], escalate: {group: x, after: 1d}}", f"{AT}.escalate.group", "no group 'x'"),
        ("{action: '*', groups: [g], escalate: {to: h}}", f"{AT}.escalate.after", "is missing"),
        ("{action: '*', groups: [g], unverified_requester: maybe}", f"{AT}.unverified_requester", "one_more"),
        ("{action: '*', groups: [g], unverified_requester: allow}", f"{AT}.unverified_requester", "'local' alone"),
        ("{action: '*', groups: [g], cost_limits: {day: 1}}", f"{AT}.cost_limits.day", "Known here: once, hour, month"),
        ("{action: '*', groups: [g], cost_limits: {hour: 1.5}}", f"{AT}.cost_limits.hour", "not a whole number"),
        ("{action: '*', groups: [g], break_glass: {groups: [h]}}", f"{AT}.break_glass.groups", "needs 2 people"),
        ("{action: '*', groups: [g], break_glass: {quorum: 1, groups: [g]}}", f"{AT}.break_glass.quorum", "unknown"),
        ("{action: '*', groups: [g], quorom: 1}", f"{AT}.quorom", "did you mean 'quorum'?"),
    ],
)
def test_what_is_wrong_with_a_rule_is_named_with_its_line(tmp_path: Path, approval: str, where: str, part: str) -> None:
    found = {at: (line, message) for line, at, message in problems(tmp_path, _policy(approval))}
    assert where in found, found
    line, message = found[where]
    assert line == 7
    assert part in message


def test_two_rules_for_one_action_are_one_too_many(tmp_path: Path) -> None:
    text = _policy("{action: a.b, groups: [g]}\n      - {action: a.b, groups: [h]}")
    assert problems(tmp_path, text) == [
        (8, "environments.live.approvals[1].action", "'a.b' is already in approvals[0]; keep one of them")
    ]


@pytest.mark.parametrize(
    ("head", "where", "part"),
    [
        ("people: {a: ['slack:U0A']}\ngroups: {g: []}\n", "groups.g", "is empty"),
        ("people: {a: ['slack:U0A']}\ngroups: {g: [aa]}\n", "groups.g[0]", "no person 'aa'; did you mean 'a'?"),
        ("people: {a: []}\ngroups: {g: [a]}\n", "people.a", "has no identity"),
        ("people: {a: ['U0A']}\ngroups: {g: [a]}\n", "people.a[0]", "'U0A' is not an identity"),
        ("people: {a: ['slack:alice']}\ngroups: {g: [a]}\n", "people.a[0]", "the member id"),
        ("people: {A: ['slack:U0A']}\ngroups: {g: [A]}\n", "people.A", "is not a name"),
        ("people: {unverified: ['slack:U0A']}\ngroups: {g: [unverified]}\n", "people.unverified", "nobody knows"),
        ("people: {a: ['github:x'], b: ['github:X']}\ngroups: {g: [a]}\n", "people.b[0]", "is already 'a'"),
        ("people: {a: ['console:A@x.io'], b: ['console:a@X.io']}\ngroups: {g: [a]}\n", "people.b[0]", "is already 'a'"),
        (
            "people: {a: ['console:a@x.io'], b: ['temporal:A@x.io']}\ngroups: {g: [a]}\n",
            "people.b[0]",
            "is already 'a'",
        ),
        (
            "people: {a: ['console:\u00e9@x'], b: ['console:e\u0301@x']}\ngroups: {g: [a]}\n",
            "people.b[0]",
            "already 'a'",
        ),
        (
            "people: {a: ['console:a@x.io'], b: ['console:\uff41@x.io']}\ngroups: {g: [a]}\n",
            "people.b[0]",
            "already 'a'",
        ),
        (
            "people: {a: ['console:k@x.io'], b: ['console:\u212a@x.io']}\ngroups: {g: [a]}\n",
            "people.b[0]",
            "already 'a'",
        ),
        (
            "people: {a: ['console:alice'], b: ['console:Alice']}\ngroups: {g: [a]}\n",
            "people.b[0]",
            "as 'console:alice'",
        ),
        ("people: {a: ['console:a\u200b@x.io']}\ngroups: {g: [a]}\n", "people.a[0]", "leave out what nobody sees"),
        ("people: {a: ['console:a@x.io', 'console:A@x.io']}\ngroups: {g: [a]}\n", "people.a[1]", "keep one of them"),
        ("people: [a]\ngroups: {g: [a]}\n", "people", "is not a mapping"),
    ],
)
def test_what_is_wrong_with_people_and_groups_is_named(tmp_path: Path, head: str, where: str, part: str) -> None:
    found = {at: message for _, at, message in problems(tmp_path, _policy("{action: '*', groups: [g]}", head=head))}
    assert part in found.get(where, ""), found


def test_an_address_is_the_same_in_every_case_and_no_other_spelling_is_it(tmp_path: Path) -> None:
    known = "['console:Alice.K@Acme.example', 'temporal:alice.k@acme.example', 'console:Sub-1']"
    text = _policy("{action: '*', groups: [g]}", head=f"people: {{a: {known}}}\ngroups: {{g: [a]}}\n")
    people = load(tmp_path, text).people
    assert people.person("console:ALICE.K@acme.EXAMPLE") == people.requester("temporal:Alice.k@acme.example") == "a"
    for other in ("console:alice.\u212a@acme.example", "console:\uff41lice.k@acme.example", "console:sub-1"):
        assert people.person(other) is None


def test_only_the_embedded_stack_lets_a_stranger_ask(tmp_path: Path) -> None:
    assert EMBEDDED_ENVIRONMENT == ENVIRONMENT
    text = _policy("{action: '*', groups: [g], unverified_requester: allow}", environment="local")
    [rule] = load(tmp_path, text).environments["local"].approvals
    assert rule.needs("unverified") == rule.needs("a") == 1


@pytest.mark.parametrize("channel", ["#ops", "ops", "c0ops", ""])
def test_a_channel_is_named_by_its_id(tmp_path: Path, channel: str) -> None:
    [(_, where, message)] = problems(tmp_path, f"environments: {{a: {{phase: read_only, slack_channel: '{channel}'}}}}")
    assert where == "environments.a.slack_channel"
    assert "its id" in message


def test_the_closest_rule_decides_in_any_order(tmp_path: Path) -> None:
    lines = ["{action: '*', groups: [g]}", "{action: x.y, groups: [h]}", "{action: x.*, groups: [g, h]}"]
    for order in (lines, lines[::-1]):
        policy = load(tmp_path, _policy("\n      - ".join(order)))
        for action, groups in (("x.y", ("h",)), ("x.z", ("g", "h")), ("q.z", ("g",))):
            rule = approval_rule(policy, "live", action=action)
            assert isinstance(rule, ApprovalRule)
            assert rule.groups == groups


def test_without_a_rule_nobody_approves(tmp_path: Path) -> None:
    policy = load(tmp_path, _policy("{action: x.*, groups: [g]}"))
    for environment, action in (("live", "y.z"), ("nowhere", "x.y")):
        found = approval_rule(policy, environment, action=action)
        assert isinstance(found, Refusal)
        assert found.reason is RefusalReason.NO_RULE


def test_an_emergency_is_the_closest_rules_own(tmp_path: Path) -> None:
    text = _policy("{action: '*', groups: [g], break_glass: {groups: [g]}}\n      - {action: x.y, groups: [h]}")
    policy = load(tmp_path, text)
    assert isinstance(approval_rule(policy, "live", action="x.z", path=ApprovalPath.BREAK_GLASS), ApprovalRule)
    assert isinstance(approval_rule(policy, "live", action="x.y", path=ApprovalPath.BREAK_GLASS), Refusal)


def test_the_digest_of_a_rule_is_golden_and_says_nothing_of_members_or_lines(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    before = gateway.rule().digest("live", ACTION)
    assert before == "sha256:90f5e2ad96e6f738c020aa942b6c5f1acc06ef192cb5c2920e753ca96e4e3667"
    gateway.text = "# moved\n" + POLICY.replace("[alice, bob, carol]", "[bob, carol]").replace(
        "remind_after: 4h", "remind_after: 5h"
    )
    assert gateway.rule().digest("live", ACTION) == before
    assert gateway.rule().digest("staging", ACTION) != before
    assert gateway.rule().digest("live", "github.merge") != before
    assert gateway.rule(ApprovalPath.BREAK_GLASS).digest("live", ACTION) != before


def test_explain_says_who_approves_and_why(tmp_path: Path) -> None:
    policy = load(tmp_path, POLICY)
    text = explain(policy, "live", action=ACTION, effect=Effect.DESTRUCTIVE, context=PolicyContext())
    assert "allowed with an approval" in text
    assert (
        "approval: 2 of release: alice, bob, carol; never who asked, by environments.live.approvals[0] (line 18)"
        in text
    )
    assert "approve within 7d; carry out within 1h; 3 where nobody knows who asked; remind after 4h" in text
    assert "break glass: 2 of emergency: dave, erin; never who asked, all within an hour" in text
    none = explain(policy, "live", action="a.b", effect=Effect.DESTRUCTIVE, context=PolicyContext())
    assert "approval: none possible" in none


def test_the_embedded_stacks_policy_is_valid() -> None:
    assert ENVIRONMENT in load_policy(DEFAULT_POLICY).environments


def test_nobody_is_a_member_of_a_group_that_is_not_there() -> None:
    assert People().members(("x",)) == frozenset()
    assert People().requester("slack:U0X") == "unverified"
