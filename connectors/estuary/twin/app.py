"""Estuary's twin: the exchange of keys and the queries of its API, and its tables of drafts and publications."""

import secrets
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue
from starlette.applications import Starlette
from starlette.requests import Request

from connectors.estuary.models import (
    Exchange,
    GraphRequest,
    LogsWanted,
    NewDraft,
    NewPublication,
    SpecType,
    StagedSpecs,
)
from connectors.estuary.operations import (
    CREATE_DRAFT,
    CREATE_PUBLICATION,
    DELETE_DRAFT,
    EXCHANGE_KEY,
    LIST_DRAFTS,
    LIST_ERRORS,
    LIST_PUBLICATIONS,
    LIST_STAGED,
    QUERY,
    STAGE_SPECS,
    VIEW_LOGS,
)
from connectors.estuary.twin.graph import answer, moment
from connectors.estuary.twin.state import Catalog, DraftRow, PublicationRow, TwinSpec
from connectors.twins.app import Twin
from connectors.twins.clock import TwinClock
from connectors.twins.handlers import handles
from connectors.twins.problems import Problem, carries

_HOUR: Final = 3600.0


class TwinAccount(BaseModel):
    """A service account with its key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token_id: str
    secret: str = Field(repr=False)


class TwinConfig(BaseModel):
    """How the twin is started.

    Attributes:
        listen: host:port.
        apikey: The public one of the tables.
        accounts: By their names.
        prefix: What they may look at and change.
        live: What is published from the start, by name.
        building: Seconds that a publication takes.
        activating: Seconds until a data plane runs what was published.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen: str = "127.0.0.1:8305"
    apikey: str
    accounts: dict[str, TwinAccount]
    prefix: str = "acme/"
    live: dict[str, TwinSpec] = Field(default_factory=dict[str, TwinSpec])
    building: float = 2.0
    activating: float = 5.0


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Token(_Row):
    access_token: str


class _DraftTold(_Row):
    id: str
    detail: str


class _StagedTold(_Row):
    draft_id: str
    catalog_name: str
    spec_type: SpecType | None


class _ErrorTold(_Row):
    scope: str
    detail: str


class _PublicationTold(_Row):
    id: str
    draft_id: str
    dry_run: bool
    detail: str | None
    job_status: dict[str, JsonValue]
    pub_id: str | None
    logs_token: str


class _LineTold(_Row):
    logged_at: str
    stream: str
    log_line: str


def _equal(given: str) -> str:
    operator, dot, value = given.partition(".")
    if operator != "eq" or not dot:
        raise ValueError(f"failed to parse filter ({given})")
    return value


_Equal = Annotated[str, AfterValidator(_equal)]


class _Where(BaseModel):
    """Filters of a table, as PostgREST writes them: `column=eq.value`; here their values."""

    id: _Equal | None = None
    detail: _Equal | None = None
    draft_id: _Equal | None = None

    def takes(self, row: DraftRow | PublicationRow) -> bool:
        """Whether a row is wanted."""
        return all(value is None or getattr(row, name, None) == value for name, value in self)


class _Estuary(Twin):
    nulls = True

    def __init__(self, config: TwinConfig, clock: TwinClock | None) -> None:
        super().__init__(clock=clock)
        self._config = config
        self._tokens: dict[str, tuple[str, float]] = {}
        self.catalog = Catalog(
            self.clock, prefix=config.prefix, building=config.building, activating=config.activating, live=config.live
        )

    def authorise(self, request: Request) -> str:
        if request.url.path == EXCHANGE_KEY.path:
            return ""
        tables = request.url.path.startswith("/rest/")
        if tables and not carries(request, "apikey", self._config.apikey):
            raise Problem(401, "No API key found in request")
        user, until = self._tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "), ("", 0.0))
        if until <= self.clock():
            raise Problem(401, "JWT expired" if user else "invalid token", code="PGRST301" if tables else "")
        return user

    def problem(self, problem: Problem) -> JsonValue:
        return {"code": problem.code or str(problem.status), "message": problem.message, "details": None, "hint": None}

    @handles(EXCHANGE_KEY)
    def exchange(self, body: Exchange) -> _Token:
        for name, one in self._config.accounts.items():
            if one.token_id == body.refresh_token_id and secrets.compare_digest(one.secret, body.secret):
                token = secrets.token_urlsafe(24)
                self._tokens[token] = name, self.clock() + _HOUR
                return _Token(access_token=token)
        raise Problem(401, "invalid, expired, or unknown credential")

    @handles(QUERY)
    def query(self, body: GraphRequest) -> dict[str, JsonValue]:
        return answer(self.catalog, body.query, body.variables, prefix=self._config.prefix)

    @handles(LIST_DRAFTS)
    def drafts(self, query: _Where, caller: str) -> list[_DraftTold]:
        return [_DraftTold(id=one.id, detail=one.detail) for one in self._drafts(caller) if query.takes(one)]

    @handles(CREATE_DRAFT)
    def create_draft(self, body: NewDraft, caller: str) -> list[_DraftTold]:
        row = DraftRow(id=self.catalog.new_id(), user=caller, detail=body.detail)
        self.catalog.drafts[row.id] = row
        return [_DraftTold(id=row.id, detail=row.detail)]

    @handles(DELETE_DRAFT)
    def delete_draft(self, query: _Where, caller: str) -> list[_DraftTold]:
        if query == _Where():
            raise Problem(400, "DELETE requires a WHERE clause", code="21000")
        gone = [one for one in self._drafts(caller) if query.takes(one)]
        for one in gone:
            del self.catalog.drafts[one.id]
        return [_DraftTold(id=one.id, detail=one.detail) for one in gone]

    @handles(LIST_STAGED)
    def staged(self, query: _Where, caller: str) -> list[_StagedTold]:
        return [
            _StagedTold(draft_id=draft.id, catalog_name=name, spec_type=one.spec_type)
            for draft in self._of(query, caller)
            for name, one in draft.specs.items()
        ]

    @handles(STAGE_SPECS)
    def stage(self, body: StagedSpecs, request: Request, caller: str) -> list[_StagedTold]:
        own = {one.id: one for one in self._drafts(caller)}
        over = "merge-duplicates" in request.headers.get("prefer", "")
        for one in body.root:
            if one.draft_id not in own:
                raise Problem(403, "new row violates row-level security policy", code="42501")
            if (one.spec is None) is not (one.spec_type is None):
                raise Problem(400, "spec and spec_type must be consistent", code="23514")
            if one.catalog_name in own[one.draft_id].specs and not over:
                raise Problem(409, "duplicate key value violates unique constraint", code="23505")
        for one in body.root:
            own[one.draft_id].specs[one.catalog_name] = one
        return [
            _StagedTold(draft_id=one.draft_id, catalog_name=one.catalog_name, spec_type=one.spec_type)
            for one in body.root
        ]

    @handles(LIST_ERRORS)
    def errors(self, query: _Where, caller: str) -> list[_ErrorTold]:
        found = [one for draft in self._of(query, caller) for one in draft.errors]
        return [_ErrorTold(scope=scope, detail=detail) for scope, detail in found]

    @handles(LIST_PUBLICATIONS)
    def publications(self, query: _Where, caller: str) -> list[_PublicationTold]:
        rows = [one for one in self.catalog.publications.values() if one.user == caller]
        return [_told(one) for one in rows if query.takes(one)]

    @handles(CREATE_PUBLICATION)
    def publish(self, body: NewPublication, caller: str) -> list[_PublicationTold]:
        if all(one.id != body.draft_id for one in self._drafts(caller)):
            raise Problem(403, "new row violates row-level security policy", code="42501")
        return [_told(self.catalog.publish(caller, body.draft_id, dry_run=body.dry_run, detail=body.detail))]

    @handles(VIEW_LOGS)
    def logs(self, body: LogsWanted) -> list[_LineTold]:
        rows = [one for one in self.catalog.publications.values() if one.logs_token == body.bearer_token]
        return [
            _LineTold(logged_at=moment(at), stream="publication", log_line=text) for row in rows for at, text in row.log
        ]

    def _drafts(self, user: str) -> list[DraftRow]:
        return [one for one in self.catalog.drafts.values() if one.user == user]

    def _of(self, query: _Where, user: str) -> list[DraftRow]:
        return [one for one in self._drafts(user) if query.draft_id in {None, one.id}]


def _told(row: PublicationRow) -> _PublicationTold:
    status: dict[str, JsonValue] = {"type": row.status}
    if row.failures:
        status["failures"] = [*row.failures]
    return _PublicationTold(
        id=row.id,
        draft_id=row.draft_id,
        dry_run=row.dry_run,
        detail=row.detail,
        job_status=status,
        pub_id=row.pub_id,
        logs_token=row.logs_token,
    )


def create_twin(config: TwinConfig, *, clock: TwinClock | None = None) -> Starlette:
    """The twin as an application, with its faults in front."""
    return _Estuary(config, clock).application()
