"""The port through which a step gets its credentials: a token of its own, for one action, for one step."""

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol, TypeVar

from pydantic import SecretStr
from temporalio import activity

from connectors.provider import Credential, Secret

_SHORTEST: Final = timedelta(minutes=1)
_LONGER_THAN_A_STEP: Final = timedelta(seconds=60)
Token_co = TypeVar("Token_co", covariant=True)


class StepToken(Protocol):
    """A short-lived Vault token that can read what one action needs, revoked when the step ends."""

    async def read(self, path: str) -> Mapping[str, SecretStr]:
        """The fields of one secret."""
        ...

    def release_soon(self) -> object:
        """Begin to revoke it: the step has read what it needs, and goes on meanwhile. The block's end waits for it."""
        ...


class KeepingToken(StepToken, Protocol):
    """One that can also write the secrets that its credential keeps."""

    async def write(self, path: str, values: Mapping[str, SecretStr]) -> int:
        """Write a new version of one secret, and get its number."""
        ...

    async def delete(self, path: str) -> None:
        """Delete one secret with all its versions."""
        ...

    async def list(self, path: str) -> Sequence[str]:
        """The names of the secrets right below a path."""
        ...


class StepTokens(Protocol):
    """Makes step tokens."""

    def step(
        self, action: str, *, metadata: Mapping[str, str], ttl: timedelta
    ) -> AbstractAsyncContextManager[StepToken]:
        """A token from the token role named like the action, for as long as the block runs."""
        ...


class KeepingTokens(Protocol):
    """Makes step tokens that can write, too."""

    def step(
        self, action: str, *, metadata: Mapping[str, str], ttl: timedelta
    ) -> AbstractAsyncContextManager[KeepingToken]:
        """As `StepTokens.step`."""
        ...


class TokensOf(Protocol[Token_co]):
    """Makes step tokens that can do more."""

    def step(
        self, action: str, *, metadata: Mapping[str, str], ttl: timedelta
    ) -> AbstractAsyncContextManager[Token_co]:
        """As `StepTokens.step`."""
        ...


@dataclass(frozen=True)
class Kept:
    """A secret that was written.

    Attributes:
        path: Below the mount: what may stand in a history.
        version: The number of this version, from 1.
    """

    path: str
    version: int


@dataclass(frozen=True)
class Keeper:
    """Writes the secrets that a step makes, where its credential says, and can read none of them.

    Attributes:
        fields: What the step's own credential gives.
    """

    fields: Mapping[str, SecretStr]
    _token: KeepingToken
    _credential: Credential

    async def keep(self, secret: Secret, values: Mapping[str, SecretStr], *names: str) -> Kept:
        """Write it. Safe to repeat: each time makes a version.

        Args:
            secret: One that the credential keeps.
            values: Its fields.
            names: Which one of them, as in `Secret.at`.

        Raises:
            ValueError: The names do not fit.
            TypeError: The credential does not keep such a secret.
            ConnectorError: By the tree.
        """
        self._require(secret, self._credential.keeps, "keep")
        path = secret.at(*names)
        return Kept(path, await self._token.write(path, values))

    async def forget(self, secret: Secret, *names: str) -> None:
        """Delete it with all its versions; one that is not there is fine.

        Raises:
            ValueError: The names do not fit.
            TypeError: The credential does not forget such a secret.
            ConnectorError: By the tree.
        """
        self._require(secret, self._credential.forgets, "forget")
        await self._token.delete(secret.at(*names))

    async def forget_all(self, secret: Secret, *names: str) -> Sequence[str]:
        """Delete all that lie under these names, which leave out the last one.

        Returns:
            The last names of those that were there.

        Raises:
            ValueError: The names do not fit.
            TypeError: The credential does not forget such secrets.
            ConnectorError: By the tree.
        """
        self._require(secret, self._credential.forgets, "forget")
        found = await self._token.list(secret.above(*names))
        for last in found:
            await self._token.delete(secret.at(*names, last))
        return found

    def _require(self, secret: Secret, declared: tuple[Secret, ...], verb: str) -> None:
        if secret not in declared:
            raise TypeError(f"credential {self._credential.name!r} does not {verb} {secret.path!r}")


@contextlib.asynccontextmanager
async def secret_for_step(
    vault: StepTokens, credential: Credential, *names: str
) -> AsyncGenerator[Mapping[str, SecretStr]]:
    """What a credential gives to the step that runs now.

    The token that reads it is given back at once; that it is gone is waited for at the end of the block.

    Args:
        vault: Makes the token.
        credential: Whose secret is read.
        names: Which of its secrets, where there are many.
    """
    async with vault.step(credential.name, metadata=step_metadata(), ttl=_ttl()) as token:
        fields = await token.read(credential.secret.at(*names))
        token.release_soon()
        yield fields


@contextlib.asynccontextmanager
async def keeper_for_step(vault: KeepingTokens, credential: Credential) -> AsyncGenerator[Keeper]:
    """The same for a step that makes secrets: its token lives as long as the block, and writes where it says.

    Args:
        vault: Makes the token.
        credential: Whose secret is read, and which says what is kept.
    """
    async with vault.step(credential.name, metadata=step_metadata(), ttl=_ttl()) as token:
        yield Keeper(await token.read(credential.secret.path), token, credential)


def token_for_step(vault: TokensOf[Token_co], credential: Credential) -> AbstractAsyncContextManager[Token_co]:
    """A token for as long as the block runs, for a step that does more with it than to read and to keep.

    Args:
        vault: Makes the token.
        credential: Whose token role it is of.
    """
    return vault.step(credential.name, metadata=step_metadata(), ttl=_ttl())


def step_metadata() -> Mapping[str, str]:
    """For whom the step that runs now does what it does, for Vault's audit log."""
    info = activity.info()
    told = {"workflow_id": info.workflow_id or "", "run_id": info.workflow_run_id or ""}
    return {**told, "attempt": str(info.attempt)}


def _ttl() -> timedelta:
    return (activity.info().start_to_close_timeout or _SHORTEST) + _LONGER_THAN_A_STEP
