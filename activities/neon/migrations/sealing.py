"""The step that seals a login for one run in the sandbox: no history, and no other process, can open it."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final, Protocol

from pydantic import SecretStr
from temporalio import activity

from activities.neon.migrations.contracts import SEAL_LOGIN, LoginSealed, SealLogin
from activities.secrets import StepToken, step_metadata
from activities.step import implements
from connectors.creation import mark
from connectors.errors import InvalidRequest
from connectors.neon.manifest import HAND_OVER

_STEP: Final = timedelta(minutes=2)
_WAITS: Final = timedelta(minutes=30)
"""How long the sandbox worker may be busy with others before it opens it."""


class SealingToken(StepToken, Protocol):
    """A step's token that can seal what it read."""

    async def seal(self, secrets: Mapping[str, SecretStr], *, run: str, ttl: timedelta) -> str:
        """These secrets for one run of the sandbox worker's, as text that may stand in a history."""
        ...


class SealingTokens(Protocol):
    """Makes such tokens."""

    def step(
        self, action: str, *, metadata: Mapping[str, str], ttl: timedelta
    ) -> AbstractAsyncContextManager[SealingToken]:
        """A token from the token role named like the action, for as long as the block runs."""
        ...


class NeonSealing:
    """The step, for the connectors worker."""

    def __init__(self, vault: SealingTokens) -> None:
        self._vault = vault

    @implements(SEAL_LOGIN)
    async def seal_login(self, request: SealLogin) -> LoginSealed:
        """Seal a login that this very goal was issued, to that database; no goal names another's.

        Raises:
            NotFound: It was issued none.
            InvalidRequest: The one that it was issued leads to another database.
            ConnectorError: By the tree.
        """
        info = activity.info()
        marked, run = mark(info.workflow_id or "", request.part), info.workflow_run_id or ""
        async with self._vault.step(HAND_OVER.name, metadata=step_metadata(), ttl=_STEP) as token:
            fields = await token.read(HAND_OVER.secret.at(marked))
            uri = fields["uri"]
            if f"/{request.database}?" not in uri.get_secret_value():
                raise InvalidRequest(f"the login of this goal does not lead to {request.database!r}: issue another")
            return LoginSealed(secrets=await token.seal({"uri": uri}, run=run, ttl=_WAITS))
