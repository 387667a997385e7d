"""A Vault in a dictionary, for tests of steps: each token may do what its credential says, and no more."""

import contextlib
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import SecretStr

from connectors.errors import AuthDenied, InvalidRequest
from connectors.provider import Credential, providers


@dataclass
class PlayedVault:
    """Everything that it holds, and what is wrong with it.

    Attributes:
        held: By path; a test puts another key there.
        failing: Raised by the next changes, one each.
        asked: The token roles that steps asked for.
        pages: Of books.
        wrapped: Keys for data, by what they are wrapped as, each with what wrapped it.
        opened: How often one was unwrapped.
    """

    held: dict[str, Mapping[str, SecretStr]] = field(default_factory=dict[str, Mapping[str, SecretStr]])
    failing: list[Exception] = field(default_factory=list[Exception])
    asked: list[str] = field(default_factory=list[str])
    pages: dict[str, str] = field(default_factory=dict[str, str])
    wrapped: dict[str, tuple[str, bytes]] = field(default_factory=dict[str, tuple[str, bytes]])
    opened: int = 0

    async def change(self, path: str, change: Callable[[str | None], str]) -> None:
        """A page of a book, by the process itself."""
        self.pages[path] = change(self.pages.get(path))

    async def make_data_key(self, key: str) -> tuple[bytes, str]:
        """By the process itself."""
        raw = secrets.token_bytes(32)
        self.wrapped[wrapped := f"vault:v1:{len(self.wrapped)}"] = (key, raw)
        return raw, wrapped

    async def open_data_key(self, key: str, wrapped: str) -> bytes:
        """By the process itself."""
        made_by, raw = self.wrapped.get(wrapped, ("", b""))
        if made_by != key:
            raise InvalidRequest(f"{key} did not wrap that")
        self.opened += 1
        return raw

    @contextlib.asynccontextmanager
    async def step(self, action: str, *, metadata: Mapping[str, str], ttl: timedelta) -> AsyncGenerator["PlayedToken"]:
        """A token for one step."""
        assert metadata.keys() == {"workflow_id", "run_id", "attempt"}
        assert metadata["workflow_id"]
        assert timedelta() < ttl < timedelta(hours=1)
        self.asked.append(action)
        yield PlayedToken(self, _credential(action))


@dataclass(frozen=True)
class PlayedToken:
    """A step's."""

    vault: PlayedVault
    credential: Credential

    async def read(self, path: str) -> Mapping[str, SecretStr]:
        self._require(path, self.credential.secret.path)
        return self.vault.held[path]

    async def write(self, path: str, values: Mapping[str, SecretStr]) -> int:
        self._require(path, *(one.path for one in self.credential.keeps))
        self._fail()
        self.vault.held[path] = values
        return 1

    async def delete(self, path: str) -> None:
        self._require(path, *(one.path for one in self.credential.forgets))
        self._fail()
        self.vault.held.pop(path, None)

    async def list(self, path: str) -> list[str]:
        self._require(f"{path}/any", *(one.path for one in self.credential.forgets))
        return [last for above, _, last in (one.rpartition("/") for one in self.vault.held) if above == path]

    def release_soon(self) -> None:
        """Nothing to release."""

    def _fail(self) -> None:
        if self.vault.failing:
            raise self.vault.failing.pop(0)

    def _require(self, path: str, *patterns: str) -> None:
        if not any(_covers(one, path) for one in patterns):
            raise AuthDenied(f"{self.credential.name} has no right to {path}")


def _credential(action: str) -> Credential:
    return next(one for provider in providers().values() for one in provider.credentials if one.name == action)


def _covers(pattern: str, path: str) -> bool:
    ours, theirs = pattern.split("/"), path.split("/")
    return len(ours) == len(theirs) and all(one in {"+", other} for one, other in zip(ours, theirs, strict=True))
