"""Language models on a real server: what a person with a Temporal client can try, and what stays in a history."""

import asyncio
import base64
import json
import sys
import threading
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr
from starlette.responses import Response, StreamingResponse
from temporalio.client import ActivityFailureError, Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import Replayer, Worker

from activities.guard.error_types import denial_of
from activities.guard.who_asked import Origin, Requesters
from activities.models.answering import Answering
from activities.models.contracts import FIND_MODELS, REQUEST, ModelAnswered, RequestModel
from activities.models.decision_contracts import COUNT_DECISIONS
from activities.models.serving_contracts import CLAIM_SERVED, FIND_SERVED, WATCH_SERVED, WITHDRAW_SERVED
from activities.models.spending_contracts import FIND_SPENDING
from activities.queues import TaskQueue
from activities.step import StepError
from connectors.artifacts import ArtifactStore
from connectors.models.messages import MOST_INLINE, Text
from connectors.vault import VaultSession
from hitl.approval.approvers import People
from hitl.approval.decision import SignedDecision
from hitl.gateway.server import Server
from hitl.gateway.who_asked import MEMO, Start, WhoAsked, digest_of
from hitl.protocol import RefusalReason
from tests.activities.models.at_work import KEY, POLICY, request
from tests.activities.played_vault import PlayedVault
from tests.connectors.models.compatible import Compatible, refuses, says, says_in_pieces
from tests.connectors.models.deployed import asks, written
from tests.connectors.serving import served
from tests.security.asking_models import AskOften, AskOnce
from tests.workflows.approval.approving import eventually
from workers.commands.answering import answering
from workers.guarded import guarded_worker
from workers.roles.models import client_of, models_worker
from workers.settings import Role, Settings
from workflows.plugin import banksman_plugin

CLUSTER = "the-cluster"
SIGNS = Ed25519PrivateKey.generate()
pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def server() -> Compatible:
    return Compatible()


@pytest.fixture
def settings(server: Compatible, tmp_path: Path) -> Iterator[Settings]:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    with served(server.app()) as url:
        yield Settings(
            policy=policy,
            artifacts=str(tmp_path / "artifacts"),
            audit_dir=tmp_path / "audit",
            models=written(tmp_path, url),
        )


@asynccontextmanager
async def at_work(client: Client, settings: Settings, queue: str = "") -> AsyncGenerator[tuple[Client, str]]:
    """The models worker as its role makes it, and one with the workflow; the client of both, and the latter's queue."""
    own = await Client.connect(client.service_client.config.target_host, plugins=[banksman_plugin()])
    vault = cast("VaultSession", PlayedVault({"models/lab": {"key": SecretStr(KEY)}}))
    queue = queue or f"ask-{uuid.uuid4()}"
    requesters = Requesters(WhoAsked(Server(own, cluster=CLUSTER), lambda: {1: SIGNS.public_key()}).origin_of)
    models = models_worker(own, settings, vault, client_of(settings), requesters)
    async with models, Worker(own, task_queue=queue, workflows=[AskOnce, AskOften]):
        yield own, queue


async def kept(handle: WorkflowHandle[Any, Any]) -> bytes:
    """A history as the server has it, payloads in the clear."""
    return b"".join(one.SerializeToString() for one in (await handle.fetch_history()).events)


async def ask(client: Client, queue: str, wanted: RequestModel) -> tuple[ModelAnswered | None, Exception | None, bytes]:
    """What it answered, or failed with, and its history as it is kept."""
    handle = await client.start_workflow(
        AskOnce.run, wanted, id=f"ask/{uuid.uuid4()}", task_queue=queue, run_timeout=timedelta(seconds=40)
    )
    answer, failure = None, None
    try:
        answer = await handle.result()
    except WorkflowFailureError as error:
        failure = error.cause
    return answer, failure if isinstance(failure, Exception) else None, await kept(handle)


async def test_a_goal_asks_and_its_history_has_no_key_and_no_long_text(
    client: Client, server: Compatible, settings: Settings
) -> None:
    server.answers.append(says("y" * (MOST_INLINE + 1)))
    async with at_work(client, settings) as (own, queue):
        answer, failure, history = await ask(own, queue, request())
    assert failure is None
    assert answer
    assert answer.cost_micros == 212
    [said] = answer.answer.parts
    assert isinstance(said, Text)
    assert (said.reference or "").startswith("sha256:")
    assert server.keys == [f"Bearer {KEY}"]
    assert b"Is the lamp lit?" in history
    assert KEY.encode() not in history
    assert len(history) < 20_000
    assert KEY not in (settings.audit_dir / "models.jsonl").read_text()


def in_pieces(settings: Settings, folder: Path) -> None:
    """Have the lab answer piece by piece."""
    file = folder / "models.yaml"
    assert settings.models == file
    file.write_text(file.read_text().replace("seconds: 5}", "seconds: 5, stream: true}"))


async def nobody(workflow_id: str, run_id: str, people: People) -> Origin:
    raise AssertionError("nobody asks who asked")


async def contexts(
    client: Client, settings: Settings, wanted: RequestModel, *, signed_for: RequestModel
) -> list[dict[str, str]]:
    """What the audit log has of a goal that asks, started as the gateway would, under its statement for a request."""
    name = f"ask/{uuid.uuid4()}"
    async with at_work(client, settings, queue=TaskQueue.GOALS) as (own, queue):
        statement = Start(
            cluster=CLUSTER,
            namespace=own.namespace,
            workflow_id=name,
            goal="AskOnce",
            input_digest=digest_of(own.data_converter.payload_converter.to_payloads([signed_for])),
            requester="slack:U0ALICE",
            request="",
            signed_at=datetime.now(UTC),
        ).text()
        signature = base64.b64encode(SIGNS.sign(statement.encode())).decode()
        memo = {MEMO: SignedDecision(text=statement, signature=signature, key_version=1).model_dump_json()}
        await own.execute_workflow(AskOnce.run, wanted, id=name, task_queue=queue, memo=memo)
    lines = (settings.audit_dir / "models.jsonl").read_text().splitlines()
    return [json.loads(one)["context"] for one in lines]


async def test_who_asked_is_whom_the_gateway_signed_for_and_not_whom_the_goal_says(
    client: Client, server: Compatible, settings: Settings
) -> None:
    wanted = request(requester="slack:U0EVE")
    server.answers.append(says())
    found = await contexts(client, settings, wanted, signed_for=wanted)
    assert [one["requester"] for one in found] == ["slack:U0ALICE", "slack:U0ALICE"]


async def test_a_statement_for_another_request_vouches_for_nobody(
    client: Client, server: Compatible, settings: Settings
) -> None:
    server.answers.append(says())
    found = await contexts(client, settings, request(requester="slack:U0ALICE"), signed_for=request(asks("else")))
    assert [one["requester"] for one in found] == ["unverified", "unverified"]


async def test_fifty_turns_of_ten_kilobytes_are_a_small_history_that_replays(
    client: Client, server: Compatible, settings: Settings
) -> None:
    """With every message in its payload they are about 15 MB."""
    artifacts = ArtifactStore(settings.artifacts)
    results = [await artifacts.put(f"{number:05}".encode() * 2000) for number in range(50)]
    server.answers += [says(None, calls=[("look", "{}")], ended="tool_calls") for _ in results]
    async with at_work(client, settings) as (own, queue):
        handle = await own.start_workflow(
            AskOften.run, args=[request(), results], id=f"ask/{uuid.uuid4()}", task_queue=queue
        )
        assert ((await handle.result()) or "").startswith("transcript:")
    told = [one["content"] for one in server.asked[-1]["messages"] if one["role"] == "tool"]
    assert told == [f"{number:05}" * 2000 for number in range(49)]
    history = await kept(handle)
    assert b"0000100001" not in history
    assert len(history) < 500_000
    await Replayer(workflows=[AskOften], plugins=[banksman_plugin()]).replay_workflow(await handle.fetch_history())


async def test_a_busy_backend_is_asked_again_when_it_said(
    client: Client, server: Compatible, settings: Settings
) -> None:
    server.answers += [refuses(529, headers={"retry-after": "1"}), says("lit")]
    async with at_work(client, settings) as (own, queue):
        answer, _, history = await ask(own, queue, request())
    assert answer
    assert answer.answer.parts == (Text(text="lit"),)
    assert len(server.asked) == 2
    assert KEY.encode() not in history


async def test_people_see_how_far_an_answer_is_and_no_word_of_it(
    client: Client, server: Compatible, settings: Settings, tmp_path: Path
) -> None:
    goes_on = threading.Event()
    server.answers.append(says_in_pieces("WORDS-OF-THE-MODEL", " and more", goes_on=goes_on))
    in_pieces(settings, tmp_path)
    async with at_work(client, settings) as (own, queue):
        handle = await own.start_workflow(AskOnce.run, request(), id=f"ask/{uuid.uuid4()}", task_queue=queue)
        told: list[Answering] = []

        async def heard() -> bool:
            told.extend(one for one in [await answering(await handle.describe())] if one is not None)
            return bool(told and told[-1].characters)

        await eventually(heard)
        goes_on.set()
        answer = await handle.result()
        history = await kept(handle)
    assert answer.answer.parts == (Text(text="WORDS-OF-THE-MODEL and more"),)
    assert (told[-1].characters, told[-1].first_after is not None) == (18, True)
    assert "lab/lamp-1 has said about 5 tokens so far" in told[-1].line(told[-1].since)
    assert not [one for one in told if "WORDS" in one.model_dump_json()]
    assert history.count(b"WORDS-OF-THE-MODEL") == 2, "the step's result and the workflow's, as ever"


async def test_of_an_answer_that_breaks_off_no_word_is_in_the_history(
    client: Client, server: Compatible, settings: Settings, tmp_path: Path
) -> None:
    server.answers.append(says_in_pieces("WORDS-OF-THE-MODEL", " and more", ends=False))
    in_pieces(settings, tmp_path)
    async with at_work(client, settings) as (own, queue):
        _, failure, history = await ask(own, queue, request())
    assert isinstance(failure, ActivityError)
    assert isinstance(failure.cause, ApplicationError)
    assert failure.cause.type == "OutcomeUnknown"
    assert b"WORDS" not in history
    assert len(server.asked) == 1


async def test_an_answer_that_was_lost_is_not_paid_for_twice(
    client: Client, server: Compatible, settings: Settings
) -> None:
    server.answers += [refuses(504), says("lit")]
    async with at_work(client, settings) as (own, queue):
        _, failure, history = await ask(own, queue, request())
    assert isinstance(failure, ActivityError)
    assert isinstance(failure.cause, ApplicationError)
    assert failure.cause.type == "OutcomeUnknown"
    assert len(server.asked) == 1
    assert KEY.encode() not in history


@pytest.mark.slow
async def test_a_worker_that_is_killed_in_mid_request_costs_one_further_request_and_both_are_recorded(
    client: Client, server: Compatible, settings: Settings
) -> None:
    server.answers += [never(), says("lit")]
    told = [client.service_client.config.target_host, settings.model_dump_json()]
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.security.killed_models", *told)
    try:
        queue = f"ask-{uuid.uuid4()}"
        own = await Client.connect(told[0], plugins=[banksman_plugin()])
        async with Worker(own, task_queue=queue, workflows=[AskOnce]):
            asking = asyncio.create_task(ask(own, queue, request()))
            await eventually(lambda: came(server))
            process.kill()
            await process.wait()
            async with at_work(client, settings):
                answer, failure, _ = await asking
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert failure is None
    assert answer is not None
    assert len(server.asked) == 2
    log = [json.loads(one) for one in (settings.audit_dir / "models.jsonl").read_text().splitlines()]
    assert [one["attempt"] for one in log if one["action"] == REQUEST.name] == [1, 2, 2]
    assert [bool(one.get("model")) for one in log if one["action"] == REQUEST.name] == [False, False, True]


async def came(server: Compatible) -> bool:
    """Whether somebody asked."""
    return len(server.asked) == 1


def never() -> Response:
    """An answer that does not begin."""

    async def nothing() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    return StreamingResponse(nothing(), media_type="application/json")


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (request(labels=("private",)), RefusalReason.DATA),
        (request(backend="nobody"), RefusalReason.UNKNOWN_MODEL),
        (request(asks("x" * (MOST_INLINE + 1))), RefusalReason.MALFORMED_REQUEST),
    ],
)
async def test_a_refusal_is_a_result_and_nobody_was_asked(
    client: Client, server: Compatible, settings: Settings, wanted: RequestModel, reason: RefusalReason
) -> None:
    async with at_work(client, settings) as (own, queue):
        _, failure, _ = await ask(own, queue, wanted)
    assert isinstance(failure, ActivityError)
    denial = denial_of(failure.cause)
    assert denial
    assert (denial.reason, denial.action) == (reason, "models.request")
    assert server.asked == []


async def test_an_activity_that_somebody_starts_by_hand_is_refused(
    client: Client, server: Compatible, settings: Settings
) -> None:
    async with at_work(client, settings) as (own, _):
        with pytest.raises(ActivityFailureError) as caught:
            await own.execute_activity(
                REQUEST.name,
                request(),
                id=f"by-hand-{uuid.uuid4()}",
                task_queue=TaskQueue.MODELS,
                start_to_close_timeout=timedelta(seconds=20),
            )
    denial = denial_of(caught.value.cause)
    assert denial
    assert denial.reason is RefusalReason.STANDALONE
    assert server.asked == []


async def test_the_models_worker_has_these_steps_and_no_other_worker_takes_them(
    client: Client, settings: Settings
) -> None:
    vault = cast("VaultSession", PlayedVault())
    own = await Client.connect(client.service_client.config.target_host, plugins=[banksman_plugin()])
    worker = models_worker(own, settings, vault, client_of(settings), Requesters(nobody))
    found = cast("list[Any]", worker.config().get("activities"))
    serving = [CLAIM_SERVED, FIND_SERVED, WATCH_SERVED, WITHDRAW_SERVED]
    names = sorted(one.name for one in (COUNT_DECISIONS, FIND_MODELS, FIND_SPENDING, REQUEST, *serving))
    assert sorted(one.__temporal_activity_definition.name for one in found) == names
    for role in (Role.CONNECTORS, Role.SANDBOX, Role.GATEWAY):
        with pytest.raises(StepError, match=r"models\.request"):
            guarded_worker(own, settings, role, found)
