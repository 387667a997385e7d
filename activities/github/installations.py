"""The step that finds installations: as the App itself, and for names with a token of each that may see names alone."""

from activities.github.installations_contracts import (
    FIND_INSTALLATIONS,
    MOST_AT_ONCE,
    MOST_REPOSITORIES,
    CoveredRepository,
    FindInstallationsRequest,
    InstallationFound,
    InstallationsFound,
)
from activities.secrets import StepTokens, secret_for_step
from activities.step import implements
from connectors.github.client import GitHubApp
from connectors.github.installed import covered_by
from connectors.github.manifest import READ
from connectors.github.models import AppCredentials
from connectors.github.registration import InstallationSeen, as_app


class InstallationActivities:
    """The step, with the ports it needs."""

    def __init__(self, github: GitHubApp, vault: StepTokens) -> None:
        self._github, self._vault = github, vault

    @implements(FIND_INSTALLATIONS)
    async def find_installations(self, request: FindInstallationsRequest) -> InstallationsFound:
        """Those that are not known yet, the oldest first.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        known = set(request.known)
        async with secret_for_step(self._vault, READ) as secret:
            app = AppCredentials.of(secret)
            async with as_app(self._github, app) as session:
                there = await session.installations()
            new = sorted((one for one in there if one.id not in known), key=lambda one: one.id)
            found = [await self._told(app, one) for one in new[:MOST_AT_ONCE]]
        return InstallationsFound(installations=tuple(found), left=len(new) - len(found))

    async def _told(self, app: AppCredentials, seen: InstallationSeen) -> InstallationFound:
        """With what it covers; where it is suspended GitHub tells nothing of that."""
        covered = []
        if seen.suspended_at is None:
            covered = await covered_by(self._github, app, seen.id, most=MOST_REPOSITORIES + 1)
        return InstallationFound(
            number=seen.id,
            login=seen.account.login,
            account=seen.account.id,
            type=seen.account.type,
            all_repositories=seen.repository_selection == "all",
            permissions=dict(seen.permissions),
            events=seen.events,
            suspended_at=seen.suspended_at,
            updated_at=seen.updated_at,
            repositories=tuple(
                CoveredRepository(full_name=one.full_name, id=one.id, private=one.private)
                for one in covered[:MOST_REPOSITORIES]
            ),
            more=len(covered) > MOST_REPOSITORIES,
        )
