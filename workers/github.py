"""The GitHub connector behind the port of the steps."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from activities.github.ports import BranchRemoval, GitHub, GitHubSession, GitHubToDestroy
from activities.guard.withheld import LastLook, Withheld
from connectors.github.client import GitHubApp
from connectors.github.content import GitHubSession as ConnectorSession
from connectors.github.manifest import GITHUB
from connectors.github.models import AppCredentials
from workers.settings import Settings


class _GitHub:
    """Sessions of one app, each for one repository."""

    def __init__(self, app: GitHubApp) -> None:
        self._app = app

    def session(
        self, app: Mapping[str, SecretStr], *, repository: str, permissions: Mapping[str, str]
    ) -> AbstractAsyncContextManager[GitHubSession]:
        """See `activities.github.ports.GitHub`."""
        return self._app.session(_credentials(app), repository=repository, permissions=permissions)


@dataclass(frozen=True)
class _Removal:
    """What may be destroyed in a session, each thing after a last look."""

    repository: ConnectorSession
    last_look: LastLook

    async def delete_branch(self, branch: str, *, expected_head: str) -> bool:
        """See `activities.github.ports.BranchRemoval`."""
        return await self.repository.delete_branch(branch, expected_head=expected_head, last_look=self.last_look)


class _GitHubToDestroy:
    """The same with the key that destroys."""

    def __init__(self, app: GitHubApp) -> None:
        self._app = app

    @asynccontextmanager
    async def session(self, app: Withheld, *, repository: str) -> AsyncGenerator[BranchRemoval]:
        """See `activities.github.ports.GitHubToDestroy`."""
        permissions = {"contents": "write"}
        async with self._app.session(_credentials(app.fields), repository=repository, permissions=permissions) as found:
            yield _Removal(found, app.last_look)


def _credentials(app: Mapping[str, SecretStr]) -> AppCredentials:
    return AppCredentials(client_id=app["client_id"].get_secret_value(), private_key=app["private_key"])


def github(settings: Settings) -> GitHub:
    """As these settings say."""
    return _GitHub(GitHubApp(base_url=settings.url_of(GITHUB)))


def github_to_destroy(settings: Settings) -> GitHubToDestroy:
    """The same, for what cannot be undone."""
    return _GitHubToDestroy(GitHubApp(base_url=settings.url_of(GITHUB)))
