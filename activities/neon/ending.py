"""Steps of the lease that holds a branch: they look after whatever carries its goal's mark, and end it at its time."""

import re
from collections.abc import Sequence
from typing import Final

from activities.leases.contracts import Leased, LeasedPage, LeaseStanding, ListLeased
from activities.neon.contracts import (
    CHECK_BRANCH,
    END_BRANCH,
    FIND_BRANCHES,
    NEON_BRANCH,
    PROLONG_BRANCH,
    BranchEnded,
    BranchProlonged,
    LeasedBranch,
    ProlongBranch,
)
from activities.neon.logins.means import LoginVault, connection_name, engine, owner
from activities.secrets import secret_for_step, token_for_step
from activities.step import implements
from connectors.errors import NotFound
from connectors.http import Api
from connectors.neon.client import DIALECT, NeonProject, credential, projects
from connectors.neon.manifest import CONNECTION, END, READ, WRITE

_MARK: Final = re.compile(r"banksman-[0-9a-f]{16}")
_MOST: Final = 500
"""Branches of ours in the few projects of one page: more than any of them may have."""


class NeonEnding:
    """The steps.

    Args:
        vault: Makes their tokens.
        base_url: Where Neon is.
    """

    def __init__(self, vault: LoginVault, *, base_url: str) -> None:
        self._vault, self._api = vault, Api(DIALECT, base_url=base_url)

    @implements(FIND_BRANCHES)
    async def find_branches(self, request: ListLeased) -> LeasedPage:
        """All branches with a mark of ours, some projects at a time.

        Raises:
            ConnectorError: As the tree says; `AuthDenied` for a key of one project, which lists none.
        """
        found: list[Leased] = []
        async with secret_for_step(self._vault, READ) as fields, self._api.open(credential(fields)) as session:
            page, after = await projects(session, after=request.after)
            for project in page:
                for branch, mark in await NeonProject(session, project.id).marked_branches():
                    if _MARK.fullmatch(mark):
                        place = LeasedBranch(project=project.id, mark=mark)
                        found.append(NEON_BRANCH.leased(place, mark=mark, name=branch.name[:200]))
        return LeasedPage(found=tuple(found[:_MOST]), after=after)

    @implements(CHECK_BRANCH)
    async def check_branch(self, request: LeasedBranch) -> LeaseStanding:
        """Whether a branch with this mark is there.

        Raises:
            ConnectorError: As the tree says.
        """
        async with secret_for_step(self._vault, READ) as fields, self._api.open(credential(fields)) as session:
            try:
                found = await NeonProject(session, request.project).marked(request.mark)
            except NotFound:  # with the whole project
                return LeaseStanding(there=False)
        told = ", ".join(f"{one.name!r} is {one.current_state or 'there'}" for one in found)
        return LeaseStanding(there=bool(found), told=told[:500])

    @implements(PROLONG_BRANCH)
    async def prolong_branch(self, request: ProlongBranch) -> BranchProlonged:
        """Let Neon delete it later, or sooner.

        Raises:
            ConnectorError: As the tree says; `NotFound` where it is gone.
        """
        async with secret_for_step(self._vault, WRITE) as fields, self._api.open(credential(fields)) as session:
            project = NeonProject(session, request.project)
            if not (found := await project.marked(request.mark)):
                raise NotFound(f"the project {request.project!r} has no branch marked {request.mark!r} any more")
            for branch in found:
                await project.expire(branch, request.until)
        return BranchProlonged(until=request.until)

    @implements(END_BRANCH)
    async def end_branch(self, request: LeasedBranch) -> BranchEnded:
        """Delete whatever carries this mark, recoverably, and have Vault forget what opened it.

        Raises:
            ConnectorError: As the tree says; `InvalidRequest` for a branch that Neon deletes for nobody: one that was
                protected or made the default meanwhile, or that has children.
        """
        ids: list[str] = []
        async with token_for_step(self._vault, END) as token:
            way, databases = await owner(token, self._api), engine(token)
            # Read before the branches are, each of which is there before the first connection to it.
            connections = await databases.connections()
            async with self._api.open(credential(way.fields)) as session:
                project = NeonProject(session, request.project)
                try:
                    for branch in await project.marked(request.mark):
                        await project.delete(branch, last_look=_nobody_looks)
                        ids.append(branch.id)
                    there = {one.id for one in await project.branches()}
                except NotFound:  # with the whole project
                    there = set[str]()
            for name in (request.mark, *ids):
                await token.delete(CONNECTION.at(name))
            # Also those to branches that ended by themselves, whose ids nobody knows any more.
            for name in _gone(connections, request.project, there):
                await databases.disconnect(name)
        return BranchEnded(ids=tuple(ids))


def _gone(connections: Sequence[str], project: str, there: set[str]) -> list[str]:
    """Vault's connections to branches of a project that are not there."""
    ours = connection_name(project, "", "").removesuffix(".")
    kept = tuple(connection_name(project, branch, "") for branch in there)
    return [one for one in connections if one.startswith(ours) and not one.startswith(kept)]


async def _nobody_looks() -> None:
    """A lease ends what its goal made, by an end that people knew: nobody is asked."""
