"""The steps on Qdrant as their workers have them, on the judged twin; Vault keeps in a dictionary what it is given."""

import dataclasses
from typing import Any, Final

from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.qdrant.clearing import ClusterClearing
from activities.qdrant.clusters import ClusterActivities
from activities.qdrant.collections import CollectionActivities
from tests.activities.guard.attempts import times
from tests.activities.played_vault import PlayedVault
from tests.connectors.qdrant.conftest import (
    BUYING_CANARY,
    DELETING_CANARY,
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
    "qdrant/deleting-key": DELETING_CANARY,
}


class Vault(PlayedVault):
    """Vault with the account's four keys and those of one database, and the steps that ask it."""

    def __init__(self, twin: ServedTwin) -> None:
        super().__init__()
        self.twin = twin
        for path, key in _MANAGEMENT.items():
            self.held[path] = {"account": SecretStr(ACCOUNT), "api_key": SecretStr(key)}
        for path, key in (("qdrant/readers", READERS_CANARY), ("qdrant/writers", WRITERS_CANARY)):
            self.held[f"{path}/shop-search"] = {"url": SecretStr(twin.url), "api_key": SecretStr(key)}

    @property
    def clusters(self) -> ClusterActivities:
        return ClusterActivities(self, base_url=self.twin.url)

    @property
    def clearing(self) -> ClusterClearing:
        return ClusterClearing(self, base_url=self.twin.url)

    @property
    def collections(self) -> CollectionActivities:
        return CollectionActivities(self)

    def opens(self, path: str) -> bool:
        """Whether the database that a kept secret names answers to it."""
        kept = self.held[path]
        url, key = (kept[name].get_secret_value() for name in ("url", "api_key"))
        assert url == self.twin.url
        return self.twin.http.get("/collections", headers={"api-key": key}).is_success


def at_work(step: str, *, attempt: int = 1, workflow_id: str = GOAL) -> ActivityEnvironment:
    """What a step finds around it."""
    environment = ActivityEnvironment()
    told: dict[str, Any] = {"workflow_id": workflow_id, "activity_type": step, "attempt": attempt, **times()}
    environment.info = dataclasses.replace(environment.info, **told)
    return environment
