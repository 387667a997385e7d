"""The step that deletes a branch at Neon, by a grant; for the destructive worker. No other process reaches its key."""

from activities.guard.current_attempt import Use, current_attempt
from activities.guard.granted import GrantedRequest
from activities.guard.uncut import uncut
from activities.guard.withheld import DestructiveSecrets
from activities.neon.contracts import DELETE_BRANCH, DeleteNeonBranchParameters, NeonBranchDeleted
from activities.step import implements
from connectors.errors import Conflict, NotFound
from connectors.http import Api
from connectors.neon import manifest
from connectors.neon.client import DIALECT, NeonProject, credential


class NeonDestruction:
    """The step.

    Args:
        secrets: Hands out the key, for one step with a grant.
        base_url: Where Neon is.
    """

    def __init__(self, secrets: DestructiveSecrets, *, base_url: str) -> None:
        self._secrets, self._api = secrets, Api(DIALECT, base_url=base_url)

    @implements(DELETE_BRANCH)
    async def delete_branch(self, request: GrantedRequest) -> NeonBranchDeleted:
        """Delete the branch of the id that was approved, where it still has the name that people read.

        Idempotent by its id, which Neon gives to no other branch: an attempt after a lost answer finds it gone.

        Raises:
            ConnectorError: As the tree says; `Conflict` where it has another name now, and is kept.
        """
        wanted = request.approved().parameters_as(DeleteNeonBranchParameters)
        secret = await self._secrets.read(manifest.DELETE_BRANCH)
        async with self._api.open(credential(secret.fields)) as session:
            project = NeonProject(session, wanted.account)
            try:
                found = await project.by_id(wanted.branch)
            except NotFound:
                if current_attempt().use is Use.FIRST:
                    raise
                return NeonBranchDeleted(id=wanted.branch)
            if found.name != wanted.name:
                raise Conflict(
                    f"the branch {wanted.branch!r} was called {wanted.name!r} when people approved its deletion, and "
                    f"has another name now: it is kept"
                )
            await uncut(lambda look: project.delete(found, last_look=look), secret.last_look)
        return NeonBranchDeleted(id=wanted.branch)
