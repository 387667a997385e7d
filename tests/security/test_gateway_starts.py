"""Attacks on who asked: a goal that speaks in somebody's name who never asked for it."""

import base64
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import JsonValue, TypeAdapter
from temporalio.client import WorkflowHandle

from activities.queues import TaskQueue
from hitl.approval.decision import DECISION_TAG, UNVERIFIED, SignedDecision
from hitl.canonical import canonical_json
from hitl.gateway.who_asked import MEMO
from hitl.policy.file import load_policy
from tests.hitl.gateway.running import Place
from tests.workflows.approval.approving import RemoveInput, RemoveResult
from workers.gateway import Gateway

pytestmark = pytest.mark.asyncio(loop_scope="session")

Handle = WorkflowHandle[Any, RemoveResult]
JSON: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


async def requester(here: Place, gateway: Gateway, goal: Handle) -> str:
    """Whom the gateway takes for the one who asked."""
    run_id = (await goal.describe()).run_id
    first = await gateway.starts._server.first_event(goal.id, run_id)
    return await gateway.starts.requester(goal.id, first, load_policy(here.house.path).people)


async def memo_of(goal: Handle) -> dict[str, Any]:
    return dict(await (await goal.describe()).memo())


async def started(
    here: Place, memo: dict[str, Any], branch: str, *, workflow_id: str, queue: str = TaskQueue.GOALS
) -> Handle:
    """A start by hand, with whatever memo."""
    return await here.client.start_workflow(
        "TestRemove",
        RemoveInput(branch=branch),
        id=workflow_id,
        task_queue=queue,
        memo=memo,
        result_type=RemoveResult,
        execution_timeout=timedelta(minutes=1),
    )


async def statement(here: Place, gateway: Gateway, branch: str, **changes: JsonValue) -> str:
    """What the gateway would sign for a start, or nearly."""
    honest = await here.start(gateway, branch=branch)
    handle = here.client.get_workflow_handle(honest.workflow_id, result_type=RemoveResult)
    signed = SignedDecision.model_validate_json((await memo_of(handle))[MEMO])
    await handle.terminate()
    tag, _, body = signed.text.partition("\n")
    said: dict[str, JsonValue] = JSON.validate_json(body) | changes
    return f"{tag}\n{canonical_json(said)}"


async def vouched(here: Place, gateway: Gateway, text: str, branch: str) -> str:
    """Whom a start counts for whose statement says this, with a real signature under it."""
    signed = SignedDecision.from_vault(text, await here.vault.sign("approvals", text))
    goal = await started(here, {MEMO: signed.model_dump_json()}, branch, workflow_id=f"remove/{branch}")
    found = await requester(here, gateway, goal)
    await goal.terminate()
    return found


@pytest.fixture
def branch() -> str:
    return f"b-{secrets.token_hex(4)}"


async def test_a_start_through_the_gateway_counts_for_who_asked(here: Place, branch: str) -> None:
    gateway = await here.made()
    goal = await here.goal(gateway, by="erin", branch=branch)
    assert await requester(here, gateway, goal) == "slack:U0ERIN"
    await goal.terminate()
    text = await statement(here, gateway, branch)
    assert await vouched(here, gateway, text, branch) == "slack:U0ERIN"


async def test_an_input_or_an_identity_of_the_clients_own_counts_for_nothing(here: Place, branch: str) -> None:
    gateway = await here.made()
    memo = {MEMO: "slack:U0ERIN", "requester": "slack:U0ERIN"}
    goal = await started(here, memo, branch, workflow_id=f"remove/{branch}")
    assert await requester(here, gateway, goal) == UNVERIFIED
    await goal.terminate()


async def test_a_copied_statement_is_good_for_no_other_goal(here: Place, branch: str) -> None:
    gateway = await here.made()
    honest = await here.goal(gateway, by="erin", branch=branch)
    memo = await memo_of(honest)
    await honest.terminate()
    elsewhere = await started(here, memo, branch, workflow_id=f"{honest.id}-2")
    other_input = await started(here, memo, "main", workflow_id=honest.id)
    assert await requester(here, gateway, elsewhere) == UNVERIFIED
    assert await requester(here, gateway, other_input) == UNVERIFIED
    await elsewhere.terminate()
    await other_input.terminate()
    # With a worker of one's own behind it, the same goal would plan what one likes.
    own_queue = await started(here, memo, branch, workflow_id=honest.id, queue="of-my-own")
    assert await requester(here, gateway, own_queue) == UNVERIFIED
    await own_queue.terminate()


@pytest.mark.parametrize(
    "change",
    [
        {"signed_at": (datetime.now(UTC) - timedelta(minutes=5)).isoformat().replace("+00:00", "Z")},
        {"cluster": "another"},
        {"namespace": "another"},
        {"goal": "ReadFile"},
        {"workflow_id": "remove/another"},
        {"unknown": "field"},
    ],
    ids=["old", "cluster", "namespace", "goal", "id", "field"],
)
async def test_a_statement_for_anything_else_counts_for_nothing(
    here: Place, branch: str, change: dict[str, JsonValue]
) -> None:
    gateway = await here.made()
    text = await statement(here, gateway, branch, **change)
    assert await vouched(here, gateway, text, branch) == UNVERIFIED


async def test_a_statement_under_another_tag_or_key_counts_for_nothing(here: Place, branch: str) -> None:
    gateway = await here.made()
    text = await statement(here, gateway, branch)
    assert await vouched(here, gateway, text.replace("banksman-start/v1", DECISION_TAG), branch) == UNVERIFIED
    forged = base64.b64encode(Ed25519PrivateKey.generate().sign(text.encode())).decode()
    memo = {MEMO: SignedDecision(text=text, signature=forged, key_version=1).model_dump_json()}
    goal = await started(here, memo, branch, workflow_id=f"remove/{branch}")
    assert await requester(here, gateway, goal) == UNVERIFIED
    await goal.terminate()
