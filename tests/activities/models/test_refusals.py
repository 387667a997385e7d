"""What the guard of the models worker refuses, before anybody is asked: each is a result that says the way out."""

from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.guard.error_types import denial_of
from activities.models.contracts import REQUEST
from activities.queues import TaskQueue
from activities.step import Step
from connectors.models import manifest
from connectors.models.messages import MOST_INLINE, Message, Prompt, Text, ToolCall, ToolResult
from connectors.upstash import manifest as upstash
from hitl.protocol import Denial, Effect, RefusalReason
from tests.activities.models.at_work import House, request
from tests.connectors.models.compatible import says
from tests.connectors.models.deployed import FILE, asks


async def refused(house: House, wanted: object) -> Denial:
    """Nobody was asked, no key was read, and the audit log says it."""
    with pytest.raises(ApplicationError) as caught:
        await house.ask(wanted)
    denial = denial_of(caught.value)
    assert denial
    assert (caught.value.type, caught.value.non_retryable) == ("PolicyDenied", True)
    assert house.server.asked == []
    assert house.vault.asked == []
    [event] = house.events()
    assert (event["event"], event["reason"]) == ("denied", denial.reason)
    return denial


@pytest.mark.parametrize("labels", [("private",), ("public", "log"), ("no-such-label",), ("public", "repository", "x")])
async def test_data_goes_nowhere_where_nothing_says_that_it_may(house: House, labels: tuple[str, ...]) -> None:
    denial = await refused(house, request(labels=labels))
    assert denial.reason is RefusalReason.DATA
    assert "data.lab" in denial.explanation


@pytest.mark.parametrize(
    ("backend", "model"),
    [
        ("nobody", "lamp-1"),
        ("lab", "other"),
        ("attic", "lamp-1"),
        ("", ""),
        ("lab/lamp-1", ""),
        ("http://evil.example", "lamp-1"),
    ],
)
async def test_a_model_that_the_file_does_not_have_is_not_asked(house: House, backend: str, model: str) -> None:
    denial = await refused(house, request(backend=backend, model=model))
    assert denial.reason is RefusalReason.UNKNOWN_MODEL
    assert "models.yaml" in denial.explanation


async def test_an_unknown_price_is_refused_where_money_is_limited(house: House) -> None:
    text = FILE.replace("price: {{input: 1.5, output: 4, cached_input: 0.5}}", "tools: true")
    poor = House(house.folder, house.server, house.url, file=text)
    denial = await refused(poor, request())
    assert denial.reason is RefusalReason.BUDGET
    assert "`models`" in denial.explanation


async def test_an_unknown_price_is_no_hindrance_without_a_limit_of_money(house: House) -> None:
    text = FILE.replace("price: {{input: 1.5, output: 4, cached_input: 0.5}}", "tools: true")
    free = House(house.folder, house.server, house.url, file=text[: text.index("limits:")])
    house.server.answers.append(says())
    assert (await free.ask(request())).cost_micros is None


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"workflow_id": None, "workflow_run_id": None, "workflow_type": None}, RefusalReason.STANDALONE),
        ({"is_local": True}, RefusalReason.LOCAL_ACTIVITY),
        ({"workflow_run_id": ""}, RefusalReason.MISSING_ID),
    ],
)
async def test_nobody_asks_a_model_but_a_workflow(house: House, told: dict[str, Any], reason: RefusalReason) -> None:
    house.told = told
    assert (await refused(house, request())).reason is reason


@pytest.mark.parametrize(
    "wanted",
    [
        {"backend": "lab", "model": "lamp-1", "labels": ["public"], "prompt": {"messages": []}},
        asks(),
        "Is the lamp lit?",
    ],
)
async def test_what_is_not_its_request_is_refused(house: House, wanted: object) -> None:
    assert (await refused(house, wanted)).reason is RefusalReason.MALFORMED_REQUEST


@pytest.mark.parametrize(
    "message",
    [
        Message(role="user", parts=(Text(text="x" * (MOST_INLINE + 1)),)),
        Message(role="user", parts=(Text(text="x", reference="sha256:" + "0" * 64),)),
        Message(role="user", parts=(ToolCall(id="a", tool="look"),)),
        Message(role="assistant", parts=(ToolResult(id="a", tool="look"),)),
        Message(role="assistant", parts=(ToolCall(id="a", tool="look", arguments="x" * (MOST_INLINE + 1)),)),
    ],
)
async def test_what_nobody_could_say_so_is_refused(house: House, message: Message) -> None:
    assert (await refused(house, request(Prompt(messages=(message,))))).reason is RefusalReason.MALFORMED_REQUEST


@pytest.mark.parametrize(
    ("rule", "labels", "reason"),
    [
        ("{deny: models.request, where: {labels: '*repository*'}}", ("repository",), RefusalReason.DENY_RULE),
        ("{deny: models.request, where: {account: lab}}", ("public",), RefusalReason.DENY_RULE),
        ("{allow: models.request, where: {account: attic}}", ("public",), RefusalReason.NO_ALLOW_RULE),
        ("{deny: models.request, where: {requester: 'slack:*'}}", ("public",), RefusalReason.DENY_RULE),
    ],
)
async def test_the_policy_goes_before_the_file(
    house: House, rule: str, labels: tuple[str, ...], reason: RefusalReason
) -> None:
    policy = f"environments: {{local: {{phase: read_only, actions: [{rule}]}}}}\n"
    strict = House(house.folder, house.server, house.url, policy=policy)
    assert (await refused(strict, request(labels=labels))).reason is reason


async def test_a_policy_that_allows_does_not_open_what_the_file_forbids(house: House) -> None:
    policy = "environments: {local: {phase: production, actions: [{allow: models.request}]}}\n"
    lax = House(house.folder, house.server, house.url, policy=policy)
    assert (await refused(lax, request(labels=("private",)))).reason is RefusalReason.DATA


def test_data_without_a_label_is_no_request() -> None:
    with pytest.raises(ValueError, match="labels"):
        request(labels=())


@pytest.mark.parametrize("queue", [TaskQueue.CONNECTORS, TaskQueue.SANDBOX, TaskQueue.GOALS, TaskQueue.HITL])
def test_a_step_of_another_queue_cannot_be_given_a_models_key(queue: TaskQueue) -> None:
    with pytest.raises(ValueError, match="nobody makes 'models-request'"):
        Step(
            name="models.steal",
            request=REQUEST.request,
            response=REQUEST.response,
            effect=Effect.READ,
            credential=manifest.REQUEST,
            on=queue,
        )


def test_the_models_queue_takes_no_other_key() -> None:
    with pytest.raises(ValueError, match="nobody makes 'upstash-read'"):
        Step(
            name="models.steal",
            request=REQUEST.request,
            response=REQUEST.response,
            effect=Effect.READ,
            credential=upstash.READ,
            on=TaskQueue.MODELS,
        )
