"""The words that people, goals and the guard share: effects, phases, refusals and what a step says about itself.

Pure: it reads nothing, keeps nothing and imports no other package of ours, so that a workflow may import it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field


class Effect(StrEnum):
    """What a step may do to the world, from harmless to what cannot be undone. Declared where the step is defined."""

    READ = "read"
    WRITE = "write"
    DESTRUCTIVE = "destructive"

    @property
    def level(self) -> int:
        """Its place in the order: 0 for `read`, 2 for `destructive`."""
        return tuple(type(self)).index(self)


class Phase(StrEnum):
    """How far an environment trusts the agent, in growing order. Set by the deployment, never by a goal."""

    READ_ONLY = "read_only"
    NON_CRITICAL_WRITES = "non_critical_writes"
    PRODUCTION = "production"

    @property
    def level(self) -> int:
        """Its place in the order: 0 for `read_only`, 2 for `production`."""
        return tuple(type(self)).index(self)

    def permits(self, effect: Effect) -> bool:
        """Whether this phase trusts the agent with that effect at all; rules and grants come on top."""
        return effect.level <= self.level


_TELLING = "hitl.tell_"


def tells(action: str, effect: Effect) -> bool:
    """Whether a step only tells the environment's own people something: every phase permits it."""
    return effect is Effect.WRITE and action.startswith(_TELLING)


class RefusalReason(StrEnum):
    """Why the guard refused a step. A closed list: goals, metrics and people branch on it, never on a message."""

    UNDECLARED = "undeclared"
    """The step does not say what it may do."""
    WRONG_WORKER = "wrong_worker"
    """This worker's role does not run steps of that effect."""
    STANDALONE = "standalone"
    """A destructive step that no workflow asked for."""
    LOCAL_ACTIVITY = "local_activity"
    """A destructive step run inside the worker that asked for it."""
    MISSING_ID = "missing_id"
    """A destructive step whose workflow, run or step id is empty."""
    MALFORMED_REQUEST = "malformed_request"
    """The step was not given the one request it declares."""
    UNKNOWN_ENVIRONMENT = "unknown_environment"
    """The policy does not name the environment."""
    PHASE = "phase"
    """The environment's phase does not trust the agent with that effect."""
    DENY_RULE = "deny_rule"
    """A rule of the policy forbids it."""
    NO_ALLOW_RULE = "no_allow_rule"
    """Nothing allows it: no rule names it, or none of those that do covers this case."""
    UNKNOWN_MODEL = "unknown_model"
    """The deployment's file of language models has no such model."""
    DATA = "data"
    """Such data may not go to that backend of language models."""
    NO_GRANT = "no_grant"
    """A destructive step without a verified grant."""

    # Why a decision does not count, at the click, in the approval or under the guard.
    MALFORMED_GRANT = "malformed_grant"
    """A decision is not one that this release writes, or decisions of several approvals are mixed."""
    MALFORMED_PLAN = "malformed_plan"
    """The plan's text is not one that this release reads."""
    UNKNOWN_KEY = "unknown_key"
    """Signed with a key version that is not published, or no longer."""
    BAD_SIGNATURE = "bad_signature"
    """The signature is not of this text."""
    NOT_APPROVED = "not_approved"
    """A signed decision that says something else than yes."""
    OTHER_ENVIRONMENT = "other_environment"
    """Signed for another environment."""
    OTHER_NAMESPACE = "other_namespace"
    """Signed for another Temporal cluster or namespace."""
    OTHER_RUN = "other_run"
    """Signed for another workflow, or for another run of it, as after a reset."""
    OTHER_STEP = "other_step"
    """Signed for another step of the same run."""
    OTHER_ACTION = "other_action"
    """Signed for, or planned as, another action."""
    OTHER_PLAN = "other_plan"
    """Signed for another plan: the one shown is not the one to be carried out."""
    OTHER_APPROVAL = "other_approval"
    """Signed for another approval of the same plan."""
    RULE_CHANGED = "rule_changed"
    """The policy's rule is no longer the one that people decided under."""
    NO_RULE = "no_rule"
    """The policy has no rule on who approves this action."""
    NOT_CONFIRMED = "not_confirmed"
    """The rule wants a confirmation with a key of the person, and there is none, or it is of something else."""
    COST_LIMIT = "cost_limit"
    """The plan costs more than the rule lets anybody approve, or does not say what it costs."""
    BUDGET = "budget"
    """It may cost more than the budget of its goal, or of the environment's day, has left."""
    NOT_YET = "not_yet"
    """The decision lies in the future: somebody's clock is wrong."""
    EXPIRED = "expired"
    """The time for deciding, or for carrying out, is over."""
    NOT_A_MEMBER = "not_a_member"
    """The person is in none of the groups that approve this, or no longer."""
    REQUESTER_COUNTED = "requester_counted"
    """Who asked for it decided on it."""
    UNVERIFIED_REQUESTER = "unverified_requester"
    """Nobody can say who asked for it, and the rule wants to know."""
    DUPLICATE_PERSON = "duplicate_person"
    """The same person decided twice."""
    QUORUM_NOT_MET = "quorum_not_met"
    """Too few people decided."""
    ALREADY_USED = "already_used"
    """The grant has acted already, in an earlier execution of the step."""
    OUT_OF_ORDER = "out_of_order"
    """A step of a plan of many, where one before it was not begun, did not end, or ended otherwise than carried out."""
    GIVEN_UP = "given_up"
    """A step of a plan of many that its goal has given up."""
    NOT_CURRENT = "not_current"
    """Nobody waits for this attempt at a destructive step: its goal is over or cancelled, or its own time is."""
    CLOSED = "closed"
    """The approval has ended already."""
    CANNOT_TELL = "cannot_tell"
    """A decision cannot be checked now: keys or policy cannot be read. The same click may come again."""


class PolicyContext(BaseModel):
    """What a step says about the thing it touches, field by field; policy rules match these and nothing else.

    Closed on purpose: a rule on a field that does not exist is refused when the policy is loaded, instead of never
    matching. Ids and payloads have no place here, for the audit log shows every field.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str | None = Field(default=None, description="The system of the action, as in github; the guard says it.")
    account: str | None = Field(default=None, description="Which account, organisation or project of the provider.")
    resource: str | None = Field(
        default=None, description="The one thing that it touches, by its name there: a branch, a stack, a database."
    )
    cost: int | None = Field(default=None, ge=0, description="Whole US dollars that it costs at most in a month.")
    repository_owner: str | None = Field(default=None, description="Owner of the repository, as in OWNER/NAME.")
    repository_name: str | None = Field(default=None, description="Name of the repository, as in OWNER/NAME.")
    purpose: str | None = Field(
        default=None,
        description="Why a command in the sandbox needs a network, what a login is for, what a model is asked for.",
    )
    labels: str | None = Field(
        default=None, description="What the data is that goes to a language model, as in log,private; sorted."
    )
    requester: str | None = Field(
        default=None, description="Who asked for the goal, as in slack:U0ALICE; unverified where nobody vouches."
    )

    @classmethod
    def of_repository(cls, full_name: str) -> "PolicyContext":
        """The context of a step on one repository, from `OWNER/NAME`.

        Raises:
            ValueError: When it is not of that form.
        """
        owner, slash, name = full_name.partition("/")
        if not (owner and slash and name) or "/" in name:
            raise ValueError(f"{full_name!r} is not OWNER/NAME; write for example acme/shop")
        return cls(repository_owner=owner, repository_name=name)

    def fields(self) -> dict[str, str]:
        """The fields that were said."""
        return {name: str(value) for name, value in self if value is not None}

    def of_action(self, action: str) -> "PolicyContext":
        """The same, with the provider that the action's name says: no request can say another."""
        return self.model_copy(update={"provider": action.partition(".")[0]})


@runtime_checkable
class HasPolicyContext(Protocol):
    """A step's request that says what it touches."""

    def policy_context(self) -> PolicyContext:
        """What this request touches."""
        ...


@runtime_checkable
class HasSpend(Protocol):
    """A step's request that says exactly what it may cost. The step buys nothing that costs more."""

    def spend(self) -> int | None:
        """US cents at most, in all; for what has no end, those of the first month. None where it costs nothing.

        Raises:
            ValueError: The request is unclear.
        """
        ...


@runtime_checkable
class HasSpent(Protocol):
    """A step's answer that says what it has cost."""

    def spent(self) -> int | None:
        """US cents in all; None where that is not known, and what was reserved counts."""
        ...


@dataclass(frozen=True, kw_only=True)
class Hired:
    """A thing that is paid by the hour, and beforehand.

    Attributes:
        mark: What it carries, of the goal that wants it.
        thing: Its provider's id.
        cents_per_hour: US cents.
        longer: Whether this pays for more time of what was paid for before.
    """

    mark: str
    thing: str
    cents_per_hour: int
    longer: bool = False


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What its provider said of everything that carries a mark: nothing of it runs on.

    Attributes:
        mark: Which one.
        things: Ids of what is still shown and ends now. Whatever else carried the mark is not shown.
    """

    mark: str
    things: tuple[str, ...] = ()


@runtime_checkable
class HasHired(Protocol):
    """A step's answer that tells what was paid by the hour."""

    def hired(self) -> Hired | None:
        """None where nothing was."""
        ...


@runtime_checkable
class HasEnded(Protocol):
    """The answer of a step that looked at its provider whether something has ended: unused hours are given back."""

    def resource_ended(self) -> Ended | None:
        """None where something runs on, or nobody looked."""
        ...


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why something is refused, in a word for programs and in a sentence for people."""

    reason: RefusalReason
    explanation: str


class Denial(BaseModel):
    """A refusal, as `PolicyDenied` carries it to the goal and the goal to a person."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    reason: RefusalReason
    action: str
    effect: Effect | None = Field(default=None, description="None for a step that declares none.")
    environment: str
    phase: Phase | None = Field(default=None, description="None where the environment is unknown.")
    rule: str | None = Field(default=None, description="The rule that decided, by its place in the policy file.")
    explanation: str = Field(description="One sentence for people: what was refused and what to do about it.")
