"""The steps that look after failed deliveries, run as Temporal runs them, against the twin and an App's own server."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.github.redelivery import RedeliveryActivities
from activities.github.redelivery_contracts import (
    FIND_FAILED_DELIVERIES,
    REDELIVER,
    FailedDelivery,
    FindFailedDeliveriesRequest,
    Redelivered,
    RedeliverRequest,
)
from connectors.artifacts import ArtifactStore
from connectors.github import failed
from connectors.github.client import app_jwt
from tests.activities.github.at_work import House, at_work
from tests.connectors.github.conftest import MakeTwin
from tests.connectors.github.listening import SECRET, Listener, listening
from tests.connectors.github.shop import Shop
from tests.hitl.gateway.running import eventually

PING = {"event": "ping", "owner": "acme", "payload": {"zen": "Keep it logically awesome.", "hook_id": 1}}


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as made:
        yield made


@pytest.fixture
def hooked(make_twin: MakeTwin, shop: Shop, listener: Listener, tmp_path: Path) -> House:
    hook = {"url": listener.address, "secret": SECRET.get_secret_value()}
    return House(make_twin(hook=hook), shop, ArtifactStore(str(tmp_path)))


def steps(house: House) -> RedeliveryActivities:
    return RedeliveryActivities(house.twin.github(), house)


async def found(house: House, count: int) -> list[FailedDelivery]:
    """What failed, once GitHub lists so much: it is noted after the answer came."""
    request = FindFailedDeliveriesRequest(since=datetime.now(UTC) - timedelta(days=2))
    told: list[FailedDelivery] = []

    async def listed() -> bool:
        found = await at_work(FIND_FAILED_DELIVERIES.name).run(steps(house).find_failed_deliveries, request)
        told[:] = found.deliveries
        return sum(one.attempts for one in told) == count

    await eventually(listed)
    return told


async def sent(house: House, one: FailedDelivery) -> Redelivered:
    request = RedeliverRequest(guid=one.guid, attempt=one.newest)
    return await at_work(REDELIVER.name).run(steps(house).redeliver, request)


async def test_what_failed_is_found_once_for_its_guid_and_sent_again_once(hooked: House, listener: Listener) -> None:
    listener.answers = [503, 500, 202]
    for _ in range(3):
        hooked.twin.hands.post("/_github/events", json=PING)
        listener.wait(1)
    listener.wait(3)
    first, second = await found(hooked, 2)
    assert (first.guid, first.attempts) == (listener.came[0].guid, 1)
    listener.answers = [503]
    assert await sent(hooked, first) == Redelivered()
    again, other = sorted(await found(hooked, 3), key=lambda one: -one.attempts)
    assert (again.guid, again.attempts, other.guid) == (first.guid, 2, second.guid)
    assert again.newest > first.newest
    assert await sent(hooked, first) == Redelivered(before=True), "the second attempt of a step sends nothing"
    assert len(listener.came) == 4
    assert {one for one in hooked.actions if one.startswith("github")} == {"github-read", "github-write"}


async def test_an_answer_that_was_lost_has_nothing_sent_twice(hooked: House, listener: Listener) -> None:
    listener.answers = [503]
    hooked.twin.hands.post("/_github/events", json=PING)
    [one] = await found(hooked, 1)
    hooked.twin.plant(kind="drop_after_effect", method="POST", path="/attempts$")
    with pytest.raises(Exception, match="GitHub"):
        await sent(hooked, one)
    listener.wait(2)
    headers = {"Authorization": f"Bearer {app_jwt(hooked.twin.credentials)}"}

    async def noted() -> bool:
        return len(hooked.twin.hands.get("/app/hook/deliveries", headers=headers).json()) == 2

    await eventually(noted)
    assert await sent(hooked, one) == Redelivered(before=True)
    assert len(listener.came) == 2


async def test_what_github_keeps_no_more_is_no_failure(hooked: House) -> None:
    gone = FailedDelivery(guid=str(uuid.uuid4()), newest=77, failed_at=datetime.now(UTC), attempts=1)
    assert await sent(hooked, gone) == Redelivered(gone=True)


async def test_every_page_is_read(hooked: House, listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed, "PAGE", 2)
    listener.answers = [503] * 5
    for _ in range(5):
        hooked.twin.hands.post("/_github/events", json=PING)
    listener.wait(5)
    told = await found(hooked, 5)
    assert {one.guid for one in told} == {one.guid for one in listener.came}
