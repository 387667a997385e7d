"""What a lease is made of: its steps as data, the thing that is leased, and the steps that look at leases themselves.

A lease is a workflow called `Lease`, whose id names the kind and the mark of what it holds. The mark is what the
provider keeps in a name or a tag (`connectors.creation.mark`), so that a lease is taken before its resource is made,
and ends whatever carries the mark. Light enough for workflow code.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, RootModel, StringConstraints

from activities.queues import TaskQueue
from activities.step import Step
from hitl.protocol import Effect

LEASE_WORKFLOW: Final = "Lease"
LEASE_MEMO: Final = "BanksmanLease"
"""Of every lease: a `LeaseView`, so that a list of leases asks no worker."""

PATIENCE: Final = timedelta(minutes=15)
UNTIL: Final = "until"
"""The field of the request that prolongs something: when it is to end."""
ENDS_AT: Final = "ends_at"
"""Another field that it may have: when it would end. What lies in between is what an extension costs."""

_MOST_AT_ONCE: Final = 500
Response = TypeVar("Response")


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class GivenRequest(RootModel[dict[str, JsonValue]]):
    """A step's request as data; the worker reads it as the model that the step declares."""


class StepCall(_Message):
    """A step, with what it is asked: kept in a lease, and called when its time has come."""

    step: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    queue: TaskQueue
    effect: Effect
    request: dict[str, JsonValue] = {}

    @classmethod
    def of(cls, step: Step[Any, Any], request: BaseModel | None = None) -> Self:
        """The call of a declared step; of one whose request is filled in later, without it.

        Raises:
            ValueError: It is destructive: that takes people's approval of a plan, and a lease ends without asking.
        """
        if step.effect is Effect.DESTRUCTIVE:
            raise ValueError(
                f"step {step.name!r} is destructive and cannot end a lease by itself; leave it out, and people are told"
            )
        given: dict[str, JsonValue] = request.model_dump(mode="json") if request is not None else {}
        return cls(step=step.name, queue=step.queue, effect=step.effect, request=given)

    def asking(self, request: Mapping[str, JsonValue]) -> Self:
        """The same step, asked this."""
        return self.model_copy(update={"request": dict(request)})

    def declared(self, response: type[Response]) -> Step[GivenRequest, Response]:
        """As workflow code calls it. What it may do the worker's own declaration says, and not this one."""
        return Step(name=self.step, request=GivenRequest, response=response, effect=self.effect, on=self.queue)


class Nothing(_Message):
    """What is read of the answer of a step that ends or prolongs something."""


class LeaseStanding(_Message):
    """What a step says that looks whether a leased thing is still there. Its answer is this model, or one like it."""

    there: bool = Field(description="False only where the provider says that it is gone for good.")
    told: str = Field(default="", max_length=500, description="In what state it is, for people; no secret.")


class Leased(_Message):
    """One thing that is leased, or that was found at its provider."""

    mark: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,100}$")] = Field(
        description="What it carries in its name or in a tag, as `connectors.creation.mark` makes it."
    )
    name: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(description="As people call it.")
    place: dict[str, JsonValue] = Field(description="The request of the steps that end it and look after it.")


class ListLeased(_Message):
    """What the step of a provider is asked that lists what carries a mark of ours, a page at a time."""

    after: str = Field(default="", description="Where the page before ended; empty for the first one.")


class LeasedPage(_Message):
    """Some of it, by the provider's own list."""

    found: Annotated[tuple[Leased, ...], Field(max_length=_MOST_AT_ONCE)] = ()
    after: str = Field(default="", description="Where the next page goes on; empty where this is the last one.")


class Owner(_Message):
    """The goal that holds a lease, by its business key: to ask for the same goal again finds the same resource."""

    workflow_id: Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class LeaseRequest(_Message):
    """A lease, as it is taken and as it goes on: what a `Lease` is started with, and all that it knows."""

    kind: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,60}$")]
    title: str = Field(description="Its kind as people call it.")
    leased: Leased
    ends_at: AwareDatetime
    at_most: AwareDatetime = Field(description="No extension goes beyond.")
    patience: timedelta = Field(default=PATIENCE, description="How long its end may take before people are told.")
    check: StepCall = Field(description="Looks whether it is still there; answers a `LeaseStanding`.")
    end: StepCall | None = Field(default=None, description="Ends it. None: people do, and are told when it is time.")
    extend: StepCall | None = Field(
        default=None, description="Prolongs it at the provider, given `until`. None: there is nothing to prolong there."
    )
    owner: Owner | None = Field(default=None, description="None: it is nobody's, and lives until its end.")
    handed_over: bool = Field(
        default=False, description="Its owner is not the goal that started this workflow; that one's end is no matter."
    )
    taken_at: AwareDatetime | None = None
    ending: str = Field(default="", description="Why it is being ended; empty while it is held.")

    @property
    def id(self) -> str:
        """The workflow id: there is one lease of one thing."""
        return lease_id(self.kind, self.leased.mark)

    def step_request(self, until: AwareDatetime | None = None) -> dict[str, JsonValue]:
        """What its steps are asked."""
        if until is None:
            return self.leased.place
        return {**self.leased.place, UNTIL: until.isoformat(), ENDS_AT: self.ends_at.isoformat()}


def lease_id(kind: str, mark: str) -> str:
    """The workflow id of the lease of what carries this mark."""
    return f"lease/{kind}/{mark}"


class KindFacts(_Message):
    """A kind of leased things as data, for workflow code: what is declared changes with a release, histories do not."""

    name: str
    title: str
    find: StepCall
    check: StepCall
    end: StepCall | None
    extend: StepCall | None
    longest: timedelta
    patience: timedelta

    def lease(self, leased: Leased, *, now: AwareDatetime, ends_at: AwareDatetime) -> LeaseRequest:
        """The lease of one such thing, taken now; it ends no later than its kind lets it."""
        at_most = now + self.longest
        return LeaseRequest(
            kind=self.name,
            title=self.title,
            leased=leased,
            ends_at=min(ends_at, at_most),
            at_most=at_most,
            patience=self.patience,
            check=self.check,
            end=self.end,
            extend=self.extend,
            taken_at=now,
        )


class FindKinds(_Message):
    """`leases.find_kinds`: what this release can lease."""

    names: tuple[str, ...] = Field(default=(), description="Those alone; all of them where none is named.")


class FoundKinds(_Message):
    """Each of them, by name."""

    kinds: tuple[KindFacts, ...] = ()


class FindKnown(_Message):
    """`leases.find_known`: which of these things have a lease."""

    kind: str
    marks: Annotated[tuple[str, ...], Field(max_length=_MOST_AT_ONCE)]


class FoundKnown(_Message):
    """By their marks. What is in neither list never had a lease in this namespace, as far as Temporal remembers."""

    held: tuple[str, ...] = Field(default=(), description="A lease holds it or is ending it.")
    ended: tuple[str, ...] = Field(default=(), description="It had a lease, which is over.")


class FindLost(_Message):
    """`leases.find_lost`: leases that cannot help themselves."""

    most: int = Field(default=200, ge=1, le=_MOST_AT_ONCE)


class Orphan(_Message):
    """A lease whose owner is no longer there."""

    lease: str = Field(description="Its workflow id.")
    owner: Owner


class FoundLost(_Message):
    """Those that were ended from outside before their thing was, and those whose owner is over."""

    lost: tuple[LeaseRequest, ...] = ()
    orphans: tuple[Orphan, ...] = ()


FIND_KINDS: Final = Step(name="leases.find_kinds", request=FindKinds, response=FoundKinds, effect=Effect.READ)
FIND_KNOWN: Final = Step(name="leases.find_known", request=FindKnown, response=FoundKnown, effect=Effect.READ)
FIND_LOST: Final = Step(name="leases.find_lost", request=FindLost, response=FoundLost, effect=Effect.READ)
