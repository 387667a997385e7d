"""Credentials that destroy: had for the current attempt at a destructive step alone, and used after a last look alone.

The destructive worker's steps get them here and nowhere else. Whatever sends an effect takes the look with them, as an
argument that has no default, and calls it as late as it can.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Generic, TypeVar

from pydantic import SecretStr
from temporalio import activity

from activities.guard.current_attempt import current_attempt
from activities.secrets import StepToken, StepTokens, TokensOf, step_metadata
from connectors.provider import Credential

LastLook = Callable[[], Awaitable[None]]
"""Raises where the attempt is no longer the current one."""

_READING: Final = timedelta(minutes=2)
Token_co = TypeVar("Token_co", bound=StepToken, covariant=True)


@dataclass(frozen=True)
class Withheld:
    """The fields of a secret that destroys, and what is called right before anything is done with them."""

    fields: Mapping[str, SecretStr]
    last_look: LastLook


@dataclass(frozen=True)
class Held(Generic[Token_co]):
    """A token that lives as long as the step needs it, for what begins and ends with it.

    Attributes:
        token: Of the step's own token role.
        fields: The credential's secret.
        last_look: As in `Withheld`.
    """

    token: Token_co
    fields: Mapping[str, SecretStr]
    last_look: LastLook


class DestructiveTokens(Generic[Token_co]):
    """Hands out such tokens.

    Args:
        vault: Makes them.
    """

    def __init__(self, vault: TokensOf[Token_co]) -> None:
        self._vault = vault

    @asynccontextmanager
    async def hold(self, credential: Credential, *, ttl: timedelta) -> AsyncGenerator[Held[Token_co]]:
        """One, for as long as the block runs.

        Args:
            credential: Whose token role it is of.
            ttl: After which it ends whatever happens.

        Raises:
            NotCurrent: Nobody waits for this attempt; no token was made.
            ConnectorError: By the tree.
        """
        attempt = current_attempt()
        await attempt.require()
        async with self._vault.step(credential.name, metadata=step_metadata(), ttl=ttl) as token:
            yield Held(token, await token.read(credential.secret.path), attempt.require)


class DestructiveSecrets:
    """Hands them out.

    Args:
        vault: Makes the tokens that read them.
    """

    def __init__(self, vault: StepTokens) -> None:
        self._vault = vault

    async def read(self, credential: Credential, **told: str) -> Withheld:
        """One secret, by a token that is gone when it has been read.

        Args:
            credential: What it is.
            told: More for Vault's audit log.

        Raises:
            NotCurrent: Nobody waits for this attempt; no token was made.
            ConnectorError: By the tree.
        """
        attempt, info = current_attempt(), activity.info()
        await attempt.require()
        metadata = {"workflow_id": info.workflow_id or "", "run_id": info.workflow_run_id or ""}
        metadata |= {"attempt": str(info.attempt), **told}
        async with self._vault.step(credential.name, metadata=metadata, ttl=_READING) as token:
            return Withheld(await token.read(credential.secret.path), attempt.require)
