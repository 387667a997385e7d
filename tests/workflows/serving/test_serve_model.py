"""The goal `ServeModel` on the real server: a backend that comes into its tier and goes out of it by itself."""

import asyncio
import base64
import dataclasses
import re
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from pydantic import SecretStr
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import CancelledError
from temporalio.testing import ActivityEnvironment

from activities.lambdalabs import making
from activities.models.contracts import ModelAnswered, RequestModel
from activities.models.served import ANSWERS_FOR, ServedModels
from activities.models.serving_contracts import WITHDRAW_SERVED
from connectors.creation import mark
from connectors.errors import OutcomeUnknown, Unavailable
from connectors.served.boot import ticket
from connectors.served.hello import digest
from tests.connectors.lambdalabs.conftest import KEY_CANARY, opened_at
from tests.connectors.models.deployed import asks
from tests.connectors.served.tunnelled import CALLER, tunnelled, until
from tests.workflows.lambdalabs.at_lambda import NOTHING_LEFT, lease_of
from tests.workflows.serving.scenarios import SCENARIOS
from tests.workflows.serving.serving import WANTED, Model, ServingHouse, serving_house
from workflows.serving.goals import ServeModelResult

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[ServingHouse]:
    monkeypatch.setattr(making, "SHOWS_WITHIN", timedelta(seconds=1))
    async with tunnelled(tmp_path) as place, serving_house(tmp_path, place, Model()) as found:
        yield found


async def ask(house: ServingHouse) -> ModelAnswered:
    """As a goal does, of one word and more."""
    asked = RequestModel(backend="gpu", model="lamp-1", labels=("public",), prompt=asks())
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, workflow_id="ask", workflow_run_id="run")
    answer = await environment.run(house.asking.request, asked)
    assert isinstance(answer, ModelAnswered)
    return answer


async def gone(house: ServingHouse, client: Client, goal_id: str) -> None:
    """Wait until the lease of its machine has ended."""
    await lease_of(client, f"{goal_id}/gpu").result()
    assert house.cloud.left() == NOTHING_LEFT


async def terminate(house: ServingHouse) -> None:
    """The provider ends the machine, and tells nobody."""
    (instance,) = house.cloud.known.instances
    async with opened_at(house.vault.twin.url) as account:
        await account.terminate(instance)


async def test_a_backend_comes_into_its_tier_is_asked_and_goes_before_its_machine(
    client: Client, house: ServingHouse, goal_id: str
) -> None:
    assert await house.offered() == ["lab/attic"]
    async with house.at_work(client):
        goal = await house.start(client, goal_id)
        await house.until_offered()
        assert await house.offered() == ["gpu/lamp-1", "lab/attic"]
        assert await house.offered("private") == []
        assert (await ask(house)).answer.parts[0].model_dump()["text"] == "lit"
        told = await goal.query("served", result_type=ServeModelResult)
        assert (told.models, told.data, told.type) == (("lamp-1",), ("log", "public"), "gpu_1x_a10")
        await goal.cancel()
        with pytest.raises(WorkflowFailureError) as ended:
            await goal.result()
        assert isinstance(ended.value.cause, CancelledError)
        assert await house.offered() == ["lab/attic"]
        with pytest.raises(Unavailable):
            await ask(house)
        await gone(house, client, goal_id)


async def test_what_a_machine_dials_in_with_is_in_no_history(client: Client, house: ServingHouse, goal_id: str) -> None:
    async with house.at_work(client):
        goal = await house.start(client, goal_id)
        await house.until_offered()
        machine = client.get_workflow_handle(f"{goal_id}/gpu")
        run = (await machine.describe()).run_id
        dialled = ticket(SecretStr(KEY_CANARY), mark=mark(machine.id), run=run)
        (user_data,) = house.cloud.known._user_data.values()
        (told,) = [one for one in yaml.safe_load(user_data)["write_files"] if one["path"].endswith("tunnel.json")]
        assert dialled.get_secret_value() in base64.b64decode(told["content"]).decode()
        histories = [(await one.fetch_history()).to_json() for one in (goal, machine)]
        kept = "".join(house.place.book.pages.values())
        await goal.cancel()
        await gone(house, client, goal_id)
    sees = " ".join(str(base64.b64decode(one)) for text in histories for one in re.findall(r'"data": ?"([^"]+)"', text))
    assert digest(dialled) in sees
    assert dialled.get_secret_value() not in sees
    assert CALLER not in sees
    assert KEY_CANARY not in sees
    assert dialled.get_secret_value() not in kept


async def test_it_ends_when_nobody_asks_and_tells_what_it_cost(
    client: Client, house: ServingHouse, goal_id: str
) -> None:
    async with house.at_work(client):
        goal = await house.start(client, goal_id)
        await house.until_offered()
        house.quiet_for(timedelta(minutes=59))
        await house.until_offered()
        house.quiet_for(timedelta(minutes=61))
        ended = await goal.result()
        assert (ended.outcome, ended.reason) == ("completed", "nobody asked it for 60 min")
        assert 1 <= (ended.usd_cents or 0) <= 3
        assert await house.offered() == ["lab/attic"]
        await gone(house, client, goal_id)


async def test_a_machine_that_its_provider_ends_is_out_of_its_tier_and_its_request_fails(
    client: Client, house: ServingHouse, goal_id: str
) -> None:
    async with house.at_work(client):
        goal = await house.start(client, goal_id)
        await house.until_offered()
        house.model.holds = True
        asking = asyncio.create_task(ask(house))
        assert await asyncio.to_thread(house.model.begun.wait, 20)
        await terminate(house)
        with pytest.raises((OutcomeUnknown, Unavailable)):
            await asking
        await house.until_offered(offered=False)
        assert await house.offered() == ["lab/attic"]

        async def is_told() -> bool:
            told = await goal.query("served", result_type=ServeModelResult)
            return (told.answers, told.lost) == (False, 1)

        await until(is_told)
        await goal.cancel()
        await gone(house, client, goal_id)


@pytest.mark.parametrize("lies", [{"lies": True}, {"status": 503}, {"status": 404}], ids=["empty", "ill", "unknown"])
async def test_a_server_that_says_it_is_well_and_does_not_answer_is_never_offered(
    client: Client, house: ServingHouse, goal_id: str, lies: dict[str, int]
) -> None:
    for name, value in lies.items():
        setattr(house.model, name, value)

    async def is_asked() -> bool:
        house.cloud.known.clock.run()
        return house.model.asked >= 3

    async with house.at_work(client):
        goal = await house.start(client, goal_id)
        await until(is_asked)
        assert await house.offered() == ["lab/attic"]
        house.model.lies, house.model.status = False, 200
        await house.until_offered()
        await goal.cancel()
        await gone(house, client, goal_id)


async def test_what_does_not_answer_in_time_is_paid_for_no_longer(
    client: Client, house: ServingHouse, goal_id: str
) -> None:
    house.model.lies = True
    async with house.at_work(client):
        goal = await house.start(client, goal_id, WANTED.model_copy(update={"comes_within_minutes": 0}))
        ended = await goal.result()
        await gone(house, client, goal_id)
    assert ended.outcome == "partially_applied"
    assert (ended.reason or "").startswith("it does not answer: ")
    assert (ended.reason or "").endswith("; its machine was ended")
    assert (ended.usd_cents or 0) >= 1


async def test_a_goal_that_is_terminated_leaves_no_machine_and_its_place_lapses(
    client: Client, house: ServingHouse, goal_id: str
) -> None:
    async with house.at_work(client):
        goal = await house.start(client, goal_id)
        await house.until_offered()
        await goal.terminate()
        await gone(house, client, goal_id)
    later = ServedModels(
        house.place.book, environment="local", clock=lambda: datetime.now(UTC) + ANSWERS_FOR + timedelta(seconds=1)
    )
    assert not await later.answers("gpu")


async def test_what_the_deployment_does_not_foresee_is_refused_and_costs_nothing(
    client: Client, house: ServingHouse, goal_id: str
) -> None:
    async with house.at_work(client):
        goal = await house.start(client, goal_id, WANTED.model_copy(update={"backend": "lab"}))
        ended = await goal.result()
    assert ended.outcome == "refused"
    assert "models.yaml foresees no machine that serves 'lab' (it has: gpu)" in (ended.reason or "")
    assert house.cloud.left() == NOTHING_LEFT


async def test_a_name_that_another_goals_machine_has_is_refused_before_anything_is_paid_for(
    client: Client, house: ServingHouse, goal_id: str
) -> None:
    assert await house.place.claim(goal="serve-model/other")
    async with house.at_work(client):
        ended = await (await house.start(client, goal_id)).result()
    assert ended.outcome == "refused"
    assert "another goal's machine serves 'gpu' already" in (ended.reason or "")
    assert house.cloud.left() == NOTHING_LEFT
    assert await house.place.served.caller("gpu") == digest(CALLER)


async def test_where_nobody_may_approve_its_machine_it_is_denied_and_its_name_is_free(client: Client) -> None:
    (refused,) = [one for one in SCENARIOS if one.name == "nobody-may-buy"]
    goal = await refused.run(client)
    ended = await goal.result()
    assert (ended.outcome, ended.reason, ended.instance) == ("denied", "Nobody can approve it.", None)
    assert WITHDRAW_SERVED.name in await taken(goal)


async def test_it_is_out_of_its_tier_before_its_machine_is_given_back(client: Client) -> None:
    (idle,) = [one for one in SCENARIOS if one.name == "idle"]
    done = await taken(await idle.run(client))
    assert done.index(WITHDRAW_SERVED.name) < done.index("give_back")


async def taken(goal: WorkflowHandle[Any, Any]) -> list[str]:
    """Its steps and signals, in order."""
    found: list[str] = []
    for one in (await goal.fetch_history()).events:
        step = one.activity_task_scheduled_event_attributes.activity_type.name
        told = one.signal_external_workflow_execution_initiated_event_attributes.signal_name
        found += [name for name in (step, told) if name]
    return found
