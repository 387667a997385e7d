"""What a service's manifest asks, at the guard: it computes by itself what the plan's text makes of the policy.

Real signatures, keys and policy files. The deployment's policy wants two of `release`; everything else is the plan's.
"""

from pathlib import Path

import pytest
from pydantic import JsonValue
from temporalio.exceptions import ApplicationError

from activities.guard.budgets import Budgets
from activities.guard.error_types import denial_of
from activities.guard.granted import GrantedRequest
from activities.guard.interceptor import GuardInterceptor
from activities.step import DESTRUCTIVE_EFFECTS
from hitl.approval.plan import Cost, Plan, plan_digest
from hitl.approval.stricter import Stricter
from hitl.protocol import Denial, RefusalReason
from tests.activities.guard.attempts import Records
from tests.activities.guard.stepping import Steps
from tests.activities.guard.test_grants import House
from tests.activities.guard.test_spending import Book
from tests.hitl.approval.granting import ACTION, GROUPS, Gateway, Tightened, make_plan, stricter, stricter_approval
from tests.hitl.approval.granting_steps import BASE, BRANCH, steps_plan


class TightenedHouse(House):
    """A destructive worker, and a gateway that signs what people decide on a tightened plan."""

    def __init__(self, folder: Path, asked: Stricter | None) -> None:
        super().__init__(folder)
        self.path.write_text(GROUPS)
        self.gateway: Gateway = Tightened(folder / "gateway", asked=asked)

    @classmethod
    async def made(cls, folder: Path, asked: Stricter | None) -> "TightenedHouse":
        house = cls(folder, asked)
        await house.keys.refresh()
        return house

    @property
    def plan(self) -> Plan:
        assert isinstance(self.gateway, Tightened)
        return self.gateway.plan

    def asks(self, *people: str, plan: Plan | None = None, **changes: object) -> GrantedRequest:
        return self.request(*people, plan=(plan or self.plan).text(), **changes)

    async def denied(self, request: GrantedRequest) -> Denial:
        with pytest.raises(ApplicationError) as caught:
            await self.run(request)
        assert self.deleter.calls == []
        denial = denial_of(caught.value)
        assert denial is not None, caught.value
        return denial


APPROVED: list[tuple[dict[str, JsonValue], tuple[str, ...]]] = [
    ({"quorum": 3}, ("alice", "bob", "carol")),
    ({"also": ["security"]}, ("alice", "carol")),
    ({"also": ["security"], "groups": ["release"]}, ("bob", "carol")),
    ({"execute_within": "30m"}, ("alice", "bob")),
    ({"quorum": 1, "approve_within": "300d"}, ("alice", "bob")),
]


@pytest.mark.parametrize(("more", "people"), APPROVED)
async def test_what_is_approved_as_the_manifest_asks_runs(
    tmp_path: Path, more: dict[str, JsonValue], people: tuple[str, ...]
) -> None:
    house = await TightenedHouse.made(tmp_path, stricter_approval(**more))
    await house.run(house.asks(*people))
    assert house.deleter.calls == [house.plan.text()]


REFUSED: list[tuple[dict[str, JsonValue], tuple[str, ...], RefusalReason]] = [
    ({"quorum": 3}, ("alice", "bob"), RefusalReason.QUORUM_NOT_MET),
    ({"quorum": 1}, ("alice",), RefusalReason.QUORUM_NOT_MET),
    ({"also": ["security"]}, ("alice", "bob"), RefusalReason.QUORUM_NOT_MET),
    ({"also": ["mallorys"]}, ("alice", "erin"), RefusalReason.REQUESTER_COUNTED),
    ({"groups": ["leads"]}, ("alice", "bob"), RefusalReason.NOT_A_MEMBER),
    ({"execute_within": "5m"}, ("alice", "bob"), RefusalReason.EXPIRED),
    ({"approve_within": "5m", "execute_within": "5m"}, ("alice", "bob"), RefusalReason.EXPIRED),
    ({"step_up": "webauthn"}, ("alice", "bob"), RefusalReason.NOT_CONFIRMED),
]


@pytest.mark.parametrize(("more", "people", "reason"), REFUSED)
async def test_what_was_approved_by_less_than_it_asks_does_not(
    tmp_path: Path, more: dict[str, JsonValue], people: tuple[str, ...], reason: RefusalReason
) -> None:
    house = await TightenedHouse.made(tmp_path, stricter_approval(**more))
    assert await house.refused(house.asks(*people)) is reason


async def test_a_gateway_that_signs_by_the_deployments_rule_alone_gains_nothing(tmp_path: Path) -> None:
    house = await TightenedHouse.made(tmp_path, stricter_approval(also=["security"]))
    loose = Gateway(tmp_path / "gateway", text=GROUPS, versions=house.gateway.versions)
    signed = loose.grant("alice", "carol", plan_digest=plan_digest(house.plan.text()))
    request = GrantedRequest(plan=house.plan.text(), decisions=tuple(signed))
    assert await house.refused(request) is RefusalReason.RULE_CHANGED


async def test_a_grant_that_is_signed_for_longer_than_the_manifest_lets_it_live_is_none(tmp_path: Path) -> None:
    house = await TightenedHouse.made(tmp_path, stricter_approval(approve_within="1h", execute_within="30m"))
    longer = Gateway(tmp_path / "gateway", text=GROUPS).decision().expires_at
    denial = await house.denied(house.asks("alice", "bob", expires_at=longer))
    assert denial.reason is RefusalReason.MALFORMED_GRANT
    assert "tightened by banksman.yaml (line 53)" in denial.explanation


@pytest.mark.parametrize("other", [None, stricter_approval(quorum=2), stricter(phase="production")])
async def test_a_tightening_that_was_cut_out_after_signing_takes_the_approval_with_it(
    tmp_path: Path, other: Stricter | None
) -> None:
    house = await TightenedHouse.made(tmp_path, stricter_approval(also=["security"]))
    cut = make_plan(tightening=other)
    assert await house.refused(house.asks("alice", "carol", plan=cut)) is RefusalReason.OTHER_PLAN


async def test_a_goal_that_leaves_it_out_has_the_deployments_policy_and_no_less(tmp_path: Path) -> None:
    house = await TightenedHouse.made(tmp_path, None)
    assert await house.refused(house.asks("alice")) is RefusalReason.QUORUM_NOT_MET
    await house.run(house.asks("alice", "bob"))
    assert len(house.deleter.calls) == 1


FORBIDDEN: list[tuple[Stricter, RefusalReason, str]] = [
    (
        stricter({"actions.0": 31}, actions=[{"deny": "github.*", "because": "frozen"}]),
        RefusalReason.DENY_RULE,
        "banksman.yaml: policy.actions[0] (line 31): frozen; its owners can change it in banksman.yaml",
    ),
    (
        stricter({"environments": 30}, environments=["staging"]),
        RefusalReason.DENY_RULE,
        "banksman.yaml: policy.environments (line 30)",
    ),
    (
        stricter({"phase": 29}, phase="non_critical_writes"),
        RefusalReason.PHASE,
        "phase non_critical_writes by banksman.yaml: policy.phase (line 29)",
    ),
]


@pytest.mark.parametrize(("asked", "reason", "words"), FORBIDDEN)
async def test_what_the_manifest_forbids_nobody_can_approve_and_its_line_is_named(
    tmp_path: Path, asked: Stricter, reason: RefusalReason, words: str
) -> None:
    house = await TightenedHouse.made(tmp_path, asked)
    denial = await house.denied(house.asks("alice", "bob"))
    assert denial.reason is reason
    assert words in denial.explanation


async def test_a_rule_that_denies_something_else_denies_nothing_here(tmp_path: Path) -> None:
    asked = stricter(actions=[{"deny": "github.*", "where": {"resource": "main"}}], phase="production")
    house = await TightenedHouse.made(tmp_path, asked)
    await house.run(house.asks("alice", "bob"))
    assert len(house.deleter.calls) == 1


async def test_what_nobody_understands_lets_nothing_run(tmp_path: Path) -> None:
    house = await TightenedHouse.made(tmp_path, stricter_approval(quorum=2))
    strange = make_plan(tightening=stricter(approvals=[{"action": ACTION, "quorumm": 3}]))
    denial = await house.denied(house.asks("alice", "bob", plan=strange))
    assert denial.reason is RefusalReason.MALFORMED_REQUEST
    assert "banksman.yaml" in denial.explanation


@pytest.mark.parametrize(("dollars", "runs"), [(6, False), (5, True)])
async def test_the_manifests_budget_is_the_one_that_is_reserved_from(
    tmp_path: Path, dollars: int, *, runs: bool
) -> None:
    house = await TightenedHouse.made(tmp_path, stricter({"budget.goal": 44}, budget={"goal": 5}))
    house.path.write_text(GROUPS.replace("phase: production", "phase: production\n    budget: {day: 100}"))
    book = Book()
    house.guard = GuardInterceptor(
        house.source,
        house.audit,
        role="destructive",
        effects=DESTRUCTIVE_EFFECTS,
        safeguards=house.safeguards,
        budgets=Budgets(book, environment="live"),
    )
    costly = house.plan.model_copy(update={"cost": Cost(usd_cents=dollars * 100, per="once")})
    request = house.asks("alice", "bob", plan=costly, plan_digest=plan_digest(costly.text()))
    if runs:
        await house.run(request)
        assert book.used == {500}
        return
    denial = await house.denied(request)
    assert denial.reason is RefusalReason.BUDGET
    assert "raise it in banksman.yaml: policy.budget.goal (line 44)" in denial.explanation
    assert book.used <= {0}


# Plans of many steps.


async def test_each_step_of_many_is_held_to_it(tmp_path: Path) -> None:
    asked = stricter(approvals=[{"action": BRANCH, "quorum": 2, "also": ["data"]}])
    plan = steps_plan().model_copy(update={"tightening": asked})
    async with Steps.at_work(tmp_path, Records(), plan) as house:
        too_few = house.request(1, house.grant("bob", "carol"))
        assert await house.refused(too_few) is RefusalReason.QUORUM_NOT_MET
        grant = house.grant("alice", "bob", "carol", approval_id="approval/x/2")
        for position in (1, 2, 3):
            await house.run(house.request(position, grant))
        assert house.destroyer.done == ["one", "two", "three"]


async def test_of_many_none_runs_that_the_manifest_denies_though_the_others_do(tmp_path: Path) -> None:
    plan = steps_plan().model_copy(update={"tightening": stricter({"actions.0": 8}, actions=[{"deny": BASE}])})
    async with Steps.at_work(tmp_path, Records(), plan) as house:
        grant = house.grant()
        await house.run(house.request(1, grant))
        assert await house.refused(house.request(2, grant)) is RefusalReason.DENY_RULE
        assert await house.refused(house.request(3, grant)) is RefusalReason.OUT_OF_ORDER


async def test_a_tightening_cut_out_of_many_takes_the_approval_with_it(tmp_path: Path) -> None:
    plan = steps_plan().model_copy(update={"tightening": stricter(approvals=[{"action": BRANCH, "quorum": 2}])})
    async with Steps.at_work(tmp_path, Records(), plan) as house:
        cut = house.request(1, house.grant("alice", "bob", "carol")).model_copy(update={"plan": steps_plan().text()})
        assert await house.refused(cut) is RefusalReason.OTHER_PLAN
