"""Who may approve what: people with their identities, groups of them, and one rule per action. Pure.

A rule's digest is signed with every decision. It covers what people agreed to (environment, action, path, group
names, quorum, times, limits) and neither members nor the rest of the file: an edit elsewhere does not void a week of
waiting, and who left a group is found out by looking, each time.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from pydantic import JsonValue

from hitl.approval.decision import UNVERIFIED
from hitl.approval.plan import Cost
from hitl.canonical import canonical_json, tagged_digest
from hitl.protocol import Refusal, RefusalReason

_RULE_TAG: Final = "banksman-rule/v1"


class Requesters(StrEnum):
    """What becomes of a request of which nobody can say who made it."""

    DENY = "deny"
    ONE_MORE = "one_more"
    """One more person must approve: at least as many others as the rule wants, whoever asked."""
    ALLOW = "allow"
    """Only in the embedded environment's environment."""


class Mentions(StrEnum):
    """Whom a new approval mentions in Slack, of those who can decide."""

    ALL = "all"
    FIRST = "first"
    """As many as must approve, in the order in which the policy names people."""
    NONE = "none"


class Path(StrEnum):
    """The two ways to an approval."""

    ORDINARY = "ordinary"
    BREAK_GLASS = "break_glass"
    """In an emergency: people of its own, two of them, one hour in all, and loud."""


BREAK_GLASS_QUORUM: Final = 2
BREAK_GLASS_APPROVE_WITHIN: Final = timedelta(minutes=30)
BREAK_GLASS_EXECUTE_WITHIN: Final = timedelta(minutes=30)

LONGEST_WAIT: Final = timedelta(days=366)
"""The longest time that a rule can name. A date that lies absurdly far ahead cannot be told, and nor can its end."""


@dataclass(frozen=True, kw_only=True)
class Escalation:
    """Whom to ask as well, when nobody answers."""

    group: str
    after: timedelta


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key by which a person confirms, as WebAuthn has it.

    Attributes:
        id: The credential's, in base64 for addresses.
        public_key: In COSE, written likewise.
        host: Of the console that it was made at; the browser uses it nowhere else.
    """

    id: str
    public_key: str
    host: str


class StepUps(StrEnum):
    """What an approval takes besides a click."""

    WEBAUTHN = "webauthn"
    """A key of the person, on a page of the console."""


@dataclass(frozen=True, kw_only=True)
class ApprovalRule:
    """Who approves one action, in one environment, on one path.

    Attributes:
        name: Its place in the file, `environments.live.approvals[0]`.
        line: The line it starts on.
        action: An action's name, `system.*`, or `*`.
        groups: A person of any of these may decide.
        quorum: So many people must approve.
        approve_within: Then it is over.
        execute_within: From the last approval on; then it is over.
        remind_after: When those who did not answer are asked again.
        cost_limits: US dollars by `once`, `hour` or `month`; empty for no limit.
        mention: Whom a new message mentions. Nobody agreed to that, so it is not in the digest.
        step_up: What approving takes besides a click; None for nothing.
        also: Of each of these groups somebody must be among those who approve. They decide as members of `groups`:
            nobody may decide by this. Only what a repository asks for says it (`hitl.policy.tighten`).
        tightened_by: The file that tightened it and its lines, for people; empty for a rule as the deployment has it.
        loosest: The deployment's own rule that it was tightened from. What that one limits it limits still.
    """

    name: str
    line: int
    action: str
    path: Path = Path.ORDINARY
    groups: tuple[str, ...]
    quorum: int = 1
    approve_within: timedelta = timedelta(days=7)
    execute_within: timedelta = timedelta(hours=1)
    remind_after: timedelta | None = None
    escalation: Escalation | None = None
    cost_limits: Mapping[str, int] = field(default_factory=dict[str, int])
    unverified_requester: Requesters = Requesters.ONE_MORE
    mention: Mentions = Mentions.ALL
    step_up: StepUps | None = None
    also: tuple[str, ...] = ()
    tightened_by: str = ""
    loosest: "ApprovalRule | None" = None

    def __str__(self) -> str:
        """How messages name it."""
        return f"{self.name} (line {self.line})" + (f", tightened by {self.tightened_by}" if self.tightened_by else "")

    @property
    def all_groups(self) -> tuple[str, ...]:
        """Those asked at once, and the one asked later: the guard cannot tell when somebody was asked."""
        return (*self.groups, *((self.escalation.group,) if self.escalation else ()))

    def digest(self, environment: str, action: str) -> str:
        """What is signed of this rule. `action` is the one to be carried out, not the rule's pattern."""
        escalation = self.escalation
        agreed: dict[str, JsonValue] = {
            "environment": environment,
            "action": action,
            "path": self.path.value,
            "groups": list[JsonValue](sorted(self.groups)),
            "quorum": self.quorum,
            "approve_within": _seconds(self.approve_within),
            "execute_within": _seconds(self.execute_within),
            "escalation": [escalation.group, _seconds(escalation.after)] if escalation else None,
            "cost_limits": dict[str, JsonValue](self.cost_limits),
            "unverified_requester": self.unverified_requester.value,
        }
        if self.step_up is not None:  # a rule without one has the digest that it had before there was any
            agreed["step_up"] = self.step_up.value
        if self.also:
            agreed["also"] = list[JsonValue](sorted(self.also))
        return tagged_digest(_RULE_TAG, canonical_json(agreed))

    def needs(self, requester: str) -> int:
        """How many people must approve what this requester asked for."""
        more = requester == UNVERIFIED and self.unverified_requester is Requesters.ONE_MORE
        return self.quorum + (1 if more else 0)

    def refuse_cost(self, cost: Cost | None) -> Refusal | None:
        """Why a plan of this cost cannot be approved under this rule, or None."""
        if not self.cost_limits:
            return None
        if cost is None:
            return Refusal(
                reason=RefusalReason.COST_LIMIT,
                explanation=f"The plan does not say what it costs, and {self} has a cost limit; plan with its cost.",
            )
        limit = self.cost_limits.get(cost.per, 0)
        if cost.usd_cents <= limit * 100:
            return None
        asked = f"${cost.usd_cents / 100:.2f} {_PER[cost.per]}"
        return Refusal(
            reason=RefusalReason.COST_LIMIT,
            explanation=f"The plan costs {asked}, and {self} allows ${limit} {_PER[cost.per]}; "
            f"plan something smaller, or ask {self._who_limits(cost)}.",
        )

    def _who_limits(self, cost: Cost) -> str:
        if self.loosest is not None and self.loosest.refuse_cost(cost) is None:
            return f"the service's owners to raise the limit in {self.tightened_by}"
        return "an operator to raise the limit in the policy file"


_PER: Final[Mapping[str, str]] = {"once": "once", "hour": "an hour", "month": "a month"}


@dataclass(frozen=True, kw_only=True)
class People:
    """Everybody whom a policy names."""

    identities: Mapping[str, str] = field(default_factory=dict[str, str])
    """Person by identity, as in `slack:U0ALICE`."""
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    """Persons by group."""
    keys: Mapping[str, tuple[Key, ...]] = field(default_factory=dict[str, tuple[Key, ...]])
    """What they confirm with, by person."""

    def person(self, identity: str) -> str | None:
        """Who that is, or None for somebody whom the policy does not know."""
        return self.identities.get(folded(identity))

    def requester(self, identity: str) -> str:
        """The person who asked, or `unverified`: one whom no person is known for cannot be told from an approver."""
        return self.identities.get(folded(identity), UNVERIFIED)

    def members(self, groups: tuple[str, ...]) -> frozenset[str]:
        """Everybody in any of these groups."""
        return frozenset(person for group in groups for person in self.groups.get(group, ()))


def _seconds(time: timedelta) -> int:
    return int(time.total_seconds())


def folded(identity: str) -> str:
    """An identity as it is compared with who acts: GitHub's logins and mail addresses are the same in every case.

    Of ASCII's letters only. What merely looks the same, or is the same after Unicode's normalisation, is somebody
    else here: a provider may have given it to anybody.
    """
    if not (identity.startswith("github:") or "@" in identity):
        return identity
    return "".join(one.lower() if one.isascii() else one for one in identity)


def spelling(identity: str) -> str:
    """What two identities have in common that nobody should have to tell apart: Unicode's form and case do not count.

    Of a mail address, neither does the surface: it is one mailbox in the console and in Temporal.
    """
    text = identity.partition(":")[2] if "@" in identity else identity
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
