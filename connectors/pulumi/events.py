"""What the CLI says while it works: its event log (`--event-log`), one JSON object a line, read as it grows.

Which kinds there are was seen with CLI 3.200: `preludeEvent`, `resourcePreEvent` (begins), `resOutputsEvent` (done),
`resOpFailedEvent`, `diagnosticEvent`, `policyEvent`, `summaryEvent`, `cancelEvent` (the log's end, also of a good run),
and several of policy packs. A kind that is not known here is counted, and is no error: a newer CLI has more.

The log is a stranger's words: the program's, the providers'. It is bounded here, and secrets that the run was given
are taken out before anything is kept. Pulumi itself masks only what the program marks as a secret.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue


class Part(BaseModel):
    """What all models of this package have in common: frozen, and later fields do not break older readers."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def _time(value: object) -> object:
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int) else value


class Told(Part):
    """One line of the log.

    Attributes:
        sequence: Counts from 0 in each log.
        at: To the second.
    """

    sequence: int
    at: Annotated[datetime, BeforeValidator(_time)] = Field(alias="timestamp")
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Stage(StrEnum):
    """How far one operation on one resource is."""

    BEGAN = "began"
    DONE = "done"
    FAILED = "failed"


class PropertyDiff(Part):
    """How the provider says that one property differs.

    Attributes:
        kind: `add`, `delete`, `update`, each also with `-replace`.
        input_diff: Whether old and new inputs were compared, rather than old outputs and new inputs.
    """

    kind: str = Field(default="update", alias="diffKind")
    input_diff: bool = Field(default=False, alias="inputDiff")
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Side(Part):
    """A resource before or after an operation; secrets' values are not in it.

    Attributes:
        id: The provider's name for it; empty before it exists.
    """

    id: str = ""
    parent: str = ""
    protect: bool = False
    retain_on_delete: bool = Field(default=False, alias="retainOnDelete")
    inputs: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    outputs: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Metadata(Part):
    """One operation on one resource.

    Attributes:
        op: As Pulumi calls it: `create`, `update`, `delete`, `replace`, `create-replacement`, `delete-replaced`,
            `same`, `read`, `refresh`, `import` and more.
        keys: The properties that force a replacement.
        diffs: The properties that differ.
        detailed: By path; None where the provider compared nothing, empty where it found no difference.
        old: None where there was nothing.
        new: None where nothing is left.
    """

    op: str
    urn: str
    type: str
    old: Side | None = None
    new: Side | None = None
    keys: tuple[str, ...] | None = None
    diffs: tuple[str, ...] | None = None
    detailed: dict[str, PropertyDiff] | None = Field(default=None, alias="detailedDiff")
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class ResourceEvent(Told):
    """An operation began, is done, or failed.

    Attributes:
        planning: Whether this is a preview, in which nothing happens.
        status: Of a failure: 0 not done, 1 done in part, 2 nobody knows.
    """

    kind: Literal["resource"] = "resource"
    stage: Stage
    metadata: Metadata
    planning: bool = False
    status: int = 0


class Diagnostic(Told):
    """A message of the program, a provider or the engine.

    Attributes:
        severity: `debug`, `info`, `warning`, `error`; `info#err` is what the program wrote to its standard error.
        urn: The resource it is about; empty: none.
    """

    kind: Literal["diagnostic"] = "diagnostic"
    severity: str
    message: str
    urn: str = ""


class PolicyViolation(Told):
    """A policy pack does not like a resource.

    Attributes:
        level: `mandatory` refuses, `advisory` warns, `remediate` changed the resource.
    """

    kind: Literal["policy"] = "policy"
    urn: str = Field(default="", alias="resourceUrn")
    pack: str = Field(alias="policyPackName")
    version: str = Field(default="", alias="policyPackVersion")
    policy: str = Field(alias="policyName")
    level: str = Field(alias="enforcementLevel")
    message: str


class Summary(Told):
    """The engine has ended its work, well or not.

    Attributes:
        changes: How many resources by operation; how many were really changed, in an update.
        maybe_corrupt: The engine could not write its state.
        policy_packs: By name, their versions.
    """

    kind: Literal["summary"] = "summary"
    preview: bool = Field(alias="isPreview")
    changes: dict[str, int] = Field(default_factory=dict[str, int], alias="resourceChanges")
    maybe_corrupt: bool = Field(default=False, alias="maybeCorrupt")
    policy_packs: dict[str, str] = Field(default_factory=dict[str, str], alias="PolicyPacks")


class LogEnd(Told):
    """The CLI closed its log; a log without it was cut off, as by a kill."""

    kind: Literal["end"] = "end"


Event = ResourceEvent | Diagnostic | PolicyViolation | Summary | LogEnd


class EventLog(Part):
    """A whole log.

    Attributes:
        unknown: How many lines of each kind that this release does not know.
        dropped: Lines that were too long, one too many, or no events at all. None of them is in `events`.
        resources_dropped: Whether one of those may have been about a resource: the log is no evidence any more.
    """

    events: tuple[Event, ...] = ()
    unknown: dict[str, int] = Field(default_factory=dict[str, int])
    dropped: int = 0
    resources_dropped: bool = False

    @property
    def ended(self) -> bool:
        """Whether the CLI closed it."""
        return any(isinstance(one, LogEnd) for one in self.events)

    @property
    def resources(self) -> tuple[ResourceEvent, ...]:
        """What was done to resources, in order."""
        return tuple(one for one in self.events if isinstance(one, ResourceEvent))

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """What went wrong, as the engine says."""
        return tuple(one for one in self.events if isinstance(one, Diagnostic) and one.severity == "error")

    @property
    def summary(self) -> Summary | None:
        """The last one."""
        found = [one for one in self.events if isinstance(one, Summary)]
        return found[-1] if found else None
