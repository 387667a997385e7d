"""The step that asks what a person may do on a repository, with a token that sees its name and no more."""

from activities.github.people_contracts import FIND_PERMISSION, FindPermissionRequest, PermissionSeen
from activities.github.session import reading_session
from activities.secrets import StepTokens
from activities.step import implements
from connectors.github.client import GitHubApp


class PeopleActivities:
    """The step, with the ports it needs."""

    def __init__(self, github: GitHubApp, vault: StepTokens) -> None:
        self._github, self._vault = github, vault

    @implements(FIND_PERMISSION)
    async def find_permission(self, request: FindPermissionRequest) -> PermissionSeen:
        """What somebody may do; who has no account, or none there, may do nothing.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        async with reading_session(self._github, self._vault, request.repository, "metadata") as repository:
            found = await repository.people.permission(request.login)
        if found is None or found.user is None:
            return PermissionSeen(repository=request.repository, login=request.login)
        return PermissionSeen(
            repository=request.repository,
            login=found.user.login,
            id=found.user.id,
            permission=found.permission,
            role=found.role_name,
        )
