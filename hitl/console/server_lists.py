"""How the Temporal server is asked for lists, a page at a time, and how questions to it fail."""

import asyncio
import base64
import binascii
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from temporalio.client import Client, WorkflowExecution
from temporalio.exceptions import TemporalError
from temporalio.service import RPCError, RPCStatusCode

from hitl.console.ports import Unavailable

PAGE: Final = 25
PATIENCE: Final = timedelta(seconds=3)
_FOR_VIEWS_S: Final = 2.0
"""For all views of a page together: without workers, a list is shown all the same, and soon."""
NOT_THERE: Final = frozenset({RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT})
UNKNOWN: Final = (TimeoutError, TemporalError, RuntimeError, ValueError)
"""How a question to a worker, or reading its answer, fails."""


async def fetch_page(
    client: Client, query: str, page: str | None
) -> tuple[Sequence[WorkflowExecution], int, str | None]:
    """One page of a list, how many there are in all, and where the next page begins.

    Raises:
        Unavailable: The server does not answer, or there is no such page.
    """
    found, more = await fetch_some(client, query, page, size=PAGE)
    try:
        total = (await client.count_workflows(query, rpc_timeout=PATIENCE)).count
    except RPCError as error:
        raise unavailable(error) from error
    return found, total, more


async def fetch_some(
    client: Client, query: str, page: str | None, *, size: int
) -> tuple[Sequence[WorkflowExecution], str | None]:
    """The same, uncounted, in pages of that size.

    Raises:
        Unavailable: The server does not answer, or there is no such page.
    """
    try:
        token = base64.urlsafe_b64decode(page) if page else None
        found = client.list_workflows(query, page_size=size, next_page_token=token, rpc_timeout=PATIENCE)
        await found.fetch_next_page()
    except (binascii.Error, ValueError) as error:
        raise Unavailable("There is no such page of the list; begin at its first.") from error
    except RPCError as error:
        raise unavailable(error) from error
    more = base64.urlsafe_b64encode(found.next_page_token).decode() if found.next_page_token else None
    return list(found.current_page or ()), more


def soon() -> float:
    """When, by the loop's clock, a page no longer waits for what workers say."""
    return asyncio.get_running_loop().time() + _FOR_VIEWS_S


def unavailable(error: RPCError) -> Unavailable:
    """What people are told."""
    return Unavailable(f"Temporal does not answer just now ({error.status.name.lower()}); reload in a moment.")
