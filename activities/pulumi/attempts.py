"""What is done about attempts at a change of a stack that came to no end: theirs, and the one that runs now."""

import asyncio
from typing import Final

import structlog
from temporalio import activity

from activities.pulumi.problems import no_such_stack, raise_failed
from activities.pulumi.sessions import OpenStack, run_name
from connectors.errors import ConnectorError, Unavailable
from sandbox.errors import SandboxError
from sandbox.pulumi import request as runs
from sandbox.pulumi.outcome import UnlockOutcome

PART: Final = "u"
"""The run that changes the stack, among those of one step."""

_GONE_SECONDS: Final = 30.0
_POLL: Final = 0.2
_log = structlog.get_logger("banksman.stacks")


class Attempts:
    """Of one step.

    Args:
        opened: The stack, with the credentials that change it.
        what: Is attempted, as in `the update`.
    """

    def __init__(self, opened: OpenStack, what: str) -> None:
        self._opened, self._what = opened, what
        self._pulumi = opened.place.pulumi

    async def look(self) -> UnlockOutcome:
        """The state that earlier attempts left; the lock of one that is gone is taken away.

        Raises:
            Unavailable: One of them still runs.
            ConnectorError: The state cannot be read.
        """
        # This one has changed nothing yet: what has its name was begun before somebody reset the step, so that its
        # attempts count from one again.
        earlier = [run_name(attempt, part=PART) for attempt in range(1, activity.info().attempt + 1)]
        for run in earlier:
            if await self._pulumi.lives(run):
                raise Unavailable(f"an earlier attempt at {self._what} still runs as {run!r}; tried again later")
        look = await self._pulumi.locks(self._opened.request(runs.ReadRequest, part="r"), self._opened.secrets)
        if look.ended != "done" and not no_such_stack(look):
            raise_failed(look, self._opened.files, what=f"the look after {self._what}", hidden=self._opened.hidden)
        for run in earlier:
            if f"{runs.HOST_PREFIX}{run}" in look.owners:
                await self._free(run)
        return look

    async def free(self) -> None:
        """Take away the lock of this attempt's run, whose container is gone."""
        await self._free(run_name(activity.info().attempt, part=PART))

    async def state_now(self) -> str | None:
        """Read after a run that did not say; None where it cannot be read."""
        try:
            outcome = await self._pulumi.export_state(
                self._opened.request(runs.ReadRequest, part="a"), self._opened.secrets
            )
        except (SandboxError, ConnectorError) as error:
            _log.warning("the state after a change cannot be read", why=str(error))
            return None
        return outcome.content

    async def _free(self, run: str) -> None:
        """What fails is left to people."""
        if not isinstance(self._opened.base.state, runs.PostgresState):
            return  # Pulumi Cloud ends the update of a client that is gone, and would not say whose it cancels
        try:
            async with asyncio.timeout(_GONE_SECONDS):
                while await self._pulumi.lives(run):  # noqa: ASYNC110 - the engine removes it
                    await asyncio.sleep(_POLL)
            asked = self._opened.request(runs.UnlockRequest, part="f", owner=run)
            await self._pulumi.unlock(asked, self._opened.secrets, last_look=self._opened.last_look)
        except (ConnectorError, SandboxError, TimeoutError) as error:
            _log.warning("the lock of a run that is gone was not taken away", run=run, why=str(error))
