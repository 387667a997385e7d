"""Steps that make branches at Neon, and keep in Vault what opens them. One at a time of a process changes a project."""

import asyncio
from collections import defaultdict
from urllib.parse import urlsplit

from activities.creation import created_for_step
from activities.neon.contracts import (
    CREATE_BRANCH,
    FORGET_CONNECTION,
    KEEP_CONNECTION,
    ConnectionForgotten,
    ConnectionKept,
    CreateNeonBranchRequest,
    ForgetConnectionRequest,
    KeepConnectionRequest,
    NeonBranchCreated,
)
from activities.secrets import KeepingTokens, keeper_for_step, secret_for_step
from activities.step import implements
from connectors.errors import Conflict, MalformedAnswer, NotFound
from connectors.http import Api
from connectors.neon.client import DIALECT, NeonProject, Wanted, credential
from connectors.neon.manifest import CONNECTION, KEEP, WRITE
from connectors.vault.kv import MOUNT

_PORT = 5432


class NeonMaking:
    """The steps.

    Args:
        vault: Makes the token that reads the key, and that puts a connection where it is kept.
        base_url: Where Neon is.
    """

    def __init__(self, vault: KeepingTokens, *, base_url: str) -> None:
        self._vault, self._api = vault, Api(DIALECT, base_url=base_url)
        # Neon refuses a second change with 423, which is waited out; this spares it being asked.
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @implements(CREATE_BRANCH)
    async def create_branch(self, request: CreateNeonBranchRequest) -> NeonBranchCreated:
        """See that the goal has one branch with a compute, ready and with the end that is asked for.

        Whatever an attempt before may have left undone is done: the branch is found by its mark.

        Raises:
            ConnectorError: As the tree says; `Conflict` where another's branch has the name.
        """
        async with (
            secret_for_step(self._vault, WRITE) as fields,
            self._turns[request.project],
            self._api.open(credential(fields)) as session,
        ):
            project = NeonProject(session, request.project)
            wanted = Wanted(
                name=request.branch,
                parent=(await project.branch(request.parent)).id if request.parent else None,
                expires_at=request.expires_at,
                max_cu=request.max_cu,
            )
            created = await created_for_step(project.creation(wanted), request.part)
            branch = await project.ready(created.resource)
            branch = await project.expire(branch, request.expires_at)
            compute = await project.compute(branch, max_cu=request.max_cu)
        return NeonBranchCreated(
            id=branch.id,
            name=branch.name,
            parent_id=branch.parent_id,
            endpoint=compute.id,
            expires_at=branch.expires_at,
            adopted=created.adopted,
        )

    @implements(KEEP_CONNECTION)
    async def keep_connection(self, request: KeepConnectionRequest) -> ConnectionKept:
        """Put the connection string of a branch into Vault; twice puts the same there.

        Raises:
            ConnectorError: As the tree says.
        """
        async with keeper_for_step(self._vault, KEEP) as keeper:
            async with self._api.open(credential(keeper.fields)) as session:
                project = NeonProject(session, request.project)
                branch = await project.by_id(request.branch)
                uri = await project.connection(branch, database=request.database)
                marks = {one.id: mark for one, mark in await project.marked_branches()}
            # By the mark, which is known before the branch is and after it is gone: so its lease finds what to forget.
            kept = await keeper.keep(CONNECTION, {"uri": uri}, marks.get(branch.id) or branch.id)
        told = urlsplit(uri.get_secret_value())
        if not told.hostname or not told.username:
            raise MalformedAnswer(f"Neon's connection string of {branch.name!r} names no host or no role")
        return ConnectionKept(
            host=told.hostname,
            port=told.port or _PORT,
            database=told.path.removeprefix("/"),
            role=told.username,
            secret=f"{MOUNT}/{kept.path}",
        )

    @implements(FORGET_CONNECTION)
    async def forget_connection(self, request: ForgetConnectionRequest) -> ConnectionForgotten:
        """Remove from Vault what opened a branch that is gone, with all versions; that nothing lies there is fine.

        Raises:
            ConnectorError: As the tree says; `Conflict` where the branch is there, and what opens it is kept.
        """
        async with keeper_for_step(self._vault, KEEP) as keeper:
            async with self._api.open(credential(keeper.fields)) as session:
                await _require_gone(NeonProject(session, request.project), request.branch)
            names = [request.branch, *([request.mark] if request.mark else [])]
            for name in names:
                await keeper.forget(CONNECTION, name)
        return ConnectionForgotten(secret=f"{MOUNT}/{CONNECTION.at(names[-1])}")


async def _require_gone(project: NeonProject, branch: str) -> None:
    try:
        await project.by_id(branch)
    except NotFound:
        return
    raise Conflict(f"the branch {branch!r} is there: what opens it stays in Vault until the branch is deleted")
