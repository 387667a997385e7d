"""Deletion at Estuary by a grant: what each attempt does after what the one before may have done."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from activities.estuary.contracts import DeletedSpec, DeleteFlowParameters, FlowPublished, PublishedSpec
from activities.guard.current_attempt import NotCurrent
from activities.guard.granted import GrantedRequest
from connectors.errors import Conflict, Unavailable
from connectors.estuary.models import NOT_THERE
from hitl.approval.plan import PlanError
from tests.activities.estuary.house import House, at_work, houses
from tests.activities.guard.attempts import Records, Waited, admitted
from tests.hitl.approval.granting import Gateway, make_plan

DELETE = "estuary.delete_flow"
ARCHIVE, NEW = "acme/shop/archive", "acme/shop/new"
COLLECTION: JsonValue = {"schema": {"type": "object"}, "key": ["/id"]}
PUBLISHES = {"method": "POST", "path": "rest/v1/publications"}
"""The one request that deletes."""

LOOKS = {"method": "GET", "path": "rest/v1/publications"}


class Execution:
    """One execution of the step by one grant: its attempts come one after the other, as the server counts them."""

    def __init__(self, house: House, folder: Path, parameters: Mapping[str, JsonValue]) -> None:
        self.house = house
        self.records = Records()
        plan = make_plan(action=DELETE, parameters=dict(parameters)).text()
        self.request = GrantedRequest(plan=plan, decisions=tuple(Gateway(folder).grant("alice", "bob")))
        self.scheduled = datetime.now(UTC)
        self.attempts = 0

    async def attempt(self, waited: Waited | None = None, **info: Any) -> FlowPublished:
        """The next one."""
        self.attempts += 1
        started = self.scheduled + timedelta(milliseconds=self.attempts)
        given: dict[str, Any] = {"scheduled_time": self.scheduled, "started_time": started, "attempt": self.attempts}
        given |= info
        step = admitted(self.house.destruction.delete_flow, self.records, waited)
        return await at_work(DELETE, **given).run(step, self.request)


@pytest.fixture
def house() -> Iterator[House]:
    with houses() as found:
        yield found


def wanted(house: House) -> DeleteFlowParameters:
    return DeleteFlowParameters(
        account="acme",
        resource="acme/shop/",
        publish=(PublishedSpec(name=NEW, type="collection", model=COLLECTION, expect=NOT_THERE),),
        delete=(DeletedSpec(name=ARCHIVE, expect=house.pub_id(ARCHIVE)),),
        data_plane=None,
    )


@pytest.fixture
def deletion(house: House, tmp_path: Path) -> Execution:
    return Execution(house, tmp_path, wanted(house).model_dump(mode="json"))


async def test_all_that_was_approved_is_published_at_once(deletion: Execution) -> None:
    told = await deletion.attempt()
    house = deletion.house
    assert told.publication == house.pub_id(NEW)
    assert told.end().way == "completed"
    assert ARCHIVE not in house.catalog.live
    assert house.asked == ["estuary-destroy"]
    assert [one.user for one in house.published()] == ["deleter"]


@pytest.mark.parametrize("info", [{}, {"attempt": 1}], ids=["counted on", "counted from one again"])
@pytest.mark.parametrize("kind", ["drop_after_effect", "drop"])
async def test_an_attempt_after_a_lost_answer_makes_no_second(
    deletion: Execution, kind: str, info: dict[str, Any]
) -> None:
    house = deletion.house
    house.twin.plant(kind=kind, **PUBLISHES)
    house.twin.plant(kind="delay", seconds=0, **LOOKS)  # the first look is answered, and the one in doubt is not
    house.twin.plant(kind="status", status=503, **LOOKS)
    with pytest.raises(Unavailable):
        await deletion.attempt()
    assert (await deletion.attempt(**info)).publication == house.pub_id(NEW)
    assert ARCHIVE not in house.catalog.live
    assert len(house.published()) == 1


async def test_what_somebody_published_since_people_saw_it_is_kept(deletion: Execution) -> None:
    live = deletion.house.catalog.live[ARCHIVE]
    live.pub_id = "0a:00:00:00:00:00:ff:ff"
    with pytest.raises(Conflict, match=f"somebody published '{ARCHIVE}' since"):
        await deletion.attempt()
    assert deletion.house.catalog.live[ARCHIVE] is live
    assert NEW not in deletion.house.catalog.live
    assert deletion.house.catalog.drafts == {}


async def test_what_estuary_refuses_is_told_as_refused(house: House, tmp_path: Path) -> None:
    orders = DeletedSpec(name="acme/shop/orders", expect=house.pub_id("acme/shop/orders"))
    parameters = wanted(house).model_copy(update={"publish": (), "delete": (orders,)})
    told = await Execution(house, tmp_path, parameters.model_dump(mode="json")).attempt()
    assert (told.publication, told.end().way) == (None, "refused")
    assert "buildFailed" in told.end().why
    assert "acme/shop/orders" in house.catalog.live


async def test_an_attempt_that_nobody_waits_for_is_given_no_credential(deletion: Execution) -> None:
    with pytest.raises(NotCurrent):
        await deletion.attempt(Waited(until=0))
    assert (deletion.house.asked, deletion.house.twin.requests()) == ([], [])


async def test_an_attempt_is_looked_at_once_more_before_it_publishes(deletion: Execution) -> None:
    waited = Waited(until=1)
    with pytest.raises(NotCurrent):
        await deletion.attempt(waited)
    assert waited.asked == 2
    assert (deletion.house.published(), deletion.house.catalog.drafts) == ([], {})
    assert ARCHIVE in deletion.house.catalog.live
    assert (await deletion.attempt()).publication is not None


@pytest.mark.parametrize("change", [{"delete": None}, {"force": True}], ids=["one too few", "one too many"])
async def test_a_plan_with_other_parameters_than_the_steps_is_given_no_credential(
    house: House, tmp_path: Path, change: dict[str, JsonValue]
) -> None:
    parameters = wanted(house).model_dump(mode="json") | change
    with pytest.raises(PlanError):
        await Execution(house, tmp_path, parameters).attempt()
    assert house.asked == []


async def test_it_runs_behind_its_guard_alone(house: House, deletion: Execution) -> None:
    with pytest.raises(RuntimeError, match="without its guard"):
        await at_work(DELETE).run(house.destruction.delete_flow, deletion.request)
    assert (house.asked, house.twin.requests()) == ([], [])
