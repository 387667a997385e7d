"""The step by which a policy lets something be lost without a snapshot: silence is no."""

from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.approvals.waiving import SnapshotWaiving
from activities.approvals.waiving_contracts import WAIVE_SNAPSHOT, SnapshotWaived, WaiveSnapshot
from hitl.policy.file import load_policy
from hitl.policy.rules import Deny, evaluate

ASKED = WaiveSnapshot(repository="acme/shop", resource="infra/staging")
POLICY = """\
people: {alice: [slack:U0ALICE]}
groups: {release: [alice]}
environments:
  live:
    phase: production
    slack_channel: C0OPS
    actions:
      - allow: pulumi.update_stack
"""


@pytest.mark.parametrize(
    ("rule", "denied"),
    [
        ("", True),
        ("      - {allow: approval.waive_snapshot, where: {resource: infra/live}}\n", True),
        ("      - {allow: approval.waive_snapshot, where: {resource: infra/staging}}\n", False),
    ],
    ids=["silent", "of-another", "named"],
)
def test_a_policy_that_does_not_name_it_lets_nothing_be_lost(tmp_path: Path, rule: str, *, denied: bool) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY + rule)
    verdict = evaluate(
        load_policy(path),
        "live",
        action=WAIVE_SNAPSHOT.name,
        effect=WAIVE_SNAPSHOT.effect,
        context=ASKED.policy_context(),
    )
    assert isinstance(verdict, Deny) is denied


async def test_it_answers_and_does_nothing() -> None:
    assert await ActivityEnvironment().run(SnapshotWaiving().waive_snapshot, ASKED) == SnapshotWaived()
