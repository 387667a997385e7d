"""The policy's section on GitHub: what is valid, what is not, and that nothing holds by default."""

from datetime import timedelta
from pathlib import Path

import pytest

from hitl.policy.file import PolicyError, load_policy
from hitl.policy.triggers import GitHubPolicy, Permission, Rates, Schedules, SlashCommand, Trigger, TriggerRule

WHOLE = """\
people: {alice: [slack:U0ALICE, github:Alice], boris: [github:boris]}
github:
  accounts: {Alice: 1001}
  approvals: true
  rates: {person: 5, installation: 50}
  schedules: {minutes: 30, repository: 3}
  triggers:
    - events: [comment, button]
      commands: [run, ask, approve, status]
      repositories: [Acme/shop-*]
      permission: write
      goals: [ReadFile, Provision*]
    - events: [push]
      repositories: [acme/infra]
      permission: maintain
      goals: ["*"]
    - events: [schedule]
      repositories: [acme/infra]
      goals: [ReadFile]
environments: {local: {phase: read_only}}
"""


def loaded(folder: Path, text: str) -> GitHubPolicy:
    path = folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return load_policy(path).github


def problems(folder: Path, text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(PolicyError) as caught:
        loaded(folder, text)
    return [(line, where, message) for line, where, message in caught.value.problems]


def test_without_the_section_nothing_may_be_begun(tmp_path: Path) -> None:
    assert loaded(tmp_path, "environments: {local: {phase: production}}") == GitHubPolicy()
    assert GitHubPolicy() == GitHubPolicy(accounts={}, approvals=False, rules=())


def test_a_whole_section(tmp_path: Path) -> None:
    found = loaded(tmp_path, WHOLE)
    assert found.accounts == {"alice": 1001}
    assert found.approvals
    assert found.rates == Rates(person=5, installation=50)
    assert found.rules[0] == TriggerRule(
        name="github.triggers[0]",
        line=8,
        events=frozenset({Trigger.COMMENT, Trigger.BUTTON}),
        commands=frozenset({SlashCommand.RUN, SlashCommand.ASK, SlashCommand.APPROVE, SlashCommand.STATUS}),
        repositories=("acme/shop-*",),
        permission=Permission.WRITE,
        goals=("ReadFile", "Provision*"),
    )
    assert str(found.rules[1]) == "github.triggers[1] (line 13)"
    assert found.schedules == Schedules(least=timedelta(minutes=30), repository=3)


@pytest.mark.parametrize(
    ("was", "becomes", "line", "where", "says"),
    [
        ("Alice: 1001", "carol: 1001", 3, "github.accounts.carol", "nobody under `people` is 'github:carol'"),
        ("Alice: 1001", "Alice: 1001, boris: 1001", 3, "github.accounts.boris", "already the id of 'alice'"),
        ("Alice: 1001", "Alice: x", 3, "github.accounts.Alice", "not a whole number"),
        ("Alice: 1001", "'@alice': 1", 3, "github.accounts.@alice", "without @"),
        ("approvals: true", "approvals: false", 9, "github.triggers[0].commands", "`approvals: true`"),
        ("approvals: true", "approval: true", 4, "github.approval", "did you mean 'approvals'?"),
        ("person: 5", "persons: 5", 5, "github.rates.persons", "did you mean 'person'?"),
        ("[push]", "[pushed]", 13, "github.triggers[1].events[0]", "write one of comment, button"),
        ("[push]", "[]", 13, "github.triggers[1].events", "names nothing that happens"),
        ("[push]", "push", 13, "github.triggers[1].events", "write some of them in brackets"),
        ("[push]", "[comment]", 13, "github.triggers[1].events", "and no command"),
        ("[comment, button]", "[push]", 9, "github.triggers[0].commands", "said in a comment"),
        ("run, ask, approve", "approve", 12, "github.triggers[0].goals", "begun by none"),
        ("run, ask", "help", 9, "github.triggers[0].commands", "needs no rule"),
        ("run, ask", "runs", 9, "github.triggers[0].commands[0]", "is not a command"),
        ("acme/infra", "infra", 14, "github.triggers[1].repositories[0]", "write OWNER/NAME"),
        ("[acme/infra]", "[]", 14, "github.triggers[1].repositories", "names no repository"),
        ("maintain", "none", 15, "github.triggers[1].permission", "every stranger"),
        ("maintain", "owner", 15, "github.triggers[1].permission", "a permission of GitHub's"),
        ('      goals: ["*"]\n', "", 13, "github.triggers[1].goals", "names no goal"),
        ('"*"', "read_file", 16, "github.triggers[1].goals[0]", "`banksman goals`"),
        ("permission: maintain", "permissions: maintain", 15, "github.triggers[1].permissions", "Known here: events"),
        ("[schedule]", "[schedule, push]", 17, "github.triggers[2].events", "stands alone"),
        ("[schedule]", "[schedule]\n      permission: write", 18, "github.triggers[2].permission", "nobody causes"),
        ("      permission: maintain\n", "", 13, "github.triggers[1].permission", "is missing"),
        ("minutes: 30", "minutes: 1", 6, "github.schedules.minutes", "5"),
        ("repository: 3", "repository: 10000", 6, "github.schedules.repository", "50"),
        ("minutes: 30", "hours: 30", 6, "github.schedules.hours", "Known here: minutes, repository"),
    ],
)
def test_each_mistake_has_its_line_and_the_way_out(
    tmp_path: Path, was: str, becomes: str, line: int, where: str, says: str
) -> None:
    text = WHOLE.replace(was, becomes, 1)
    assert text != WHOLE
    found = problems(tmp_path, text)
    assert [(one, place) for one, place, message in found if says in message] == [(line, where)], found


def test_a_rule_is_about_what_it_names_and_about_nothing_near_it(tmp_path: Path) -> None:
    said, pushed, timed = loaded(tmp_path, WHOLE).rules
    assert said.names(Trigger.COMMENT, SlashCommand.RUN, "ACME/Shop-web")
    assert said.names(Trigger.COMMENT, SlashCommand.HELP, "acme/shop-web")
    assert not said.names(Trigger.COMMENT, SlashCommand.REJECT, "acme/shop-web")
    assert not said.names(Trigger.PUSH, None, "acme/shop-web")
    assert not said.names(Trigger.COMMENT, SlashCommand.RUN, "acme/shop-web/x")
    assert not said.names(Trigger.COMMENT, SlashCommand.RUN, "acme/shop")
    assert not said.names(Trigger.COMMENT, SlashCommand.RUN, "evil/acme/shop-web")
    assert pushed.names(Trigger.PUSH, None, "acme/infra")
    assert said.begins("ProvisionRedis")
    assert not said.begins("ReadFiles")
    assert pushed.begins("DestroyStack")
    assert timed.names(Trigger.SCHEDULE, None, "acme/infra")
    assert not timed.names(Trigger.PUSH, None, "acme/infra")
    assert not pushed.names(Trigger.SCHEDULE, None, "acme/infra")
