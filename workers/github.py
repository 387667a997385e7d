"""The GitHub connector behind the port of the steps."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

from pydantic import SecretStr

from activities.github import GitHub, GitHubSession
from connectors.github import AppCredentials, GitHubApp
from workers.settings import Settings


class _GitHub:
    """Sessions of one app, each for one repository."""

    def __init__(self, app: GitHubApp) -> None:
        self._app = app

    def session(
        self, app: Mapping[str, SecretStr], *, repository: str, permissions: Mapping[str, str]
    ) -> AbstractAsyncContextManager[GitHubSession]:
        """See `activities.github.GitHub`."""
        credentials = AppCredentials(client_id=app["client_id"].get_secret_value(), private_key=app["private_key"])
        return self._app.session(credentials, repository=repository, permissions=permissions)


def github(settings: Settings) -> GitHub:
    """As these settings say."""
    return _GitHub(GitHubApp(base_url=settings.github_url))
