"""What the console needs of the gateway: to see approvals and goals, to decide, and to start.

Looking is done by `hitl.console.visibility`. `Decide` and `Goals.start` are the gateway's. Whoever implements `Decide`
does what every surface does: describe the approval on the server, check that its plan has the digest that the person
saw, sign, and send the update under an id made of approval, person and time of the click. The times of clicks are the
console's: it signs them into the page that asks, so that a form sent twice is one click.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from activities.github.rates_contracts import RatesFound
from activities.guard.opinion_facts import OpinionVerdict
from activities.leases.views import LeaseView
from hitl.approval.sequence import AnyPlan
from hitl.console.audit.book import AuditPage
from hitl.console.audit.check import AuditCheck
from hitl.console.audit.filter import AuditFilter
from hitl.console.goals.asked import AskedWith
from hitl.console.goals.ends import Used
from hitl.console.goals.filter import GoalFilter
from hitl.console.goals.timeline import Timeline
from hitl.gateway.decisions import Click, Outcome
from hitl.gateway.goal_starter import StartedGoal
from hitl.github.spending import Spending
from workflows.agent.history_contracts import StepTold
from workflows.approval.contracts import ApprovalOutcome, ApprovalView
from workflows.contracts import GoalInput
from workflows.github.installation_contracts import InstallationState
from workflows.goal_type import GoalType
from workflows.health.contracts import HealthState
from workflows.kept import KeptArtifact
from workflows.opinions.contracts import KeptOpinion

Row = TypeVar("Row")


class Unavailable(Exception):
    """What was asked for cannot be had now. The message is for people, and the same may be asked again."""


@dataclass(frozen=True, kw_only=True)
class ApprovalRow:
    """One line of a list. Ids and times are as the server says them.

    Attributes:
        state: One of `ApprovalState`; what the server says of the run where that ended in another way.
        goal: Workflow id of its parent; None for one that nobody's goal waits for.
        plan: Of the bytes it was started with; None where they are not a plan that this release reads.
        view: How the workflow itself says that it stands; None where no worker answers.
        then: What became of the step that was let go on. Its end, a `Way`, once that was told; before, or where its
            goal was ended from outside, how the goal stands. None where nobody can say.
    """

    id: str
    run_id: str
    state: str
    opened_at: datetime
    closed_at: datetime | None
    goal: str | None
    goal_run_id: str | None
    plan: AnyPlan | None
    view: ApprovalView | None
    then: str | None = None


@dataclass(frozen=True, kw_only=True)
class ShownApproval:
    """One approval, whole.

    Attributes:
        text: The bytes of the plan that it was started with, and `digest` theirs.
        problem: Why the row has no plan; empty where it has one.
        told: What there is to say of that end beside the one word.
    """

    row: ApprovalRow
    text: str
    digest: str
    problem: str
    told: str = ""


@dataclass(frozen=True, kw_only=True)
class GoalRow:
    """One goal.

    Attributes:
        state: One of `GoalState`; what the server says of the run where that ended without a word of its own.
        requester: The identity that asked, where somebody vouches for it.
        told: How it says that it ended; empty where it has nothing to say, or runs.
        trigger: What on GitHub began it, by the search attribute, which anybody can set; None for nothing.
    """

    id: str
    run_id: str
    name: str
    state: str
    started_at: datetime
    closed_at: datetime | None = None
    repository: str | None = None
    requester: str | None = None
    told: str = ""
    trigger: str | None = None


@dataclass(frozen=True, kw_only=True)
class AskedApproval:
    """An approval that a goal asked for, as its page lists it."""

    id: str
    state: str
    opened_at: datetime


@dataclass(frozen=True, kw_only=True)
class BegunGoal:
    """A goal that a plan started, as the page of the plan, and of the words that it was made of, lists it."""

    id: str
    run_id: str
    name: str
    state: str


@dataclass(frozen=True, kw_only=True)
class ShownGoal:
    """One goal, whole.

    Attributes:
        summary: What was asked for, in a line.
        step: The step under way; None where it has ended or no worker says.
        waiting_for: What it is parked for.
        approvals: Those that it asked for, newest first; of a plan those of its steps, too.
        timeline: Its steps, where it tells of them.
        begun: Of a plan: the goals that it started, the first one first.
        log: What it had done, step by step, the first one first; None where that cannot be read now.
        earlier: How many steps there were before those.
        asked: What it was asked for with, and by what on GitHub.
        used: What it used of language models, once it tells.
        kept: What its result leaves to take.
    """

    row: GoalRow
    summary: str
    step: str | None
    waiting_for: str | None
    approvals: Sequence[AskedApproval]
    timeline: Timeline | None = None
    begun: Sequence[BegunGoal] = ()
    log: Sequence[StepTold] | None = ()
    earlier: int = 0
    asked: AskedWith = field(default_factory=AskedWith)
    used: Used | None = None
    kept: Sequence[KeptArtifact] = ()


@dataclass(frozen=True, kw_only=True)
class Listed(Generic[Row]):
    """One page of a list, and where the next one begins.

    Attributes:
        total: None where a text was looked for: how many have it, nobody has counted.
    """

    rows: Sequence[Row]
    total: int | None
    next: str | None


class Approvals(Protocol):
    """Looking. Each raises `Unavailable`."""

    async def waiting(self, page: str | None = None) -> Listed[ApprovalRow]:
        """Those that wait, newest first."""
        ...

    async def decided(self, page: str | None = None, *, outcome: ApprovalOutcome | None = None) -> Listed[ApprovalRow]:
        """Those that ended, or ended in that way, newest first."""
        ...

    async def show(self, approval_id: str) -> ShownApproval | None:
        """One of them; None where there is none of that id."""
        ...


class Marks(Protocol):
    """A text for each page, which is another whenever the page would be. Each raises `Unavailable`."""

    async def waiting(self) -> str:
        """Of what waits."""
        ...

    async def decided(self) -> str:
        """Of what was decided."""
        ...

    async def goals(self, wanted: GoalFilter) -> str:
        """Of the goals that are looked for."""
        ...

    async def goal(self, goal_id: str, run_id: str | None) -> str:
        """Of one goal."""
        ...

    async def approval(self, approval_id: str) -> str:
        """Of one approval."""
        ...

    async def leases(self) -> str:
        """Of the leases that are held or being ended."""
        ...


class Leases(Protocol):
    """Leases. Raises `Unavailable`."""

    async def found(self, page: str | None = None, *, ended: bool = False) -> Listed[LeaseView]:
        """Those that are held or being ended; or those that were, newest first."""
        ...


class Installations(Protocol):
    """Where our GitHub App is installed. Raises `Unavailable`."""

    async def found(self, page: str | None = None, *, gone: bool = False) -> Listed[InstallationState]:
        """Where it is; or where it was, newest first."""
        ...


class Audit(Protocol):
    """The audit log, as the gateway collected it. Each raises `Unavailable`."""

    async def found(self, wanted: AuditFilter, page: str | None = None, *, most: int) -> AuditPage:
        """So many events that are looked for, the newest first."""
        ...

    async def check(self) -> AuditCheck:
        """Whether all of it is whole."""
        ...


class Health(Protocol):
    """How repositories do. Each raises `Unavailable`."""

    async def found(self, page: str | None = None) -> Listed[HealthState]:
        """Those that were reported on, the newest one first."""
        ...

    async def show(self, repository: str) -> HealthState | None:
        """One of them; None where nobody reported on it."""
        ...


@dataclass(frozen=True, kw_only=True)
class BegunLately:
    """Goals that were begun from GitHub in the last hour, as Temporal lists them.

    Attributes:
        by_person: By identity, as in `github:alice`.
        by_owner: By whoever owns the repositories, in lower case: an App is installed once for each.
        more: Whether there were more than were counted.
    """

    by_person: Mapping[str, int]
    by_owner: Mapping[str, int]
    more: bool = False


@dataclass(frozen=True, kw_only=True)
class RatesSeen:
    """What a connectors worker said of GitHub's limits, and when."""

    found: RatesFound
    at: datetime


@dataclass(frozen=True, kw_only=True)
class SpendingSeen:
    """What a models worker said of what goals cost, and when.

    Attributes:
        spending: By installation, where there was something to pay.
        at: When.
    """

    spending: Spending
    at: datetime


class UseOfLimits(Protocol):
    """How much is used of what is limited. Each raises `Unavailable`."""

    async def begun(self) -> BegunLately:
        """Goals that were begun from GitHub."""
        ...

    async def github(self) -> RatesSeen:
        """Requests of GitHub's API, as it says itself."""
        ...

    async def spending(self) -> SpendingSeen:
        """What language models cost, by installation of the GitHub App."""
        ...


class Decide(Protocol):
    """Deciding."""

    async def decide(self, click: Click) -> Outcome:
        """Have a click counted, or say why not. Within about three seconds, and never by an exception."""
        ...


class Goals(Protocol):
    """Goals. Each raises `Unavailable`."""

    async def found(self, wanted: GoalFilter, page: str | None = None) -> Listed[GoalRow]:
        """Those that are looked for: the ones under way first, then those that ended last."""
        ...

    async def show(self, goal_id: str, run_id: str | None = None) -> ShownGoal | None:
        """One of them, its newest run where none is named; None where there is none."""
        ...

    async def kept(self, goal_id: str, run_id: str | None = None) -> Sequence[KeptArtifact]:
        """What the result of one of them leaves to take; nothing where there is none."""
        ...

    async def log(self, goal_id: str, run_id: str | None = None) -> Sequence[StepTold] | None:
        """Every step of one of them, the first one first; None where there is none."""
        ...

    async def start(self, goal: GoalType, request: GoalInput, *, identity: str) -> StartedGoal:
        """Start one in this person's name, or find the one that runs."""
        ...


class Opinions(Protocol):
    """What people think of goals."""

    async def on(self, goal_run: str) -> Sequence[KeptOpinion]:
        """Those that hold on one run, the newest first. Raises `Unavailable`."""
        ...

    async def give(  # noqa: PLR0913 - all that an opinion is
        self, *, identity: str, surface: str, goal: str, goal_run: str, verdict: OpinionVerdict, words: str = ""
    ) -> Outcome:
        """Have one kept, or say why not. Within about three seconds, and never by an exception."""
        ...
