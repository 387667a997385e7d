"""What somebody may write in a policy file, before names are looked up: the form of each value, and nothing more."""

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from hitl.approval.approvers import LONGEST_WAIT, Mentions, Requesters, StepUps, folded
from hitl.approval.decision import UNVERIFIED
from hitl.approval.step_up import decoded, encoded
from hitl.hidden import visible
from hitl.policy.triggers import Permission, SlashCommand, Trigger
from hitl.protocol import Phase

_ACTION: Final = re.compile(r"\*|[a-z][a-z0-9_]*\.(?:\*|[a-z][a-z0-9_]*)")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_IDENTITY: Final = re.compile(r"(?:slack:[UW][A-Z0-9]{2,}|(?:github|console|temporal):\S{1,200})")
_CHANNEL: Final = re.compile(r"[CG][A-Z0-9]{2,}")
_DURATION: Final = re.compile(r"([1-9][0-9]{0,4})([mhd])")
COST: Final = re.compile(r"(<=|>) ?([0-9]{1,9})")
"""Which costs a rule is about: up to so many US dollars, or more."""
_ENCODED: Final = re.compile(r"[A-Za-z0-9_-]{8,2000}")
_REPOSITORIES: Final = re.compile(r"[A-Za-z0-9*](?:[A-Za-z0-9*-]{0,98})/[A-Za-z0-9._*-]{1,100}")
_GOAL: Final = re.compile(r"\*|[A-Z][A-Za-z0-9]{0,62}\*?")
_LOGIN: Final = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,98}[a-z0-9])?")
_HOST: Final = re.compile(r"localhost|(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z](?:[a-z0-9-]*[a-z0-9])?")
ENVIRONMENT: Final = r"^[a-z0-9][a-z0-9_-]{0,62}$"
_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_MOST_PEOPLE: Final = 20


def _wrong(kind: str, value: str, advice: str) -> PydanticCustomError:
    said = {"value": repr(value[:60]), "kind": kind, "advice": advice}
    return PydanticCustomError("form", "{value} is not {kind}; {advice}", said)


def _action(value: str) -> str:
    if not _ACTION.fullmatch(value):
        raise _wrong("an action", value, "write its name as in github.read_file, github.* for a system, or *")
    return value


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise _wrong("a name", value, "use lower-case letters, digits, '.', '-' and '_'")
    if value == UNVERIFIED:
        raise _wrong("a name that may be given", value, "it stands for a requester whom nobody knows")
    return value


def _identity(value: str) -> str:
    if not _IDENTITY.fullmatch(value):
        raise _wrong(
            "an identity",
            value,
            "write slack:U0ALICE (the member id), github:LOGIN, console:NAME or temporal:PRINCIPAL",
        )
    if visible(value) != value:
        raise _wrong("an identity that people can read", visible(value), "leave out what nobody sees")
    return folded(value)


def _channel(value: str) -> str:
    if not _CHANNEL.fullmatch(value):
        raise _wrong("a Slack channel", value, "write its id, as in C0OPS, which the channel's details show")
    return value


def _duration(value: str) -> str:
    found = _DURATION.fullmatch(value)
    if found is None or as_duration(value) > LONGEST_WAIT:
        raise _wrong("a time", value, "write minutes, hours or days as in 30m, 4h or 7d, a year at most")
    return value


def _encoded(value: str) -> str:
    if not _ENCODED.fullmatch(value) or encoded(decoded(value)) != value:
        raise _wrong("a key's text", value, "copy the lines that the console shows under `Your keys`")
    return value


def _host(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise _wrong("the host of a console", value, "write it as in banksman.example.com, or localhost")
    return value


def _cost(value: str) -> str:
    if not COST.fullmatch(value):
        raise _wrong("a comparison of costs", value, "write <= or > and whole US dollars a month, as in '<= 20'")
    return value


def _repositories(value: str) -> str:
    if not _REPOSITORIES.fullmatch(value):
        raise _wrong(
            "a pattern of repositories", value, "write OWNER/NAME as in acme/shop, or acme/* for all of acme's"
        )
    return value.lower()


def _goal(value: str) -> str:
    if not _GOAL.fullmatch(value):
        raise _wrong("a goal's name", value, "write it as `banksman goals` does, as in ReadFile, Provision*, or *")
    return value


def _login(value: str) -> str:
    if not _LOGIN.fullmatch(value.lower()):
        raise _wrong("a login of GitHub", value, "write it as GitHub does, without @")
    return value.lower()


def as_duration(text: str) -> timedelta:
    """The time that a valid `30m`, `4h` or `7d` says."""
    return int(text[:-1]) * _UNITS[text[-1]]


def _told(form: re.Pattern[str]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^(?:{form.pattern})$"})


Action = Annotated[str, AfterValidator(_action), _told(_ACTION)]
Name = Annotated[str, AfterValidator(_name), _told(_NAME)]
Duration = Annotated[str, AfterValidator(_duration), _told(_DURATION)]
Cost = Annotated[str, AfterValidator(_cost), _told(COST)]
Repositories = Annotated[str, AfterValidator(_repositories), _told(_REPOSITORIES)]
GoalPattern = Annotated[str, AfterValidator(_goal), _told(_GOAL)]
_Pattern = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Names = Annotated[list[Name], Field(min_length=1)]
_Dollars = Annotated[int, Field(ge=0, le=10**9)]


class Raw(BaseModel):
    """Unknown keys are refused, and nothing is converted in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class RawWhere(Raw):
    """The fields of `PolicyContext`, each with a pattern; a test holds the two together."""

    provider: _Pattern | None = None
    account: _Pattern | None = None
    resource: _Pattern | None = None
    cost: Cost | None = None
    repository_owner: _Pattern | None = None
    repository_name: _Pattern | None = None
    purpose: _Pattern | None = None
    labels: _Pattern | None = None
    requester: _Pattern | None = None


class RawRule(Raw):
    """One line of `actions`."""

    allow: Action | None = None
    deny: Action | None = None
    where: RawWhere = RawWhere()
    because: Annotated[str, StringConstraints(max_length=500)] | None = None

    @model_validator(mode="after")
    def _one_verdict(self) -> "RawRule":
        if (self.allow is None) == (self.deny is None):
            raise PydanticCustomError(
                "verdict", "a rule says either `allow: ACTION` or `deny: ACTION`, and one of them"
            )
        return self


class RawEscalation(Raw):
    """Whom to ask as well, and when."""

    group: Name
    after: Duration


class RawLimits(Raw):
    """Whole US dollars. With any of them given, a cost of another kind is over the limit."""

    once: _Dollars | None = None
    hour: _Dollars | None = None
    month: _Dollars | None = None


class RawBreakGlass(Raw):
    """Who may approve in an emergency. That it takes two of them and an hour is not for the file to say."""

    groups: _Names


class RawKey(Raw):
    """A key that somebody confirms with, as the console's page of keys writes it."""

    id: Annotated[str, AfterValidator(_encoded)]
    public_key: Annotated[str, AfterValidator(_encoded)]
    host: Annotated[str, AfterValidator(_host)]


class RawApproval(Raw):
    """One line of `approvals`."""

    action: Action
    groups: _Names
    quorum: Annotated[int, Field(ge=1, le=_MOST_PEOPLE)] = 1
    approve_within: Duration = "7d"
    execute_within: Duration = "1h"
    remind_after: Duration | None = None
    escalate: RawEscalation | None = None
    cost_limits: RawLimits | None = None
    unverified_requester: Annotated[Requesters, Field(strict=False)] = Requesters.ONE_MORE
    mention: Annotated[Mentions, Field(strict=False)] = Mentions.ALL
    step_up: Annotated[StepUps | None, Field(strict=False)] = None
    break_glass: RawBreakGlass | None = None


class RawBudget(Raw):
    """Whole US dollars: for all of an environment on one day, and for one run of a goal."""

    day: _Dollars | None = None
    goal: _Dollars | None = None

    @model_validator(mode="after")
    def _caps_something(self) -> "RawBudget":
        if self.day is None and self.goal is None:
            raise PydanticCustomError(
                "budget", "a budget caps a `day`, a `goal`, or both; write for example {day: 100}"
            )
        return self


class RawRollOut(Raw):
    """What must be seen of an environment before its phase is raised; each key that is left out has its default."""

    days: Annotated[int, Field(ge=0, le=366)] | None = None
    goals: Annotated[int, Field(ge=1, le=10**6)] | None = None
    wrong_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    doubtful: Annotated[int, Field(ge=0, le=10**6)] | None = None
    opinions: Annotated[int, Field(ge=0, le=10**6)] | None = None


class RawEnvironment(Raw):
    """One environment."""

    phase: Annotated[Phase, Field(strict=False)]
    actions: list[RawRule] = []
    approvals: list[RawApproval] = []
    slack_channel: Annotated[str, AfterValidator(_channel)] | None = None
    budget: RawBudget | None = None
    roll_out: RawRollOut | None = None


class RawRates(Raw):
    """How many goals may be begun from GitHub in one hour, at most."""

    person: Annotated[int, Field(ge=1, le=10**4)] = 20
    installation: Annotated[int, Field(ge=1, le=10**5)] = 100


class RawSchedules(Raw):
    """What one repository may schedule, at most."""

    minutes: Annotated[int, Field(ge=5, le=7 * 24 * 60)] = 60
    repository: Annotated[int, Field(ge=1, le=50)] = 10


class RawTrigger(Raw):
    """One line of `github.triggers`: who may have what begun, by what happens on GitHub."""

    events: Annotated[list[Annotated[Trigger, Field(strict=False)]], Field(min_length=1)]
    commands: list[Annotated[SlashCommand, Field(strict=False)]] = []
    repositories: Annotated[list[Repositories], Field(min_length=1)]
    permission: Annotated[Permission, Field(strict=False)] | None = None
    goals: list[GoalPattern] = []


class RawGitHub(Raw):
    """What GitHub may have begun. Without it, nothing."""

    accounts: dict[Annotated[str, AfterValidator(_login)], Annotated[int, Field(ge=1, le=2**53)]] = {}
    approvals: bool = False
    rates: RawRates = RawRates()
    schedules: RawSchedules = RawSchedules()
    triggers: list[RawTrigger] = []


class RawPolicy(Raw):
    """The whole file."""

    environments: dict[Annotated[str, StringConstraints(pattern=ENVIRONMENT)], RawEnvironment] = Field(min_length=1)
    people: dict[Name, Annotated[list[Annotated[str, AfterValidator(_identity)]], Field(min_length=1)]] = {}
    groups: dict[Name, _Names] = {}
    keys: dict[Name, Annotated[list[RawKey], Field(min_length=1)]] = {}
    github: RawGitHub | None = None
