"""Nobody is asked in vain: what a service's manifest forbids is refused before people see it, with its line."""

from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.guard.error_types import denial_of
from hitl.approval.plan import Cost, Plan
from hitl.approval.stricter import Stricter
from hitl.protocol import Denial, RefusalReason
from tests.activities.approvals.test_rules import resolve
from tests.hitl.approval.granting import ACTION, GROUPS, Gateway, Tightened, make_plan, stricter, stricter_approval

COSTLY = make_plan(cost=Cost(usd_cents=2_000, per="once"))


async def refused(folder: Path, plan: Plan) -> Denial:
    with pytest.raises(ApplicationError) as caught:
        await resolve(folder, GROUPS, plan=plan)
    denial = denial_of(caught.value)
    assert denial is not None
    return denial


async def test_people_are_asked_as_the_manifest_wants(tmp_path: Path) -> None:
    asked = stricter_approval(quorum=3, also=["security"], approve_within="4h", escalate=False)
    found = await resolve(tmp_path, GROUPS, plan=make_plan(tightening=asked))
    assert (found.quorum, found.also, found.escalation_group) == (3, ("security",), None)
    assert found.approve_within.total_seconds() == 4 * 3600
    assert found.name.endswith("approvals[0] (line 20), tightened by banksman.yaml (line 53)")
    assert found.digest == Tightened(tmp_path, asked=asked).rule().digest("live", ACTION)
    assert found.digest != Gateway(tmp_path, text=GROUPS).rule().digest("live", ACTION)


REFUSED: list[tuple[Stricter, RefusalReason, str]] = [
    (stricter({"actions.0": 5}, actions=[{"deny": "*"}]), RefusalReason.DENY_RULE, "policy.actions[0] (line 5)"),
    (stricter({"phase": 6}, phase="read_only"), RefusalReason.PHASE, "banksman.yaml: policy.phase (line 6)"),
    (
        stricter({"budget.goal": 7}, budget={"goal": 10}),
        RefusalReason.BUDGET,
        "have the service's owners raise it in banksman.yaml: policy.budget.goal (line 7)",
    ),
    (
        stricter_approval(cost_limits={"once": 10}),
        RefusalReason.COST_LIMIT,
        "ask the service's owners to raise the limit in banksman.yaml (line 53)",
    ),
]


@pytest.mark.parametrize(("asked", "reason", "words"), REFUSED)
async def test_what_the_manifest_forbids_nobody_is_asked_about(
    tmp_path: Path, asked: Stricter, reason: RefusalReason, words: str
) -> None:
    denial = await refused(tmp_path, COSTLY.model_copy(update={"tightening": asked}))
    assert denial.reason is reason
    assert words in denial.explanation
    await resolve(tmp_path, GROUPS, plan=COSTLY)


async def test_what_nobody_understands_nobody_is_asked_about(tmp_path: Path) -> None:
    denial = await refused(tmp_path, make_plan(tightening=stricter(allow="*")))
    assert denial.reason is RefusalReason.MALFORMED_PLAN
    assert "what banksman.yaml asks of the policy cannot be understood" in denial.explanation
