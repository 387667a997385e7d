"""The goal `PublishFlow`: what it publishes by itself, what people are asked about, and how it ends otherwise."""

from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from activities.estuary.contracts import (
    LOOK_AT_FLOW,
    PUBLISH_FLOW,
    TRY_FLOW,
    DeleteFlowParameters,
    FlowSeen,
    FlowTried,
)
from activities.guard.error_types import ErrorType
from activities.queues import TaskQueue
from hitl.approval.decision import Verdict
from hitl.approval.plan import read_plan
from tests.workflows.estuary.answers import (
    AFTER,
    ARCHIVE,
    CHANGED,
    CREATED,
    DELETED,
    DENIED,
    FAILED,
    HOOK,
    LIVE,
    NOTHING,
    PUBLISHED,
    TRIED,
    WRONG,
)
from tests.workflows.estuary.flows import BOTH, EXAMPLE, Flows
from tests.workflows.played import Answers, playing
from workflows.contracts import State
from workflows.estuary.goals import PUBLISH_FLOW as GOAL
from workflows.estuary.goals import PublishFlowInput, PublishFlowResult, Specification

on_the_server = pytest.mark.asyncio(loop_scope="session")


async def published(client: Client, goal_id: str, answers: Answers) -> PublishFlowResult:
    async with playing(client, answers):
        return await client.execute_workflow(
            GOAL.name, EXAMPLE, id=goal_id, task_queue=TaskQueue.GOALS, result_type=PublishFlowResult
        )


@on_the_server
async def test_what_deletes_nothing_is_tried_published_and_looked_at(client: Client, goal_id: str) -> None:
    told = await published(client, goal_id, {TRY_FLOW: [TRIED], PUBLISH_FLOW: [PUBLISHED], LOOK_AT_FLOW: [LIVE]})
    assert (told.outcome, told.publication) == (State.COMPLETED, AFTER)
    assert (told.published, told.deleted, told.log) == ((HOOK,), (), ("published",))


@on_the_server
@pytest.mark.parametrize(
    ("answers", "outcome", "says"),
    [
        ({TRY_FLOW: [NOTHING]}, State.COMPLETED, None),
        ({TRY_FLOW: [WRONG]}, State.REFUSED, "Estuary's dry run ended with buildFailed: the image cannot be pulled"),
        (
            {TRY_FLOW: [TRIED], PUBLISH_FLOW: [FAILED]},
            State.REFUSED,
            "Estuary ended the publication with testFailed: a test failed",
        ),
        ({TRY_FLOW: [DENIED]}, State.DENIED, "acme/shop/ is not to be published"),
    ],
    ids=["nothing", "refused", "refused at last", "denied"],
)
async def test_other_ends(client: Client, goal_id: str, answers: Answers, outcome: State, says: str | None) -> None:
    told = await published(client, goal_id, answers)
    assert (told.outcome, told.reason, told.publication, told.published) == (outcome, says, None, ())


@on_the_server
async def test_it_is_tried_anew_when_somebody_publishes_meanwhile_and_not_for_ever(
    client: Client, goal_id: str
) -> None:
    told = await published(
        client, goal_id, {TRY_FLOW: [TRIED], PUBLISH_FLOW: [CHANGED, CHANGED, PUBLISHED], LOOK_AT_FLOW: [LIVE]}
    )
    assert told.outcome == State.COMPLETED
    with pytest.raises(WorkflowFailureError) as ended:
        await published(client, f"{goal_id}-again", {TRY_FLOW: [TRIED], PUBLISH_FLOW: [CHANGED]})
    assert isinstance(ended.value.cause, ApplicationError)
    assert ended.value.cause.type == ErrorType.CONFLICT


@on_the_server
@pytest.mark.parametrize("seen", [FlowSeen(), LIVE.model_copy(update={"specs": ()})], ids=["nothing", "others"])
async def test_what_does_not_show_is_in_doubt(client: Client, goal_id: str, seen: FlowSeen) -> None:
    with pytest.raises(WorkflowFailureError) as ended:
        await published(client, goal_id, {TRY_FLOW: [TRIED], PUBLISH_FLOW: [PUBLISHED], LOOK_AT_FLOW: [seen]})
    assert isinstance(ended.value.cause, ApplicationError)
    assert ended.value.cause.type == ErrorType.OUTCOME_UNKNOWN
    assert HOOK in ended.value.cause.message


@pytest.fixture
def flows(client: Client, tmp_path: Path) -> Flows:
    return Flows(client, tmp_path)


@on_the_server
async def test_what_deletes_waits_for_people_and_is_published_with_all_else_at_once(flows: Flows) -> None:
    async with flows.at_work():
        goal = await flows.begin()
        await flows.approved(goal)
        told = await goal.result()
    assert (told.outcome, told.published, told.deleted) == (State.COMPLETED, (HOOK,), (ARCHIVE,))
    assert flows.asked == ["try", "delete", "look"]
    plan = read_plan(flows.plans[0])
    parameters = plan.parameters_as(DeleteFlowParameters)
    [spec] = parameters.publish
    assert (spec.name, spec.model, spec.expect) == (HOOK, BOTH.specs[0].model, CREATED.expect)
    assert [(one.name, one.expect) for one in parameters.delete] == [(ARCHIVE, DELETED.expect)]
    assert plan.summary == (
        "Publish 1 and delete 1 at Estuary, acme/shop/",
        f"{ARCHIVE}: it is deleted, with all of its data",
        f"create materialization {HOOK}",
    )


@on_the_server
async def test_what_people_reject_is_not_deleted(flows: Flows) -> None:
    async with flows.at_work():
        goal = await flows.begin()
        approval = await flows.approval_of(goal)
        await flows.decide(approval, "alice", verdict=Verdict.REJECT, reason="still needed")
        told = await goal.result()
    assert (told.outcome, told.deleted) == (State.REJECTED, ())
    assert "still needed" in (told.reason or "")
    assert flows.asked == ["try"]


@on_the_server
async def test_people_are_asked_anew_about_what_is_live_by_then(flows: Flows) -> None:
    flows.deleted = [CHANGED, PUBLISHED]
    flows.tried = [
        FlowTried(changes=(CREATED, DELETED)),
        FlowTried(changes=(CREATED, DELETED.model_copy(update={"expect": "00:00:00:00:00:00:00:0f"}))),
    ]
    async with flows.at_work():
        goal = await flows.begin()
        await flows.approved(goal)
        await flows.approved(goal, after=1)
        told = await goal.result()
    assert told.deleted == (ARCHIVE,)
    assert flows.asked == ["try", "delete", "try", "delete", "look"]
    expected = [read_plan(one).parameters_as(DeleteFlowParameters).delete[0].expect for one in flows.plans]
    assert expected == [DELETED.expect, "00:00:00:00:00:00:00:0f"]


@on_the_server
async def test_what_is_said_to_be_deleted_and_is_still_there_is_in_doubt(flows: Flows) -> None:
    there = LIVE.specs[0].model_copy(update={"name": ARCHIVE})
    flows.seen = [FlowSeen(specs=(*LIVE.specs, there))]
    async with flows.at_work():
        goal = await flows.begin()
        await flows.approved(goal)
        with pytest.raises(WorkflowFailureError) as ended:
            await goal.result()
    assert isinstance(ended.value.cause, ApplicationError)
    assert ended.value.cause.type == ErrorType.OUTCOME_UNKNOWN
    assert ARCHIVE in ended.value.cause.message


@on_the_server
async def test_what_estuary_refuses_after_people_approved_it_changed_nothing(flows: Flows) -> None:
    flows.deleted = [FAILED]
    async with flows.at_work():
        goal = await flows.begin()
        await flows.approved(goal)
        told = await goal.result()
    assert (told.outcome, told.deleted, told.problems) == (State.REFUSED, (), ("a test failed",))
    assert flows.asked == ["try", "delete"]


@on_the_server
async def test_what_is_too_long_for_people_to_approve_is_refused(flows: Flows) -> None:
    long = Specification(name=HOOK, type="collection", model={"description": "x" * 140_000})
    async with flows.at_work():
        goal = await flows.begin(PublishFlowInput(specs=(long,), delete=(ARCHIVE,)))
        with pytest.raises(WorkflowFailureError) as ended:
            await goal.result()
    assert isinstance(ended.value.cause, ApplicationError)
    assert ended.value.cause.type == ErrorType.INVALID_REQUEST
    assert "Publish less of it at once" in ended.value.cause.message


SPEC: dict[str, Any] = {"name": HOOK, "type": "collection", "model": {}}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "nothing is to be published or deleted"),
        ({"specs": [SPEC, SPEC]}, "named twice"),
        ({"specs": [SPEC], "delete": [HOOK]}, "named twice"),
        ({"specs": [SPEC], "delete": ["others/x"]}, "of one tenant"),
        ({"delete": ["acme"]}, "delete"),
        ({"delete": ["acme/../x"]}, "delete"),
        ({"specs": [SPEC | {"type": "nothing"}]}, "type"),
        ({"specs": [SPEC | {"model": None}]}, "model"),
        ({"specs": [SPEC | {"colour": {}}]}, "colour"),
        ({"specs": [SPEC | {"model": {"endpoint": {"password": "canary-9"}}}]}, "not encrypted, at endpoint.password"),
    ],
)
def test_what_cannot_be_asked_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        PublishFlowInput.model_validate(given)


def test_there_is_one_publication_at_a_time_below_a_prefix() -> None:
    assert EXAMPLE.business_key() == f"publish-flow/{HOOK}"
    assert BOTH.business_key() == "publish-flow/acme/shop/"
