"""Each way in which a demonstration lets a deployment fail, and what is promised of how it recovers.

What fails fails for real, on the same environment: nothing of the deployment knows that it is a demonstration.
"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import httpx
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client

from activities.pulumi.contracts import PREVIEW_STACK
from connectors.authorities import authorities
from deploy.local.demo.commands import status
from deploy.local.demo.deployment import Followed, Hook
from deploy.local.demo.environment import Environment
from deploy.local.demo.features import (
    Change,
    with_a_letter_lost,
    with_a_migration_that_fails,
    with_a_page_that_fails,
)
from deploy.local.demo.pull_requests import Proposed
from deploy.local.demo.storefront import ENVIRONMENT, Storefront, Visits
from deploy.local.demo.terminal import DemoFailed, say
from deploy.local.example import SERVICE_REPOSITORY
from workflows.contracts import Outcome, State

_RESTARTED: Final = 60.0
_POLL: Final = 0.2
_SOON: Final = 0.05
_SANDBOX: Final = "worker-sandbox"
_NO_TABLE: Final = "customers"
_BY_HAND: Final = 77
"""Percent of the traffic, which no program of the service ever declared."""


class Failure(StrEnum):
    """What `FAIL=` takes."""

    MIGRATION = "migration"
    TESTS = "tests"
    VERIFY = "verify"
    DRIFT = "drift"
    CRASH = "crash"
    PROVIDER = "provider"


@dataclass(frozen=True)
class Promise:
    """What is promised of a deployment.

    Attributes:
        told: What will happen, before it does.
        outcome: How it ends.
        questions: How often people are asked.
        deployed: Whether visitors see the feature then, and it is merged.
    """

    told: str
    outcome: Outcome
    questions: int
    deployed: bool


HONEST: Final = Promise("", State.COMPLETED, 1, deployed=True)
PROMISES: Final[Mapping[Failure, Promise]] = {
    Failure.MIGRATION: Promise(
        "its migration, which is tried on a copy of the database first: nobody is asked, nothing is changed",
        State.REFUSED,
        0,
        deployed=False,
    ),
    Failure.TESTS: Promise(
        "a letter is lost in what people read, and a test of the branch says so: nobody is asked, nothing is changed",
        State.REFUSED,
        0,
        deployed=False,
    ),
    Failure.VERIFY: Promise(
        "the tests pass, and the page answers 500 once it is deployed: it is taken back, after a second question",
        State.UNDONE,
        2,
        deployed=False,
    ),
    Failure.DRIFT: Promise(
        "somebody changes the service by hand while people decide: their yes is void, it is planned and asked again",
        State.COMPLETED,
        2,
        deployed=True,
    ),
    Failure.CRASH: Promise(
        "the sandbox's worker is killed with SIGKILL in the middle of a preview: the step is tried again elsewhere",
        State.COMPLETED,
        1,
        deployed=True,
    ),
    Failure.PROVIDER: Promise(
        "GitHub answers 503, and hangs up after it has merged: it is asked again, and nothing is merged twice",
        State.COMPLETED,
        1,
        deployed=True,
    ),
}


def otherwise(promise: Promise, followed: Followed, *, merged: bool, seen: Visits) -> list[str]:
    """What did not come as promised, one line each.

    Args:
        promise: What was.
        followed: How the deployment went.
        merged: Whether the main branch has moved.
        seen: What visitors see afterwards.
    """
    result, found = followed.result, list[str]()
    if result.outcome is not promise.outcome:
        found.append(f"it ended as {result.outcome}, and not as {promise.outcome}: {result.reason}")
    if followed.questions != promise.questions:
        found.append(f"people were asked {followed.questions} times, and not {promise.questions}")
    if {result.merged is not None, merged} != {promise.deployed}:
        found.append(f"the main branch has {'' if merged else 'not '}moved, and the goal says of it: {result.merged}")
    if (seen.well, seen.new) != (seen.all, seen.all if promise.deployed else 0):
        found.append(f"of {seen.all} visitors {seen.well} get a page, and {seen.new} see the feature")
    return found


class Failing:
    """One way of failing, on one environment: brings it about, and looks afterwards whether it was so.

    Args:
        way: Which one; None where all goes well.
        storefront: The service.
    """

    def __init__(self, way: Failure | None, storefront: Storefront) -> None:
        self._way = way
        self._storefront = storefront
        self._environment: Environment = storefront.environment
        self._github = self._environment.stack.twins["github"].url
        self._killed: int | None = None
        self._drifted = False
        self._began = time.time()
        self._sees = ""
        self._branches: list[str] = []

    @property
    def promise(self) -> Promise:
        """What is promised of it."""
        return HONEST if self._way is None else PROMISES[self._way]

    async def look_before(self) -> None:
        """Note what is compared afterwards."""
        if self._way is Failure.MIGRATION:
            self._branches = await self._storefront.branches()

    def change(self, feature: Change, files: Mapping[str, str]) -> Change:
        """The feature with what is wrong with it."""
        self._sees = feature.sees
        match self._way:
            case Failure.TESTS:
                return with_a_letter_lost(feature)
            case Failure.MIGRATION:
                return with_a_migration_that_fails(feature)
            case Failure.VERIFY:
                return with_a_page_that_fails(feature, files)
            case _:
                return feature

    @property
    def hooks(self) -> Mapping[str, Hook]:
        """What is done meanwhile, by the step that has begun."""
        verify = f"verify {ENVIRONMENT}"
        match self._way:
            case Failure.DRIFT:
                return {"approval": self._change_by_hand, verify: self._count_visitors}
            case Failure.CRASH:
                return {f"preview {ENVIRONMENT}": self._kill, verify: self._count_visitors}
            case Failure.PROVIDER:
                return {verify: self._have_github_fail}
            case None if not self._sees:
                return {}  # the service as it is
            case _:
                return {verify: self._count_visitors}

    async def differences(self, followed: Followed, proposed: Proposed) -> list[str]:
        """What is otherwise than was meant to happen in this way of failing, beside the promise."""
        looks: dict[Failure, Callable[[], Awaitable[str]]] = {
            Failure.DRIFT: self._look_at_drift,
            Failure.CRASH: lambda: self._look_at_crash(followed),
            Failure.PROVIDER: lambda: self._look_at_github(proposed),
            Failure.MIGRATION: lambda: self._look_at_copies(followed),
        }
        look = looks.get(self._way) if self._way is not None else None
        return [why for why in [await look() if look else ""] if why]

    async def heal(self) -> None:
        """Take away what still fails, whatever became of the demonstration."""
        if self._way is Failure.PROVIDER:
            async with httpx.AsyncClient(verify=authorities()) as hands:
                await hands.delete(f"{self._github}/_twin/faults")

    async def _count_visitors(self, goal: str) -> None:
        """Of a release that is watched: the one of before is still there, and most visitors see that."""
        del goal
        seen = await self._storefront.visits(self._sees)
        before = seen.well - seen.new
        say(f"    side by side: {seen.new} of {seen.all} visitors see the new release, {before} the one of before")

    async def _change_by_hand(self, goal: str) -> None:
        del goal
        await self._storefront.change_by_hand(share=_BY_HAND)
        self._drifted = True
        say(f"  [magenta]![/] by hand, past everybody: new releases of the service get {_BY_HAND} % of the traffic")

    async def _look_at_copies(self, followed: Followed) -> str:
        """Of the reason, and of the copy that the migration failed on."""
        if _NO_TABLE not in (followed.result.reason or ""):
            return f"its reason is not that there is no table {_NO_TABLE!r}: {followed.result.reason}"
        after = await self._storefront.branches()
        if after != self._branches:
            return f"its database has the branches {', '.join(after)}, and had {', '.join(self._branches)}"
        say(f"  the copy is gone: the database has {len(after)} branches, as before")
        return ""

    async def _look_at_drift(self) -> str:
        if not self._drifted:
            return "nobody was asked, so that nothing was changed meanwhile"
        share = (await self._storefront.declared()).share
        return f"what was changed by hand is still so: {share} %" if share == _BY_HAND else ""

    async def _kill(self, goal: str) -> None:
        """As soon as the worker is in the step: what the goal does before, others do."""
        deadline = time.monotonic() + _RESTARTED
        while not await is_under_way(self._environment.client, goal, PREVIEW_STACK.name):
            if time.monotonic() > deadline:
                raise DemoFailed(f"{PREVIEW_STACK.name} was not begun, so that nothing can be killed in it")
            await asyncio.sleep(_SOON)
        self._killed = await self._pid()
        if self._killed is None:
            raise DemoFailed(f"{_SANDBOX} does not run, and cannot be killed: `banksman status` tells why")
        os.kill(self._killed, signal.SIGKILL)
        say(f"  [magenta]![/] kill -9 {self._killed}: {_SANDBOX} is gone in the middle of the step")

    async def _pid(self) -> int | None:
        return next((one.pid for one in (await status()).children if one.name == _SANDBOX), None)

    async def _look_at_crash(self, followed: Followed) -> str:
        begun = await tries(self._environment.client, followed.goal, PREVIEW_STACK.name)
        deadline = time.monotonic() + _RESTARTED
        pid = await self._pid()
        while pid in {None, self._killed} and time.monotonic() < deadline:
            await asyncio.sleep(_POLL)
            pid = await self._pid()
        if pid in {None, self._killed}:
            return f"{_SANDBOX} was not started again"
        if begun < 2:  # noqa: PLR2004 - the one that died, and the next
            return f"{PREVIEW_STACK.name} was begun {begun} times, and so not again after the kill"
        say(f"  {_SANDBOX} runs again as {pid}; {PREVIEW_STACK.name} was begun {begun} times")
        return ""

    async def _have_github_fail(self, goal: str) -> None:
        del goal
        faults: list[dict[str, object]] = [
            {"kind": "drop_after_effect", "method": "PUT", "path": f"{SERVICE_REPOSITORY}/pulls/\\d+/merge"},
            {"kind": "status", "status": 503, "path": f"{SERVICE_REPOSITORY}/pulls", "method": "GET", "times": 2},
        ]
        async with httpx.AsyncClient(verify=authorities()) as hands:
            (await hands.post(f"{self._github}/_twin/faults", json=faults)).raise_for_status()
        say("  [magenta]![/] GitHub will answer 503 twice, and hang up as soon as it has merged")

    async def _look_at_github(self, proposed: Proposed) -> str:
        async with httpx.AsyncClient(verify=authorities()) as hands:
            seen = (await hands.get(f"{self._github}/_twin/requests")).json()
            left = (await hands.get(f"{self._github}/_twin/faults")).json()
        place = f"{SERVICE_REPOSITORY}/pulls/{proposed.number}/merge"
        merges = [one for one in seen if one["path"].endswith(place) and one["handled"]]
        if left:
            return f"GitHub was not asked for what was to fail: {left}"
        if len(merges) != 1:
            return f"GitHub merged {len(merges)} times, and not once"
        failed = len([one for one in seen if one["fault"] and one["at"] >= self._began])
        say(f"  GitHub failed {failed} times, and merged once")
        return ""


async def is_under_way(client: Client, goal: str, step: str) -> bool:
    """Whether a worker is at a step of a goal now."""
    described = (await client.get_workflow_handle(goal).describe()).raw_description
    started = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
    return any(one.activity_type.name == step and one.state == started for one in described.pending_activities)


async def tries(client: Client, goal: str, step: str) -> int:
    """How often a step of a goal was begun, by Temporal's own tries and by the goal's."""
    asked, count = set[int](), 0
    async for event in client.get_workflow_handle(goal).fetch_history_events():
        if event.activity_task_scheduled_event_attributes.activity_type.name == step:
            asked.add(event.event_id)
        begun = event.activity_task_started_event_attributes
        if begun.scheduled_event_id in asked:
            count += begun.attempt
    return count
