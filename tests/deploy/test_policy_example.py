"""The example policy in the repository is valid, covers every goal, and refuses what it says it refuses."""

from typing import Final

import pytest

from hitl.policy.explain import explain
from hitl.policy.file import load_policy
from hitl.protocol import Effect, PolicyContext
from tests.docs.markdown import ROOT

FILE: Final = ROOT / "deploy/policy.yaml"
DESTRUCTIVE: Final = {
    "github.delete_branch": "acme/shop",
    "github.merge_pull_request": "acme/shop",
    "pulumi.update_stack": "acme/infra",
    "pulumi.destroy_stack": "acme/infra",
    "pulumi.restore_state": "acme/infra",
    "pulumi.unlock_stack": "acme/infra",
}


def told(action: str, effect: Effect, repository: str, environment: str = "production") -> str:
    context = PolicyContext.of_repository(repository)
    return explain(load_policy(FILE), environment, action=action, effect=effect, context=context)


def test_it_serves_the_environment_that_compose_names() -> None:
    environment = next(
        line.partition("=")[2]
        for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
        if line.startswith("BANKSMAN_ENVIRONMENT=")
    )
    assert environment in load_policy(FILE).environments


@pytest.mark.parametrize(("action", "repository"), DESTRUCTIVE.items())
def test_what_cannot_be_undone_takes_an_approval_and_is_denied_elsewhere(action: str, repository: str) -> None:
    assert "allowed with an approval" in told(action, Effect.DESTRUCTIVE, repository)
    assert "denied" in told(action, Effect.DESTRUCTIVE, "globex/infra")
    assert "denied" in told(action, Effect.DESTRUCTIVE, repository, "staging")
    assert "denied" in told(action, Effect.DESTRUCTIVE, "acme/payroll")


@pytest.mark.parametrize(("environment", "by_itself", "by_approval"), [("production", 20, 500), ("staging", 0, -1)])
def test_a_cluster_is_bought_up_to_a_price_and_for_more_by_approval(
    environment: str, by_itself: int, by_approval: int
) -> None:
    def said(action: str, effect: Effect, cost: int) -> str:
        context = PolicyContext(resource="shop", cost=cost)
        return explain(load_policy(FILE), environment, action=action, effect=effect, context=context)

    assert ": allowed" in said("qdrant.create_cluster", Effect.WRITE, by_itself)
    assert "denied" in said("qdrant.create_cluster", Effect.WRITE, by_itself + 1)
    assert "denied" in said("qdrant.buy_cluster", Effect.DESTRUCTIVE, by_approval + 1)
    if by_approval > 0:
        assert "allowed with an approval" in said("qdrant.buy_cluster", Effect.DESTRUCTIVE, by_approval)


@pytest.mark.parametrize(("environment", "by_itself", "by_approval"), [("production", 50, 500), ("staging", 5, -1)])
def test_a_machine_is_launched_up_to_a_price_and_for_more_by_approval(
    environment: str, by_itself: int, by_approval: int
) -> None:
    def said(action: str, effect: Effect, cost: int) -> str:
        context = PolicyContext(resource="train", cost=cost)
        return explain(load_policy(FILE), environment, action=action, effect=effect, context=context)

    for action in ("lambdalabs.launch_instance", "lambdalabs.extend_instance"):
        assert ": allowed" in said(action, Effect.WRITE, by_itself)
        assert "denied" in said(action, Effect.WRITE, by_itself + 1)
    assert "denied" in said("lambdalabs.buy_instance", Effect.DESTRUCTIVE, by_approval + 1)
    if by_approval > 0:
        assert "allowed with an approval" in said("lambdalabs.buy_instance", Effect.DESTRUCTIVE, by_approval)


@pytest.mark.parametrize("action", ["github.commit_files", "github.open_pull_request", "sandbox.run_command"])
def test_what_writes_is_allowed_where_it_says(action: str) -> None:
    assert ": allowed" in told(action, Effect.WRITE, "acme/shop")
    assert ": allowed" in told(action, Effect.WRITE, "acme/shop", "staging")


def test_payroll_is_nobodys_to_read() -> None:
    assert "denied" in told("github.read_file", Effect.READ, "acme/payroll")
    assert ": allowed" in told("github.read_file", Effect.READ, "acme/shop")


def test_every_destructive_goal_has_its_rule() -> None:
    """By the embedded environment's own policy, whose goals all run in tests."""
    embedded = load_policy(ROOT / "deploy/local/policy.yaml").environments["local"]
    example = load_policy(FILE).environments["production"]
    assert {rule.action for rule in embedded.approvals} <= {rule.action for rule in example.approvals}
