"""How much is used of what is limited: Temporal says what was begun, workers what GitHub has left and models cost.

The gateway has no key of the App's, and no right to the book. It asks by the steps `github.find_rates` and
`models.find_spending`, which no goal runs: the guard judges them, and the audit log has them, as every other. One
answer is good for a minute, for all who look.
"""

import asyncio
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.client import ActivityFailureError, Client
from temporalio.common import ActivityIDConflictPolicy, RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from activities.github.rates_contracts import FIND_RATES, FindRatesRequest, RatesFound
from activities.guard.error_types import denial_of
from activities.queues import TaskQueue
from hitl.console.ports import BegunLately, RatesSeen, SpendingSeen, Unavailable
from hitl.console.server_lists import UNKNOWN, unavailable
from hitl.github.acting import begun_since
from hitl.github.spending import Spending, find_spending
from workflows.contracts import REPOSITORY_ATTRIBUTE, REQUESTER_ATTRIBUTE

_ID: Final = "github-rates"
_GOOD_FOR: Final = timedelta(minutes=1)
_ONE_TRY: Final = timedelta(seconds=20)
_PATIENCE_S: Final = 2.5
"""For a page; what is asked goes on, and the next look finds it."""
_MOST: Final = 2000
_LATER: Final = "No {role} worker has answered yet; reload in a moment."


class TemporalLimits:
    """The console's port `UseOfLimits`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._seen: RatesSeen | None = None
        self._one_at_a_time = asyncio.Lock()
        self._spending: SpendingSeen | None = None
        self._one_at_once = asyncio.Lock()

    async def begun(self) -> BegunLately:
        """Goals that were begun from GitHub in the last hour.

        Raises:
            Unavailable: Temporal does not answer.
        """
        people, owners, count = Counter[str](), Counter[str](), 0
        query = begun_since(datetime.now(UTC) - timedelta(hours=1))
        try:
            async for one in self._client.list_workflows(query, limit=_MOST):
                count += 1
                said = one.typed_search_attributes
                people[said.get(REQUESTER_ATTRIBUTE, "")] += 1
                owners[said.get(REPOSITORY_ATTRIBUTE, "").partition("/")[0].lower()] += 1
        except RPCError as error:
            raise unavailable(error) from error
        del people[""], owners[""]
        return BegunLately(by_person=people, by_owner=owners, more=count >= _MOST)

    async def github(self) -> RatesSeen:
        """What GitHub says of each installation, a minute old at most.

        Raises:
            Unavailable: Nobody can say now; the message says why.
        """
        async with self._one_at_a_time:
            if self._seen is None or datetime.now(UTC) - self._seen.at > _GOOD_FOR:
                self._seen = RatesSeen(found=await self._asked(), at=datetime.now(UTC))
            return self._seen

    async def spending(self) -> SpendingSeen:
        """What language models cost by installation, a minute old at most.

        Raises:
            Unavailable: Nobody can say now; the message says why.
        """
        async with self._one_at_once:
            if self._spending is None or datetime.now(UTC) - self._spending.at > _GOOD_FOR:
                with _heard("models"):
                    async with asyncio.timeout(_PATIENCE_S):
                        found: Spending = await find_spending(self._client)
                self._spending = SpendingSeen(spending=found, at=datetime.now(UTC))
            return self._spending

    async def _asked(self) -> RatesFound:
        with _heard("connectors"):
            async with asyncio.timeout(_PATIENCE_S):
                asked = await self._client.start_activity(
                    FIND_RATES.name,
                    FindRatesRequest(),
                    id=_ID,
                    task_queue=TaskQueue.CONNECTORS,
                    result_type=RatesFound,
                    schedule_to_close_timeout=_ONE_TRY,
                    start_to_close_timeout=_ONE_TRY,
                    retry_policy=RetryPolicy(maximum_attempts=1),
                    # Of several gateways, or of somebody impatient, the one that is under way.
                    id_conflict_policy=ActivityIDConflictPolicy.USE_EXISTING,
                )
                return await asked.result()


@contextmanager
def _heard(role: str) -> Generator[None]:
    """A question to a worker of this role; whatever keeps its answer away is told to people."""
    later = _LATER.format(role=role)
    try:
        yield
    except TimeoutError:
        raise Unavailable(later) from None
    except ActivityFailureError as error:
        raise Unavailable(_why(error) or later) from error
    except RPCError as error:
        raise unavailable(error) from error
    except UNKNOWN as error:
        raise Unavailable(f"What a {role} worker answered cannot be read here.") from error


def _why(error: ActivityFailureError) -> str:
    if (denial := denial_of(error.cause)) is not None:
        return denial.explanation
    return error.cause.message if isinstance(error.cause, ApplicationError) else ""
