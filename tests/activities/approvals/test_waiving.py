"""The step by which a policy lets something be lost without a snapshot: silence is no."""

from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.approvals.waiving import SnapshotWaiving
from activities.approvals.waiving_contracts import SnapshotWaived, WaiveSnapshot
from activities.guard.policy_source import PolicySource

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
async def test_a_policy_that_does_not_name_it_lets_nothing_be_lost(tmp_path: Path, rule: str, *, denied: bool) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY + rule)
    step = SnapshotWaiving(PolicySource(path, environment="live"))
    if denied:
        with pytest.raises(ApplicationError, match="waive_snapshot"):
            await ActivityEnvironment().run(step.waive_snapshot, ASKED)
    else:
        assert await ActivityEnvironment().run(step.waive_snapshot, ASKED) == SnapshotWaived()
