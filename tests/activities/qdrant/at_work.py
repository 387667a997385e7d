"""The steps on Qdrant as their workers have them, on the judged twin; Vault keeps in a dictionary what it is given."""

import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import PurePath
from typing import Any, Final

from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.qdrant.clusters import ClusterActivities
from activities.qdrant.collections import CollectionActivities
from activities.secrets import KeepingToken
from connectors.qdrant.manifest import QDRANT
from tests.activities.guard.attempts import times
from tests.connectors.qdrant.conftest import (
    BUYING_CANARY,
    READERS_CANARY,
    READING_CANARY,
    WRITERS_CANARY,
    WRITING_CANARY,
)
from tests.connectors.qdrant.published import ACCOUNT
from tests.connectors.serving import ServedTwin

GOAL: Final = "provision-qdrant/shop"
_MANAGEMENT: Final = {
    "qdrant/reading-key": READING_CANARY,
    "qdrant/writing-key": WRITING_CANARY,
    "qdrant/buying-key": BUYING_CANARY,
}
_CREDENTIALS: Final = {one.name: one for one in QDRANT.credentials}


@dataclass
class Vault:
    """Everything that it holds, and what is wrong with it."""

    twin: ServedTwin
    held: dict[str, Mapping[str, SecretStr]] = field(default_factory=dict[str, Mapping[str, SecretStr]])
    failing: list[Exception] = field(default_factory=list[Exception])
    asked: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        for path, key in _MANAGEMENT.items():
            self.held[path] = {"account": SecretStr(ACCOUNT), "api_key": SecretStr(key)}
        for path, key in (("qdrant/readers", READERS_CANARY), ("qdrant/writers", WRITERS_CANARY)):
            self.held[f"{path}/shop-search"] = {"url": SecretStr(self.twin.url), "api_key": SecretStr(key)}

    @contextlib.asynccontextmanager
    async def step(self, action: str, *, metadata: Mapping[str, str], ttl: timedelta) -> AsyncGenerator[KeepingToken]:
        assert metadata["workflow_id"]
        assert ttl > timedelta()
        self.asked.append(action)
        yield _Token(self, action)

    @property
    def clusters(self) -> ClusterActivities:
        return ClusterActivities(self, base_url=self.twin.url)

    @property
    def collections(self) -> CollectionActivities:
        return CollectionActivities(self)

    def opens(self, path: str) -> bool:
        """Whether the database that a kept secret names answers to it."""
        kept = self.held[path]
        url, key = (kept[name].get_secret_value() for name in ("url", "api_key"))
        assert url == self.twin.url
        return self.twin.http.get("/collections", headers={"api-key": key}).is_success


@dataclass
class _Token:
    vault: Vault
    action: str

    async def read(self, path: str) -> Mapping[str, SecretStr]:
        assert PurePath(path).match(_CREDENTIALS[self.action].secret.path.replace("+", "*"))
        return self.vault.held[path]

    async def write(self, path: str, values: Mapping[str, SecretStr]) -> int:
        if self.vault.failing:
            raise self.vault.failing.pop(0)
        self.vault.held[path] = values
        return 1

    async def delete(self, path: str) -> None:
        raise AssertionError(f"no step of Qdrant forgets {path}")

    async def list(self, path: str) -> list[str]:
        raise AssertionError(f"no step of Qdrant lists {path}")

    def release_soon(self) -> None:
        """Nothing to release."""


def at_work(step: str, *, attempt: int = 1, workflow_id: str = GOAL) -> ActivityEnvironment:
    """What a step finds around it."""
    environment = ActivityEnvironment()
    told: dict[str, Any] = {"workflow_id": workflow_id, "activity_type": step, "attempt": attempt, **times()}
    environment.info = dataclasses.replace(environment.info, **told)
    return environment
