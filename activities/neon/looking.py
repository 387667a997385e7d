"""Steps that read at Neon."""

from activities.neon.contracts import LOOK_AT_BRANCH, LookAtNeonBranch, NeonBranchSeen
from activities.secrets import StepTokens, secret_for_step
from activities.step import implements
from connectors.http import Api
from connectors.neon.client import DIALECT, NeonProject, credential
from connectors.neon.manifest import READ


class NeonLooking:
    """The steps.

    Args:
        vault: Makes the token that reads the key.
        base_url: Where Neon is.
    """

    def __init__(self, vault: StepTokens, *, base_url: str) -> None:
        self._vault, self._api = vault, Api(DIALECT, base_url=base_url)

    @implements(LOOK_AT_BRANCH)
    async def look_at_branch(self, request: LookAtNeonBranch) -> NeonBranchSeen:
        """Look at one branch, and at what depends on it.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        async with secret_for_step(self._vault, READ) as fields, self._api.open(credential(fields)) as session:
            project = NeonProject(session, request.project)
            seen, marked = await project.look(), await project.marked_branches()
        all_of_it, marks = [one for one, _ in marked], {one.id: mark for one, mark in marked}
        names = {one.id: one.name for one in all_of_it}
        if request.branch:
            found = next((one for one in all_of_it if one.id == request.branch), None)
            found = found or next((one for one in all_of_it if one.name == request.branch), None)
        else:
            found = next((one for one in all_of_it if one.default), None)
        if found is None:
            return NeonBranchSeen(id=None, project_name=seen.name)
        return NeonBranchSeen(
            id=found.id,
            name=found.name,
            project_name=seen.name,
            parent=names.get(found.parent_id, found.parent_id) if found.parent_id else None,
            children=tuple(one.name for one in all_of_it if one.parent_id == found.id),
            default=found.default,
            protected=found.protected,
            size=found.logical_size,
            created_at=found.created_at,
            expires_at=found.expires_at,
            mark=marks[found.id],
        )
