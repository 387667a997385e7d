"""Trying, publishing and looking at flows: what each step tells, refuses, and makes once whatever happens."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from activities.estuary.contracts import (
    DELETE_FLOW,
    LOOK_AT_FLOW,
    PUBLISH_FLOW,
    TRY_FLOW,
    ExpectedSpec,
    FlowPublished,
    FlowSeen,
    FlowSpec,
    FlowTried,
    LookAtFlowRequest,
    PublishFlowRequest,
    TryFlowRequest,
)
from activities.step import step_of
from connectors.errors import Conflict, InvalidRequest, NotFound, Unavailable
from connectors.estuary.models import NOT_THERE, same_id
from connectors.estuary.twin.state import Live
from hitl.protocol import Effect, PolicyContext
from tests.activities.estuary.house import House, at_work, houses
from tests.connectors.estuary.conftest import CONFIG, KEY_CANARY, OTHER_KEY_CANARY, clocked
from tests.connectors.happening import EVENTS, happening, until_it_ends

COLLECTION: Final[JsonValue] = {"schema": {"type": "object"}, "key": ["/id"]}
ORDERS, ARCHIVE, NEW = "acme/shop/orders", "acme/shop/archive", "acme/shop/new"
WEBHOOK: Final[JsonValue] = {"connector": {"image": "ghcr.io/estuary/materialize-webhook:v1", "config": {}}}
BINDING: Final[dict[str, JsonValue]] = {"source": ORDERS, "resource": {"table": "orders"}}
TASK: Final[JsonValue] = {"endpoint": WEBHOOK, "bindings": [BINDING]}
BEGUN: Final[JsonValue] = {"endpoint": WEBHOOK, "bindings": [BINDING | {"backfill": 1}]}
LOST: Final[JsonValue] = {"endpoint": WEBHOOK, "bindings": [BINDING | {"source": "acme/shop/none"}]}


@pytest.fixture
def house() -> Iterator[House]:
    with houses() as found:
        yield found


def new(name: str = NEW, model: JsonValue = COLLECTION, kind: Any = "collection") -> FlowSpec:
    return FlowSpec(name=name, type=kind, model=model)


def expected(
    expect: str = NOT_THERE, *, name: str = NEW, model: JsonValue = COLLECTION, kind: Any = "collection"
) -> ExpectedSpec:
    return ExpectedSpec(name=name, type=kind, model=model, expect=expect)


async def tried(house: House, *specs: FlowSpec, delete: tuple[str, ...] = (), **info: Any) -> FlowTried:
    return await at_work("estuary.try_flow", **info).run(
        house.flows.try_flow, TryFlowRequest(specs=specs, delete=delete)
    )


async def publish(house: House, *specs: ExpectedSpec, **info: Any) -> FlowPublished:
    return await at_work("estuary.publish_flow", **info).run(house.flows.publish_flow, PublishFlowRequest(specs=specs))


async def look(house: House, **wanted: Any) -> FlowSeen:
    return await at_work("estuary.look_at_flow").run(house.flows.look_at_flow, LookAtFlowRequest(**wanted))


async def test_a_dry_run_tells_what_would_become_of_each_and_leaves_nothing_behind(house: House) -> None:
    before = dict(house.catalog.live)
    same = house.catalog.live[ARCHIVE].model
    told = await tried(house, new(), new(ORDERS), new(ARCHIVE, same), delete=("acme/shop/source",))
    assert told.ended == "success"
    assert [(one.name, one.change, bool(one.losses)) for one in told.changes] == [
        (NEW, "create", False),
        (ORDERS, "update", False),
        (ARCHIVE, "unchanged", False),
        ("acme/shop/source", "delete", True),
    ]
    assert told.changes[0].expect == NOT_THERE
    assert same_id(told.changes[1].expect, house.pub_id(ORDERS))
    assert (house.catalog.live, house.catalog.drafts, house.published()) == (before, {}, [])
    assert house.asked == ["estuary-publish"]


async def test_what_is_live_already_is_not_even_tried(house: House) -> None:
    told = await tried(house, new(ORDERS, house.catalog.live[ORDERS].model))
    assert [one.change for one in told.changes] == ["unchanged"]
    assert house.catalog.publications == {}


async def test_what_is_wrong_is_told_in_estuarys_words(house: House) -> None:
    task = new("acme/shop/hook", LOST, "materialization")
    told = await tried(house, task)
    assert told.ended == "buildFailed"
    assert "acme/shop/none, which is not defined" in told.problems[0]
    assert house.catalog.drafts == {}


async def test_a_collection_that_is_read_is_not_deleted(house: House) -> None:
    assert (await tried(house, delete=(ORDERS,))).ended == "buildFailed"


async def test_what_is_to_be_deleted_must_be_there(house: House) -> None:
    with pytest.raises(NotFound, match="no 'acme/shop/none'"):
        await tried(house, delete=("acme/shop/none",))
    assert house.catalog.drafts == {}


async def test_another_type_under_the_same_name_is_refused(house: House) -> None:
    with pytest.raises(InvalidRequest, match="is a collection at Estuary, and is to be a capture"):
        await tried(house, new(ORDERS, TASK, "capture"))


@pytest.mark.parametrize("ask", [tried, publish])
async def test_an_open_secret_is_sent_nowhere(house: House, ask: Callable[..., Awaitable[object]]) -> None:
    model: JsonValue = {"endpoint": {"connector": {"image": "x", "config": {"password": "canary-5d1"}}}}
    with pytest.raises(InvalidRequest, match=r"not encrypted, at endpoint\.connector\.config\.password") as told:
        await ask(house, expected(name="acme/shop/x", model=model, kind="capture"))
    assert "canary-5d1" not in str(told.value)
    assert house.twin.requests() == []


async def test_it_is_published_on_exactly_what_was_expected(house: House) -> None:
    told = await publish(house, expected(), expected(house.pub_id(ORDERS), name=ORDERS))
    assert told.publication is not None
    assert {house.pub_id(NEW), house.pub_id(ORDERS)} == {told.publication}
    assert told.log[-1] == "the publication ended: success"
    [row] = house.published()
    assert (row.detail or "").endswith(" of publish-flow/acme/shop/")


async def test_what_somebody_published_meanwhile_is_kept(house: House) -> None:
    with pytest.raises(Conflict, match=f"somebody published '{ORDERS}' since"):
        await publish(house, expected("00:00:00:00:00:00:00:01", name=ORDERS))
    assert (house.published(), house.catalog.drafts) == ([], {})


async def test_what_somebody_publishes_between_the_look_and_the_end_is_kept(house: House) -> None:
    queued = house.catalog.publish

    def after_another(*args: Any, **more: Any) -> Any:
        house.catalog.live[NEW] = Live(type="collection", model=COLLECTION, pub_id="0a:00:00:00:00:00:ff:ff", at=0)
        return queued(*args, **more)

    house.catalog.publish = after_another
    with pytest.raises(Conflict, match=f"somebody published '{NEW}' since it was planned"):
        await publish(house, expected())
    assert house.pub_id(NEW) == "0a:00:00:00:00:00:ff:ff"
    assert house.catalog.drafts == {}


@pytest.mark.parametrize(
    ("live", "spec"),
    [
        (("materialization", TASK), ("materialization", BEGUN)),
        (("collection", COLLECTION), ("collection", {"schema": {}, "key": ["/id"], "reset": True})),
        (("collection", COLLECTION), ("collection", None)),
    ],
    ids=["backfill", "reset", "deletion"],
)
async def test_what_deletes_data_is_not_published_by_the_ordinary_step(
    house: House, live: tuple[Any, JsonValue], spec: tuple[Any, JsonValue]
) -> None:
    """Whoever asks for it: the step does not believe that its goal has asked people."""
    house.catalog.live[NEW] = Live(type=live[0], model=live[1], pub_id="0a:00:00:00:00:00:00:aa", at=0)
    with pytest.raises(InvalidRequest, match="which people must approve"):
        await publish(house, expected("0a:00:00:00:00:00:00:aa", kind=spec[0], model=spec[1]))
    assert (house.published(), house.catalog.drafts) == ([], {})


@pytest.mark.parametrize("kind", ["buildIdLockFailure", "publishFailed"])
async def test_what_estuary_asks_to_try_once_more_is_tried_once_more(house: House, kind: str) -> None:
    house.catalog.passing_failures = [kind, kind]
    assert (await publish(house, expected())).publication is not None
    assert [one.status for one in house.published()] == [kind, kind, "success"]


async def test_it_is_not_tried_for_ever_at_once(house: House) -> None:
    house.catalog.passing_failures = ["buildIdLockFailure"] * 5
    for attempt in (1, 2):
        with_more = publish(house, expected(), attempt=attempt)
        if attempt == 1:
            with pytest.raises(Unavailable, match="tried again"):
                await with_more
            assert len(house.published()) == 3
        else:
            assert (await with_more).publication is not None
    assert len(house.published()) == 6


async def test_one_that_never_ends_is_given_back_and_found_again(house: House) -> None:
    house.catalog.building = 10_000
    with pytest.raises(Unavailable, match="still queued"):
        await publish(house, expected())
    await clocked(house.twin)(10_000)
    assert (await publish(house, expected(), attempt=2)).publication is not None
    assert len(house.published()) == 1


async def test_the_same_step_after_the_goal_parked_finds_what_it_published(house: House) -> None:
    first = await publish(house, expected())
    assert await publish(house, expected(), activity_id="7", attempt=1) == first
    assert len(house.published()) == 1


async def test_another_run_publishes_anew(house: House) -> None:
    await publish(house, expected())
    with pytest.raises(Conflict):
        await publish(house, expected(), workflow_run_id="another")


Ask = Callable[..., Awaitable[FlowPublished | FlowTried]]
_numbers = itertools.count()


@pytest.fixture(scope="module")
def lasting() -> Iterator[House]:
    with houses() as found:
        yield found


def exactly_one(house: House, ask: Ask, events: Sequence[str]) -> None:
    name = f"acme/shop/new-{next(_numbers)}"
    before, left = len(house.catalog.publications), iter(events)
    spec, run = expected(name=name), f"run-{next(_numbers)}"

    async def attempt(number: int) -> FlowPublished | FlowTried:
        return await ask(house, spec, attempt=number, workflow_run_id=run)

    with happening(house.twin, left):
        told = asyncio.run(until_it_ends(attempt))
    assert next(left, None) is None, "an event that never happened"
    made = list(house.catalog.publications.values())[before:]
    assert [(one.status, one.dry_run) for one in made] == [("success", ask is tried)]
    if isinstance(told, FlowPublished):
        assert house.pub_id(name) == told.publication
    assert house.catalog.drafts == {}


@pytest.mark.parametrize(
    ("ask", "event", "request_number"),
    [
        *((publish, event, number) for event in ("killed_after", "drop_after_effect") for number in range(11)),
        *((tried, "killed_after", number) for number in range(12)),
    ],
)
def test_an_attempt_may_end_at_each_request(lasting: House, ask: Ask, event: str, request_number: int) -> None:
    exactly_one(lasting, ask, [*["ok"] * request_number, event])


@pytest.mark.timeout(300)
@settings(max_examples=20, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(events=st.lists(st.sampled_from(EVENTS), max_size=12))
def test_there_is_exactly_one_publication_whatever_happens(lasting: House, events: list[str]) -> None:
    exactly_one(lasting, publish, events)


async def test_how_flows_do(house: House) -> None:
    published = await publish(house, expected())
    told = await look(house, prefix="acme/shop/")
    assert [one.name for one in told.specs] == sorted(house.catalog.live)
    assert not told.more
    mine = next(one for one in told.specs if one.name == NEW)
    assert (mine.status, mine.shards, mine.type) == ("WARNING", "PENDING", "collection")
    assert [one.ended for one in mine.publications] == ["success"]
    assert same_id(mine.publication, published.publication or "")
    await clocked(house.twin)(CONFIG.activating)
    [mine] = (await look(house, names=(NEW, "acme/shop/none"))).specs
    assert (mine.status, mine.shards) == ("OK", "OK")
    assert set(house.asked) == {"estuary-publish", "estuary-read"}


async def test_no_more_are_told_than_a_person_reads(house: House) -> None:
    house.catalog.live |= {
        f"acme/many/{number}": Live(type="collection", model=COLLECTION, pub_id=NOT_THERE, at=0)
        for number in range(101)
    }
    told = await look(house, prefix="acme/many/")
    assert (len(told.specs), told.more) == (100, True)


async def test_no_answer_of_a_step_holds_a_key_or_the_right_to_a_log(house: House) -> None:
    answers = [await tried(house, new()), await publish(house, expected()), await look(house, prefix="acme/")]
    tokens = [one.logs_token for one in house.catalog.publications.values()]
    text = " ".join(one.model_dump_json() for one in answers)
    assert not [one for one in (KEY_CANARY, OTHER_KEY_CANARY, *tokens) if one in text]


def test_they_say_what_they_do(house: House) -> None:
    assert step_of(house.flows.look_at_flow) is LOOK_AT_FLOW
    assert step_of(house.destruction.delete_flow) is DELETE_FLOW
    effects = [one.effect for one in (LOOK_AT_FLOW, TRY_FLOW, PUBLISH_FLOW, DELETE_FLOW)]
    assert effects == [Effect.READ, Effect.WRITE, Effect.WRITE, Effect.DESTRUCTIVE]


def test_a_policy_can_speak_of_tenant_and_prefix() -> None:
    request = TryFlowRequest(specs=(new(),), delete=(ORDERS,))
    assert request.policy_context() == PolicyContext(account="acme", resource="acme/shop/")
    assert LookAtFlowRequest(names=(ORDERS,)).policy_context() == PolicyContext(account="acme", resource=ORDERS)
    assert LookAtFlowRequest(prefix="acme/").policy_context() == PolicyContext(account="acme", resource="acme/")
