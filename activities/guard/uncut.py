"""A request that cannot be undone, in a step that is cancelled meanwhile: not sent at all, or waited for to its end."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from activities.guard.withheld import LastLook

Answer = TypeVar("Answer")


@dataclass
class _Sending:
    """Whether something was sent, and whether more may be."""

    look: LastLook
    sent: bool = False
    cancelled: bool = False

    async def last_look(self) -> None:
        if self.cancelled:
            raise asyncio.CancelledError
        await self.look()
        self.sent = True


async def uncut(send: Callable[[LastLook], Coroutine[Any, Any, Answer]], look: LastLook) -> Answer:
    """Send it; cancelled meanwhile, send nothing more, and wait for what was sent.

    Args:
        send: Sends it, and calls what it is given right before.
        look: The last look, which may say that it must not be sent.

    Raises:
        ConnectorError: As the tree says.
        asyncio.CancelledError: Nothing was done.
    """
    sending = _Sending(look)
    task = asyncio.create_task(send(sending.last_look))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        sending.cancelled = True
        if not sending.sent:
            task.cancel()
        return await task
