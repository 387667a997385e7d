"""The port through which a step gets its credentials: a token of its own, for one action, for one step."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Protocol

from pydantic import SecretStr


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
