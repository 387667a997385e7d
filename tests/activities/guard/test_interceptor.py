"""The guard around one step, without a server: every check, what it records, and what is broken and not denied."""

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY
from pydantic import BaseModel
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.guard.audit import AuditLog, AuditRecord
from activities.guard.audit_verify import verify
from activities.guard.error_types import denial_of
from activities.guard.granted import GrantedRequest
from activities.guard.interceptor import GuardInterceptor
from activities.guard.policy_source import PolicySource
from activities.guard.rules import GrantVerifier
from activities.guard.safeguards import Safeguards
from activities.pulumi.contracts import WAYS, StackChanged
from activities.step import DESTRUCTIVE_EFFECTS, ORDINARY_EFFECTS, Step, implements
from connectors.errors import RateLimited, Unavailable
from connectors.pulumi.outcome import Ended, UpOutcome
from hitl.policy.file import PolicyError
from hitl.policy.rules import Policy
from hitl.protocol import Effect, PolicyContext, Refusal, RefusalReason
from sandbox.errors import SandboxUnavailable
from tests.activities.guard.attempts import Records, Waited, times
from tests.hitl.approval.granting import Gateway, make_plan


class Request(BaseModel):
    repository: str = "acme/shop"

    def policy_context(self) -> PolicyContext:
        return PolicyContext.of_repository(self.repository)


@dataclass
class Provider:
    """Counts what reached it."""

    calls: list[str] = field(default_factory=list[str])
    fails: BaseException | None = None
    blocks: asyncio.Event | None = None
    says: object = None

    async def touch(self, what: str) -> object:
        self.calls.append(what)
        if self.blocks is not None:
            self.blocks.set()
            await asyncio.Event().wait()
        if self.fails is not None:
            raise self.fails
        return self.says or what


class Steps:
    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    @implements(Step(name="github.read_file", request=Request, response=object, effect=Effect.READ))
    async def read(self, request: Request) -> object:
        return await self._provider.touch("read")

    @implements(Step(name="github.open_pull_request", request=Request, response=object, effect=Effect.WRITE))
    async def write(self, request: Request) -> object:
        return await self._provider.touch("write")

    @implements(Step(name="github.delete_branch", request=GrantedRequest, response=object, effect=Effect.DESTRUCTIVE))
    async def delete(self, request: GrantedRequest) -> object:
        return await self._provider.touch("delete")

    @activity.defn(name="github.sneak")
    async def sneak(self, request: Request) -> object:
        return await self._provider.touch("sneak")


NAMES = {
    "read": "github.read_file",
    "write": "github.open_pull_request",
    "delete": "github.delete_branch",
    "sneak": "github.sneak",
}


class _Call(ActivityInboundInterceptor):
    """The end of the chain, as the worker has it."""

    def __init__(self) -> None: ...

    async def execute_activity(self, input: ExecuteActivityInput) -> object:  # noqa: A002 - the SDK's
        return await input.fn(*input.args)


PRODUCTION = """\
environments:
  local:
    phase: production
    actions: [{allow: github.delete_branch}]
"""


class House:
    """One guarded worker's worth of parts."""

    def __init__(self, folder: Path, policy: str = "environments: {local: {phase: non_critical_writes}}") -> None:
        self.provider = Provider()
        self.steps = Steps(self.provider)
        self.policy = folder / "policy.yaml"
        self.policy.write_text(policy)
        self.log = folder / "audit.jsonl"
        self.audit = AuditLog(self.log)
        self.source = PolicySource(self.policy, environment="local")
        self.environment = ActivityEnvironment()
        self.environment.info = dataclasses.replace(self.environment.info, **times())  # pyright: ignore[reportArgumentType] - any field
        gateway = folder / "gateway"
        gateway.mkdir()
        self.granted = GrantedRequest(plan=make_plan().text(), decisions=tuple(Gateway(gateway).grant("alice")))

    def guard(
        self, effects: frozenset[Effect] = ORDINARY_EFFECTS, grants: GrantVerifier | None = None
    ) -> GuardInterceptor:
        safeguards = Safeguards(grants=grants, records=Records(), attempts=Waited()) if grants is not None else None
        return GuardInterceptor(self.source, self.audit, role="connectors", effects=effects, safeguards=safeguards)

    async def run(
        self, fn: Callable[..., Awaitable[object]], *args: object, guard: GuardInterceptor | None = None, **info: object
    ) -> object:
        name = NAMES[fn.__name__]
        found = dataclasses.replace(self.environment.info, activity_type=name, **info)  # pyright: ignore[reportArgumentType] - any field
        self.environment.info = found
        inbound = (guard or self.guard()).intercept_activity(_Call())
        asked = self.granted if fn.__name__ == "delete" else Request()
        call = ExecuteActivityInput(fn=fn, args=args or (asked,), executor=None, headers={})
        return await self.environment.run(inbound.execute_activity, call)

    async def refused(
        self, fn: Callable[..., Awaitable[object]], *args: object, guard: GuardInterceptor | None = None, **info: object
    ) -> RefusalReason:
        with pytest.raises(ApplicationError) as caught:
            await self.run(fn, *args, guard=guard, **info)
        denial = denial_of(caught.value)
        assert denial is not None
        assert caught.value.non_retryable
        assert self.provider.calls == []
        assert [record.event for record in self.records()] == ["denied"]
        assert self.records()[0].reason == denial.reason
        return denial.reason

    def records(self) -> list[AuditRecord]:
        assert verify(self.log).ok
        return [AuditRecord.model_validate_json(line) for line in self.log.read_text().splitlines()]

    def close(self) -> None:
        self.audit.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


def rewrite(house: House, text: str) -> None:
    """As an editor or a ConfigMap does it: a new file in the old one's place."""
    fresh = house.policy.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(house.policy)


async def test_what_is_allowed_runs_and_leaves_two_events(house: House) -> None:
    assert await house.run(house.steps.read) == "read"
    allowed, finished = house.records()
    assert (allowed.event, finished.event) == ("allowed", "finished")
    assert allowed.context == {"repository_owner": "acme", "repository_name": "shop"}
    assert (allowed.action, allowed.effect, allowed.phase) == ("github.read_file", "read", "non_critical_writes")
    assert (allowed.workflow_id, allowed.run_id, allowed.activity_id) == ("test", "test-run", "test")
    assert finished.duration_ms is not None


async def test_a_write_in_read_only_is_refused_and_never_called(house: House) -> None:
    rewrite(house, "environments: {local: {phase: read_only}}")
    assert await house.refused(house.steps.write) is RefusalReason.PHASE


async def test_rules_see_what_the_request_touches(house: House) -> None:
    rule = "{deny: github.*, where: {repository_name: payroll}}"
    rewrite(house, f"environments: {{local: {{phase: read_only, actions: [{rule}]}}}}")
    assert await house.refused(house.steps.read, Request(repository="Acme/PAYROLL")) is RefusalReason.DENY_RULE
    assert house.records()[0].rule == "environments.local.actions[0] (line 1)"
    assert await house.run(house.steps.read) == "read"


async def test_a_step_without_a_declared_effect_is_refused(house: House) -> None:
    assert await house.refused(house.steps.sneak) is RefusalReason.UNDECLARED


async def test_a_destructive_step_is_refused_by_an_ordinary_worker(house: House) -> None:
    rewrite(house, PRODUCTION)
    assert await house.refused(house.steps.delete) is RefusalReason.WRONG_WORKER


async def test_an_ordinary_step_is_refused_by_the_destructive_worker(house: House) -> None:
    rewrite(house, PRODUCTION)
    assert await house.refused(house.steps.read, guard=house.guard(DESTRUCTIVE_EFFECTS)) is RefusalReason.WRONG_WORKER


@pytest.mark.parametrize("args", [(Request(), Request()), ({"repository": "acme/shop"},)])
async def test_arguments_that_rules_could_not_look_at_are_refused(house: House, args: tuple[object, ...]) -> None:
    assert await house.refused(house.steps.read, *args) is RefusalReason.MALFORMED_REQUEST


async def test_a_request_that_cannot_say_what_it_touches_is_refused(house: House) -> None:
    assert await house.refused(house.steps.read, Request(repository="acme")) is RefusalReason.MALFORMED_REQUEST


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        ({}, RefusalReason.NO_GRANT),
        ({"workflow_id": None, "workflow_run_id": None}, RefusalReason.STANDALONE),
        ({"is_local": True}, RefusalReason.LOCAL_ACTIVITY),
        ({"workflow_id": ""}, RefusalReason.MISSING_ID),
        ({"workflow_run_id": ""}, RefusalReason.MISSING_ID),
        ({"workflow_run_id": None}, RefusalReason.MISSING_ID),
        ({"activity_id": ""}, RefusalReason.MISSING_ID),
        ({"namespace": ""}, RefusalReason.MISSING_ID),
    ],
)
async def test_without_a_verifier_every_destructive_step_is_refused(
    house: House, info: dict[str, object], reason: RefusalReason
) -> None:
    rewrite(house, PRODUCTION)
    assert await house.refused(house.steps.delete, guard=house.guard(DESTRUCTIVE_EFFECTS), **info) is reason


class Agreeable:
    """A verifier that would take anything, to show what is refused before it is asked."""

    def __init__(self, answer: Refusal | None = None, fails: Exception | None = None) -> None:
        self.asked: list[str] = []
        self._answer = answer
        self._fails = fails

    def verify(self, info: activity.Info, request: object, *, environment: str, policy: Policy) -> Refusal | None:
        assert isinstance(request, GrantedRequest)
        self.asked.append(f"{info.workflow_run_id} {environment} {policy.environments['local'].phase}")
        if self._fails:
            raise self._fails
        return self._answer


@pytest.mark.parametrize(
    "info", [{"workflow_id": None, "workflow_run_id": None}, {"is_local": True}, {"workflow_run_id": ""}]
)
async def test_no_grant_helps_a_step_that_no_run_of_a_workflow_asked_for(house: House, info: dict[str, object]) -> None:
    rewrite(house, PRODUCTION)
    verifier = Agreeable()
    await house.refused(house.steps.delete, guard=house.guard(DESTRUCTIVE_EFFECTS, verifier), **info)
    assert verifier.asked == []


async def test_no_grant_helps_against_the_phase(house: House) -> None:
    verifier = Agreeable()
    guard = house.guard(DESTRUCTIVE_EFFECTS, verifier)
    assert await house.refused(house.steps.delete, guard=guard) is RefusalReason.PHASE
    assert verifier.asked == []


async def test_a_verified_destructive_step_runs_and_a_refused_one_does_not(house: House) -> None:
    rewrite(house, PRODUCTION)
    no = Agreeable(Refusal(reason=RefusalReason.NO_GRANT, explanation="It is for another plan."))
    assert await house.refused(house.steps.delete, guard=house.guard(DESTRUCTIVE_EFFECTS, no)) is RefusalReason.NO_GRANT
    yes = Agreeable()
    assert await house.run(house.steps.delete, guard=house.guard(DESTRUCTIVE_EFFECTS, yes)) == "delete"
    assert yes.asked == ["test-run local production"]


async def test_a_grant_that_cannot_be_checked_now_is_tried_again(house: House) -> None:
    rewrite(house, PRODUCTION)
    guard = house.guard(DESTRUCTIVE_EFFECTS, Agreeable(fails=Unavailable("the key ring is old")))
    with pytest.raises(ApplicationError) as caught:
        await house.run(house.steps.delete, guard=guard)
    assert (caught.value.type, caught.value.non_retryable) == ("Unavailable", False)
    assert house.provider.calls == []


async def test_a_policy_that_becomes_invalid_stops_steps_without_denying_them(house: House) -> None:
    guard = house.guard()
    assert await house.run(house.steps.write, guard=guard) == "write"
    rewrite(house, "environments: {local: {phase: reed_only}}")
    with pytest.raises(ApplicationError) as caught:
        await house.run(house.steps.write, guard=guard)
    assert (caught.value.type, caught.value.non_retryable) == ("Unavailable", False)
    assert "'reed_only' is not a phase" in caught.value.message
    house.policy.unlink()
    with pytest.raises(ApplicationError, match="No such file"):
        await house.run(house.steps.write, guard=guard)
    assert house.provider.calls == ["write"]
    rewrite(house, "environments: {local: {phase: non_critical_writes}}")
    assert await house.run(house.steps.write, guard=guard) == "write"


def test_a_second_change_within_one_tick_of_the_clock_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    just_now = time.time_ns() + 60_000_000_000

    # A file system whose clock does not tick between two changes of the same size.
    def look(_: PolicySource) -> tuple[int, int, int, int]:
        return just_now, just_now, 1, 1

    monkeypatch.setattr(PolicySource, "_look", look)
    path = tmp_path / "policy.yaml"
    path.write_text("environments: {local: {phase: read_only}}")
    source = PolicySource(path, environment="local")
    path.write_text("environments: {local: {phase: production}}")
    assert source.settings().phase == "production"


async def test_an_environment_that_leaves_the_policy_stops_steps(house: House) -> None:
    rewrite(house, "environments: {other: {phase: production}}")
    with pytest.raises(ApplicationError, match="'local' is not in it") as caught:
        await house.run(house.steps.read)
    assert caught.value.type == "Unavailable"


def test_a_start_with_an_invalid_policy_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    for text in ("environments: {local: {phase: x}}", "environments: {other: {phase: read_only}}"):
        path.write_text(text)
        with pytest.raises(PolicyError):
            PolicySource(path, environment="local")


async def test_no_step_runs_without_its_audit_event(house: House) -> None:
    house.audit.close()
    with pytest.raises(ApplicationError, match="the audit log failed") as caught:
        await house.run(house.steps.read)
    assert caught.value.type == "Unavailable"
    assert house.provider.calls == []
    house.audit = AuditLog(house.log)


async def test_a_step_that_had_its_effect_does_not_fail_for_its_log(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    before = _sample("banksman_audit_events_total", event="finished", written="no")

    class Closes(Steps):
        @implements(Step(name="github.open_pull_request", request=Request, response=object, effect=Effect.WRITE))
        async def write(self, request: Request) -> object:
            house.audit.close()
            return "written"

    assert await house.run(Closes(house.provider).write) == "written"
    assert "is missing from the audit log" in caplog.text
    assert _sample("banksman_audit_events_total", event="finished", written="no") == before + 1
    house.audit = AuditLog(house.log)


async def test_errors_are_mapped_and_recorded(house: House) -> None:
    house.provider.fails = RateLimited("'acme/shop': slow down")
    with pytest.raises(ApplicationError) as caught:
        await house.run(house.steps.read)
    assert caught.value.type == "RateLimited"
    house.provider.fails = ZeroDivisionError("a bug")
    with pytest.raises(ZeroDivisionError):
        await house.run(house.steps.read)
    assert [record.error for record in house.records()] == [None, "RateLimited", None, "ZeroDivisionError"]
    assert "slow down" not in house.log.read_text()


async def test_a_cancelled_step_is_recorded_as_such(house: House) -> None:
    house.provider.blocks = asyncio.Event()
    running = asyncio.create_task(_ignore(house.run(house.steps.read)))
    await house.provider.blocks.wait()
    house.environment.cancel()
    await running
    assert [record.event for record in house.records()] == ["allowed", "cancelled"]


async def _ignore(run: object) -> None:
    assert asyncio.iscoroutine(run)
    with pytest.raises(asyncio.CancelledError):
        await run


def _sample(metric: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(metric, labels) or 0


async def test_every_decision_is_counted_and_is_on_the_span(house: House) -> None:
    labels = {"action": "github.open_pull_request", "effect": "write", "decision": "denied", "reason": "phase"}
    counted = _sample("banksman_guard_decisions_total", **labels)
    measured = _sample("banksman_guard_seconds_count")
    rewrite(house, "environments: {local: {phase: read_only}}")
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with trace.get_tracer("test", tracer_provider=provider).start_as_current_span("step"):
        await house.refused(house.steps.write)
    [span] = exporter.get_finished_spans()
    assert dict(span.attributes or {}) == {
        "banksman.environment": "local",
        "banksman.effect": "write",
        "banksman.phase": "read_only",
        "banksman.decision": "denied",
        "banksman.reason": "phase",
    }
    assert _sample("banksman_guard_decisions_total", **labels) == counted + 1
    assert _sample("banksman_guard_seconds_count") == measured + 1


async def test_fifty_steps_at_once_leave_one_whole_chain(house: House) -> None:
    guard = house.guard()
    house.environment.info = dataclasses.replace(house.environment.info, activity_type="github.read_file")
    await asyncio.gather(*(house.run(house.steps.read, guard=guard) for _ in range(50)))
    records = house.records()
    assert [record.seq for record in records] == list(range(1, 101))
    assert [record.event for record in records].count("finished") == 50


def attempts(effect: str, outcome: str) -> float:
    labels = {"effect": effect, "outcome": outcome}
    return REGISTRY.get_sample_value("banksman_step_seconds_count", labels) or 0.0


def failures(error: str) -> float:
    labels = {"action": "github.open_pull_request", "error": error}
    return REGISTRY.get_sample_value("banksman_step_failures_total", labels) or 0.0


@pytest.mark.parametrize(
    ("fails", "error"),
    [
        (RateLimited("later"), "RateLimited"),
        (SandboxUnavailable("gone"), "SandboxUnavailable"),
        (KeyError("x"), "other"),
    ],
)
async def test_failed_attempts_are_counted_by_the_table_and_all_else_is_a_fault(
    house: House, fails: Exception, error: str
) -> None:
    before, counted = attempts("write", "failed"), failures(error)
    house.provider.fails = fails
    with pytest.raises((ApplicationError, KeyError)):
        await house.run(house.steps.write)
    assert (attempts("write", "failed"), failures(error)) == (before + 1, counted + 1)
    house.provider.fails, before = None, attempts("write", "finished")
    await house.run(house.steps.write)
    assert (attempts("write", "finished"), failures(error)) == (before + 1, counted + 1)


async def test_what_was_denied_took_no_time_of_a_step(house: House) -> None:
    before = attempts("write", "finished"), attempts("write", "failed")
    rewrite(house, "environments: {local: {phase: read_only}}")
    await house.refused(house.steps.write)
    assert (attempts("write", "finished"), attempts("write", "failed")) == before


@pytest.mark.parametrize("ended", list(Ended))
async def test_an_end_in_doubt_is_counted_though_the_step_answered(house: House, ended: Ended) -> None:
    def counted() -> float:
        labels = {"action": "github.delete_branch", "end": WAYS[ended]}
        return REGISTRY.get_sample_value("banksman_step_ends_total", labels) or 0.0

    rewrite(house, PRODUCTION)
    before = counted()
    house.provider.says = StackChanged(outcome=UpOutcome(ended=ended))
    await house.run(house.steps.delete, guard=house.guard(DESTRUCTIVE_EFFECTS, Agreeable()))
    assert counted() == before + 1
