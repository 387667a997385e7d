"""The plan of many steps: one text, one digest, and no step that is approved with another plan."""

import json

import pytest
from pydantic import ValidationError

from activities.guard.granted import GrantedRequest
from hitl.approval.plan import Plan, PlanError, Risk, plan_digest, read_plan
from hitl.approval.sequence import MAX_STEPS, SequencePlan, read_any_plan, steps_of
from hitl.canonical import canonical_json
from tests.hitl.approval.granting import make_plan
from tests.hitl.approval.granting_steps import BASE, BRANCH, purchase, step, steps_plan

GOLDEN = (
    '{"schema":"banksman-plan","steps":[{"action":"github.delete_branch","cost":null,"parameters":{"branch":"one",'
    '"repository":"acme/shop"},"resources":[{"change":"delete","kind":"branch","name":"one"}],"risk":"low",'
    '"schema":"banksman-plan","summary":["Delete one"],"version":1}],"summary":["Take the feature down"],"version":2}'
)


def test_the_text_is_golden() -> None:
    plan = steps_plan(step(BRANCH, "one"))
    assert plan.text() == GOLDEN
    assert read_any_plan(GOLDEN) == plan
    assert plan_digest(GOLDEN) == "sha256:99e875c88751ae49719e1c37b910896221ff99f982b0e3bfef86cac5ddfe23d1"


def test_a_plan_of_one_step_is_read_as_before() -> None:
    plan = make_plan()
    assert read_any_plan(plan.text()) == plan == read_plan(plan.text())
    assert steps_of(plan) == (plan,)


def test_whoever_reads_one_step_alone_refuses_many() -> None:
    with pytest.raises(PlanError, match="version 2"):
        read_plan(steps_plan().text())


def test_each_step_is_in_the_digest_and_so_is_their_order() -> None:
    one, two = step(BRANCH, "one"), step(BASE, "two")
    plans = [
        steps_plan(one, two),
        steps_plan(two, one),
        steps_plan(one),
        steps_plan(one, two, two),
        steps_plan(one, step(BASE, "other")),
        steps_plan(one, step(BRANCH, "two")),
    ]
    assert len({plan_digest(plan.text()) for plan in plans}) == len(plans)
    assert plan_digest(one.text()) not in {plan_digest(plan.text()) for plan in plans}


def changed(**fields: object) -> str:
    return canonical_json(json.loads(steps_plan().text()) | fields)


@pytest.mark.parametrize(
    "text",
    [
        changed(note="x"),
        changed(version=3),
        changed(version=True),
        changed(version="2"),
        changed(schema="other"),
        changed(steps=[]),
        changed(steps=[json.loads(step().text()) | {"note": "x"}]),
        changed(steps=[json.loads(step().text()) | {"version": 2}]),
        changed(steps=[json.loads(steps_plan().text())]),
        changed(steps=[json.loads(step().text())] * (MAX_STEPS + 1)),
        changed(action="github.delete_branch"),
        changed(parameters={}),
        steps_plan().text() + "\n",
        steps_plan().text().replace("two", "tw\\u006f"),
    ],
)
def test_what_is_no_such_plan_is_refused(text: str) -> None:
    with pytest.raises(PlanError):
        read_any_plan(text)


def test_it_is_no_longer_than_a_person_reads() -> None:
    big = step(parameters={"branch": "x" * 10_000})
    with pytest.raises(PlanError, match="128 KiB"):
        steps_plan(*[big] * 15).text()


def test_a_plan_without_a_step_cannot_be_made() -> None:
    with pytest.raises(ValidationError):
        SequencePlan(steps=(), summary=("Nothing",))


def test_it_tells_of_all_its_steps() -> None:
    plan = steps_plan(step(BRANCH, "one"), purchase(40), purchase(20, "queue"))
    assert [one.name for one in plan.resources] == ["one", "cache", "queue"]
    assert plan.risk is Risk.MEDIUM
    assert [(one.per, one.usd_cents) for one in plan.costs] == [("month", 6000)]
    assert plan.spend() == 6000
    context = plan.policy_context()
    assert (context.repository_name, context.resource, context.cost) == ("shop", None, 60)


def test_the_step_reads_its_own_part_and_no_other() -> None:
    text = steps_plan().text()

    def approved(position: int | None, plan: str = text) -> Plan:
        return GrantedRequest(plan=plan, decisions=(), position=position).approved()

    assert [approved(position).parameters["branch"] for position in (1, 2, 3)] == ["one", "two", "three"]
    for position, plan in ((None, text), (4, text), (1, make_plan().text())):
        with pytest.raises(PlanError):
            approved(position, plan)
    assert approved(None, make_plan().text()) == make_plan()


def test_a_request_of_one_step_is_written_as_it_was() -> None:
    assert "position" not in GrantedRequest(plan="{}", decisions=()).model_dump_json()
    assert '"position":2' in GrantedRequest(plan="{}", decisions=(), position=2).model_dump_json()
