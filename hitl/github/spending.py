"""What language models cost for each installation of the App: by name for people, by the book of the limits.

Where the App is installed, and on whose account, Temporal's list says, as GitHub told it. What was paid, a models
worker says by the step `models.find_spending`, which no goal runs: it is told numbers, and reads the book.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pydantic import ValidationError
from temporalio.client import Client, WorkflowExecution
from temporalio.common import ActivityIDConflictPolicy, RetryPolicy

from activities.models.spending_contracts import FIND_SPENDING, MOST_INSTALLATIONS, FindSpending, SpendingFound, Spent
from activities.queues import TaskQueue
from workflows.github.installation_contracts import (
    INSTALLATION_MEMO,
    INSTALLATION_WORKFLOW,
    InstallationState,
    installation_id,
)

DAYS: Final = 7
_MICROS: Final = 1_000_000
_ONE_TRY: Final = timedelta(seconds=20)
_INSTALLATIONS: Final = f"WorkflowType = '{INSTALLATION_WORKFLOW}'"
_UNREADABLE: Final = (ValidationError, RuntimeError, ValueError, KeyError)


@dataclass(frozen=True, kw_only=True)
class Account:
    """One that had something to pay.

    Attributes:
        number: Of the installation; None of what is none's.
        name: The account that it is installed on, as GitHub told it; what it is, where it is none.
        spent: How much.
        limited: Whether the limit of each installation's day is its own, too.
    """

    number: int | None
    name: str
    spent: Spent
    limited: bool = True


@dataclass(frozen=True, kw_only=True)
class Spending:
    """All of them.

    Attributes:
        days: As in 2026-11-30, today first.
        accounts: Who had something to pay, the most today first.
        day_micros: What one installation may cost on one day, in millionths of a US dollar; None for no limit.
        more: Whether there are installations that were not looked at.
    """

    days: tuple[str, ...]
    accounts: tuple[Account, ...]
    day_micros: int | None = None
    more: bool = False


def dollars(micros: int) -> str:
    """As people read money; what is less than a dollar is told to the hundredth of a cent."""
    return f"${micros / _MICROS:,.4f}" if 0 < micros < _MICROS else f"${micros / _MICROS:,.2f}"


async def find_spending(client: Client, *, days: int = DAYS, most: int = MOST_INSTALLATIONS) -> Spending:
    """What was paid on the last days, for at most so many installations, the newest first; also where the App was.

    Raises:
        RPCError: Temporal does not answer.
        ActivityFailureError: The step was refused, or nobody took it in time.
        TemporalError: What was answered cannot be read.
    """
    names: dict[int, str] = {}
    more = False
    async for one in client.list_workflows(_INSTALLATIONS, limit=most + 1):
        number = _number(one)
        more = more or len(names) == most
        if number is not None and len(names) < most:
            names[number] = await _name_of(one)
    numbers = tuple(names)
    starts = range(0, max(len(numbers), 1), MOST_INSTALLATIONS)
    parts = [numbers[at : at + MOST_INSTALLATIONS] for at in starts]
    found = await asyncio.gather(*(_asked(client, FindSpending(installations=one, days=days)) for one in parts))
    return _spending(names, found, more=more)


async def _asked(client: Client, request: FindSpending) -> SpendingFound:
    """One step; whoever asks the same meanwhile waits for this one."""
    asked = await client.start_activity(
        FIND_SPENDING.name,
        request,
        id=f"model-spending/{hashlib.sha256(request.model_dump_json().encode()).hexdigest()[:24]}",
        task_queue=TaskQueue.MODELS,
        result_type=SpendingFound,
        schedule_to_close_timeout=_ONE_TRY,
        start_to_close_timeout=_ONE_TRY,
        retry_policy=RetryPolicy(maximum_attempts=1),
        id_conflict_policy=ActivityIDConflictPolicy.USE_EXISTING,
    )
    return await asked.result()


def _spending(names: dict[int, str], found: Sequence[SpendingFound], *, more: bool) -> Spending:
    first = found[0]
    accounts = [
        Account(number=number, name=names.get(number, ""), spent=spent)
        for one in found
        for number, spent in one.installations.items()
    ]
    accounts += [
        Account(number=None, name="jobs that nobody vouches for", spent=first.unverified),
        Account(number=None, name="what GitHub did not begin", spent=first.none, limited=False),
    ]
    paid = (one for one in accounts if one.spent.any)
    ordered = sorted(paid, key=lambda one: (one.number is None, [-each for each in one.spent.micros], one.name))
    return Spending(days=first.days, accounts=tuple(ordered), day_micros=first.day_micros, more=more)


def _number(found: WorkflowExecution) -> int | None:
    """Of an installation, by the id of its workflow."""
    said = found.id.removeprefix(installation_id(0)[:-1])
    return int(said) if said.isascii() and said.isdecimal() and found.id == installation_id(int(said)) else None


async def _name_of(found: WorkflowExecution) -> str:
    """The account's, as the installation's workflow says it; empty where it has not said so yet."""
    try:
        state = InstallationState.model_validate((await found.memo())[INSTALLATION_MEMO])
    except _UNREADABLE:
        return ""
    return state.account.login if state.account is not None else ""
