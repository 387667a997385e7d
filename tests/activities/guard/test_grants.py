"""Grants under the guard: one step with its decisions, and every way in which they are not for it."""

import asyncio
import dataclasses
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from prometheus_client import REGISTRY
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.guard.audit import AuditLog, AuditRecord
from activities.guard.audit_verify import verify
from activities.guard.current_attempt import current_attempt
from activities.guard.error_types import denial_of
from activities.guard.granted import GrantedRequest
from activities.guard.grants import ClickCheck, SignedGrants
from activities.guard.interceptor import GuardInterceptor
from activities.guard.key_ring import KeyRing
from activities.guard.policy_source import PolicySource
from activities.guard.safeguards import Safeguards
from activities.step import DESTRUCTIVE_EFFECTS, Step, implements
from hitl.approval.approvers import Path as ApprovalPath
from hitl.approval.decision import SignedDecision
from hitl.approval.grant import Checked
from hitl.approval.plan import plan_digest
from hitl.approval.scope import Heard
from hitl.protocol import Effect, Refusal, RefusalReason
from tests.activities.guard.attempts import Records, Waited, times
from tests.hitl.approval.granting import ACTION, NOW, POLICY, Gateway, make_plan


class Deleter:
    """A destructive step that counts what reached it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.looks = False

    @implements(Step(name=ACTION, request=GrantedRequest, response=type(None), effect=Effect.DESTRUCTIVE))
    async def delete_branch(self, request: GrantedRequest) -> None:
        if self.looks:
            await current_attempt().require()
        self.calls.append(request.plan)


class _Call(ActivityInboundInterceptor):
    def __init__(self) -> None: ...

    async def execute_activity(self, input: ExecuteActivityInput) -> object:  # noqa: A002 - the SDK's
        return await input.fn(*input.args)


class House:
    """A destructive worker's guard, with a real key ring and policy file."""

    def __init__(self, folder: Path) -> None:
        other = folder / "gateway"  # which reads a copy of its own
        other.mkdir()
        self.gateway = Gateway(other)
        self.path = folder / "policy.yaml"
        self.path.write_text(POLICY)
        self.source = PolicySource(self.path, environment="live")
        self.log = folder / "audit.jsonl"
        self.audit = AuditLog(self.log)
        self.seconds = 0.0
        self.now: datetime = NOW
        self.keys = KeyRing(self.published, clock=lambda: self.seconds)
        self.deleter = Deleter()
        grants = SignedGrants(self.keys, cluster="cluster-1", clock=lambda: self.now)
        self.times = times()
        self.records = Records()
        self.waited = Waited()
        self.safeguards = Safeguards(grants=grants, records=self.records, attempts=self.waited)
        self.guard = GuardInterceptor(
            self.source, self.audit, role="destructive", effects=DESTRUCTIVE_EFFECTS, safeguards=self.safeguards
        )

    async def published(self) -> Mapping[int, bytes]:
        return {version: key.public_bytes(Encoding.Raw, PublicFormat.Raw) for version, key in self.gateway.keys.items()}

    async def run(self, request: object, **info: object) -> None:
        environment = ActivityEnvironment()
        given: dict[str, object] = {
            "activity_type": ACTION,
            "activity_id": f"{ACTION}/1",
            "namespace": "default",
            "workflow_id": "delete-branch/acme/shop/old",
            "workflow_run_id": "run-1",
            **self.times,
        }
        environment.info = dataclasses.replace(environment.info, **(given | info))  # pyright: ignore[reportArgumentType] - any field
        inbound = self.guard.intercept_activity(_Call())
        call = ExecuteActivityInput(fn=self.deleter.delete_branch, args=(request,), executor=None, headers={})
        await environment.run(inbound.execute_activity, call)

    async def refused(self, request: object, **info: object) -> RefusalReason:
        with pytest.raises(ApplicationError) as caught:
            await self.run(request, **info)
        assert self.deleter.calls == []
        denial = denial_of(caught.value)
        assert denial is not None, caught.value
        assert caught.value.non_retryable
        last = AuditRecord.model_validate_json(self.log.read_text().splitlines()[-1])
        assert (last.event, last.reason) == ("denied", denial.reason)
        return denial.reason

    def events(self) -> list[AuditRecord]:
        return [AuditRecord.model_validate_json(line) for line in self.log.read_text().splitlines()]

    def request(self, *people: str, plan: str | None = None, **changes: object) -> GrantedRequest:
        grant = self.gateway.grant(*people, **changes)
        return GrantedRequest(plan=plan or make_plan().text(), decisions=tuple(grant))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    asyncio.run(house.keys.refresh())
    yield house
    house.audit.close()


async def test_with_its_grant_a_step_runs(house: House) -> None:
    await house.run(house.request())
    assert house.deleter.calls == [make_plan().text()]


async def test_the_audit_log_has_who_approved_it_and_of_a_refusal_nothing(house: House) -> None:
    await house.run(house.request("bob", "carol"))
    with pytest.raises(ApplicationError):
        await house.run(house.request("bob"))
    allowed, finished, denied = house.events()
    assert allowed.approval is not None
    assert [(one.person, one.verdict, one.surface) for one in allowed.approval.decisions] == [
        ("bob", "approve", "slack"),
        ("carol", "approve", "slack"),
    ]
    assert (allowed.approval.digest, allowed.approval.state) == (plan_digest(make_plan().text()), None)
    assert (finished.event, finished.approval) == ("finished", None)
    assert (denied.event, denied.approval) == ("denied", None)
    assert verify(house.log).ok


async def test_the_same_attempt_again_is_the_same_execution(house: House) -> None:
    request = house.request()
    await house.run(request)
    await house.run(request, attempt=2)
    assert len(house.deleter.calls) == 2


async def test_a_second_execution_on_the_same_grant_is_refused(house: House) -> None:
    """The same step id in the same run: what a workflow may schedule again once the first has ended."""
    request = house.request()
    await house.run(request)
    with pytest.raises(ApplicationError) as caught:
        await house.run(request, scheduled_time=datetime.now(UTC))
    denial = denial_of(caught.value)
    assert denial is not None
    assert denial.reason is RefusalReason.ALREADY_USED
    assert len(house.deleter.calls) == 1
    assert [one.event for one in house.events()] == ["allowed", "finished", "denied"]


async def test_an_attempt_that_nobody_waits_for_uses_no_grant_up(house: House) -> None:
    house.waited.until = 0
    with pytest.raises(ApplicationError, match="nobody waits for") as caught:
        await house.run(house.request())
    # Where somebody waits after all, there is another attempt.
    assert (caught.value.type, caught.value.non_retryable) == ("Unavailable", False)
    assert (house.deleter.calls, house.records.kept) == ([], {})
    assert [(one.event, one.reason) for one in house.events()] == [("denied", RefusalReason.NOT_CURRENT)]


async def test_a_step_that_finds_out_late_says_why_in_the_audit_log(house: House) -> None:
    house.waited.until = 1
    house.deleter.looks = True
    with pytest.raises(ApplicationError, match="nobody waits for"):
        await house.run(house.request())
    assert house.deleter.calls == []
    assert [(one.event, one.reason) for one in house.events()] == [
        ("allowed", None),
        ("failed", RefusalReason.NOT_CURRENT),
    ]


async def test_without_decisions_there_is_no_grant(house: House) -> None:
    assert await house.refused(GrantedRequest(plan=make_plan().text(), decisions=())) is RefusalReason.NO_GRANT


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        ({"namespace": "other"}, RefusalReason.OTHER_NAMESPACE),
        ({"workflow_id": "somebody-elses"}, RefusalReason.OTHER_RUN),
        ({"workflow_run_id": "run-2"}, RefusalReason.OTHER_RUN),
        ({"activity_id": f"{ACTION}/2"}, RefusalReason.OTHER_STEP),
        ({"workflow_id": None, "workflow_run_id": None}, RefusalReason.STANDALONE),
        ({"is_local": True}, RefusalReason.LOCAL_ACTIVITY),
        ({"workflow_run_id": ""}, RefusalReason.MISSING_ID),
    ],
)
async def test_the_ids_are_the_servers_own(house: House, info: dict[str, object], reason: RefusalReason) -> None:
    assert await house.refused(house.request(), **info) is reason


async def test_another_plan_than_the_approved_one_is_refused(house: House) -> None:
    swapped = make_plan(parameters={"repository": "acme/shop", "branch": "main"}).text()
    assert await house.refused(house.request(plan=swapped)) is RefusalReason.OTHER_PLAN


@pytest.mark.parametrize(
    "plan", ["", "{}", make_plan().text() + "\n", make_plan().text().replace("old", "o\\u006cd", 1)]
)
async def test_what_is_no_plan_is_refused_before_anything_else(house: House, plan: str) -> None:
    request = house.request().model_copy(update={"plan": plan})
    assert await house.refused(request) is RefusalReason.MALFORMED_REQUEST


async def test_rules_see_the_repository_of_the_plan(house: House) -> None:
    text = POLICY.replace(
        "- allow: github.delete_branch", "- allow: github.delete_branch\n        where: {repository_name: crm}"
    )
    house.path.write_text(text)
    assert await house.refused(house.request()) is RefusalReason.NO_ALLOW_RULE


async def test_a_policy_edited_between_click_and_effect_counts(house: House) -> None:
    request = house.request("alice", "bob")
    house.path.write_text(POLICY.replace("[alice, bob, carol]", "[alice, carol]"))
    assert await house.refused(request) is RefusalReason.NOT_A_MEMBER
    house.path.write_text(POLICY.replace("quorum: 2", "quorum: 3"))
    assert await house.refused(request) is RefusalReason.RULE_CHANGED


async def test_after_the_time_to_act_it_is_over(house: House) -> None:
    request = house.request()
    house.now = NOW + timedelta(hours=1)
    assert await house.refused(request) is RefusalReason.EXPIRED


async def test_old_keys_are_a_fault_that_waits_and_not_a_denial(house: House) -> None:
    house.seconds = 600.0
    with pytest.raises(ApplicationError) as caught:
        await house.run(house.request())
    assert (caught.value.type, caught.value.non_retryable) == ("Unavailable", False)
    assert house.deleter.calls == []
    await house.keys.refresh()
    await house.run(house.request())


async def test_a_revoked_key_voids_what_it_signed(house: House) -> None:
    request = house.request()
    house.gateway.rotate()
    await house.keys.refresh()
    await house.run(request)
    house.deleter.calls.clear()
    del house.gateway.versions[1]
    await house.keys.refresh()
    assert await house.refused(request) is RefusalReason.UNKNOWN_KEY


async def test_an_emergency_is_counted(house: House) -> None:
    def count() -> float:
        return REGISTRY.get_sample_value("banksman_break_glass_total", {"action": ACTION}) or 0.0

    before = count()
    await house.run(house.request())
    assert count() == before
    glass = house.request("dave", "erin", path=ApprovalPath.BREAK_GLASS, requester="slack:U0ALICE")
    await house.run(glass)
    assert count() == before + 1


async def test_a_request_holds_nothing_beside_the_plan_and_the_decisions() -> None:
    with pytest.raises(ValidationError, match="branch"):
        GrantedRequest.model_validate({"plan": make_plan().text(), "decisions": [], "branch": "main"})


def test_a_worker_that_does_not_know_its_cluster_verifies_nothing(house: House) -> None:
    with pytest.raises(ValueError, match="cluster"):
        SignedGrants(house.keys, cluster="")


# At the click.


def click(house: House, signed: SignedDecision) -> Heard | Refusal:
    check = ClickCheck(house.keys, house.source, cluster="cluster-1", clock=lambda: house.now)
    return check(signed, house.gateway.scope(environment="elsewhere", cluster="elsewhere"))


async def test_a_click_is_checked_by_the_workers_own_place_and_policy(house: House) -> None:
    assert isinstance(click(house, house.gateway.signed("alice")), Checked)
    house.path.write_text(POLICY.replace("[alice, bob, carol]", "[bob, carol]"))
    found = click(house, house.gateway.signed("alice"))
    assert isinstance(found, Refusal)
    assert found.reason is RefusalReason.NOT_A_MEMBER


async def test_what_cannot_be_checked_now_is_not_counted_and_says_so(house: House) -> None:
    signed = house.gateway.signed("alice")
    house.path.write_text("environments: [")
    broken = click(house, signed)
    house.path.write_text(POLICY)
    house.seconds = 600.0
    old = click(house, signed)
    for found in (broken, old):
        assert isinstance(found, Refusal)
        assert found.reason is RefusalReason.CANNOT_TELL
        assert "try again" in found.explanation
