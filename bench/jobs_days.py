"""What the bench of jobs does to the system: restarts in a row, a flood of deliveries, and one fault after another."""

import asyncio
import contextlib
import json
import signal
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from temporalio.service import RPCError

from bench.jobs_account import Account, Answers, Flood, Rolling
from bench.jobs_asked import People, until_ended
from bench.jobs_place import GATEWAY, REPOSITORY, Place
from bench.jobs_wire import Answer
from hitl.github.signature import sign_body
from workflows.github.contracts import delivery_id

_EVERY: Final = 0.2
_DRAINS_SECONDS: Final = 600.0
_RPC_RETRY: Final = 1.0
_API: Final = r"^/(repos|app|installation)/"
"""What Apps ask, and not what people do."""


@dataclass
class Deliveries:
    """Sends deliveries that begin nothing: of comments that somebody edited.

    Each is signed, verified, signed again and started as a workflow like every other, which then says that nothing
    begins with it.
    """

    here: Place
    prefix: str
    sent: int = 0

    @classmethod
    def new(cls, here: Place) -> "Deliveries":
        """With GUIDs that Temporal can list."""
        return cls(here, uuid.uuid4().hex[:8])

    async def send(self) -> Answer:
        """One, to the balancer."""
        self.sent += 1
        body = _edited(self.sent)
        guid = f"{self.prefix}{str(uuid.uuid4())[8:]}"
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Delivery": guid,
            "X-GitHub-Event": "issue_comment",
            "X-Hub-Signature-256": sign_body(self.here.secret, body),
        }
        return await self.here.line.balancer.pass_on(body, headers)

    async def send_evenly(self, every: float, goes_on: Callable[[int], bool]) -> list[Answer]:
        """One after the other, whatever the answers take."""
        began, sending, number = time.monotonic(), list[asyncio.Task[Answer]](), 0
        while goes_on(number):
            sending.append(asyncio.create_task(self.send()))
            number += 1
            await asyncio.sleep(max(0.0, began + number * every - time.monotonic()))
        return list(await asyncio.gather(*sending))

    async def workflows(self, status: str = "") -> int:
        """How many there are of them, or of those in this state."""
        also = f" AND ExecutionStatus = '{status}'" if status else ""
        query = f"WorkflowId STARTS_WITH '{delivery_id(self.prefix)}'{also}"
        return (await self.here.client.count_workflows(query)).count

    async def until_worked_off(self, count: int) -> None:
        """Until so many of them have ended; not for ever."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAINS_SECONDS):
                while await self.workflows("Completed") < count:  # noqa: ASYNC110 - what is asked lies in a server
                    await asyncio.sleep(1.0)


def _edited(number: int) -> bytes:
    """As long as GitHub's own."""
    at = datetime.now(UTC).isoformat()
    user = {"login": "alice", "id": 5, "type": "User"}
    comment = {"id": number, "body": "x" * 2000, "created_at": at, "updated_at": at, "user": user}
    told = {"action": "edited", "comment": comment, "issue": {"number": 1, "title": "One", "body": "y" * 4000}}
    where = {"full_name": REPOSITORY, "id": 7, "filler": "z" * 6000}
    return json.dumps({**told, "sender": user, "repository": where, "installation": {"id": 3}}).encode()


def answers_of(answers: Sequence[Answer]) -> Answers:
    """What they come to."""
    return Answers.of([(one.taken, one.seconds) for one in answers])


async def rolling(here: Place, rolls: int) -> Rolling:
    """Everything restarted so often, while somebody sends five deliveries a second."""
    deliveries, began, over = Deliveries.new(here), time.monotonic(), False
    sending = asyncio.create_task(deliveries.send_evenly(_EVERY, lambda _: not over))
    try:
        for _ in range(rolls):
            await here.roll()
    finally:
        over = True
        answers = await sending
    return Rolling(
        rolls=rolls,
        every=_EVERY,
        seconds=time.monotonic() - began,
        second_tries=sum(one.tries > 1 for one in answers),
        answers=answers_of(answers),
    )


async def flood(here: Place, people: People, *, count: int, within: float, jobs: int) -> Flood:
    """So many deliveries within these seconds, while people ask for some jobs."""
    deliveries, began = Deliveries.new(here), time.monotonic()
    asking = asyncio.create_task(people.ask(jobs, within=within))
    answers = await deliveries.send_evenly(within / count, lambda number: number < count)
    seconds, over = time.monotonic() - began, time.monotonic()
    await deliveries.until_worked_off(count)
    drained = time.monotonic() - over
    return Flood(
        seconds=seconds,
        workflows=await deliveries.workflows(),
        ended=await deliveries.workflows("Completed"),
        drained=drained,
        answers=answers_of(answers),
        jobs=await until_ended(here, await asking),
    )


@dataclass(frozen=True)
class Bad:
    """Something that goes wrong.

    Attributes:
        at: After which share of the time.
        what: In words.
        happen: Has it happen.
    """

    at: float
    what: str
    happen: Callable[[Place], Awaitable[None]]


def _github(*, path: str = _API, **fault: object) -> Callable[[Place], Awaitable[None]]:
    return lambda here: here.fault(path=path, **fault)


def _model(**fault: object) -> Callable[[Place], Awaitable[None]]:
    return lambda here: here.model_fault(**fault)


def _killed(child: str) -> Callable[[Place], Awaitable[None]]:
    return lambda here: here.end(child, signal.SIGKILL)


async def _both_gateways(here: Place) -> None:
    await here.end(GATEWAY, signal.SIGTERM)
    await here.takes(here.gateways[0])
    await here.end_second(signal.SIGTERM)


FAULTS: Final = (
    Bad(0.04, "GitHub refuses for its secondary limit", _github(kind="rate_limit", seconds=2, times=8)),
    Bad(0.08, "GitHub answers 502", _github(kind="status", status=502, times=15)),
    Bad(0.12, "the goals worker is killed", _killed("worker-goals")),
    Bad(0.20, "GitHub is slow", _github(kind="delay", seconds=4, times=12)),
    Bad(0.24, "the connectors worker is killed", _killed("worker-connectors")),
    Bad(
        0.32,
        "GitHub does it and does not say so",
        _github(kind="drop_after_effect", method="POST", path="/(comments|check-runs|pulls|refs|labels)$", times=8),
    ),
    Bad(0.36, "both gateways are restarted", _both_gateways),
    Bad(0.46, "the model's limit is reached", _model(kind="rate_limited", retry_after=2)),
    Bad(0.50, "GitHub hangs up", _github(kind="drop", times=10)),
    Bad(0.54, "a gateway is killed", _killed(GATEWAY)),
    Bad(0.62, "the model is overloaded", _model(kind="overloaded")),
    Bad(0.66, "Temporal is killed", _killed("temporal")),
    Bad(0.78, "the models worker is killed", _killed("worker-models")),
    Bad(0.82, "the model's backend is down", _model(kind="failing")),
    Bad(0.86, "OpenBao is killed", _killed("vault")),
    Bad(0.94, "the other gateway is killed", lambda here: here.end_second(signal.SIGKILL)),
)


async def bad_day(
    here: Place, people: People, *, jobs: int, within: float, say: Callable[[str], None]
) -> tuple[Account, Answers]:
    """So many jobs asked for in these seconds, while everything goes wrong once, and the line is bad all the time."""
    here.line.answers.clear()
    here.line.bad, began = True, time.monotonic()
    asking = asyncio.create_task(people.ask(jobs, within=within))
    for one in FAULTS:
        await asyncio.sleep(max(0.0, began + one.at * within - time.monotonic()))
        say(f"  {time.monotonic() - began:.0f} s: {one.what}")
        await one.happen(here)
    asked = await asking
    here.line.bad = False
    say(f"  all were asked for after {time.monotonic() - began:.0f} s; waiting for their ends")
    account = await until_ended(here, asked)
    return account, answers_of(here.line.answers)


async def until_calm(here: Place) -> None:
    """Until Temporal answers and no job runs."""
    while True:
        try:
            running = "WorkflowType IN ('GitHubJob', 'GitHubDelivery') AND ExecutionStatus = 'Running'"
            if (await here.client.count_workflows(running)).count == 0:
                return
        except RPCError:
            pass
        await asyncio.sleep(_RPC_RETRY)
