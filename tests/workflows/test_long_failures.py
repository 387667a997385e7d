"""What a provider says survives, however long it is and however deep the error was raised: people read it."""

import asyncio

import pytest
from temporalio.api.failure.v1 import Failure
from temporalio.client import Client
from temporalio.converter import PayloadConverter
from temporalio.exceptions import ApplicationError, ServerError, TimeoutType
from temporalio.exceptions import TimeoutError as TimedOut

from activities.guard.error_types import MAX_MESSAGE_BYTES, ErrorType
from activities.guard.errors import mapped_errors
from activities.queues import TaskQueue
from connectors.errors import ConnectorError, InvalidRequest, Unavailable
from tests.workflows.scripted import Steps, workers
from workflows.converter import data_converter
from workflows.failures import LONGEST, RedactedFailures
from workflows.parked_contracts import waits_for
from workflows.repository.goals import ReadFileInput

SAID = "GitHub answers 503: the branch 'main' cannot be read now"
KEPT_BY_THE_SERVER = 4096
MEGABYTE = 1024 * 1024


def deep(levels: int, error: ConnectorError) -> None:
    """Raise it from so many calls below."""
    if levels:
        deep(levels - 1, error)
    raise error


def failed(text: str, *, levels: int = 30, causes: int = 3) -> ApplicationError:
    """What the guard makes of an error of a connector that quotes all of this."""
    below: ConnectorError = InvalidRequest(text)
    try:
        with mapped_errors():
            for _ in range(causes):
                try:
                    deep(levels, below)
                except ConnectorError as error:
                    below = Unavailable(text)
                    below.__cause__ = error
            deep(levels, below)
    except ApplicationError as error:
        return error
    raise AssertionError("it was not raised")


def encoded(error: BaseException, *, encrypts: bool) -> Failure:
    failure = Failure()
    RedactedFailures(encode_common_attributes=encrypts).to_failure(error, PayloadConverter.default, failure)
    return failure


@pytest.mark.parametrize("encrypts", [False, True], ids=["plain", "encrypted"])
@pytest.mark.parametrize(
    "text",
    [SAID, f"{SAID}: {'x' * MEGABYTE}", f"{SAID}: {'語' * MEGABYTE}", f"{SAID}: {chr(34) * MEGABYTE}"],
    ids=["short", "long", "wide", "quoted"],
)
def test_a_failure_is_as_short_as_the_server_keeps_it_and_says_what_the_provider_said(
    text: str, *, encrypts: bool
) -> None:
    error = failed(text)
    failure = encoded(error, encrypts=encrypts)
    assert failure.ByteSize() <= LONGEST
    told = RedactedFailures(encode_common_attributes=encrypts).from_failure(failure, PayloadConverter.default)
    assert isinstance(told, ApplicationError)
    assert told.message.startswith(SAID)
    assert told.type == ErrorType.UNAVAILABLE


def test_a_message_of_somebody_elses_is_cut_as_well() -> None:
    failure = encoded(ApplicationError(f"{SAID}: {'x' * MEGABYTE}"), encrypts=False)
    assert failure.ByteSize() <= LONGEST
    assert failure.message.startswith(SAID)
    assert failure.message.endswith("…")


def test_where_there_is_room_the_end_of_its_stack_stays() -> None:
    failure = encoded(failed(SAID, causes=1), encrypts=False)
    assert "raise_mapped" in failure.stack_trace
    assert failure.cause.message == SAID


def test_details_that_a_goal_reads_are_never_cut() -> None:
    error = ApplicationError(SAID, {"said": "x" * MAX_MESSAGE_BYTES}, type="PolicyDenied")
    failure = encoded(error, encrypts=False)
    [kept] = failure.application_failure_info.details.payloads
    assert kept.data.count(b"x") == MAX_MESSAGE_BYTES


async def test_what_a_step_that_is_tried_again_said_is_kept_by_the_server(client: Client, goal_id: str) -> None:
    """The server has words of its own for what it finds too long."""
    steps = Steps(answers=[failed(f"{SAID}: {'x' * MEGABYTE}")])
    asked = ReadFileInput(repository="acme/shop", path="README.md")
    async with workers(client, steps):
        goal = await client.start_workflow("ReadFile", asked, id=goal_id, task_queue=TaskQueue.GOALS)
        async with asyncio.timeout(30):
            while True:
                found = (await goal.describe()).raw_description.pending_activities
                if found and found[0].attempt > 1:
                    break
                await asyncio.sleep(0.05)
        last = await data_converter().decode_failure(found[0].last_failure)
        await goal.terminate()
    assert isinstance(last, ApplicationError)
    assert last.message.startswith(SAID)


def test_a_goal_that_parks_says_it_where_an_older_worker_let_the_server_cut_it() -> None:
    kept = ServerError("Failure exceeds size limit.")
    kept.__cause__ = ApplicationError(SAID, type="Unavailable")
    late = TimedOut("activity timeout", type=TimeoutType.SCHEDULE_TO_CLOSE, last_heartbeat_details=[])
    late.__cause__ = kept
    why = waits_for("github.read_file", late)
    assert why == f"github.read_file got no answer in time: Unavailable: {SAID}"
