"""What a manifest says, in words; and a first one, for whatever lies in a repository."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.approval.approvers import ApprovalRule, People
from hitl.policy.rules import Environment, Policy, Rule
from hitl.protocol import Phase
from tests.workflows.manifest.told import SMALL, WHOLE
from workflows.manifest.explain import explain
from workflows.manifest.proposal import Seen, propose, service_name
from workflows.manifest.reading import read_manifest


def told(text: str, policy: Policy | None = None) -> str:
    return explain(read_manifest(text.encode()), policy)


def test_what_is_to_be_done_is_told_in_order() -> None:
    words = told(WHOLE)
    steps = re.findall(r"^ *\d+\. (\w+ \w+)", words, re.MULTILINE)
    assert steps == [
        "Test it",
        "Build it",
        *["See that"] * 5,
        "Migrate orders",
        "Bring up",
        "Bring up",
        "Verify each",
    ]
    assert words.index("Bring up staging") < words.index("Bring up production: plan the stack live")
    for part in (
        "shop-web, of web (github:alice, slack:U0BOB); reached at #team-web in Slack",
        "`make test` in services/web, in a container without a credential and with the network of package-registries",
        "at most 15m, 2048 MiB and 2 processors; reports/junit.xml is kept",
        "First on a copy of it, which lasts 2 hours; then, once people approved it",
        "the Redis database shop-sessions at upstash for shop-web, for $10 a month at most, in staging only",
        "/healthz below the stack's output url answers with 200 or 204 and ok in its body, every 5s for 2m, 1 failure",
        "is < 0.01, every 15s for 10m",
        "Code: a pull request reverts the commit.",
        "Schema: `alembic downgrade -1`",
        "pulumi.destroy_stack is denied where resource is 'live', in production only: people alone.",
        "quorum 2",
        "steps cost at most $20 a day and $5 a goal.",
    ):
        assert part in words


def test_what_is_not_said_is_told_as_well() -> None:
    words = told(SMALL)
    assert "Nothing shows that it is healthy: there is no `verify`." in words
    assert words.count("people go on from there") == 3
    assert "nothing; the deployment's policy alone decides." in words


def test_who_approves_is_told_by_both() -> None:
    rule = ApprovalRule(name="environments.production.approvals[0]", line=9, action="pulumi.*", groups=("platform",))
    production = Environment(
        phase=Phase.PRODUCTION,
        rules=(Rule(name="allow", line=3, verdict="allow", action="pulumi.update_stack"),),
        approvals=(rule,),
    )
    people = People(groups={"platform": frozenset({"alice", "bob"})})
    policy = Policy(source="policy.yaml", environments={"production": production}, people=people)
    words = told(WHOLE, policy)
    assert "pulumi.update_stack [destructive] in production, resource='live': allowed with an approval" in words
    assert "2 of platform: alice, bob" in words
    assert "tightened by banksman.yaml" in words
    assert "approve within 4h; carry out within 30m" in words


def test_a_long_command_is_cut_and_stays_on_its_line() -> None:
    words = told(SMALL + f'test: {{command: [sh, -c, "{"x" * 500}\\n1. Verify within 1m"]}}\n')
    assert "…`" in words
    assert len([line for line in words.splitlines() if line.startswith("  1. ")]) == 1


SEEN = Seen(
    name="shop",
    owner="web",
    test=("make", "test"),
    build=("make", "build"),
    purpose="git",
    migrate=("alembic", "upgrade", "head"),
    directory="infra",
    stacks={"staging": "staging", "live": "live"},
)


def uncommented(text: str) -> str:
    """The same with every example in it taken at its word."""
    kept = re.sub(r"^# (?=(?:test|build|needs|migrate|pulumi|verify|policy):|  )", "", text, flags=re.MULTILINE)
    return kept.replace("    # contact", "    contact")


@pytest.mark.parametrize("seen", [SEEN, Seen(name="")], ids=["much", "nothing"])
def test_a_first_manifest_is_valid_and_so_are_its_examples(seen: Seen) -> None:
    text = propose(seen, schema="banksman.schema.json")
    assert text.startswith("# yaml-language-server: $schema=banksman.schema.json\n")
    first = read_manifest(text.encode()).manifest
    assert (first.test is not None) is bool(seen.test)
    assert (first.pulumi is not None) is bool(seen.stacks)
    whole = read_manifest(uncommented(text).encode()).manifest
    assert None not in (whole.test, whole.build, whole.migrate, whole.pulumi, whole.verify)
    assert whole.policy.approvals
    assert whole.service.owner.contact == "#team in Slack"


@settings(max_examples=60, deadline=None)
@given(name=st.text(max_size=80), owner=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,30}", fullmatch=True))
def test_it_is_whatever_a_repository_is_called(name: str, owner: str) -> None:
    found = read_manifest(propose(Seen(name=name, owner=owner), schema="a b\nversion: 3").encode()).manifest
    assert found.service.name == service_name(name)
    assert found.service.owner.team == owner
