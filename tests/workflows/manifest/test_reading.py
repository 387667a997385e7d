"""Manifests, right and wrong: everything that can be said, and every mistake with its place and the way out."""

import pytest

from hitl.approval.approvers import ApprovalRule, People
from hitl.policy.rules import Environment, Policy
from hitl.policy.together import policy_for
from hitl.protocol import Phase
from tests.workflows.manifest.told import SMALL, WHOLE, with_
from workflows.manifest.manifest import CodeRollback, InfrastructureRollback, SchemaRollback
from workflows.manifest.reading import ManifestError, against, read_manifest
from workflows.manifest.text import Mistake
from workflows.redis.goals import RedisProvider


def mistakes(text: str) -> list[Mistake]:
    with pytest.raises(ManifestError) as caught:
        read_manifest(text.encode())
    for line in str(caught.value).splitlines():
        assert line.startswith("banksman.yaml:")
    return caught.value.mistakes


def test_the_smallest_one_asks_for_nothing() -> None:
    found = read_manifest(SMALL.encode()).manifest
    assert (found.test, found.build, found.migrate, found.pulumi, found.verify) == (None,) * 5
    assert list(found.needs.named()) == []
    assert found.rollback.code is CodeRollback.NEVER
    assert found.rollback.infrastructure is InfrastructureRollback.NEVER
    assert found.rollback.of_schema is SchemaRollback.NEVER


def test_all_that_can_be_said_is_read() -> None:
    found = read_manifest(WHOLE.encode()).manifest
    assert found.test is not None
    assert found.test.limits.for_sandbox().wall_seconds == 900
    assert found.build is not None
    assert found.build.command == ("sh", "-c", "make build\nmake check\n")
    assert found.pulumi is not None
    assert list(found.pulumi.stacks.items()) == [("staging", "staging"), ("production", "live")]
    assert found.verify is not None
    assert [one.lasts for one in found.verify.http] == ["2m", "1m"]
    assert found.rollback.of_schema is SchemaRollback.DOWN


def test_needs_become_what_the_goals_are_asked_that_provide_them() -> None:
    needs = read_manifest(WHOLE.encode()).manifest.needs
    assert [one.goal().provider for one in needs.redis] == [RedisProvider.UPSTASH, RedisProvider.REDIS_CLOUD]
    assert needs.qdrant[0].goal().package == "free2"
    assert needs.qdrant[0].collections[0].goal("shop-search").indexes == {"category": "keyword"}
    assert needs.estuary[0].goal().names == ("acme/shop/orders",)


def test_every_mistake_is_told_at_once_in_the_order_of_the_file() -> None:
    text = """\
version: 2
services:
  name: shop
service:
  name: Shop Web
  owner: {team: web, peple: [x]}
test:
  commands: make test
  command: make test
  artifacts: [../x]
verify:
  http: [{url: "http://127.0.0.1/x"}, {path: x, status: 200, every: 10}]
needs:
  redis: [{provider: upstas, name: X}]
policy:
  actions: [{allow: pulumi.*}]
"""
    expected = [
        (1, 10, "version", "`2` is not known here; write 1"),
        (2, 1, "services", "unknown key 'services'; did you mean 'service'?"),
        (5, 9, "service.name", "`Shop Web` is not a name; use lower-case letters"),
        (6, 22, "service.owner.peple", "did you mean 'people'?"),
        (8, 3, "test.commands", "did you mean 'command'?"),
        (
            9,
            12,
            "test.command",
            "`make test` is not a list; write `- ` before each, or all in brackets, as in [make, test]",
        ),
        (10, 15, "test.artifacts[0]", "`../x` is not a path inside the repository"),
        (12, 16, "verify.http[0].url", "no number, no user, no localhost"),
        (12, 46, "verify.http[1].path", "begin it with '/'"),
        (12, 57, "verify.http[1].status", "as in [200, 204]"),
        (12, 69, "verify.http[1].every", "`10` is not a time; write seconds, minutes, hours or days as in 30s"),
        (14, 11, "needs.redis[0].consumers", "is missing; add it"),
        (14, 11, "needs.redis[0].most_usd", "is missing; add it, as in 10"),
        (14, 22, "needs.redis[0].provider", "did you mean 'upstash'? Write upstash or rediscloud"),
        (14, 36, "needs.redis[0].name", "does not fit: What it is called, as in shop-sessions"),
        (16, 13, "policy.actions[0].deny", "is missing"),
        (16, 14, "policy.actions[0].allow", "a manifest allows nothing, it can only tighten"),
    ]
    found = mistakes(text)
    assert [one[:3] for one in found] == [one[:3] for one in expected]
    for (*_, message), (*_, part) in zip(found, expected, strict=True):
        assert part in message


QDRANT = """\
needs:
  qdrant:
  - name: shop
    provider: aws
    region: eu-central-1
    package: free2
"""


@pytest.mark.parametrize(
    ("more", "line", "column", "where", "part"),
    [
        ("test: {command: []}", 5, 17, "test.command", "is empty; write at least one"),
        (
            "test: {command: [make], purpose: no}",
            5,
            34,
            "test.purpose",
            "`no` is read as false; write it plainly, or put",
        ),
        ("test: {command: [make, 010]}", 5, 24, "test.command[1]", "`010` is read as 8"),
        ("test: {command: [make, 2026-01-01]}", 5, 24, "test.command[1]", "is read as a date"),
        ("test: {command: [7]}", 5, 18, "test.command[0]", "`7` is not text; put it in quotes"),
        ("test: {command: [make, 7]}", 5, 24, "test.command[1]", "`7` is not text; put it in quotes"),
        ("test: {command: [make], limits: {time: 1:30}}", 5, 40, "test.limits.time", "`1:30` is read as 90"),
        ("test: {command: [make], limits: {time: 2h}}", 5, 40, "test.limits.time", "more than the hour"),
        ("test: {command: [make], limits: {cpus: .inf}}", 5, 40, "test.limits.cpus", "write it plainly"),
        ("test: {command: [make], limits: {cpus: 999}}", 5, 40, "test.limits.cpus", "too large; write 128"),
        ('test: {command: [make], limits: {memory_mib: "512"}}', 5, 46, "test.limits.memory_mib", "without quotes"),
        ("test: {command: [make], limits: {disk_mib: 4096}}", 5, 44, "test.limits.disk_mib", "of 512 MiB other things"),
        ("test: {command: ['']}", 5, 18, "test.command[0]", "names no program"),
        ("test: {command: [make], directory: /etc}", 5, 36, "test.directory", "without a leading '/'"),
        ("test:\n", 5, 1, "test", "is empty; write a value, or take the key out"),
        ("test: ~\n", 5, 1, "test", "is empty"),
        ("rollback: never", 5, 11, "rollback", "out of code, infrastructure, schema, down"),
        ("rollback: {infrastructure: previous}", 5, 28, "rollback.infrastructure", "no `pulumi` to roll back"),
        ("rollback: {schema: down}", 5, 20, "rollback.schema", "there is no `migrate` to undo"),
        (
            "needs: {neon: [{name: aa, project: p}]}\nmigrate: {command: [x]}\nrollback: {schema: down}",
            7,
            20,
            "rollback.schema",
            "write it as rollback.down",
        ),
        ("rollback: {down: {command: [x]}}", 5, 18, "rollback.down", "never run as long as"),
        ("rollback: {code: rewind}", 5, 18, "rollback.code", "write revert or never"),
        ("verify: {within: 5m}", 5, 9, "verify", "verifies nothing"),
        ("verify: {http: [{status: [200]}]}", 5, 17, "verify.http[0]", "needs an `url`, or a `path`"),
        ("verify: {http: [{path: /x}]}", 5, 24, "verify.http[0].path", "write verify.addresses or verify.output"),
        ("verify: {http: [{url: 'https://a.example.com', for: 1h}]}", 5, 53, "verify.http[0].for", "do not fit into"),
        ("verify: {http: [{url: 'https://a.example.com', every: 2m}]}", 5, 55, "verify.http[0].every", "longer than"),
        (
            "verify: {http: [{url: 'https://a.example.com', tolerate: 7}]}",
            5,
            58,
            "verify.http[0].tolerate",
            "never fails",
        ),
        (
            "verify: {within: 1d, http: [{url: 'https://a.example.com', every: 1s, for: 1d}]}",
            5,
            67,
            "verify.http[0].every",
            "more than 1000 tries",
        ),
        ("verify: {output: url, http: [{path: /x}]}", 5, 18, "verify.output", "there is no `pulumi`"),
        ("verify: {metrics: [{expression: sum(up, holds: '> 0'}]}", 5, 33, "verify.metrics[0].expression", "'('"),
        ("verify: {metrics: [{expression: up, holds: 0.5}]}", 5, 44, "verify.metrics[0].holds", "in quotes"),
        ("migrate: {command: [x]}", 5, 10, "migrate", "write the database in needs.neon"),
        (
            "migrate: {command: [x], purpose: git}\nneeds: {neon: [{name: orders, project: p}]}",
            5,
            34,
            "migrate.purpose",
            "reaches its database and nothing else",
        ),
        (
            "migrate: {command: [x], database: order}\nneeds: {neon: [{name: orders, project: p}]}",
            5,
            35,
            "migrate.database",
            "did you mean 'orders'?",
        ),
        (
            "needs: {neon: [{name: aa, project: p}, {name: aa, project: q}]}",
            5,
            47,
            "needs.neon[1].name",
            "named already for the same environment",
        ),
        (
            "needs: {redis: [{provider: upstash, name: aa, most_usd: 0, consumers: [{name: bb, prefix: c}]}]}",
            5,
            17,
            "needs.redis[0]",
            "Upstash asks for a 'region'",
        ),
        (
            QDRANT + "    collections: [{alias: x, collection: x}]",
            11,
            19,
            "needs.qdrant[0].collections[0]",
            "cannot be an alias of itself",
        ),
        ("pulumi: {stacks: {Prod: a}}", 5, 19, "pulumi.stacks.Prod", "not an environment's name"),
        ("pulumi: {stacks: {prod: a b}}", 5, 25, "pulumi.stacks.prod", "is not the name of a stack"),
        (
            "pulumi: {stacks: {prod: live}}\npolicy: {environments: [prd]}",
            6,
            25,
            "policy.environments[0]",
            "did you mean 'prod'?",
        ),
        (
            "policy: {approvals: [{action: '*', quorum: 2}, {action: '*', quorum: 3}]}",
            5,
            57,
            "policy.approvals[1].action",
            "already in approvals[0]",
        ),
        ("policy: {actions: [{deny: destroy}]}", 5, 27, "policy.actions[0].deny", "is not an action"),
        ("policy: {approvals: [{action: '*'}]}", 5, 22, "policy.approvals[0]", "asks nothing more than the deployment"),
        ("every: 3", 5, 1, "every", "there is verify.http[].every and verify.metrics[].every"),
    ],
)
def test_a_mistake_has_its_place_and_the_way_out(more: str, line: int, column: int, where: str, part: str) -> None:
    [found] = mistakes(with_(more))
    assert found[:3] == (line, column, where)
    assert part in found[3]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://2130706433/",
        "http://localhost/",
        "http://169.254.169.254/latest/meta-data",
        "https://alice:secret@shop.example.com/",
        "file:///etc/passwd",
        "gopher://shop.example.com/",
        "https://shop.example.com/#x",
        "https://shop.example.com\\@evil.example.com/",
        "//shop.example.com/",
        "https://shop.example.com:0/",
    ],
)
def test_an_address_of_this_machine_or_with_a_user_is_none(url: str) -> None:
    [found] = mistakes(with_(f"verify: {{http: [{{url: '{url}'}}]}}"))
    assert found[2] == "verify.http[0].url"


@pytest.mark.parametrize("path", ["/etc", "..", "a/../b", "a/..", "./a", ".", "a//b", "a/", "a\\b"])
def test_no_path_leads_out_of_the_repository(path: str) -> None:
    [found] = mistakes(with_(f"test: {{command: [make], directory: '{path}'}}"))
    assert "is not a path inside the repository" in found[3]


def test_a_list_is_as_good_as_its_mistakes() -> None:
    assert len(mistakes(with_("\n".join(f"key{number}: 1" for number in range(80))))) == 50


DEPLOYMENT = Policy(
    source="policy.yaml",
    environments={
        "staging": Environment(phase=Phase.NON_CRITICAL_WRITES),
        "live": Environment(
            phase=Phase.PRODUCTION,
            approvals=(ApprovalRule(name="rule", line=3, action="pulumi.*", groups=("platform",), quorum=2),),
        ),
    },
    people=People(groups={"platform": frozenset({"alice", "bob"})}),
)


def compared(more: str, *, purposes: tuple[str, ...] | None = None) -> list[Mistake]:
    error = against(read_manifest(with_(more).encode()), DEPLOYMENT, purposes=purposes)
    return error.mistakes if error else []


def test_what_the_deployment_does_not_have_is_told_where_it_is_written() -> None:
    stacks = "pulumi: {stacks: {staging: a, liv: b}}"
    [found] = compared(stacks)
    assert found[:3] == (5, 31, "pulumi.stacks.liv")
    assert "no environment 'liv'; did you mean 'live'?" in found[3]
    [found] = compared("policy:\n  approvals:\n    - {action: pulumi.*, environments: [live], quorum: 1}")
    assert found[:3] == (7, 56, "policy.approvals[0].quorum")
    assert "1 is fewer than the 2 of the deployment; a manifest can only tighten" in found[3]
    [found] = compared("test: {command: [x], purpose: gti}", purposes=("git",))
    assert "no purpose 'gti'; did you mean 'git'?" in found[3]


def test_what_the_deployment_has_is_no_mistake() -> None:
    assert (
        compared("pulumi: {stacks: {staging: a, live: b}}\ntest: {command: [x], purpose: git}", purposes=("git",)) == []
    )


def test_a_manifest_tightens_the_policy_and_says_by_which_line() -> None:
    read = read_manifest(with_("policy:\n  actions:\n    - deny: '*'\n").encode())
    [rule] = read.tightened(DEPLOYMENT).environments["live"].rules
    assert str(rule) == "banksman.yaml: policy.actions[0] (line 7)"


def test_a_plan_carries_what_the_policy_is_tightened_by_with_its_lines() -> None:
    policy = (
        "policy:\n  phase: non_critical_writes\n  budget: {goal: 5}\n  actions:\n    - deny: pulumi.destroy_stack\n"
        "  approvals:\n    - action: pulumi.update_stack\n      also: [security]\n"
    )
    text = SMALL.rstrip("\n") + "\n" + policy
    first = SMALL.rstrip("\n").count("\n") + 2
    found = read_manifest(text.encode()).tightening()
    assert found is not None
    assert found.source == "banksman.yaml"
    assert found.asked == {
        "phase": "non_critical_writes",
        "budget": {"goal": 5},
        "actions": [{"deny": "pulumi.destroy_stack"}],
        "approvals": [{"action": "pulumi.update_stack", "also": ["security"]}],
    }
    places = (("phase",), ("budget", "goal"), ("actions", 0), ("approvals", 0))
    assert [found.line(at) - first for at in places] == [1, 2, 4, 6]


def test_what_a_plan_carries_tightens_as_the_manifest_does() -> None:
    rule = ApprovalRule(name="environments.production.approvals[0]", line=9, action="*", groups=("platform",))
    policy = Policy(
        source="policy.yaml", environments={"production": Environment(phase=Phase.PRODUCTION, approvals=(rule,))}
    )
    read = read_manifest(WHOLE.encode())
    carried = read.tightening()
    assert carried is not None
    there = policy_for(policy, carried)
    assert there.environments == read.tightened(policy).environments
    assert there.environments != policy.environments


def test_a_manifest_that_asks_nothing_leaves_plans_as_they_are() -> None:
    assert read_manifest(SMALL.encode()).tightening() is None
