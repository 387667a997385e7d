"""The twin's branches: copies of their parents with roles and passwords, that end by a date or by hand."""

import difflib
from collections.abc import Awaitable, Mapping
from datetime import datetime
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from connectors.neon.operations import (
    COMPARE_SCHEMA,
    CREATE_BRANCH,
    DELETE_BRANCH,
    GET_BRANCH,
    LIST_BRANCHES,
    UPDATE_BRANCH,
)
from connectors.neon.twin.account import Account, Doing, Held, HeldProject, child_of, named
from connectors.neon.twin.clusters import literal, quoted
from connectors.neon.twin.models import (
    AnnotatedThing,
    BranchesPage,
    ChangedBranch,
    EndpointType,
    Idle,
    MadeBranch,
    NextPage,
    OneBranch,
    RecoveredBranch,
    Recovery,
    SchemaDifference,
    Size,
    Text,
    TwinAnnotation,
    TwinOperation,
)
from connectors.neon.twin.operations import RECOVER_BRANCH, RESTORE_BRANCH
from connectors.neon.twin.passwords import new_password
from connectors.neon.twin.postgres import PostgresFailed
from connectors.twins.handlers import Reply, handles
from connectors.twins.problems import Problem

RECOVERABLE: Final = 7 * 86_400
_NO_HISTORY: Final = "the requested moment is outside of the project's history window"  # this twin keeps no history


class _Listing(BaseModel):
    search: str = ""
    sort_by: Literal["name", "created_at", "updated_at"] = "updated_at"
    sort_order: Literal["asc", "desc"] = "desc"
    cursor: str = ""
    limit: int = Field(default=10_000, ge=1, le=10_000)
    include_deleted: bool = False


class _Compute(BaseModel):
    type: EndpointType
    autoscaling_limit_min_cu: Size | None = None
    autoscaling_limit_max_cu: Size | None = None
    suspend_timeout_seconds: Idle | None = None


class _Wanted(BaseModel):
    name: Text | None = None
    parent_id: str | None = None
    parent_lsn: str | None = None
    parent_timestamp: AwareDatetime | None = None
    protected: bool = False
    archived: bool = False
    init_source: str = "parent-data"
    expires_at: AwareDatetime | None = None


class _NewBranch(BaseModel):
    branch: _Wanted = _Wanted()
    endpoints: list[_Compute] = Field(default_factory=list[_Compute])
    annotation_value: dict[str, str] = Field(default_factory=dict[str, str])


class _Change(BaseModel):
    name: Text | None = None
    protected: bool | None = None
    expires_at: AwareDatetime | None = None


class _BranchChange(BaseModel):
    branch: _Change


class _Restore(BaseModel):
    model_config = ConfigDict(extra="ignore")

    source_branch_id: str
    source_lsn: str | None = None
    source_timestamp: AwareDatetime | None = None
    preserve_under_name: Text | None = None


class _Deletion(BaseModel):
    hard_delete: bool = False


class _Comparison(BaseModel):
    db_name: str
    base_branch_id: str | None = None
    lsn: str | None = None
    timestamp: AwareDatetime | None = None
    base_lsn: str | None = None
    base_timestamp: AwareDatetime | None = None


class Branches(Account):
    """Handlers."""

    @handles(LIST_BRANCHES)
    def branches(self, project_id: str, query: _Listing) -> BranchesPage:
        """In pages, each of which names the next one while there is one."""
        project = self.project_of(project_id)
        known = [*project.branches.values(), *(project.deleted.values() if query.include_deleted else ())]
        found = [one for one in known if query.search in f"{one.branch.name} {one.branch.id}"]
        found.sort(
            key=lambda one: (str(getattr(one.branch, query.sort_by)), one.branch.id),
            reverse=query.sort_order == "desc",
        )
        start = next((place + 1 for place, one in enumerate(found) if one.branch.id == query.cursor), 0)
        page = found[start : start + query.limit]
        more = len(found) > start + query.limit
        return BranchesPage(
            branches=[one.branch for one in page],
            annotations={one.branch.id: _annotation(one) for one in page if one.annotation},
            pagination=NextPage(
                next=page[-1].branch.id if more else None, sort_by=query.sort_by, sort_order=query.sort_order.upper()
            ),
        )

    @handles(CREATE_BRANCH)
    async def create_branch(self, project_id: str, body: _NewBranch) -> MadeBranch:
        """From its parent as that is now, without a compute unless one is asked for."""
        project, asked = self.project_of(project_id), body
        self.require_idle(project)
        wanted = asked.branch
        parent = self.branch_of(project, wanted.parent_id) if wanted.parent_id else project.default
        self._require_possible(project, asked)
        held = self._new_branch(project, parent, wanted, asked.annotation_value)
        for one in asked.endpoints:
            self.new_endpoint(held, **dict(one))
        self._end_at(project, held)

        async def work() -> None:
            await self.copy_cluster(parent, held)
            if parent.branch.protected:  # the only children whose passwords are not their parent's
                await self._renew_passwords(held)

        doing = [Doing("create_branch", held.branch.id)]
        doing += [Doing("start_compute", held.branch.id, one) for one in held.endpoints]
        operations = await self.carry_out(project, *doing, work=work, then=lambda: self.up(held))
        return MadeBranch(
            branch=held.branch,
            endpoints=list(held.endpoints.values()),
            roles=[one.hidden() for one in held.roles.values()],
            databases=list(held.databases.values()),
            connection_uris=[
                await self.connection(held, held.writer, one.name, one.owner_name) for one in held.databases.values()
            ]
            if held.writer
            else None,
            operations=operations,
        )

    @handles(GET_BRANCH)
    def branch(self, project_id: str, branch_id: str) -> OneBranch:
        """One."""
        held = self.branch_of(self.project_of(project_id), branch_id)
        return OneBranch(branch=held.branch, annotation=_annotation(held))

    @handles(UPDATE_BRANCH)
    async def update_branch(self, project_id: str, branch_id: str, body: _BranchChange) -> ChangedBranch:
        """Its name, its end, and whether it is protected."""
        project = self.project_of(project_id)
        held = self.branch_of(project, branch_id)
        self.require_idle(project)
        change = body.branch
        if change.name is not None and change.name != held.branch.name:
            self._require_free(project, change.name)
            held.branch.name = change.name
        if change.protected is not None:
            held.branch.protected = change.protected
        if "expires_at" in change.model_fields_set:
            self._require_future(change.expires_at)
            held.branch.expires_at = change.expires_at
            self._end_at(project, held)
        held.branch.updated_at = self.moment()
        return ChangedBranch(branch=held.branch, operations=[])

    @handles(DELETE_BRANCH)
    async def delete_branch(self, project_id: str, branch_id: str, query: _Deletion) -> Reply[ChangedBranch | None]:
        """Recoverably for a week, unless it shall be gone at once; 204 where it is gone already."""
        project = self.project_of(project_id)
        if branch_id in project.deleted:
            if query.hard_delete:
                self._purge(project, project.deleted[branch_id])
            return Reply(content=None, status=204)
        held = self.branch_of(project, branch_id)
        self.require_idle(project)
        self._require_deletable(project, held)
        operations = await self._end(project, held, by="user", hard=query.hard_delete)
        return Reply(content=ChangedBranch(branch=held.branch, operations=operations))

    @handles(RECOVER_BRANCH)
    async def recover_branch(self, project_id: str, branch_id: str) -> RecoveredBranch:
        """What was deleted within the week, with its computes, and without its end."""
        project = self.project_of(project_id)
        self.require_idle(project)
        if (held := project.deleted.get(branch_id)) is None:
            raise Problem(404, "branch not found")
        self._require_free(project, held.branch.name)
        del project.deleted[branch_id]
        project.branches[branch_id] = held
        held.branch.recovery = held.branch.expires_at = None
        for one in held.endpoints.values():
            one.current_state, one.pending_state = "idle", None
        return RecoveredBranch(branch=held.branch, endpoints=list(held.endpoints.values()))

    @handles(RESTORE_BRANCH)
    async def restore_branch(self, project_id: str, branch_id: str, body: _Restore) -> ChangedBranch:
        """Let a branch be what another is now; what it was stays under another name, where one is given."""
        project = self.project_of(project_id)
        held, source = self.branch_of(project, branch_id), self.branch_of(project, body.source_branch_id)
        self.require_idle(project)
        if held is source and not body.preserve_under_name:
            raise Problem(400, "preserve_under_name is required to restore a branch to its own history")
        if held is source or body.source_lsn or body.source_timestamp:
            raise Problem(422, _NO_HISTORY)
        if body.preserve_under_name:
            self._require_free(project, body.preserve_under_name)
        elif any(one.branch.parent_id == branch_id for one in project.branches.values()):
            raise Problem(422, "preserve_under_name is required to restore a branch that has children")
        old = self._put_aside(project, held, body.preserve_under_name)
        then = child_of(source, name=held.branch.name, id=branch_id)
        held.roles, held.databases = then.roles, then.databases
        held.branch.last_reset_at = self.moment()
        held.branch.current_state, held.branch.pending_state = "resetting", "ready"
        held.branch.restored_from = source.branch.id
        self.cut(held)

        async def work() -> None:
            await self.copy_cluster(source, held)
            if not body.preserve_under_name:
                await self.remove(old)

        doing = [Doing("create_branch", branch_id), *(Doing("apply_config", branch_id, one) for one in held.endpoints)]
        operations = await self.carry_out(project, *doing, work=work, then=lambda: self.up(held))
        return ChangedBranch(branch=held.branch, operations=operations)

    @handles(COMPARE_SCHEMA)
    async def compare_schema(self, project_id: str, branch_id: str, query: _Comparison) -> SchemaDifference:
        """As PostgreSQL dumps both."""
        project = self.project_of(project_id)
        held = self.branch_of(project, branch_id)
        base = query.base_branch_id or held.branch.parent_id
        if base is None:
            raise Problem(400, "the branch has no parent; name one with base_branch_id")
        other = self.branch_of(project, base)
        if query.lsn or query.timestamp or query.base_lsn or query.base_timestamp:
            raise Problem(422, _NO_HISTORY)
        if query.db_name not in held.databases or query.db_name not in other.databases:
            raise Problem(404, "database not found")
        try:
            before, after = [
                (await self._clusters.schema(await self.cluster_of(one), query.db_name)).splitlines(keepends=True)
                for one in (other, held)
            ]
        except PostgresFailed as error:
            raise Problem(503, str(error)) from error
        return SchemaDifference(diff="".join(difflib.unified_diff(before, after, "a", "b")))

    def _require_possible(self, project: HeldProject, asked: _NewBranch) -> None:
        wanted = asked.branch
        if wanted.parent_lsn or wanted.parent_timestamp or wanted.init_source != "parent-data" or wanted.archived:
            raise Problem(422, _NO_HISTORY)
        if len([one for one in asked.endpoints if one.type == "read_write"]) > 1:
            raise Problem(422, "a branch has one read_write endpoint at most")
        if wanted.name is not None:
            self._require_free(project, wanted.name)
        self._require_future(wanted.expires_at)
        if len(project.branches) >= self._config.most_branches:
            raise Problem(422, "branches limit exceeded", code="BRANCHES_LIMIT_EXCEEDED")

    def _new_branch(self, project: HeldProject, parent: Held, wanted: _Wanted, annotation: Mapping[str, str]) -> Held:
        now, name = self.moment(), named()
        held = child_of(
            parent,
            name=wanted.name or f"br-{name}",
            id=f"br-{name}",
            parent_timestamp=now,
            current_state="init",
            pending_state="ready",
            protected=wanted.protected,
            expires_at=wanted.expires_at,
            created_at=now,
            updated_at=now,
            state_changed_at=now,
        )
        held.annotation = annotation
        project.branches[held.branch.id] = held
        return held

    async def _renew_passwords(self, held: Held) -> None:
        for role in held.roles.values():
            role.password = new_password()
            await self.sql(held, f"ALTER ROLE {quoted(role.name)} PASSWORD {literal(role.password)};")

    def _put_aside(self, project: HeldProject, held: Held, name: str | None) -> str | None:
        """Take a branch's data from it, and keep it as a branch of that name where there is one."""
        cluster, held.cluster = held.cluster, None
        if name is not None:
            aside = child_of(held, name=name, id=f"br-{named()}", created_at=self.moment(), updated_at=self.moment())
            aside.branch.parent_id, aside.cluster = held.branch.parent_id, cluster
            project.branches[aside.branch.id] = aside
            if cluster is not None:
                self.behind(self._clusters.stop(cluster))
        return cluster

    def _end_at(self, project: HeldProject, held: Held) -> None:
        """By a job behind, and only where it is still to end then."""
        at = held.branch.expires_at
        if at is None:
            return

        def end() -> None:
            there = project.branches.get(held.branch.id) is held and held.branch.expires_at == at
            if there and not self._why_not(project, held):
                self.behind(self._end(project, held, by="ttl", hard=False))

        self.clock.after((at - self.moment()).total_seconds(), end)

    def _end(
        self, project: HeldProject, held: Held, *, by: Literal["user", "ttl"], hard: bool
    ) -> Awaitable[list[TwinOperation]]:
        """Take a branch out of its project, at once; what is awaited is that its cluster has ended."""
        del project.branches[held.branch.id]
        for one in held.endpoints.values():
            one.current_state, one.pending_state = "idle", None
        if hard:
            self.forget_computes(held)
        else:
            self.cut(held)
            until = self.moment(RECOVERABLE)
            held.branch.recovery = Recovery(deleted_at=self.moment(), recoverable_until=until, deletion_method=by)
            project.deleted[held.branch.id] = held
            self.clock.after(RECOVERABLE, lambda: self._purge(project, held))
        doing = [Doing("suspend_compute", held.branch.id, one) for one in held.endpoints]

        async def work() -> None:
            if hard:
                await self.remove(held.cluster)
            else:
                await self.rest(held)

        return self.carry_out(project, *doing, Doing("delete_timeline", held.branch.id), work=work)

    def _purge(self, project: HeldProject, held: Held) -> None:
        if project.deleted.get(held.branch.id) is held:
            del project.deleted[held.branch.id]
            self.forget_computes(held)
            self.behind(self.remove(held.cluster))

    def _require_deletable(self, project: HeldProject, held: Held) -> None:
        if why := self._why_not(project, held):
            raise Problem(422, why)

    def _why_not(self, project: HeldProject, held: Held) -> str:
        if held.branch.default or held.branch.parent_id is None:
            return "cannot delete the root or default branch"
        if held.branch.protected:
            return "cannot delete a protected branch"
        if any(one.branch.parent_id == held.branch.id for one in project.branches.values()):
            return "cannot delete a branch that has children"
        return ""

    def _require_free(self, project: HeldProject, name: str) -> None:
        if any(one.branch.name == name for one in project.branches.values()):
            raise Problem(409, "branch with the provided name already exists", code="BRANCH_ALREADY_EXISTS")

    def _require_future(self, at: datetime | None) -> None:
        if at is not None and at <= self.moment():
            raise Problem(400, "expires_at must be in the future")


def _annotation(held: Held) -> TwinAnnotation:
    return TwinAnnotation(object=AnnotatedThing(type="console/branch", id=held.branch.id), value=dict(held.annotation))
