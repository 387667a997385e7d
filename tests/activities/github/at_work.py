"""The steps on GitHub as their workers have them, on the twin over real git; what each asks of Vault is noted."""

import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.github.branches import BranchActivities, BranchDestruction
from activities.github.ports import GitHubSession
from activities.github.reading import GitHubActivities
from activities.github.writing import GitHubWriteActivities
from activities.guard.withheld import DestructiveSecrets
from activities.secrets import StepToken
from connectors.artifacts import ArtifactStore
from connectors.github.manifest import GITHUB
from tests.activities.guard.attempts import times
from tests.connectors.github.recorded import Served
from tests.connectors.github.shop import Shop, git
from workers.github import github, github_to_destroy
from workers.settings import Settings

REPOSITORY = "acme/shop"
_READS = {
    "github-read": "github/app",
    "github-write": "github/app",
    "github-delete-branch": "github/destructive-app",
}
"""The one secret that each token role reads."""


class Token:
    """A step's token, which reads one secret."""

    def __init__(self, path: str, secret: Mapping[str, SecretStr]) -> None:
        self._path, self._secret = path, secret

    async def read(self, path: str) -> Mapping[str, SecretStr]:
        assert path == self._path
        return self._secret

    def release_soon(self) -> None:
        """Nothing to release."""


@dataclass
class House:
    """The twin, and the ports of the steps in front of it."""

    twin: Served
    shop: Shop
    artifacts: ArtifactStore
    actions: list[str] = field(default_factory=list[str])
    permissions: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    @contextlib.asynccontextmanager
    async def step(self, action: str, *, metadata: Mapping[str, str], ttl: timedelta) -> AsyncGenerator[StepToken]:
        assert metadata["workflow_id"]
        assert ttl > timedelta()
        self.actions.append(action)
        key = self.twin.credentials.private_key
        yield Token(_READS[action], {"client_id": SecretStr(self.twin.credentials.client_id), "private_key": key})

    def session(
        self, app: Mapping[str, SecretStr], *, repository: str, permissions: Mapping[str, str]
    ) -> AbstractAsyncContextManager[GitHubSession]:
        self.permissions.append(dict(permissions))
        return github(self._settings).session(app, repository=repository, permissions=permissions)

    @property
    def _settings(self) -> Settings:
        return Settings.model_validate({GITHUB.setting: self.twin.address})

    @property
    def reads(self) -> GitHubActivities:
        return GitHubActivities(self, self, artifacts=self.artifacts)

    @property
    def writes(self) -> GitHubWriteActivities:
        return GitHubWriteActivities(self, self)

    @property
    def branches(self) -> BranchActivities:
        return BranchActivities(self, self)

    @property
    def destruction(self) -> BranchDestruction:
        return BranchDestruction(github_to_destroy(self._settings), DestructiveSecrets(self))

    def posts(self, name: str) -> int:
        """How often the twin did what a POST to this path does."""
        asked = [one for one in self.twin.requests() if one["method"] == "POST" and one["handled"]]
        return sum(str(one["path"]).endswith(f"/{name}") for one in asked)

    def head(self, branch: str) -> str:
        """Where a branch stands, by git; empty where there is none."""
        return git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}", at=self.shop.bare)


def at_work(step: str, workflow_id: str = "goal/1", **info: object) -> ActivityEnvironment:
    """What a step finds around it."""
    environment = ActivityEnvironment()
    told: dict[str, object] = {"workflow_id": workflow_id, "activity_type": step, **times(), **info}
    environment.info = dataclasses.replace(environment.info, **told)  # pyright: ignore[reportArgumentType] - any field
    return environment
