"""The twin's snapshots: what a branch was at one moment, until it is a branch again."""

from pydantic import AwareDatetime, BaseModel

from connectors.neon.twin.account import Account, Doing, HeldProject, HeldSnapshot, child_of, named
from connectors.neon.twin.models import (
    MadeSnapshot,
    RestoredSnapshot,
    ShownOperations,
    ShownSnapshots,
    Text,
    TwinSnapshot,
)
from connectors.neon.twin.operations import CREATE_SNAPSHOT, DELETE_SNAPSHOT, LIST_SNAPSHOTS, RESTORE_SNAPSHOT
from connectors.twins.handlers import handles
from connectors.twins.problems import Problem


class _Snapshot(BaseModel):
    lsn: str | None = None
    timestamp: str | None = None
    name: Text | None = None
    expires_at: AwareDatetime | None = None


class _Restore(BaseModel):
    name: Text | None = None
    target_branch_id: str | None = None
    finalize_restore: bool = False


class Snapshots(Account):
    """Handlers."""

    @handles(CREATE_SNAPSHOT)
    async def create_snapshot(self, project_id: str, branch_id: str, query: _Snapshot) -> MadeSnapshot:
        """Of a branch as it is now."""
        project = self.project_of(project_id)
        held = self.branch_of(project, branch_id)
        self.require_idle(project)
        if query.lsn or query.timestamp:
            raise Problem(422, "the requested moment is outside of the project's history window")
        name = f"snap-{named()}"
        snapshot = TwinSnapshot(
            id=name,
            name=query.name or name,
            source_branch_id=branch_id,
            created_at=self.moment(),
            expires_at=query.expires_at,
        )
        then = child_of(held, name=snapshot.name, id=name)
        project.snapshots[name] = HeldSnapshot(snapshot, then)
        doing = Doing("create_timeline", branch_id)
        operations = await self.carry_out(project, doing, work=lambda: self.copy_cluster(held, then))
        return MadeSnapshot(snapshot=snapshot, operations=operations)

    @handles(LIST_SNAPSHOTS)
    def snapshots(self, project_id: str) -> ShownSnapshots:
        """All that have not expired."""
        project, now = self.project_of(project_id), self.moment()
        known = [one.snapshot for one in project.snapshots.values()]
        return ShownSnapshots(snapshots=[one for one in known if one.expires_at is None or one.expires_at > now])

    @handles(DELETE_SNAPSHOT)
    async def delete_snapshot(self, project_id: str, snapshot_id: str) -> ShownOperations:
        """For good."""
        project = self.project_of(project_id)
        self.require_idle(project)
        found = self._snapshot(project, snapshot_id)
        del project.snapshots[snapshot_id]
        doing = Doing("delete_timeline", found.snapshot.source_branch_id)
        operations = await self.carry_out(project, doing, work=lambda: self.remove(found.then.cluster))
        return ShownOperations(operations=operations)

    @handles(RESTORE_SNAPSHOT)
    async def restore_snapshot(self, project_id: str, snapshot_id: str, body: _Restore) -> RestoredSnapshot:
        """As a new branch without a compute. To put it into another's place is a second step, which is not known."""
        project = self.project_of(project_id)
        found = self._snapshot(project, snapshot_id)
        self.require_idle(project)
        if body.finalize_restore or body.target_branch_id:
            raise Problem(422, "this twin restores a snapshot to a new branch only")
        if any(one.branch.name == body.name for one in project.branches.values()):
            raise Problem(409, "branch with the provided name already exists", code="BRANCH_ALREADY_EXISTS")
        now, id_ = self.moment(), f"br-{named()}"
        held = child_of(
            found.then,
            name=body.name or f"{found.snapshot.name}-{id_}",
            id=id_,
            current_state="init",
            pending_state="ready",
            created_at=now,
            updated_at=now,
        )
        held.branch.parent_id, held.branch.restored_from = found.snapshot.source_branch_id, snapshot_id
        project.branches[id_] = held
        operations = await self.carry_out(
            project,
            Doing("create_branch", id_),
            work=lambda: self.copy_cluster(found.then, held),
            then=lambda: self.up(held),
        )
        return RestoredSnapshot(branch=held.branch, endpoints=[], operations=operations)

    def _snapshot(self, project: HeldProject, name: str) -> HeldSnapshot:
        if (found := project.snapshots.get(name)) is None:
            raise Problem(404, "snapshot not found")
        return found
