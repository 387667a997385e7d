"""The steps around plans of goals: what may be run on a grant, what without anybody, and what is bound."""

from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.agent.binding import PlanBinding
from activities.agent.contracts import MOST_MISTAKES, BindPlanRequest, RunPlanParameters, RunUnasked
from activities.agent.running import PlanGrants, UnaskedPlans
from activities.guard.granted import GrantedRequest
from activities.guard.policy_source import PolicySource
from hitl.approval.plan import Plan, PlanError
from hitl.plan_language.bound import BoundError, BoundPlan
from hitl.protocol import Effect
from tests.hitl.plan_language.planning import FOUND, MOTTO, OPEN, bound, delete, plan_of, step
from workflows.agent.asking import plan_to_approve
from workflows.agent.described import described

POLICY = """\
people: {alice: [slack:U0ALICE]}
groups: {release: [alice]}
environments:
  live:
    phase: PHASE
    slack_channel: C0OPS
    actions:
      - allow: github.comment
"""


def bound_plan(*act: Any) -> BoundPlan:
    found = bound(plan_of(act=list(act)), {"motto": FOUND}).plan
    assert found is not None
    return found


async def run(plan: Plan) -> str:
    request = GrantedRequest(plan=plan.text(), decisions=())
    return (await ActivityEnvironment().run(PlanGrants().run_plan, request)).digest


async def test_what_people_allow_is_the_bound_plan_in_what_they_saw() -> None:
    one = bound_plan(OPEN)
    assert await run(plan_to_approve(one)) == one.digest()


@pytest.mark.parametrize(
    "changes",
    [
        {"digest": "sha256:" + "0" * 64},
        {"effect": "read"},
        {"resource": "ReadFile"},
        {"repository": "acme/shop"},
        {"plan": {}},
        {"more": 1},
    ],
    ids=str,
)
async def test_what_is_said_beside_the_bound_plan_is_what_it_says(changes: dict[str, Any]) -> None:
    plan = plan_to_approve(bound_plan(OPEN))
    with pytest.raises(PlanError):
        await run(plan.model_copy(update={"parameters": plan.parameters | changes}))


def test_all_of_a_short_plan_is_in_the_lines_that_people_read_and_of_a_long_one_where_to_look() -> None:
    short = plan_to_approve(bound_plan(OPEN)).summary
    assert '   /repository: "acme/site"' in short
    long = plan_to_approve(bound_plan(*(step(OPEN, id=f"s{number}") for number in range(49))))
    assert (len(long.summary), len(long.resources)) == (50, 49)
    assert "in full in the parameter `plan`" in long.summary[2]
    assert long.summary[-1] == "and 3 more"
    assert "acme/site" in "\n".join(long.parameter_lines())


@pytest.mark.parametrize("letter", ["x", "世", "🏗"])
@pytest.mark.parametrize(("steps", "letters"), [(1, 60_000), (40, 300), (14, 1000), (45, 400)])
def test_whatever_can_be_bound_can_be_put_before_people(letter: str, steps: int, letters: int) -> None:
    act = [step(OPEN, id=f"s{number}") for number in range(steps)]
    shorter = letters // len(letter.encode())
    found = bound(plan_of(act=act), {"motto": {**FOUND, "content": letter * shorter}}).plan
    assert found is not None
    assert plan_to_approve(found).text()


def test_lines_that_would_not_fit_beside_the_plan_itself_are_left_to_it() -> None:
    inputs: dict[str, Any] = {"repository": "acme/site", "command": ["🏗" * 430] * 37}
    one = bound_plan({"id": "a", "goal": "RunInSandbox", "inputs": inputs})
    summary = plan_to_approve(one).summary
    assert len(plan_to_approve(one).text()) > 0
    assert "in full in the parameter `plan`" in summary[2]


@pytest.mark.parametrize(
    ("phase", "rule", "act", "allowed"),
    [
        ("production", "", [OPEN], False),
        ("production", "      - {allow: agent.run_unasked}\n", [OPEN], True),
        ("non_critical_writes", "      - {allow: agent.run_unasked}\n", [OPEN], True),
        ("non_critical_writes", "", [OPEN], False),
        ("production", "      - {allow: agent.run_unasked, where: {resource: OpenPullRequest}}\n", [OPEN], True),
        ("production", "      - {allow: agent.run_unasked, where: {repository_name: site}}\n", [OPEN], True),
        ("production", "      - {allow: agent.run_unasked, where: {repository_name: shop}}\n", [OPEN], False),
        ("production", "      - {allow: agent.run_unasked, where: {resource: ReadFile}}\n", [OPEN], False),
        ("production", "      - {allow: agent.run_unasked}\n", [OPEN, delete("old")], False),
        (
            "production",
            "      - {allow: agent.run_unasked}\n      - {deny: agent.*, because: not here}\n",
            [OPEN],
            False,
        ),
    ],
)
async def test_silence_lets_no_plan_run_unasked_and_no_rule_one_that_destroys(
    tmp_path: Path, phase: str, rule: str, act: list[Any], *, allowed: bool
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY.replace("PHASE", phase) + rule)
    unasked = UnaskedPlans(PolicySource(path, environment="live"), described)
    answer = await ActivityEnvironment().run(unasked.run_unasked, RunUnasked(bound=bound_plan(*act).text()))
    assert (answer.allowed, answer.why != "") == (allowed, True)


async def test_what_a_plan_says_of_its_own_effect_counts_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY.replace("PHASE", "production") + "      - {allow: agent.run_unasked}\n")
    one = bound_plan(delete("old"))
    lying = one.model_copy(
        update={"effect": Effect.WRITE, "steps": (one.steps[0].model_copy(update={"effect": Effect.WRITE}),)}
    )
    unasked = UnaskedPlans(PolicySource(path, environment="live"), described)
    answer = await ActivityEnvironment().run(unasked.run_unasked, RunUnasked(bound=lying.text()))
    assert (answer.allowed, answer.why) == (False, "'gone' (DeleteBranch) may do more than write")
    gone = UnaskedPlans(PolicySource(path, environment="live"), lambda: MappingProxyType({}))
    assert not (await ActivityEnvironment().run(gone.run_unasked, RunUnasked(bound=bound_plan(OPEN).text()))).allowed


def test_what_is_no_bound_plan_is_refused() -> None:
    with pytest.raises(BoundError):
        RunUnasked(bound="{}").policy_context()
    context = RunUnasked(bound=bound_plan(OPEN).text()).policy_context()
    assert (context.resource, context.repository_name) == ("OpenPullRequest", "site")
    several = RunPlanParameters.of(bound_plan(OPEN, delete("old")))
    assert (several.resource, several.repository) == ("DeleteBranch,OpenPullRequest", None)


async def test_mistakes_are_an_answer_and_not_more_than_can_be_read() -> None:
    binding = PlanBinding(described)
    many = [step(MOTTO, id=f"s{number}", goal="X", inputs={}) for number in range(50)]
    answer = await ActivityEnvironment().run(binding.bind_plan, BindPlanRequest(plan=plan_of(explore=many, act=many)))
    assert len(answer.mistakes) == MOST_MISTAKES
    assert answer.more_mistakes > 0
    assert answer.bound is None


async def test_of_a_result_what_is_referred_to_is_asked_for() -> None:
    answer = await ActivityEnvironment().run(PlanBinding(described).bind_plan, BindPlanRequest(plan=plan_of()))
    assert answer.needed == {"motto": ("content",)}
    assert [one.id for one in answer.explore] == ["motto"]
