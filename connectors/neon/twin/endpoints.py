"""The twin's computes: each has an address for as long as it is there, and a cluster while it is awake."""

from typing import Final

from pydantic import BaseModel

from connectors.neon.operations import CREATE_ENDPOINT, GET_URI, LIST_BRANCH_ENDPOINTS
from connectors.neon.twin.account import Account, Doing
from connectors.neon.twin.models import (
    ChangedEndpoint,
    ConnectionUri,
    EndpointType,
    Idle,
    OneEndpoint,
    ShownEndpoints,
    Size,
)
from connectors.neon.twin.operations import (
    DELETE_ENDPOINT,
    GET_ENDPOINT,
    LIST_ENDPOINTS,
    RESTART_ENDPOINT,
    START_ENDPOINT,
    SUSPEND_ENDPOINT,
    UPDATE_ENDPOINT,
)
from connectors.twins.handlers import Reply, handles
from connectors.twins.problems import Problem

_TRANSITIVE: Final = "endpoint is in some transitive state, could not suspend"


class _Wanted(BaseModel):
    branch_id: str
    type: EndpointType
    autoscaling_limit_min_cu: Size | None = None
    autoscaling_limit_max_cu: Size | None = None
    suspend_timeout_seconds: Idle | None = None


class _NewEndpoint(BaseModel):
    endpoint: _Wanted


class _Change(BaseModel):
    autoscaling_limit_min_cu: Size | None = None
    autoscaling_limit_max_cu: Size | None = None
    suspend_timeout_seconds: Idle | None = None
    disabled: bool | None = None


class _EndpointChange(BaseModel):
    endpoint: _Change


class _Connection(BaseModel):
    branch_id: str | None = None
    endpoint_id: str | None = None
    database_name: str
    role_name: str
    pooled: bool = False


class Endpoints(Account):
    """Handlers."""

    @handles(LIST_ENDPOINTS)
    def endpoints(self, project_id: str) -> ShownEndpoints:
        """Of all branches."""
        known = self.project_of(project_id).branches.values()
        return ShownEndpoints(endpoints=[one for held in known for one in held.endpoints.values()])

    @handles(LIST_BRANCH_ENDPOINTS)
    def branch_endpoints(self, project_id: str, branch_id: str) -> ShownEndpoints:
        """Of one branch."""
        held = self.branch_of(self.project_of(project_id), branch_id)
        return ShownEndpoints(endpoints=list(held.endpoints.values()))

    @handles(CREATE_ENDPOINT)
    async def create_endpoint(self, project_id: str, body: _NewEndpoint) -> ChangedEndpoint:
        """A branch has one that writes."""
        project, wanted = self.project_of(project_id), body.endpoint
        held = self.branch_of(project, wanted.branch_id)
        self.require_idle(project)
        if wanted.type == "read_write" and held.writer is not None:
            raise Problem(409, "read-write endpoint already exists")
        made = self.new_endpoint(held, **wanted.model_dump(exclude={"branch_id"}))
        doing = Doing("start_compute", held.branch.id, made.id)
        operations = await self.carry_out(project, doing, then=lambda: self.up(held))
        return ChangedEndpoint(endpoint=made, operations=operations)

    @handles(GET_ENDPOINT)
    def endpoint(self, project_id: str, endpoint_id: str) -> OneEndpoint:
        """One."""
        return OneEndpoint(endpoint=self.project_of(project_id).endpoint(endpoint_id)[1])

    @handles(UPDATE_ENDPOINT)
    async def update_endpoint(self, project_id: str, endpoint_id: str, body: _EndpointChange) -> ChangedEndpoint:
        """Its size, and when it goes to sleep."""
        project = self.project_of(project_id)
        held, found = project.endpoint(endpoint_id)
        self.require_idle(project)
        for name, value in body.endpoint:
            if value is not None:
                setattr(found, name, value)
        found.updated_at = self.moment()
        operations = await self.carry_out(project, Doing("apply_config", held.branch.id, endpoint_id))
        return ChangedEndpoint(endpoint=found, operations=operations)

    @handles(DELETE_ENDPOINT)
    async def delete_endpoint(self, project_id: str, endpoint_id: str) -> Reply[ChangedEndpoint | None]:
        """With its address; the branch keeps what it holds."""
        project = self.project_of(project_id)
        held, found = project.endpoint(endpoint_id)
        self.require_idle(project)
        del held.endpoints[endpoint_id]
        self._computes.forget(endpoint_id)

        async def work() -> None:
            if not held.endpoints:
                await self.rest(held)

        doing = Doing("suspend_compute", held.branch.id, endpoint_id)
        operations = await self.carry_out(project, doing, work=work)
        return Reply(content=ChangedEndpoint(endpoint=found, operations=operations))

    @handles(START_ENDPOINT)
    async def start_endpoint(self, project_id: str, endpoint_id: str) -> ChangedEndpoint:
        """Have it awake. Its cluster comes up with the first connection."""
        project = self.project_of(project_id)
        held, found = project.endpoint(endpoint_id)
        self.require_idle(project)
        found.pending_state = "active"
        doing = Doing("start_compute", held.branch.id, endpoint_id)
        operations = await self.carry_out(project, doing, then=lambda: self.up(held))
        return ChangedEndpoint(endpoint=found, operations=operations)

    @handles(SUSPEND_ENDPOINT)
    async def suspend_endpoint(self, project_id: str, endpoint_id: str) -> ChangedEndpoint:
        """End all connections, and the cluster."""
        project = self.project_of(project_id)
        held, found = project.endpoint(endpoint_id)
        if found.pending_state is not None:
            raise Problem(423, _TRANSITIVE)
        self.require_idle(project)
        found.pending_state = "idle"
        self._computes.drop(endpoint_id)
        operations = await self.carry_out(
            project,
            Doing("suspend_compute", held.branch.id, endpoint_id),
            work=lambda: self.rest(held),
            then=lambda: self.up(held),
        )
        return ChangedEndpoint(endpoint=found, operations=operations)

    @handles(RESTART_ENDPOINT)
    async def restart_endpoint(self, project_id: str, endpoint_id: str) -> ChangedEndpoint:
        """End all connections; the next one finds a new start."""
        project = self.project_of(project_id)
        held, found = project.endpoint(endpoint_id)
        self.require_idle(project)
        found.pending_state = "active"
        self._computes.drop(endpoint_id)
        doing = [Doing(one, held.branch.id, endpoint_id) for one in ("suspend_compute", "start_compute")]
        operations = await self.carry_out(project, *doing, work=lambda: self.rest(held), then=lambda: self.up(held))
        return ChangedEndpoint(endpoint=found, operations=operations)

    @handles(GET_URI)
    async def connection_uri(self, project_id: str, query: _Connection) -> ConnectionUri:
        """With the password in it."""
        project = self.project_of(project_id)
        held = self.branch_of(project, query.branch_id) if query.branch_id else project.default
        if query.endpoint_id and not query.branch_id:
            held, _ = project.endpoint(query.endpoint_id)
        found = held.endpoints.get(query.endpoint_id) if query.endpoint_id else held.writer
        if found is None:
            raise Problem(404, "endpoint not found")
        connection = await self.connection(held, found, query.database_name, query.role_name)
        return ConnectionUri(uri=connection.connection_uri)
