"""The step that gives up what was approved, and that no other step goes by the grant alone."""

import dataclasses
from pathlib import Path

from temporalio.testing import ActivityEnvironment

from activities.approvals.giving_up import GivingUp
from activities.approvals.giving_up_contracts import GIVE_UP_STEPS, GivenUp
from activities.catalogue import steps
from activities.guard.granted import GiveUpRequest
from tests.activities.guard.attempts import Records
from tests.hitl.approval.granting_steps import StepsGateway


async def given_up(records: Records, request: GiveUpRequest, run: str = "run-1") -> GivenUp:
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, workflow_run_id=run, activity_type=GIVE_UP_STEPS.name)
    return await environment.run(GivingUp(records).give_up_steps, request)


async def test_it_takes_the_first_step_that_was_not_begun_and_is_done_again_in_vain(tmp_path: Path) -> None:
    gateway, records = StepsGateway(tmp_path), Records()
    request = GiveUpRequest(plan=gateway.plan.text(), decisions=tuple(gateway.approved()), why="enough")
    assert (await given_up(records, request)).since == 1
    kept = dict(records.kept)
    assert (await given_up(records, request, run="run-2")).since == 1
    assert (records.kept, len(kept)) == (kept, 1)
    [record] = kept.values()
    assert '"why":"enough"' in record


def test_no_other_step_goes_by_the_grant_alone() -> None:
    """The guard asks no rule of the policy for one that only prevents."""
    assert [name for name, one in steps().items() if one.gives_up] == [GIVE_UP_STEPS.name]
