"""A kind of leased things, declared once in the `contracts` of the provider's steps.

    BRANCH = LeaseKind(
        name="neon-branch", title="database branch", place=LeasedBranch, longest=timedelta(days=30),
        find=LIST_LEASED_BRANCHES, check=LOOK_AFTER_BRANCH, end=END_BRANCH, extend=PROLONG_BRANCH,
        by_hand=lambda place: f"neonctl branches delete {shlex.quote(place.branch)}",
    )

That and the steps it names are all that a provider implements. The goal takes `BRANCH.lease(…)` before it creates.
"""

import importlib
import pkgutil
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar, cast

from pydantic import BaseModel

import activities
from activities.leases.contracts import (
    PATIENCE,
    UNTIL,
    KindFacts,
    Leased,
    LeasedPage,
    LeaseRequest,
    LeaseStanding,
    ListLeased,
    StepCall,
)
from activities.step import Step
from hitl.protocol import Effect

Place = TypeVar("Place", bound=BaseModel)

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,60}")
_CONTRACTS: Final = "contracts"


class LeaseKindError(Exception):
    """Two kinds have one name. The message lists every such name."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LeaseKind(Generic[Place]):
    """The declaration of one kind.

    Attributes:
        name: `<provider>-<thing>`, unique among all kinds.
        title: As people call one, in the singular.
        place: The request of `check` and `end`: what names the thing at its provider.
        find: Lists all that carry a mark of ours, by the provider's own list.
        check: Looks whether it is gone for good. Ends are verified by it, and by nothing else.
        end: Ends what carries the mark; one that is gone is fine. A write: it ends what its goal made, by an end that
            people knew when the goal began. None for what must not be ended without asking: people are told then.
        extend: Prolongs it there, given what `place` holds, `until` and `ends_at`. None where that costs nothing and
            the provider knows no end.
        by_hand: The command by which a person ends it where we cannot, every value in it quoted for a shell. It is
            told from here and not from a lease: whoever reaches Temporal can start a lease that says anything.
        longest: How long one may live in all.
        patience: How long its end may take before people are told.

    Raises:
        ValueError: The name is not of that form, or a step is not for its part.
    """

    name: str
    title: str
    place: type[Place]
    find: Step[ListLeased, LeasedPage]
    check: Step[Place, Any]
    end: Step[Place, Any] | None
    by_hand: Callable[[Place], str]
    longest: timedelta
    extend: Step[Any, Any] | None = None
    patience: timedelta = PATIENCE

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        problems = [
            *([] if _NAME.fullmatch(self.name) else ["its name must be <provider>-<thing>"]),
            *(
                f"{step.name!r} only looks, and must be declared as a read"
                for step in (self.find, self.check)
                if step.effect is not Effect.READ
            ),
            *(
                f"{step.name!r} is destructive, which takes an approval: leave it out, and people are told"
                for step in (self.end, self.extend)
                if step is not None and step.effect is Effect.DESTRUCTIVE
            ),
            *(
                [f"{self.check.name!r} must answer a LeaseStanding"]
                if not issubclass(self.check.response, LeaseStanding)
                else []
            ),
            *(
                [f"{self.extend.name!r} must take {UNTIL!r}"]
                if self.extend is not None and UNTIL not in self.extend.request.model_fields
                else []
            ),
        ]
        if problems:
            raise ValueError(f"the leases called {self.name!r} cannot be: {'; '.join(problems)}")

    def facts(self) -> KindFacts:
        """The same as data."""
        return KindFacts(
            name=self.name,
            title=self.title,
            find=StepCall.of(self.find),
            check=StepCall.of(self.check),
            end=StepCall.of(self.end) if self.end is not None else None,
            extend=StepCall.of(self.extend) if self.extend is not None else None,
            longest=self.longest,
            patience=self.patience,
        )

    def leased(self, place: Place, *, mark: str, name: str) -> Leased:
        """One such thing.

        Args:
            place: What names it at its provider.
            mark: What it carries there.
            name: As people call it.
        """
        return Leased(mark=mark, name=name, place=place.model_dump(mode="json"))

    def lease(self, leased: Leased, *, now: datetime, ends_at: datetime) -> LeaseRequest:
        """The lease of one, for a goal to take before it creates it."""
        return self.facts().lease(leased, now=now, ends_at=ends_at)


def command_for(lease: LeaseRequest) -> str:
    """How a person ends what a lease holds; empty where this release does not know such things."""
    kind = kinds().get(lease.kind)
    if kind is None:
        return ""
    try:
        return kind.by_hand(kind.place.model_validate(lease.leased.place))
    except ValueError:  # of another release, or of somebody's own making
        return ""


@cache
def kinds() -> Mapping[str, LeaseKind[Any]]:
    """All of them by name, each found where it is declared.

    Raises:
        LeaseKindError: Two have one name.
    """
    modules = [
        importlib.import_module(one.name)
        for one in pkgutil.walk_packages(activities.__path__, f"{activities.__name__}.")
        if one.name.endswith(f".{_CONTRACTS}")
    ]
    declared = [cast("object", one) for module in modules for one in vars(module).values()]
    found = list(dict.fromkeys(cast("LeaseKind[Any]", one) for one in declared if isinstance(one, LeaseKind)))
    if twice := [name for name, times in Counter(one.name for one in found).items() if times > 1]:
        raise LeaseKindError(f"declared more than once: {', '.join(sorted(twice))}")
    return MappingProxyType({one.name: one for one in sorted(found, key=lambda one: one.name)})
