"""The steps about surprises: each is counted, and the one that people allow reads nothing but its plan."""

import pytest
from prometheus_client import REGISTRY
from temporalio.testing import ActivityEnvironment

from activities.approvals.surprise_contracts import AllowSurpriseParameters, ReportSurprise, SurpriseAllowed
from activities.approvals.surprises import SurpriseGrants, SurpriseReports
from activities.guard.granted import GrantedRequest
from hitl.approval.plan import Change, Plan, PlanError, Resource, Risk
from hitl.approval.rehearsal import RehearsedEffect
from observability import names

DIGEST = "sha256:" + "a" * 64


def counted(action: str) -> float:
    return REGISTRY.get_sample_value(names.METRIC_SURPRISES, {"action": action}) or 0


def granted(**parameters: str) -> GrantedRequest:
    plan = Plan(
        action="approval.allow_surprise",
        parameters=dict(parameters),
        resources=(Resource(kind="rehearsal", name="branch a", change=Change.UPDATE),),
        summary=("Go on",),
        risk=Risk.MEDIUM,
    )
    return GrantedRequest(plan=plan.text(), decisions=())


async def test_surprises_are_counted_by_step() -> None:
    before = counted("github.comment"), counted("github.label")
    effects = (
        RehearsedEffect(action="github.comment", on=("repository acme/shop",)),
        RehearsedEffect(action="github.label", on=()),
    )
    request = ReportSurprise(rehearsal=DIGEST, effects=effects)
    await ActivityEnvironment().run(SurpriseReports().report_surprise, request)
    assert (counted("github.comment"), counted("github.label")) == (before[0] + 1, before[1] + 1)
    assert request.policy_context().resource == "github.comment: repository acme/shop"


async def test_what_people_allow_is_read_from_their_plan() -> None:
    parameters = AllowSurpriseParameters(resource="github.comment", rehearsal=DIGEST).model_dump()
    answer = await ActivityEnvironment().run(SurpriseGrants().allow_surprise, granted(**parameters))
    assert isinstance(answer, SurpriseAllowed)
    with pytest.raises(PlanError, match="parameters of the plan"):
        await ActivityEnvironment().run(SurpriseGrants().allow_surprise, granted(branch="main"))
