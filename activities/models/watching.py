"""The steps on backends that machines of goals serve. Which goal asks is Temporal's word, and not the request's."""

import asyncio
import time
from datetime import timedelta
from typing import Final

from pydantic import SecretStr
from temporalio import activity

from activities.models.served import ServedModels, ServedPage
from activities.models.serving_contracts import (
    CLAIM_SERVED,
    FIND_SERVED,
    WATCH_SERVED,
    WITHDRAW_SERVED,
    ClaimServed,
    FindServed,
    ServedClaimed,
    ServedFound,
    ServedSeen,
    ServedWithdrawn,
    WatchServed,
    WithdrawServed,
)
from activities.secrets import StepTokens, secret_for_step
from activities.step import implements
from connectors.errors import AuthDenied, InvalidRequest
from connectors.models.deployment import ModelRef, Models
from connectors.models.manifest import REQUEST as KEY
from connectors.served.asking import Look, look
from connectors.served.hello import digest

LOOKS_EVERY: Final = timedelta(seconds=20)


class ServingActivities:
    """The steps.

    Args:
        vault: Makes the token that reads a backend's key.
        models: The deployment's file.
        served: Who serves what.
        looks_every: How often a machine is looked at.
    """

    def __init__(
        self, vault: StepTokens, models: Models, served: ServedModels, *, looks_every: timedelta = LOOKS_EVERY
    ) -> None:
        self._vault, self._models, self._served, self._pause = vault, models, served, looks_every

    @implements(FIND_SERVED)
    async def find_served(self, request: FindServed) -> ServedFound:
        """Tell what a machine boots that is to serve a backend."""
        boot = self._models.served.get(request.backend)
        if boot is None:
            known = ", ".join(sorted(self._models.served)) or "none"
            return ServedFound(
                why=f"{self._models.source} foresees no machine that serves {request.backend!r} (it has: {known}); an "
                "operator can add it under `served`"
            )
        return ServedFound(
            boot=boot,
            models=tuple(one.model for one in self._of(request.backend)),
            data=tuple(sorted(self._models.data.get(request.backend, ()))),
        )

    @implements(CLAIM_SERVED)
    async def claim_served(self, request: ClaimServed) -> ServedClaimed:
        """Have the name for this goal's machine until its lease ends, unless it is another goal's.

        Raises:
            InvalidRequest: The file does not foresee it.
            ConnectorError: As the tree says.
        """
        self._require_foreseen(request.backend)
        wanted = ServedPage(
            goal=_goal(),
            until=request.until,
            ticket=request.ticket,
            caller=digest(await self._key(request.backend)),
        )
        if await self._served.claim(request.backend, wanted):
            return ServedClaimed(claimed=True)
        why = f"another goal's machine serves {request.backend!r} already: use it, or end that goal first"
        return ServedClaimed(claimed=False, why=why)

    @implements(WATCH_SERVED)
    async def watch_served(self, request: WatchServed) -> ServedSeen:
        """Look again and again, and write down each time whether it answers, until that changes or time is up.

        Raises:
            InvalidRequest: The file does not foresee it.
            ConnectorError: As the tree says.
        """
        self._require_foreseen(request.backend)
        backend, models = self._models.backends[request.backend], self._of(request.backend)
        key, until = await self._key(request.backend), time.monotonic() + request.seconds
        while True:
            seen = await look(backend.url or "", models[0].model, key)
            held = await self._served.tell(request.backend, _goal(), answers=seen.answers)
            idle = _is_idle(seen, request)
            over = time.monotonic() + self._pause.total_seconds() > until
            if not held or idle or seen.answers is not request.answered or over:
                return ServedSeen(answers=seen.answers and held, why=seen.why, asked=seen.asked, idle=idle, held=held)
            await asyncio.sleep(self._pause.total_seconds())

    @implements(WITHDRAW_SERVED)
    async def withdraw_served(self, request: WithdrawServed) -> ServedWithdrawn:
        """Have nobody ask this goal's machine any more."""
        await self._served.withdraw(request.backend, _goal())
        return ServedWithdrawn()

    def _of(self, backend: str) -> list[ModelRef]:
        return [one for one in self._models.asked if one.backend == backend]

    def _require_foreseen(self, backend: str) -> None:
        if backend not in self._models.served:
            raise InvalidRequest(f"{self._models.source} foresees no machine that serves {backend!r}")

    async def _key(self, backend: str) -> SecretStr:
        async with secret_for_step(self._vault, KEY, backend) as fields:
            if "key" not in fields:
                place = f"banksman/models/{backend}"
                raise AuthDenied(f"the secret in Vault at {place} has no field 'key': put a long random word there")
            return fields["key"]


def _goal() -> str:
    return activity.info().workflow_id or ""


def _is_idle(seen: Look, request: WatchServed) -> bool:
    """What was never asked is idle by the goal's own clock."""
    quiet = seen.quiet_seconds
    return request.idle_seconds is not None and quiet is not None and quiet >= request.idle_seconds
