"""What people and goals exchange: inputs, results, states, and the search attributes that find them.

Inputs refuse unknown fields: a person who types `filepath` for `path` is told so, instead of a goal that silently
does something else. A field, once released, is therefore never removed or renamed, only added with a default;
`tests/replay` holds every release to it (decision 0003). Results ignore unknown fields, so that an older reader
understands a newer writer.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError
from temporalio.common import SearchAttributeKey

from hitl.approval.rehearsal import Rehearsal
from hitl.canonical import canonical_json, tagged_digest

REPOSITORY_ATTRIBUTE: Final = SearchAttributeKey.for_keyword("BanksmanRepository")
STATE_ATTRIBUTE: Final = SearchAttributeKey.for_keyword("BanksmanState")
EFFECT_ATTRIBUTE: Final = SearchAttributeKey.for_keyword("BanksmanEffect")
REQUESTER_ATTRIBUTE: Final = SearchAttributeKey.for_keyword("BanksmanRequester")
"""Set by the gateway, to search by alone: whoever reaches Temporal can set it, so nothing is decided by it.
Of a delivery of GitHub's it is who caused that, whom the policy perhaps does not know."""
TRIGGER_ATTRIBUTE: Final = SearchAttributeKey.for_keyword("BanksmanTrigger")
"""What on GitHub began a job, and its goal. To search by alone, too."""

SEARCH_ATTRIBUTES: Final = (
    REPOSITORY_ATTRIBUTE,
    STATE_ATTRIBUTE,
    EFFECT_ATTRIBUTE,
    REQUESTER_ATTRIBUTE,
    TRIGGER_ATTRIBUTE,
)
"""Registered by the bootstrap of every namespace and by the tests: an unregistered one wedges a workflow."""

MAX_INLINE_BYTES: Final = 256 * 1024
"""The most a result carries itself; more goes to the artifact store and the result names it."""

_INPUT_TAG: Final = "banksman-goal-input/v1"
_REPOSITORY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]{1,100}")
_REF_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.lock(?:/|$)")


def _repository(value: str) -> str:
    if not _REPOSITORY.fullmatch(value) or value.split("/")[1] in {".", ".."}:
        msg = f"{value!r} is not OWNER/NAME; write for example acme/shop"
        raise ValueError(msg)
    return value


def _path(value: str) -> str:
    if "\0" in value:
        msg = f"{value!r} contains a NUL character; a path in a repository cannot"
        raise ValueError(msg)
    if value.startswith("/") or any(part in {"", ".", ".."} for part in value.split("/")):
        msg = (
            f"{value!r} is not a path inside the repository; write it from its root, without '..', as in docs/index.md"
        )
        raise ValueError(msg)
    return value


def _ref(value: str) -> str:
    if value.startswith(("-", "/")) or value.endswith(("/", ".")) or _REF_FORBIDDEN.search(value):
        msg = f"{value!r} is not a branch, tag or commit that git would accept; leave it out for the default branch"
        raise ValueError(msg)
    return value


RepositoryName = Annotated[str, StringConstraints(min_length=3, max_length=140), AfterValidator(_repository)]
RepositoryPath = Annotated[str, StringConstraints(min_length=1, max_length=4096), AfterValidator(_path)]
GitRef = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_ref)]


class State(StrEnum):
    """Where a goal or an approval stands, as the search attribute `BanksmanState` shows it."""

    RUNNING = "running"
    WAITING = "waiting"
    """For people to decide on a plan."""
    PARKED = "parked"
    APPROVED = "approved"
    """Of approvals alone: the goal goes on."""
    COMPLETED = "completed"
    DENIED = "denied"
    REJECTED = "rejected"
    CHANGES_REQUESTED = "changes_requested"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    """By who asked for it."""
    SUPERSEDED = "superseded"
    """By a newer plan, or because the goal that waited for it is gone."""
    APPROVAL_LOST = "approval_lost"
    """What it waited for was ended from outside, before people decided."""
    REFUSED = "refused"
    """By the provider's own tool, before anything was changed."""
    PARTIALLY_APPLIED = "partially_applied"
    """Some of what was approved is done, and some is not: a person goes on from there."""
    UNDONE = "undone"
    """It was carried out, did not hold, and was taken back as people approved it."""
    UNKNOWN = "unknown"
    """Nobody can say whether it was done."""
    FAILED = "failed"
    CANCELLED = "cancelled"


Outcome = Literal[
    State.COMPLETED,
    State.DENIED,
    State.REJECTED,
    State.CHANGES_REQUESTED,
    State.EXPIRED,
    State.WITHDRAWN,
    State.SUPERSEDED,
    State.APPROVAL_LOST,
    State.REFUSED,
    State.PARTIALLY_APPLIED,
    State.UNDONE,
    State.UNKNOWN,
]
"""How a goal ends that did not fail."""

GoalState = Literal[State.RUNNING, State.WAITING, State.PARKED, Outcome, State.FAILED, State.CANCELLED]


class GoalInput(BaseModel):
    """What a person asks for. Frozen, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rehearsal: Rehearsal | None = Field(
        default=None,
        description="The document of a rehearsal of this very input. What it does not list, the goal does not do "
        "before people say yes.",
    )

    @model_validator(mode="after")
    def _rehearsed_itself(self) -> Self:
        if self.rehearsal is not None and self.rehearsal.of != self.digest():
            text = (
                "the rehearsal is of another goal or of another input: rehearse this one with `banksman rehearse`, "
                "or leave 'rehearsal' out"
            )
            raise PydanticCustomError("rehearsal", text)
        return self

    def digest(self) -> str:
        """What a rehearsal of this input is known by. A field that a later release adds does not change it."""
        fields = self.model_dump(mode="json", exclude={"rehearsal"}, exclude_defaults=True)
        return tagged_digest(_INPUT_TAG, f"{type(self).__name__}\n{canonical_json(fields)}")

    def business_key(self) -> str:
        """The workflow id that `banksman run` gives this goal, so that asking twice is harmless."""
        raise TypeError(f"{type(self).__name__} does not say what its business key is")

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        raise TypeError(f"{type(self).__name__} does not say what it asks for")

    def search_attributes(self) -> Mapping[SearchAttributeKey[str], str]:
        """What this goal is found by, besides its state."""
        return {}

    def reaches(self) -> Mapping[str, str]:
        """What a rehearsal copies for it: by provider which part, nothing for all of an account."""
        repository = self.search_attributes().get(REPOSITORY_ATTRIBUTE)
        return {} if repository is None else {"github": repository}


class GoalResult(BaseModel):
    """How a goal ended. A refusal is a result, with its reason; only what is broken is a failure."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    outcome: Outcome = Field(
        default=State.COMPLETED,
        description="`completed`; `denied` by the guard; or how its approval ended: `rejected`, `changes_requested`, "
        "`expired`, `withdrawn`, `superseded`, `approval_lost` (it was ended by hand). Of stacks also "
        "`refused` (nothing was changed), `partially_applied`, `undone` (it was taken back) and `unknown`.",
    )
    reason: str | None = Field(default=None, description="Why it did not complete, and what to do about it.")


class GoalStatus(BaseModel):
    """The answer to the query `status`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: GoalState
    step: str | None = Field(default=None, description="The step under way, if any.")
    waiting_for: str | None = Field(default=None, description="What a parked goal waits for.")


class Resume(BaseModel):
    """The update `resume`: try the step again that a parked goal gave up on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    note: str = Field(default="", max_length=500, description="What was mended, for the record.")
    person: str = Field(default="", max_length=200, description="Who lets it go on, for the record.")


class DestructiveGoalInput(GoalInput):
    """What goals have in common that people approve."""

    break_glass: bool = Field(
        default=False,
        description="In an emergency: ask on the policy's path for it. It takes two of its people within half an hour, "
        "and everybody hears of it.",
    )
