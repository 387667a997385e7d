"""The policy of a rehearsal: what may be done stays as it is, and who says yes does not matter."""

from pathlib import Path

import pytest

from deploy.local.rehearsal.policy import PEOPLE, rehearsal_policy
from hitl.policy.file import PolicyError, load_policy
from hitl.policy.rules import Allow, Deny, approval_rule, evaluate
from hitl.protocol import Effect, PolicyContext, Refusal

LIVE = """\
people: {dana: [slack:U9DANA], emil: [slack:U9EMIL]}
groups: {release: [dana, emil]}
environments:
  live:
    phase: production
    slack_channel: C9LIVE
    budget: {goal: 50}
    actions:
      - allow: github.delete_branch
        where: {repository_owner: acme}
    approvals:
      - {action: github.delete_branch, groups: [release], quorum: 2, unverified_requester: deny}
"""


@pytest.fixture
def live(tmp_path: Path) -> Path:
    file = tmp_path / "live.yaml"
    file.write_text(LIVE)
    return file


def test_the_rules_are_the_deployments_and_one_of_the_twins_people_is_enough(live: Path, tmp_path: Path) -> None:
    made = tmp_path / "made.yaml"
    made.write_text(rehearsal_policy(live, environment="live", called="local"))
    policy = load_policy(made)
    verdicts = [
        evaluate(
            policy,
            "local",
            action="github.delete_branch",
            effect=Effect.DESTRUCTIVE,
            context=PolicyContext.of_repository(name),
        )
        for name in ("acme/shop", "other/shop")
    ]
    assert [type(one) for one in verdicts] == [Allow, Deny]
    rule = approval_rule(policy, "local", action="github.delete_branch")
    assert not isinstance(rule, Refusal)
    assert rule.quorum == 1
    assert set(policy.environments) == {"local"}
    assert policy.environments["local"].budget == load_policy(live).environments["live"].budget
    assert all(identity in made.read_text() for identity in PEOPLE.values())
    assert "U9DANA" not in made.read_text()


def test_an_environment_that_is_not_there_and_a_broken_file_are_named(live: Path) -> None:
    with pytest.raises(ValueError, match=r"does not name the environment 'test'; there are: live"):
        rehearsal_policy(live, environment="test", called="local")
    live.write_text(LIVE.replace("phase: production", "phase: often"))
    with pytest.raises(PolicyError):
        rehearsal_policy(live, environment="live", called="local")
