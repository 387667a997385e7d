"""The port through which a step gets its credentials: a token of its own, for one action, for one step."""

import contextlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final, Protocol

from pydantic import SecretStr
from temporalio import activity

from connectors.provider import Credential

_SHORTEST: Final = timedelta(minutes=1)
_LONGER_THAN_A_STEP: Final = timedelta(seconds=60)


class StepToken(Protocol):
    """A short-lived Vault token that can read what one action needs, revoked when the step ends."""

    async def read(self, path: str) -> Mapping[str, SecretStr]:
        """The fields of one secret."""
        ...

    def release_soon(self) -> object:
        """Begin to revoke it: the step has read what it needs, and goes on meanwhile. The block's end waits for it."""
        ...


class StepTokens(Protocol):
    """Makes step tokens."""

    def step(
        self, action: str, *, metadata: Mapping[str, str], ttl: timedelta
    ) -> AbstractAsyncContextManager[StepToken]:
        """A token from the token role named like the action, for as long as the block runs."""
        ...


@contextlib.asynccontextmanager
async def secret_for_step(vault: StepTokens, credential: Credential) -> AsyncGenerator[Mapping[str, SecretStr]]:
    """What a credential gives to the step that runs now.

    The token that reads it is given back at once; that it is gone is waited for at the end of the block.

    Args:
        vault: Makes the token.
        credential: Whose secret is read.
    """
    info = activity.info()
    metadata = {"workflow_id": info.workflow_id or "", "run_id": info.workflow_run_id or ""}
    metadata["attempt"] = str(info.attempt)
    ttl = (info.start_to_close_timeout or _SHORTEST) + _LONGER_THAN_A_STEP
    async with vault.step(credential.name, metadata=metadata, ttl=ttl) as token:
        fields = await token.read(credential.secret.path)
        token.release_soon()
        yield fields
