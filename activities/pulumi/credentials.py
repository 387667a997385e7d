"""What a look at a stack needs, sealed for the sandbox worker: no history, and no other process, can open it."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final, Protocol

from pydantic import SecretStr
from temporalio import activity

from activities.pulumi.contracts import SEAL_CREDENTIALS, SealCredentialsRequest, SealedCredentials
from activities.secrets import StepToken
from activities.step import implements
from connectors.pulumi.manifest import LOOK

_STEP: Final = timedelta(minutes=2)
_WAITS: Final = timedelta(minutes=30)
"""How long the sandbox worker may be busy with others before it opens them."""


class LookToken(StepToken, Protocol):
    """A step's token that can seal what it read."""

    async def seal(self, secrets: Mapping[str, SecretStr], *, run: str, ttl: timedelta) -> str:
        """These secrets for one run of the sandbox worker's, as text that may stand in a history."""
        ...


class LookTokens(Protocol):
    """Makes such tokens."""

    def step(
        self, action: str, *, metadata: Mapping[str, str], ttl: timedelta
    ) -> AbstractAsyncContextManager[LookToken]:
        """A token from the token role named like the action, for as long as the block runs."""
        ...


class StackCredentials:
    """The step, with the port it needs; for the connectors worker. It raises by the tree in `connectors/errors.py`."""

    def __init__(self, vault: LookTokens) -> None:
        self._vault = vault

    @implements(SEAL_CREDENTIALS)
    async def seal_credentials(self, request: SealCredentialsRequest) -> SealedCredentials:
        """Read what looks at stacks, and seal it for this workflow run. It opens once: seal again for each step.

        Raises:
            NotFound: Vault has no such secret.
            ConnectorError: By the tree.
        """
        info = activity.info()
        run = info.workflow_run_id or ""
        told = {"workflow_id": info.workflow_id or "", "run_id": run, "stack": request.place.stack}
        async with self._vault.step(LOOK.name, metadata=told, ttl=_STEP) as token:
            fields: dict[str, SecretStr] = dict(await token.read(LOOK.secret.path))
            return SealedCredentials(secrets=await token.seal(fields, run=run, ttl=_WAITS))
