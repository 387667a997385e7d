"""What each worker would take from its queue: every step of stacks is on one worker, and on the right one."""

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio
from pydantic import SecretStr
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Worker

from activities import catalogue
from activities.approvals.contracts import ResolveRule
from activities.approvals.giving_up_contracts import GIVE_UP_STEPS
from activities.guard.audit import AuditLog
from activities.guard.granted import GiveUpRequest, GrantedRequest
from activities.guard.grants import SignedGrants
from activities.guard.interceptor import GuardInterceptor
from activities.guard.key_ring import KeyRing
from activities.guard.policy_source import PolicySource
from activities.guard.safeguards import Safeguards
from activities.pulumi.contracts import OutputsLook, PreparedStack
from activities.pulumi.place import StackPlace
from activities.step import DESTRUCTIVE_EFFECTS, Step, StepError
from connectors.artifacts import ArtifactStore
from connectors.errors import InvalidRequest
from connectors.vault import VaultSession
from connectors.vault.transport import Transport
from hitl.policy.rules import Policy
from hitl.protocol import Effect, Refusal
from sandbox.docker.container import SandboxOptions
from sandbox.docker.engine import Engine
from sandbox.docker.provider import DockerSandbox
from sandbox.spec import Limits
from tests.activities.guard.attempts import Records, Waited, times
from tests.hitl.approval.granting import make_plan
from workers.roles.connectors import connectors_worker
from workers.roles.destructive import Destroying, destructive_worker
from workers.roles.sandbox import sandbox_worker
from workers.sandbox import Provision
from workers.settings import Settings
from workers.stack_engine import FoundEngine

DIGEST = f"sha256:{'0' * 64}"
LOOKS = {
    *("pulumi.prepare_stack", "pulumi.preview_stack", "pulumi.preview_destroy", "pulumi.refresh_stack"),
    *("pulumi.detect_drift", "pulumi.read_history", "pulumi.read_outputs", "pulumi.preview_restore"),
    "pulumi.look_at_lock",
}
CHANGES = {"pulumi.update_stack", "pulumi.destroy_stack", "pulumi.restore_state", "pulumi.unlock_stack"}
DESTRUCTIVE = {name for name, step in catalogue.steps().items() if step.effect is Effect.DESTRUCTIVE}


LOOK = OutputsLook(
    place=StackPlace(repository="acme/shop", stack="dev"),
    prepared=PreparedStack(project="shop", commit="0" * 40, prepared=DIGEST),
    secrets="sealed",
)


@pytest_asyncio.fixture
async def own_client(client: Client) -> Client:
    """Of this test alone: workers that are made and never run would keep their queues from others of one client."""
    return await Client.connect(client.service_client.config.target_host)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    policy = Path(__file__).parents[2] / "deploy/local/policy.yaml"
    return Settings(policy=policy, artifacts=str(tmp_path / "artifacts"), audit_dir=tmp_path / "audit")


@pytest.fixture
def vault() -> VaultSession:
    """One that nobody asks anything."""
    return VaultSession(Transport("http://127.0.0.1:1", timeout=1), SecretStr("none"), role="test", ttl=60)


@pytest_asyncio.fixture
async def provision(settings: Settings, tmp_path: Path) -> AsyncIterator[Provision]:
    engine = Engine(f"unix://{tmp_path}/nobody.sock")
    sandbox = DockerSandbox(engine, ArtifactStore(settings.artifacts), SandboxOptions())
    yield Provision(sandbox, DIGEST, Limits())
    await engine.close()


def steps(worker: Worker) -> dict[str, Callable[..., Awaitable[object]]]:
    """By name."""
    found = cast("list[Callable[..., Awaitable[object]]]", worker.config().get("activities"))
    return {str(activity._Definition.must_from_callable(one).name): one for one in found}


def destroying(settings: Settings, vault: VaultSession) -> Destroying:
    grants = SignedGrants(KeyRing(lambda: vault.public_keys("approvals")), cluster="test")
    return Destroying(grants, None, FoundEngine(settings, None))


async def test_each_step_of_stacks_is_on_the_worker_that_may_do_it(
    own_client: Client, settings: Settings, vault: VaultSession, provision: Provision
) -> None:
    means = destroying(settings, vault)
    looks = steps(sandbox_worker(own_client, settings, vault, provision=provision, stacks=None))
    changes = steps(destructive_worker(own_client, settings, vault, means))
    seals = steps(connectors_worker(own_client, settings, vault))
    assert {name for name in looks if name.startswith("pulumi.")} == LOOKS
    assert set(changes) == DESTRUCTIVE
    assert {name for name in changes if name.startswith("pulumi.")} == CHANGES
    assert {name for name in seals if name.startswith("pulumi.")} == {"pulumi.seal_credentials"}
    # Without the setting they are there, and say which one is missing.
    with pytest.raises(InvalidRequest, match="BANKSMAN_STACKS"):
        await ActivityEnvironment().run(looks["pulumi.read_outputs"], LOOK)


async def test_a_step_that_is_declared_and_nowhere_implemented_keeps_its_worker_from_starting(
    own_client: Client, settings: Settings, vault: VaultSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = Step(name="lost.read_it", request=ResolveRule, response=int, effect=Effect.READ)
    declared = {**catalogue.steps(), lost.name: lost}
    monkeypatch.setattr(catalogue, "steps", lambda: declared)
    with pytest.raises(StepError, match=r"nothing in workers\.steps\.connectors implements\n  - lost\.read_it"):
        connectors_worker(own_client, settings, vault)


class Agreeable:
    """Takes every grant."""

    def verify(self, info: activity.Info, request: object, *, environment: str, policy: Policy) -> Refusal | None:
        return None


class _Step(ActivityInboundInterceptor):
    """The end of the chain, as the worker has it."""

    def __init__(self) -> None: ...

    async def execute_activity(self, input: ExecuteActivityInput) -> object:  # noqa: A002 - the SDK's
        return await input.fn(*input.args)


@pytest.mark.parametrize("name", sorted(DESTRUCTIVE))
async def test_every_destructive_step_is_refused_before_anything_is_leased(
    own_client: Client, settings: Settings, vault: VaultSession, tmp_path: Path, name: str
) -> None:
    """Whatever is added to this worker has to be in the tests of what happens right before an effect, too:
    `tests/connectors/github/test_destruction.py` and `tests/sandbox/pulumi/steps/test_stale_attempts.py`."""
    found = steps(destructive_worker(own_client, settings, vault, destroying(settings, vault)))
    policy = tmp_path / "policy.yaml"
    policy.write_text(f"environments: {{local: {{phase: production, actions: [{{allow: {name}}}]}}}}")
    records = Records()
    request = GiveUpRequest if name == GIVE_UP_STEPS.name else GrantedRequest
    guard = GuardInterceptor(
        PolicySource(policy, environment="local"),
        AuditLog(tmp_path / "audit.jsonl"),
        role="destructive",
        effects=DESTRUCTIVE_EFFECTS,
        safeguards=Safeguards(grants=Agreeable(), records=records, attempts=Waited(until=0)),
    )
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, activity_type=name, **times())  # pyright: ignore[reportArgumentType] - any field
    call = ExecuteActivityInput(
        fn=found[name],
        args=(request(plan=make_plan(action=name).text(), decisions=()),),
        executor=None,
        headers={},
    )
    with pytest.raises(ApplicationError, match="nobody waits for"):
        await environment.run(guard.intercept_activity(_Step()).execute_activity, call)
    assert records.kept == {}
