"""What people ask for at Estuary, and how it ended."""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from activities.estuary.contracts import FlowSpec
from connectors.estuary.models import SpecType
from connectors.estuary.specs import common_prefix, open_secrets, tenant
from hitl.protocol import Effect
from workflows.contracts import DestructiveGoalInput, GoalInput, GoalResult
from workflows.goal_type import GoalType

CatalogName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)+$", max_length=200)
]
CatalogPrefix = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*/)+$", max_length=200)]
_MOST: Final = 100
_LONGEST_KEY: Final = 200


class Specification(BaseModel):
    """One specification, as it stands in a Flow catalog's file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: CatalogName = Field(description="Its name, with the tenant first, as in acme/shop/orders.")
    type: SpecType = Field(description="`capture`, `collection`, `materialization` or `test`.")
    model: dict[str, JsonValue] | tuple[JsonValue, ...] = Field(
        description="The specification. Secrets of its endpoint must be encrypted by Estuary's own service before, as "
        "`flowctl` does it: an input is kept in a history."
    )

    @model_validator(mode="after")
    def _sealed(self) -> Self:
        if places := open_secrets(self.spec().model):
            raise ValueError(f"secrets that are not encrypted, at {', '.join(places)}: replace them, and encrypt them")
        return self

    def spec(self) -> FlowSpec:
        """As steps are told of it."""
        model: JsonValue = self.model if isinstance(self.model, dict) else list(self.model)
        return FlowSpec(name=self.name, type=self.type, model=model)


class PublishFlowInput(DestructiveGoalInput):
    """Publish captures, collections and materialisations at Estuary, after a dry run; people approve what deletes."""

    specs: tuple[Specification, ...] = Field(
        default=(), max_length=_MOST, description="What is to be published; what is live already is left as it is."
    )
    delete: tuple[CatalogName, ...] = Field(
        default=(), max_length=_MOST, description="What is to be deleted. Nothing else is."
    )
    data_plane: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._/-]{1,200}$",
        description="Where new tasks run; Estuary's default for the prefix when left out.",
    )

    @model_validator(mode="after")
    def _one_publication(self) -> Self:
        names = [one.name for one in self.specs] + list(self.delete)
        if not names:
            raise ValueError("nothing is to be published or deleted: write `specs`, or `delete`")
        if twice := sorted({one for one in names if names.count(one) > 1}):
            raise ValueError(f"{', '.join(twice)}: named twice")
        if len({tenant(one) for one in names}) > 1:
            raise ValueError("one publication is of one tenant: ask for each by itself")
        return self

    @property
    def place(self) -> str:
        """The one name, or the prefix that all names have."""
        return common_prefix([*(one.name for one in self.specs), *self.delete])

    def business_key(self) -> str:
        """`publish-flow/NAME`, or the prefix that all names have: at most one publication there at a time."""
        return f"publish-flow/{self.place}"

    def reaches(self) -> Mapping[str, str]:
        """All of the tenant: what is published may be made of whatever is there."""
        return {"estuary": f"{tenant(self.place)}/"}

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        urgent = "BREAK GLASS: " if self.break_glass else ""
        counted = [f"publish {len(self.specs)}"] if self.specs else []
        counted += [f"delete {len(self.delete)}"] if self.delete else []
        text = f"{' and '.join(counted)} at Estuary, {self.place}"
        return urgent + text[0].upper() + text[1:]


class PublishFlowResult(GoalResult):
    """What was published. `refused` says that Estuary found something wrong, and that nothing was changed."""

    publication: str | None = Field(default=None, description="Estuary's id of it, which what it changed has now.")
    published: tuple[str, ...] = Field(default=(), description="Created or updated.")
    deleted: tuple[str, ...] = Field(default=(), description="Gone.")
    unchanged: tuple[str, ...] = Field(default=(), description="Live already, just so.")
    problems: tuple[str, ...] = Field(default=(), description="What Estuary found wrong.")
    log: tuple[str, ...] = Field(default=(), description="The end of the publication's log.")


class FlowStatusInput(GoalInput):
    """Tell how captures, collections and materialisations at Estuary do: status, shards, failures, publications."""

    names: tuple[CatalogName, ...] = Field(default=(), max_length=_MOST, description="Which ones.")
    prefix: CatalogPrefix | None = Field(
        default=None, description="Or all below it, as in acme/shop/; a hundred are told."
    )

    @model_validator(mode="after")
    def _either(self) -> Self:
        if bool(self.names) is (self.prefix is not None):
            raise ValueError("write either `names` or `prefix`")
        return self

    @property
    def place(self) -> str:
        """The prefix, or the names; of many a digest of them."""
        names = ",".join(sorted(set(self.names)))
        if len(names) > _LONGEST_KEY:
            names = hashlib.sha256(names.encode()).hexdigest()
        return self.prefix or names

    def business_key(self) -> str:
        """`flow-status/NAME,…`, or the prefix."""
        return f"flow-status/{self.place}"

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"Look how {self.prefix or ', '.join(self.names[:3])} does at Estuary"


class PublicationTold(BaseModel):
    """A publication by a specification's own controller."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(description="Estuary's id of it.")
    at: str | None = Field(default=None, description="When it ended.")
    ended: str | None = Field(default=None, description="How, in Estuary's word: `success`, `buildFailed` and others.")
    detail: str | None = Field(default=None, description="What was said of it.")
    errors: tuple[str, ...] = Field(default=(), description="What stood against it.")


class FlowTold(BaseModel):
    """How one specification does."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(description="Its name.")
    type: str = Field(description="`capture`, `collection`, `materialization` or `test`.")
    publication: str = Field(description="Estuary's id of the publication that was last.")
    status: str = Field(default="", description="`OK`, `WARNING`, `ERROR` or `TASK_DISABLED`.")
    summary: str = Field(default="", description="The same in words.")
    disabled: bool = Field(default=False, description="Whether it is switched off.")
    error: str | None = Field(default=None, description="Of its controller.")
    shards: str | None = Field(default=None, description="`OK`, `PENDING` or `FAILED`; none for what runs nowhere.")
    failures: int = Field(default=0, description="Of its shards, in the last day.")
    last_failure: str | None = Field(default=None, description="What the last of them said.")
    connector: str | None = Field(default=None, description="What its connector says.")
    alerts: tuple[str, ...] = Field(default=(), description="Those that fire now.")
    publications: tuple[PublicationTold, ...] = Field(default=(), description="Its controller's latest, newest first.")


class FlowStatusResult(GoalResult):
    """How they do. A specification in trouble is a completed goal: look at `troubled`."""

    specs: tuple[FlowTold, ...] = Field(default=(), description="Those that are there.")
    missing: tuple[str, ...] = Field(default=(), description="Names that are not live, or not shown to us.")
    troubled: tuple[str, ...] = Field(default=(), description="Those whose status is `WARNING` or `ERROR`.")
    more: bool = Field(default=False, description="Whether there are more below the prefix than are told.")


PUBLISH_FLOW: Final = GoalType(
    name="PublishFlow",
    input=PublishFlowInput,
    result=PublishFlowResult,
    rehearses=frozenset({"estuary"}),
    effect=Effect.DESTRUCTIVE,
    example=PublishFlowInput(
        specs=(
            Specification(
                name="acme/shop/hook",
                type="materialization",
                model={
                    "endpoint": {
                        "connector": {
                            "image": "ghcr.io/estuary/materialize-webhook:v1",
                            "config": {"address": "https://hooks.example.com/"},
                        }
                    },
                    "bindings": [{"source": "acme/shop/orders", "resource": {"relativePath": "orders"}}],
                },
            ),
        )
    ),
)
FLOW_STATUS: Final = GoalType(
    name="FlowStatus",
    input=FlowStatusInput,
    result=FlowStatusResult,
    effect=Effect.READ,
    example=FlowStatusInput(prefix="acme/shop/"),
)
