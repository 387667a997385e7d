"""From GitHub's webhook to a workflow: each delivery once, by its GUID, and found by its repository."""

import asyncio
import json
import secrets
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from prometheus_client import REGISTRY
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ActivityError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from activities.queues import TaskQueue
from connectors.errors import InvalidRequest
from hitl.gateway.deliveries import Deliveries, DeliverySteps, OfInstallations
from hitl.github.events import AnyEvent, read_event
from hitl.github.ours import TARGET, TARGET_TYPE
from observability import names
from tests.hitl.gateway.delivering import new_guid, receiving
from tests.hitl.gateway.running import Place, eventually
from tests.hitl.github.payloads import comment_payload
from workflows.contracts import REQUESTER_ATTRIBUTE
from workflows.github.contracts import (
    DELIVERY_WORKFLOW,
    Done,
    FindUnreceivedRequest,
    ReceivedDelivery,
    delivery_id,
)
from workflows.github.installation_contracts import InstallationState, KeepInstallation, installation_id

pytestmark = pytest.mark.asyncio(loop_scope="session")


def counted(event: str, outcome: str) -> float:
    return REGISTRY.get_sample_value(names.METRIC_GITHUB_DELIVERIES, {"event": event, "outcome": outcome}) or 0.0


def _steps(deliveries: Deliveries) -> DeliverySteps:
    async def follow(_: OfInstallations) -> None:
        """Nothing depends on where the App is installed."""

    return DeliverySteps(deliveries, follow=follow)


async def test_a_delivery_is_worked_off_once_however_often_it_comes(here: Place) -> None:
    guid, body = new_guid(), comment_payload()
    async with receiving(here) as (gateway, hook):
        first = await hook.send("issue_comment", body, guid=guid)
        result = await hook.workflow(guid).result()
        run = (await hook.workflow(guid).describe()).run_id
        again = await hook.send("issue_comment", body, guid=guid)
        verified = await gateway.deliveries.verified(hook.workflow(guid).id, run)
        assert (await hook.workflow(guid).describe()).run_id == run, "also after it has ended, nothing is started"
    assert [(one.status_code, one.text) for one in (first, again)] == [(202, "new\n"), (202, "known\n")]
    assert result.done is Done.IGNORED
    assert verified.event.sender.login == "alice"


async def test_it_is_found_by_its_repository_and_told_in_one_line(here: Place) -> None:
    guid = new_guid()
    async with receiving(here) as (_, hook):
        await hook.send("issue_comment", comment_payload(body="a secret \u202e thing"), guid=guid)

        async def found() -> bool:
            query = f"WorkflowType = '{DELIVERY_WORKFLOW}' AND BanksmanRepository = 'acme/shop'"
            return guid in {one.id.rpartition("/")[2] async for one in here.client.list_workflows(query)}

        await eventually(found)
        described = await hook.workflow(guid).describe()
    assert await described.static_summary() == "issue_comment created in acme/shop by alice"


async def test_it_is_found_by_who_caused_it_in_every_case_whom_nobody_has_to_know(here: Place) -> None:
    guids, bodies = [new_guid(), new_guid()], [comment_payload(), comment_payload()]
    bodies[0]["sender"] = {"login": "Stranger-1", "id": 4711, "type": "User"}
    bodies[1]["sender"] = None
    async with receiving(here) as (_, hook):
        for guid, body in zip(guids, bodies, strict=True):
            assert (await hook.send("issue_comment", body, guid=guid)).status_code == 202
        asked = [(await hook.workflow(one).describe()).typed_search_attributes for one in guids]
    assert [one.get(REQUESTER_ATTRIBUTE) for one in asked] == ["github:stranger-1", None]


async def test_what_nobody_listens_to_is_counted_by_its_name_and_starts_nothing(here: Place) -> None:
    guid, before = new_guid(), counted("star", "ignored")
    async with receiving(here) as (_, hook):
        answer = await hook.send("star", {"action": "created"}, guid=guid)
        strange = await hook.send("of_another_year", {"action": "created"})
    assert [(one.status_code, one.text) for one in (answer, strange)] == [(202, "ignored\n")] * 2
    assert counted("star", "ignored") == before + 1
    with pytest.raises(RPCError, match="not found"):
        await hook.workflow(guid).describe()


async def test_what_the_app_did_itself_is_counted_and_starts_nothing_and_no_header_drops_a_person(here: Place) -> None:
    guids, before = [new_guid() for _ in range(3)], counted("issue_comment", "own")
    app, of_app = {"id": 77, "slug": "banksman"}, {TARGET: "77", TARGET_TYPE: "integration"}
    ours = comment_payload()
    ours["sender"] = ours["comment"]["user"] = {"login": "banksman[bot]", "id": 9, "type": "Bot"}
    ours["comment"]["performed_via_github_app"] = app
    async with receiving(here) as (_, hook):
        own = await hook.send("issue_comment", ours, guid=guids[0], headers=of_app)
        renamed = await hook.send("issue_comment", ours, guid=guids[1])
        person = await hook.send("issue_comment", comment_payload(number=3), guid=guids[2], headers=of_app)
        assert not await hook.is_known(guids[0])
    assert [one.text for one in (own, renamed, person)] == ["own\n", "new\n", "new\n"]
    assert counted("issue_comment", "own") == before + 1


async def test_of_a_storm_nothing_is_lost_and_nothing_begun_twice(here: Place) -> None:
    """`python -m bench.webhooks` sends two thousand; these come all at once, every third of them twice."""
    edited = [comment_payload(number=10_000 + one) | {"action": "edited"} for one in range(60)]
    bodies = {new_guid(): one for one in edited}
    sent = [*bodies, *list(bodies)[::3]]
    turns = asyncio.Semaphore(10)
    async with receiving(here) as (gateway, hook):

        async def send(guid: str) -> str:
            async with turns:
                answer = await hook.send("issue_comment", bodies[guid], guid=guid)
            assert answer.status_code == 202
            return answer.text.strip()

        told = await asyncio.gather(*(send(one) for one in sent))
        asked = FindUnreceivedRequest(deliveries=tuple(bodies))
        missing = await ActivityEnvironment().run(_steps(gateway.deliveries).find_unreceived, asked)
    assert (told.count("new"), told.count("known")) == (60, 20)
    assert missing.deliveries == ()


async def test_while_temporal_is_away_it_is_left_to_be_sent_again(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    guid, body, receive = new_guid(), comment_payload(), Deliveries.receive

    async def away(self: Deliveries, guid: str, event: AnyEvent) -> None:
        raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")

    async with receiving(here) as (_, hook):
        monkeypatch.setattr(Deliveries, "receive", away)
        refused = await hook.send("issue_comment", body, guid=guid)
        monkeypatch.setattr(Deliveries, "receive", receive)
        taken = await hook.send("issue_comment", body, guid=guid)
        await hook.workflow(guid).result()
    assert (refused.status_code, taken.status_code) == (503, 202)
    assert "Send it again" in refused.text


async def test_what_github_tells_of_an_installation_is_kept_and_one_that_was_deleted_stays_so(here: Place) -> None:
    number = secrets.randbelow(10**9)
    guids = [new_guid() for _ in range(3)]
    async with receiving(here) as (_, hook):
        await hook.send("installation", installed("created", number), guid=guids[0])
        kept = await hook.workflow(guids[0]).result()
        installation = here.client.get_workflow_handle(installation_id(number), result_type=InstallationState)
        state = await installation.query("state", result_type=InstallationState)
        await hook.send("installation", installed("deleted", number), guid=guids[1])
        assert (await installation.result()).deleted
        await hook.send("installation", installed("created", number), guid=guids[2])
        late = await hook.workflow(guids[2]).result()
    assert (kept.done, kept.why) == (Done.KEPT, f"{installation_id(number)} knows of it")
    assert [one.full_name for one in state.repositories] == ["acme/shop"]
    assert (late.done, late.why) == (Done.IGNORED, "this installation was deleted before")


async def test_those_that_never_arrived_are_told_from_those_that_are_worked_off(here: Place) -> None:
    known, missing = new_guid(), new_guid()
    async with receiving(here) as (gateway, hook):
        await hook.send("issue_comment", comment_payload(), guid=known)
        asked = FindUnreceivedRequest(deliveries=(missing, known))
        found = await ActivityEnvironment().run(_steps(gateway.deliveries).find_unreceived, asked)
    assert found.deliveries == (missing,)


async def test_an_installation_is_kept_by_a_step_of_its_delivery_alone(here: Place) -> None:
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, workflow_id=None, workflow_run_id=None)
    async with receiving(here) as (gateway, _):
        with pytest.raises(InvalidRequest, match="alone"):
            await environment.run(_steps(gateway.deliveries).keep_installation, KeepInstallation())


async def test_an_installation_is_told_nothing_by_a_delivery_that_somebody_started_by_hand(here: Place) -> None:
    number = secrets.randbelow(10**9)
    event = read_event("installation", json.dumps(installed("created", number)).encode())
    assert event is not None
    guid = new_guid()
    async with receiving(here) as (_, hook):
        forged = ReceivedDelivery(delivery=guid, event=event)
        await here.client.start_workflow(DELIVERY_WORKFLOW, forged, id=delivery_id(guid), task_queue=TaskQueue.GOALS)
        with pytest.raises(WorkflowFailureError) as refused:
            await hook.workflow(guid).result()
        with pytest.raises(RPCError, match="not found"):
            await here.client.get_workflow_handle(installation_id(number)).describe()
    assert isinstance(refused.value.cause, ActivityError)
    assert "somebody started this workflow by hand" in str(refused.value.cause.cause)


def installed(action: str, number: int) -> dict[str, object]:
    """As GitHub tells of an installation."""
    at = datetime.now(UTC).isoformat()
    account = {"login": "acme", "id": 1, "type": "Organization"}
    told = {"id": number, "account": account, "permissions": {"contents": "read"}, "updated_at": at}
    repositories = [{"full_name": "acme/shop", "id": 7}] if action == "created" else []
    return {"action": action, "installation": told, "repositories": repositories, "sender": account}
