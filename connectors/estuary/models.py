"""What Estuary is sent and answers, as far as it is read. Fields that are not named here are ignored."""

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, RootModel, SecretStr, field_validator, model_serializer
from pydantic.alias_generators import to_camel

NOT_THERE: Final = "00:00:00:00:00:00:00:00"
"""The id that is expected of what must not be there."""

QUEUED: Final = "queued"
SUCCESS: Final = "success"
EMPTY: Final = "emptyDraft"
CHANGED: Final = "expectPubIdMismatch"
PASSING: Final = frozenset({"buildIdLockFailure", "publishFailed"})
"""Ends of publications that Estuary asks to try once more."""

SpecType = Literal["capture", "collection", "materialization", "test"]


def same_id(one: str, other: str) -> bool:
    """Whether two ids are one, which Estuary writes with colons and without."""
    return one.replace(":", "") == other.replace(":", "")


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Graph(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class Exchange(_Read):
    """An API key, in exchange for a token of an hour."""

    grant_type: Literal["refresh_token"] = "refresh_token"
    refresh_token_id: str
    secret: str = Field(repr=False)


class Exchanged(_Read):
    """The token."""

    access_token: SecretStr
    refresh_token: JsonValue = Field(default=None, repr=False, description="Present where the key was for one use.")


class NewDraft(_Read):
    """A draft to be made."""

    detail: str


class Draft(_Read):
    """A set of specifications that is not published."""

    id: str
    detail: str | None = None


class StagedSpec(_Read):
    """A specification in a draft; one without `spec` is to be deleted."""

    draft_id: str
    catalog_name: str
    spec_type: SpecType | None = None
    spec: JsonValue = None
    expect_pub_id: str = Field(description="What must be live for it to be published; `NOT_THERE` for nothing.")

    @model_serializer
    def _whole(self) -> dict[str, JsonValue]:
        # With every null: rows that are sent together must name the same columns, and null is what deletes.
        return {name: getattr(self, name) for name in type(self).model_fields}


class StagedSpecs(RootModel[tuple[StagedSpec, ...]]):
    """Rows for one draft."""

    model_config = ConfigDict(frozen=True)


class SpecName(_Read):
    """Of a specification in a draft."""

    catalog_name: str


class DraftError(_Read):
    """What stands against a draft."""

    scope: str = ""
    detail: str


class NewPublication(_Read):
    """A publication to be made."""

    draft_id: str
    dry_run: bool
    detail: str
    data_plane_name: str | None = None


class LockFailure(_Read):
    """One that is not as it was expected."""

    catalog_name: str
    expected: str | None = None
    actual: str | None = None


class JobStatus(_Read):
    """How far a publication is."""

    type: str
    failures: tuple[LockFailure, ...] = ()


class Publication(_Read):
    """A draft that is tried or published."""

    id: str
    draft_id: str
    dry_run: bool
    detail: str | None = None
    job_status: JobStatus
    pub_id: str | None = None
    logs_token: SecretStr = Field(description="Whoever has it reads the logs.")


class LogsWanted(_Read):
    """Whose log is wanted."""

    bearer_token: str = Field(repr=False)


class LogLine(_Read):
    """One line of a publication's log."""

    logged_at: datetime
    stream: str = ""
    log_line: str


class LiveSpecsBy(_Graph):
    """Which specifications: these, or all below a prefix."""

    names: tuple[str, ...] | None = None
    prefix: str | None = None


class LiveSpecsVariables(_Graph):
    """What a query is given."""

    by: LiveSpecsBy
    first: int
    after: str | None = None


class GraphRequest(_Graph):
    """A query."""

    query: str
    variables: LiveSpecsVariables


class LiveSpec(_Graph):
    """A specification as it is published."""

    catalog_type: str
    last_pub_id: str
    last_build_id: str = ""
    is_disabled: bool = False
    updated_at: datetime | None = None
    model: JsonValue = None


class Said(_Graph):
    """A message with its time."""

    message: str
    ts: datetime | None = None


class ShardsSeen(_Graph):
    """How the shards of a task are."""

    status: str


class Activation(_Graph):
    """How it runs in its data plane."""

    last_activated: str = ""
    recent_failure_count: int = 0
    next_retry: datetime | None = None
    last_failure: Said | None = None
    shard_status: ShardsSeen | None = None


class PublicationError(_Graph):
    """What stood against a publication."""

    catalog_name: str = ""
    detail: str


class PastResult(_Graph):
    """How it ended."""

    type: str


class PastPublication(_Graph):
    """A publication by the specification's own controller."""

    id: str
    completed: datetime | None = None
    detail: str | None = None
    is_touch: bool = False
    result: PastResult | None = None
    errors: tuple[PublicationError, ...] = ()


class History(_Graph):
    """Publications by the controller."""

    history: tuple[PastPublication, ...] = ()


class Controller(_Graph):
    """What the control plane knows of it."""

    error: str | None = None
    failures: int = 0
    activation: Activation | None = None
    publications: History | None = None


class Status(_Graph):
    """How a specification does."""

    type: str
    summary: str = ""
    controller: Controller | None = None
    connector: Said | None = None


class Alert(_Graph):
    """What fires now."""

    alert_type: str
    fired_at: datetime | None = None


class SpecRef(_Graph):
    """A name, and what is live under it."""

    catalog_name: str
    user_capability: str | None = Field(default=None, description="None where the account may not look.")
    live_spec: LiveSpec | None = None
    status: Status | None = None
    active_alerts: tuple[Alert, ...] = ()

    @field_validator("active_alerts", mode="before")
    @classmethod
    def _none_is_none(cls, value: object) -> object:
        return () if value is None else value


class _Edge(_Graph):
    node: SpecRef


class PageInfo(_Graph):
    """Whether there is more."""

    has_next_page: bool = False
    end_cursor: str | None = None


class SpecPage(_Graph):
    """Some of them."""

    edges: tuple[_Edge, ...] = ()
    page_info: PageInfo = PageInfo()


class GraphData(_Graph):
    """What a query found."""

    live_specs: SpecPage


class Extensions(_Graph):
    """What a refusal says for programs."""

    error: str = ""


class GraphError(_Graph):
    """A refusal within an answer."""

    message: str = ""
    extensions: Extensions = Extensions()


class GraphAnswer(_Graph):
    """An answer to a query."""

    data: GraphData | None = None
    errors: tuple[GraphError, ...] = ()

    @property
    def page(self) -> SpecPage:
        """What was found; nothing where it was refused."""
        return self.data.live_specs if self.data else SpecPage()
