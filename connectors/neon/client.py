"""Neon's management API, as far as it is needed: one project at a time, one change of it at a time.

Facts: a change answers before it is done, with operations to ask after; while any runs, another change of the project
is refused with 423, and nothing was done. 503 says the same. There is no key that makes a create safe to repeat, so a
branch carries the goal's mark as an annotation. Answers to a create hold passwords; they are not read.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import httpx
from pydantic import SecretStr

from connectors.creation import Creation, Sleep
from connectors.errors import AuthDenied, InvalidRequest, Locked, NotFound, QuotaExhausted, Unavailable
from connectors.http import Call, Dialect, HeaderAuth, Session, by_cursor, pages
from connectors.neon.manifest import KEY, NEON, RATE
from connectors.neon.models import (
    MARK,
    READY,
    Branch,
    BranchChange,
    Branches,
    Database,
    Endpoint,
    NeonOperation,
    NewBranch,
    NewCompute,
    NewEndpoint,
    Operations,
    Project,
)
from connectors.neon.operations import (
    COMPARE_SCHEMA,
    CREATE_BRANCH,
    CREATE_ENDPOINT,
    DELETE_BRANCH,
    GET_BRANCH,
    GET_OPERATION,
    GET_PROJECT,
    GET_URI,
    LIST_BRANCH_ENDPOINTS,
    LIST_BRANCHES,
    LIST_DATABASES,
    LIST_OPERATIONS,
    LIST_PROJECTS,
    LIST_ROLES,
    UPDATE_BRANCH,
)

Answer = TypeVar("Answer")
Look = Callable[[], Awaitable[None]]

DIALECT: Final = Dialect(
    provider=NEON,
    secret=KEY,
    meanings={"*LIMIT_EXCEEDED": QuotaExhausted},
    rate=RATE,
    timeout=30.0,
)
"""A branch takes a while to be made before the answer comes."""

_PAGE: Final = 100
_PROJECTS: Final = 10
"""Of a page: each of them is asked for its branches by whoever looks for those of ours."""
_PAUSE: Final = 1.0
_PATIENCE: Final = timedelta(minutes=3)
"""For operations of one change, or of the project's others. What takes longer is waited for by another attempt."""
_SHOWS_WITHIN: Final = timedelta(seconds=30)


def credential(fields: Mapping[str, SecretStr]) -> httpx.Auth:
    """The key, as Vault keeps it.

    Raises:
        AuthDenied: It is not there.
    """
    if "key" not in fields:
        raise AuthDenied(f"Vault's secret {KEY.path!r} lacks 'key': put it there")
    return HeaderAuth({"Authorization": f"Bearer {fields['key'].get_secret_value()}"})


async def projects(session: Session, *, after: str = "") -> tuple[Sequence[Project], str]:
    """A page of the organisation's projects, and where the next one begins; empty where there is none.

    Raises:
        ConnectorError: By the tree.
    """
    query = {"limit": str(_PROJECTS)} | ({"cursor": after} if after else {})
    page = await session.ask(Call(LIST_PROJECTS, "the projects", query=query))
    more = page.pagination.cursor if page.pagination is not None and page.projects else ""
    return page.projects, more


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A branch that is to be.

    Attributes:
        name: Unique in its project.
        parent: Its parent's id; None for the default branch.
        expires_at: When Neon deletes it by itself; None for never.
        max_cu: The most of a compute; None as the project says.
    """

    name: str
    parent: str | None = None
    expires_at: datetime | None = None
    max_cu: float | None = None


@dataclass(frozen=True)
class NeonProject:
    """One project, by the credential of a session.

    Attributes:
        id: Its id.
        sleep: Waits between two looks.
        now: Seconds that only grow, by which patience ends.
    """

    session: Session
    id: str
    sleep: Sleep = asyncio.sleep
    now: Callable[[], float] = time.monotonic

    async def look(self) -> Project:
        """What it is.

        Raises:
            ConnectorError: By the tree.
        """
        call = Call(GET_PROJECT, f"the project {self.id!r}", path={"project_id": self.id}, missing=self._missing)
        return (await self.session.ask(call)).project

    async def branches(self) -> list[Branch]:
        """All of its branches.

        Raises:
            ConnectorError: By the tree.
        """
        return [one for one, _ in await self.marked_branches()]

    async def marked_branches(self) -> list[tuple[Branch, str]]:
        """All of its branches, each with the mark of the goal that made it; empty where none of ours did.

        Raises:
            ConnectorError: By the tree.
        """
        return [
            (one, page.annotations[one.id].value.get(MARK, "") if one.id in page.annotations else "")
            async for page in self._branches()
            for one in page.branches
        ]

    async def marked(self, mark: str) -> Sequence[Branch]:
        """Those with this mark.

        Raises:
            ConnectorError: By the tree.
        """
        return [one for one, found in await self.marked_branches() if found == mark]

    async def branch(self, name: str) -> Branch:
        """The one of that name or id.

        Raises:
            NotFound: There is none.
            ConnectorError: By the tree.
        """
        found = [one for one in await self.branches() if name in {one.id, one.name}]
        # A branch may be called what another one's id is; the id is the branch that was meant.
        found.sort(key=lambda one: one.id != name)
        if not found:
            raise NotFound(f"the project {self.id!r} has no branch {name!r}: look at its branches in Neon's console")
        return found[0]

    async def by_id(self, branch: str) -> Branch:
        """The one of that id.

        Raises:
            NotFound: It is gone, or never was.
            ConnectorError: By the tree.
        """
        path = {"project_id": self.id, "branch_id": branch}
        gone = f"the project {self.id!r} has no branch {branch!r}"
        return (await self.session.ask(Call(GET_BRANCH, f"the branch {branch!r}", path=path, missing=gone))).branch

    def creation(self, wanted: Wanted) -> Creation[Branch]:
        """How a branch is found and made, with its compute."""
        return Creation(
            what=f"a branch {wanted.name!r}",
            find=self.marked,
            create=lambda mark: self._create(wanted, mark),
            id_of=lambda one: one.id,
            shows_within=_SHOWS_WITHIN,
        )

    async def ready(self, branch: Branch) -> Branch:
        """The branch, once all that Neon does with it is done.

        Raises:
            Unavailable: It is still not; another attempt waits on.
            InvalidRequest: An operation on it ended badly.
            NotFound: Somebody deleted it meanwhile.
            ConnectorError: By the tree.
        """
        until = self.now() + _PATIENCE.total_seconds()
        gone = f"the branch {branch.name!r} ({branch.id}) is gone: somebody deleted it meanwhile"
        while True:
            await self._settled(branch.id, until)
            call = Call(GET_BRANCH, f"the branch {branch.name!r}", path=self._of(branch), missing=gone)
            found = (await self.session.ask(call)).branch
            if found.current_state == READY and found.pending_state is None:
                return found
            await self._wait(until, f"the branch {branch.name!r} is {found.current_state or 'not ready'}")

    async def compute(self, branch: Branch, *, max_cu: float | None = None) -> Endpoint:
        """Its compute that writes, made where somebody took it away.

        Raises:
            ConnectorError: By the tree.
        """
        call = Call(LIST_BRANCH_ENDPOINTS, f"the computes of {branch.name!r}", path=self._of(branch))
        found = [one for one in (await self.session.ask(call)).endpoints if one.type == "read_write"]
        if found:
            return found[0]
        wanted = NewEndpoint(endpoint=NewEndpoint.Wanted(branch_id=branch.id, autoscaling_limit_max_cu=max_cu))
        made = await self.change(
            Call(CREATE_ENDPOINT, f"a compute of {branch.name!r}", path={"project_id": self.id}, body=wanted)
        )
        await self.finished(made)
        return made.endpoint

    async def expire(self, branch: Branch, at: datetime) -> Branch:
        """Let Neon delete the branch then, and not when it was said before.

        Raises:
            ConnectorError: By the tree.
        """
        if branch.expires_at == _to_the_second(at):
            return branch
        body = BranchChange(branch=BranchChange.Wanted(expires_at=_to_the_second(at)))
        changed = await self.change(
            Call(UPDATE_BRANCH, f"the end of {branch.name!r}", path=self._of(branch), body=body)
        )
        await self.finished(changed)
        return changed.branch

    async def delete(self, branch: Branch, *, last_look: Look) -> None:
        """Delete it, recoverably; that it is gone already is as good. Returns when all that belongs to it is done.

        Args:
            branch: Which one.
            last_look: Awaited right before each request that may delete it.

        Raises:
            ConnectorError: By the tree.
        """
        call = Call(DELETE_BRANCH, f"the deletion of {branch.name!r}", path=self._of(branch))
        try:
            await self.change(call, last_look=last_look)
        except NotFound:
            return
        await self._settled(branch.id, self.now() + _PATIENCE.total_seconds())

    async def databases(self, branch: Branch) -> Sequence[Database]:
        """Its databases, with their owners.

        Raises:
            ConnectorError: By the tree.
        """
        call = Call(LIST_DATABASES, f"the databases of {branch.name!r}", path=self._of(branch))
        return (await self.session.ask(call)).databases

    async def roles(self, branch: Branch) -> Sequence[str]:
        """The names of its roles, as far as Neon's API made them.

        Raises:
            ConnectorError: By the tree.
        """
        call = Call(LIST_ROLES, f"the roles of {branch.name!r}", path=self._of(branch))
        return [one.name for one in (await self.session.ask(call)).roles]

    async def connection(self, branch: Branch, *, database: str | None = None, role: str | None = None) -> SecretStr:
        """How one connects to it, with the password: directly, not by the pooler, so that sessions and DDL work.

        Args:
            branch: Which one.
            database: Of it; its first when left out.
            role: Who connects; the database's owner when left out.

        Raises:
            NotFound: It has no database of that name.
            ConnectorError: By the tree.
        """
        known = {one.name: one.owner_name for one in await self.databases(branch)}
        name = database or next(iter(known), None)
        if name is None or name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise NotFound(f"the branch {branch.name!r} has no database {name!r}; it has {listed}")
        query = {"branch_id": branch.id, "database_name": name, "role_name": role or known[name], "pooled": "false"}
        asked = Call(GET_URI, f"a connection to {branch.name!r}", path={"project_id": self.id}, query=query)
        return (await self.session.ask(asked)).uri

    async def compare_schema(self, branch: Branch, *, base: Branch, database: str) -> str:
        """What makes the schema of `base` that of the branch, as a unified difference of two dumps.

        Raises:
            ConnectorError: By the tree.
        """
        query = {"base_branch_id": base.id, "db_name": database}
        what = f"the schemas of {base.name!r} and {branch.name!r}"
        return (await self.session.ask(Call(COMPARE_SCHEMA, what, path=self._of(branch), query=query))).diff

    async def finished(self, begun: Operations) -> None:
        """Wait for what a change began.

        Raises:
            Unavailable: It goes on for longer than an attempt should last.
            InvalidRequest: Some of it ended badly.
            ConnectorError: By the tree.
        """
        until = self.now() + _PATIENCE.total_seconds()
        for one in begun.operations:
            seen = one
            while not seen.done:
                _require_whole(seen)
                await self._wait(until, f"{seen.action} is {seen.status}")
                path = {"project_id": self.id, "operation_id": one.id}
                seen = (await self.session.ask(Call(GET_OPERATION, f"the operation {one.id}", path=path))).operation

    async def change(self, call: Call[Answer], *, last_look: Look | None = None) -> Answer:
        """Make one change, once no other of this project goes on.

        Args:
            call: The change.
            last_look: Awaited right before each request.

        Raises:
            Locked: Others go on for longer than an attempt should last; nothing was done.
            ConnectorError: By the tree.
        """
        until = self.now() + _PATIENCE.total_seconds()
        while True:
            try:
                if last_look is not None:
                    await last_look()
                return await self.session.ask(call)
            except Locked as locked:
                if self.now() >= until:
                    raise
                wait = locked.retry_after.total_seconds() if locked.retry_after else _PAUSE
            await self.sleep(max(wait, _PAUSE))

    async def _create(self, wanted: Wanted, mark: str) -> Branch:
        body = NewBranch(
            branch=NewBranch.Wanted(
                name=wanted.name,
                parent_id=wanted.parent,
                expires_at=_to_the_second(wanted.expires_at) if wanted.expires_at else None,
            ),
            endpoints=(NewCompute(autoscaling_limit_max_cu=wanted.max_cu),),
            annotation_value={MARK: mark},
        )
        what = f"a branch {wanted.name!r}"
        return (await self.change(Call(CREATE_BRANCH, what, path={"project_id": self.id}, body=body))).branch

    async def _branches(self) -> AsyncGenerator[Branches]:
        query = {"limit": str(_PAGE), "sort_by": "created_at", "sort_order": "asc"}
        path = {"project_id": self.id}
        first = Call(LIST_BRANCHES, "the branches", path=path, query=query, missing=self._missing)
        async with aclosing(pages(self.session, first, by_cursor(lambda page: page.pagination.next))) as read:
            async for page in read:
                yield page

    async def _settled(self, branch: str, until: float) -> None:
        """Wait until no operation on the branch goes on. The newest come first, and a page of them is enough."""
        query = {"limit": str(_PAGE)}
        call = Call(LIST_OPERATIONS, "the operations", path={"project_id": self.id}, query=query)
        while True:
            listed = [one for one in (await self.session.ask(call)).operations if one.branch_id == branch]
            for newest in listed[:1]:  # what went wrong before it was mended, or is history
                _require_whole(newest)
            going = [one for one in listed if not one.done and not one.broken]
            if not going:
                return
            await self._wait(until, ", ".join(f"{one.action} is {one.status}" for one in going))

    async def _wait(self, until: float, why: str) -> None:
        if self.now() >= until:
            raise Unavailable(f"Neon has not finished at the project {self.id!r}: {why}; it is looked at again")
        await self.sleep(_PAUSE)

    def _of(self, branch: Branch) -> dict[str, str]:
        return {"project_id": self.id, "branch_id": branch.id}

    @property
    def _missing(self) -> str:
        return f"Neon has no project {self.id!r}, or does not show it to this key: a project is named by its id"


def _require_whole(one: NeonOperation) -> None:
    if one.broken:
        said = f": {one.error[:200]}" if one.error else ""
        raise InvalidRequest(
            f"Neon's operation {one.action} ({one.id}) is {one.status}{said}; look at it in Neon's console",
            code=one.status,
        )


def _to_the_second(at: datetime) -> datetime:
    """Neon takes no fractions."""
    return at.astimezone(UTC).replace(microsecond=0)
