"""The steps that look after deliveries, as the App itself: no token of an installation is made."""

import contextlib
from collections import Counter
from collections.abc import AsyncGenerator

from activities.github.redelivery_contracts import (
    FIND_FAILED_DELIVERIES,
    MOST_FOUND,
    REDELIVER,
    FailedDeliveriesFound,
    FailedDelivery,
    FindFailedDeliveriesRequest,
    Redelivered,
    RedeliverRequest,
)
from activities.secrets import StepTokens, secret_for_step
from activities.step import implements
from connectors.errors import NotFound
from connectors.github.client import GitHubApp
from connectors.github.failed import Failed
from connectors.github.manifest import READ, WRITE
from connectors.github.models import AppCredentials
from connectors.github.registration import as_app
from connectors.provider import Credential


class RedeliveryActivities:
    """The steps, with the ports they need."""

    def __init__(self, github: GitHubApp, vault: StepTokens) -> None:
        self._github, self._vault = github, vault

    @implements(FIND_FAILED_DELIVERIES)
    async def find_failed_deliveries(self, request: FindFailedDeliveriesRequest) -> FailedDeliveriesFound:
        """What failed since then, once for each GUID, with its newest attempt.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        async with self._asking(READ) as failed:
            seen = await failed.since(request.since)
        attempts = Counter(one.guid for one in seen)
        newest = {one.guid: one for one in reversed(seen)}
        found = [
            FailedDelivery(guid=guid, newest=one.id, failed_at=one.delivered_at, attempts=attempts[guid])
            for guid, one in newest.items()
        ]
        return FailedDeliveriesFound(deliveries=tuple(sorted(found, key=lambda one: one.failed_at)[:MOST_FOUND]))

    @implements(REDELIVER)
    async def redeliver(self, request: RedeliverRequest) -> Redelivered:
        """Have GitHub send it once more, where no attempt since that one did.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        async with self._asking(WRITE) as failed:
            if await failed.is_sent_again(request.attempt, request.guid):
                return Redelivered(before=True)
            try:
                await failed.send_again(request.attempt)
            except NotFound:
                return Redelivered(gone=True)
        return Redelivered()

    @contextlib.asynccontextmanager
    async def _asking(self, credential: Credential) -> AsyncGenerator[Failed]:
        async with (
            secret_for_step(self._vault, credential) as app,
            as_app(self._github, AppCredentials.of(app)) as session,
        ):
            yield Failed(session.api)
