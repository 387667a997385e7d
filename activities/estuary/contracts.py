"""Steps on Estuary, as goals ask for them.

A draft and what becomes of it belong to the service account that made it, and the one that may delete is another one.
So each of these steps drafts for itself what it tries or publishes, and is told the specifications whole.
"""

import json
from abc import ABC, abstractmethod
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from activities.copies.contracts import CopyStateRequest, copy_step
from activities.guard.granted import GrantedRequest
from activities.step import Step
from activities.step_end import ApprovedAnswer, StepEnd
from connectors.estuary import manifest
from connectors.estuary.models import SpecType
from connectors.estuary.specs import common_prefix, tenant
from hitl.approval.plan import PlanParameters
from hitl.canonical import tagged_digest
from hitl.protocol import Effect, PolicyContext

_SPEC_TAG: Final = "banksman-flow-spec/v1"


class FlowSpec(BaseModel):
    """A specification."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    type: SpecType
    model: JsonValue


class ExpectedSpec(FlowSpec):
    """A specification, and what must be live under its name when it is published."""

    expect: str = Field(description="The publication that was last; the zero id for none.")


class _OnFlows(BaseModel, ABC):
    model_config = ConfigDict(frozen=True, extra="ignore")

    data_plane: str | None = Field(default=None, description="Where new tasks run; Estuary's default for the prefix.")

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """All that it is about."""

    def policy_context(self) -> PolicyContext:
        """What the policy may match: the tenant, and the name or the prefix that all names have."""
        return context_of(self.names)


def _with_digest(spec: FlowSpec) -> str:
    """A specification, and what is to stand in it."""
    text = json.dumps([spec.type, spec.model], sort_keys=True)
    return f"{spec.type} {spec.name} {tagged_digest(_SPEC_TAG, text)[:19]}"


def context_of(names: tuple[str, ...]) -> PolicyContext:
    """What the policy may match of some names."""
    prefix = common_prefix(names)
    return PolicyContext(account=tenant(prefix) or None, resource=prefix or None)


class TryFlowRequest(_OnFlows):
    """What is wanted, before anything is published."""

    specs: tuple[FlowSpec, ...] = ()
    delete: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All that it is about."""
        return (*(one.name for one in self.specs), *self.delete)

    def recognised_by(self) -> tuple[str, ...]:
        """What is tried."""
        return (*map(_with_digest, self.specs), *(f"delete {one}" for one in self.delete))


class FlowChange(BaseModel):
    """What becomes of one specification."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    type: str
    change: Literal["create", "update", "delete", "unchanged"]
    expect: str = Field(description="The publication that was last; the zero id for none.")
    losses: tuple[str, ...] = Field(default=(), description="What is deleted by it, in sentences.")


class FlowTried(BaseModel):
    """What a publication would do."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    changes: tuple[FlowChange, ...] = ()
    ended: str = Field(default="success", description="How the dry run ended, in Estuary's word.")
    problems: tuple[str, ...] = Field(default=(), description="What stands against it.")


class PublishFlowRequest(_OnFlows):
    """What is to be published; none of it deletes anything."""

    specs: tuple[ExpectedSpec, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All that it is about."""
        return tuple(one.name for one in self.specs)

    def recognised_by(self) -> tuple[str, ...]:
        """What is published."""
        return tuple(map(_with_digest, self.specs))


class FlowPublished(ApprovedAnswer):
    """How a publication ended."""

    ended: str = Field(default="success", description="In Estuary's word.")
    publication: str | None = Field(default=None, description="Its id, which each changed specification has then.")
    problems: tuple[str, ...] = Field(default=(), description="What stood against it.")
    log: tuple[str, ...] = Field(default=(), description="The end of its log.")

    def end(self) -> StepEnd:
        """One that failed changed nothing: a publication is all or nothing."""
        if self.publication is not None:
            return StepEnd(way="completed")
        return StepEnd(way="refused", why=self.why)

    @property
    def why(self) -> str:
        """What stood against it, in one line."""
        return f"Estuary ended the publication with {self.ended}: {'; '.join(self.problems) or 'it does not say why'}"


class PublishedSpec(PlanParameters):
    """A specification as people approve it: whole, and with what must be live under its name."""

    name: str
    type: SpecType
    model: JsonValue
    expect: str


class DeletedSpec(PlanParameters):
    """What is deleted, and what must be live until then."""

    name: str
    expect: str


class DeleteFlowParameters(PlanParameters):
    """All of a publication by which data is deleted."""

    account: str
    resource: str
    publish: tuple[PublishedSpec, ...]
    delete: tuple[DeletedSpec, ...]
    data_plane: str | None


class LookAtFlowRequest(BaseModel):
    """What to look at: some names, or all below a prefix."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    names: tuple[str, ...] = ()
    prefix: str | None = None

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return context_of(self.names) if self.names else context_of((self.prefix or "",))


class CopyFlowsRequest(CopyStateRequest):
    """Below which prefix to copy."""

    def policy_context(self) -> PolicyContext:
        """What the policy may match: the tenant, and the prefix."""
        return context_of((self.part,))


class PublicationSeen(BaseModel):
    """One of a specification's latest publications by its own controller."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    at: str | None = Field(default=None, description="When it ended, as Estuary says.")
    ended: str | None = Field(default=None, description="In Estuary's word.")
    detail: str | None = None
    errors: tuple[str, ...] = ()


class SpecSeen(BaseModel):
    """How a specification does."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    type: str
    publication: str = Field(description="The one that was last.")
    status: str = Field(default="", description="`OK`, `WARNING`, `ERROR` or `TASK_DISABLED`.")
    summary: str = ""
    disabled: bool = False
    error: str | None = Field(default=None, description="Of its controller.")
    shards: str | None = Field(default=None, description="`OK`, `PENDING` or `FAILED`; none for what runs nowhere.")
    failures: int = Field(default=0, description="Of its shards, in the last day.")
    last_failure: str | None = None
    connector: str | None = Field(default=None, description="What its connector says.")
    alerts: tuple[str, ...] = Field(default=(), description="Those that fire now.")
    publications: tuple[PublicationSeen, ...] = ()


class FlowSeen(BaseModel):
    """What is live."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specs: tuple[SpecSeen, ...] = ()
    more: bool = Field(default=False, description="Whether there are more than these.")


COPY_STATE: Final = copy_step(manifest.ESTUARY.name, manifest.READ, CopyFlowsRequest)
LOOK_AT_FLOW: Final = Step(
    name="estuary.look_at_flow",
    request=LookAtFlowRequest,
    response=FlowSeen,
    effect=Effect.READ,
    credential=manifest.READ,
)
TRY_FLOW: Final = Step(
    name="estuary.try_flow",
    request=TryFlowRequest,
    response=FlowTried,
    effect=Effect.WRITE,
    credential=manifest.PUBLISH,
)
PUBLISH_FLOW: Final = Step(
    name="estuary.publish_flow",
    request=PublishFlowRequest,
    response=FlowPublished,
    effect=Effect.WRITE,
    credential=manifest.PUBLISH,
)
DELETE_FLOW: Final = Step(
    name="estuary.delete_flow",
    request=GrantedRequest,
    response=FlowPublished,
    effect=Effect.DESTRUCTIVE,
    credential=manifest.DESTROY,
)
