"""The steps on GitHub as their workers have them, on the twin over real git; what each asks of Vault is noted."""

import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.github.asked import AskedActivities
from activities.github.branches import BranchActivities, BranchDestruction
from activities.github.changed import ChangedActivities
from activities.github.installations import InstallationActivities
from activities.github.listing import ListingActivities
from activities.github.people import PeopleActivities
from activities.github.pulls import PullRequestActivities, PullRequestMerging
from activities.github.rates import RateActivities
from activities.github.reading import GitHubActivities
from activities.github.reviewed import ReviewedActivities
from activities.github.showing import ShowingActivities
from activities.github.writing import GitHubWriteActivities
from activities.guard.withheld import DestructiveSecrets
from activities.secrets import StepToken
from connectors.artifacts import ArtifactStore
from connectors.github.client import GitHubApp, Rename
from connectors.github.content import GitHubSession
from connectors.github.models import AppCredentials
from tests.activities.guard.attempts import times
from tests.connectors.github.recorded import Served
from tests.connectors.github.shop import Shop, git

REPOSITORY = "acme/shop"
_READS = {
    "github-read": "github/app",
    "github-write": "github/app",
    "github-delete-branch": "github/destructive-app",
    "github-merge-pull-request": "github/destructive-app",
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


class NotedApp(GitHubApp):
    """Notes the permissions of each session."""

    def __init__(self, *, base_url: str, noted: list[dict[str, str]]) -> None:
        super().__init__(base_url=base_url)
        self._noted = noted

    @contextlib.asynccontextmanager
    async def session(
        self,
        credentials: AppCredentials,
        *,
        repository: str,
        permissions: Mapping[str, str],
        renamed: Rename | None = None,
    ) -> AsyncGenerator[GitHubSession]:
        self._noted.append(dict(permissions))
        opened = super().session(credentials, repository=repository, permissions=permissions, renamed=renamed)
        async with opened as session:
            yield session


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

    @property
    def _app(self) -> GitHubApp:
        return NotedApp(base_url=self.twin.address, noted=self.permissions)

    @property
    def installations(self) -> InstallationActivities:
        return InstallationActivities(self._app, self)

    @property
    def lists(self) -> ListingActivities:
        return ListingActivities(self._app, self, artifacts=self.artifacts)

    @property
    def changes(self) -> ChangedActivities:
        return ChangedActivities(self._app, self)

    @property
    def reads(self) -> GitHubActivities:
        return GitHubActivities(self._app, self, artifacts=self.artifacts)

    @property
    def asked(self) -> AskedActivities:
        return AskedActivities(self._app, self, artifacts=self.artifacts)

    @property
    def writes(self) -> GitHubWriteActivities:
        return GitHubWriteActivities(self._app, self, artifacts=self.artifacts)

    @property
    def reviewed(self) -> ReviewedActivities:
        return ReviewedActivities(self._app, self, artifacts=self.artifacts)

    @property
    def shows(self) -> ShowingActivities:
        return ShowingActivities(self._app, self)

    @property
    def branches(self) -> BranchActivities:
        return BranchActivities(self._app, self)

    @property
    def destruction(self) -> BranchDestruction:
        return BranchDestruction(GitHubApp(base_url=self.twin.address), DestructiveSecrets(self))

    @property
    def people(self) -> PeopleActivities:
        return PeopleActivities(self._app, self)

    @property
    def rates(self) -> RateActivities:
        return RateActivities(self._app, self)

    @property
    def pulls(self) -> PullRequestActivities:
        return PullRequestActivities(self._app, self)

    @property
    def merging(self) -> PullRequestMerging:
        return PullRequestMerging(self._app, DestructiveSecrets(self))

    def posts(self, name: str, method: str = "POST") -> int:
        """How often the twin did what a POST, or another method, to this path does."""
        asked = [one for one in self.twin.requests() if one["method"] == method and one["handled"]]
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
