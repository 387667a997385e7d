"""The policy in force and the one function that reads it. Pure and total: every question gets a verdict.

How a verdict is reached, in this order:

1. An effect above the environment's phase is denied. No rule can loosen that. A step that only tells the environment's
   own people (`hitl.tell_…`) is a write that every phase permits: who is told nothing of drift learns nothing from it.
2. A `deny` rule that matches denies, whatever else matches. The order of rules does not matter.
3. An action that any `allow` rule names is allowed where one of these rules matches, and denied elsewhere.
4. An action that no `allow` rule names: `read` and `write` are allowed by the phase; `destructive` is denied.

A rule matches an action by name: `github.read_file`, `github.*` for all of one system, or `*`. Its `where` compares
fields of the step's context, each by itself and without regard to case (so does GitHub): the whole value, in which
`*` stands for any characters; `cost` is compared as a number, `<= 20` or `> 20`. A field that the step does not say
counts against it: a `deny` still matches, an `allow` does not.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, assert_never

from hitl.approval.approvers import ApprovalRule, Path, People
from hitl.approval.stricter import Stricter
from hitl.policy.raw import COST
from hitl.policy.triggers import GitHubPolicy
from hitl.protocol import Effect, Phase, PolicyContext, Refusal, RefusalReason, tells


def names_action(pattern: str, action: str) -> bool:
    """Whether `*`, `system.*` or an action's name is about this action."""
    system = pattern.removesuffix(".*")
    return pattern in {"*", action} or (system != pattern and action.startswith(f"{system}."))


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One line of the policy.

    Attributes:
        name: Its place in the file, `environments.local.actions[0]`.
        line: The line it starts on.
        verdict: What it decides where it matches.
        action: An action's name, `system.*`, or `*`.
        where: Context fields and the pattern that each must match.
        because: The reason that its author gave, for people.
        way_out: Who can change it, and where.
    """

    name: str
    line: int
    verdict: Literal["allow", "deny"]
    action: str
    where: Mapping[str, str] = field(default_factory=dict[str, str])
    because: str | None = None
    way_out: str = "an operator can change that rule in the policy file"

    def __str__(self) -> str:
        """How messages name it."""
        return f"{self.name} (line {self.line})"

    def names(self, action: str) -> bool:
        """Whether it is about this action."""
        return names_action(self.action, action)

    def covers(self, context: PolicyContext) -> bool:
        """Whether its `where` holds for this context; a field that is not said holds for `deny` only."""
        return not self.unmet(context)

    def unmet(self, context: PolicyContext) -> tuple[str, ...]:
        """The fields of its `where` that do not hold for this context."""
        said, unsaid = context.fields(), self.verdict == "deny"
        return tuple(
            name for name, holds in self._conditions.items() if not (holds(said[name]) if name in said else unsaid)
        )

    @cached_property
    def _conditions(self) -> Mapping[str, Callable[[str], bool]]:
        return {name: _cost(said) if name == "cost" else _pattern(said) for name, said in self.where.items()}


def _pattern(text: str) -> Callable[[str], bool]:
    compiled = re.compile(".*".join(map(re.escape, text.split("*"))), re.IGNORECASE | re.DOTALL)
    return lambda value: compiled.fullmatch(value) is not None


def _cost(text: str) -> Callable[[str], bool]:
    found = COST.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no comparison of costs: the policy was not loaded from a file")
    limit = int(found[2])
    return (lambda value: int(value) <= limit) if found[1] == "<=" else (lambda value: int(value) > limit)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The most that steps may cost together, in US cents.

    Attributes:
        day: All of the environment, on one day of UTC's; None for no cap.
        goal: One run of a goal; None for no cap.
        set_by: Where a service's own file set the cap, by the cap's name; nothing where the deployment did.
    """

    day: int | None = None
    goal: int | None = None
    set_by: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)

    def way_out(self, cap: str) -> str:
        """Who can raise a cap, and where."""
        if where := self.set_by.get(cap):
            return f"have the service's owners raise it in {where}"
        return f"have an operator raise `budget.{cap}` in the policy file"

    def refuse(self, cents: int) -> Refusal | None:
        """Why something of that cost can never have room, or None where it may."""
        for name, cap in (("goal", self.goal), ("day", self.day)):
            if cap is not None and cents > cap:
                return Refusal(
                    reason=RefusalReason.BUDGET,
                    explanation=f"It may cost ${cents / 100:,.2f}, and the budget for one {name} is ${cap / 100:,.2f}; "
                    f"plan something cheaper, or {self.way_out(name)}.",
                )
        return None


@dataclass(frozen=True, kw_only=True)
class RollOut:
    """What must be seen of an environment before people raise its phase. Nothing is raised by itself.

    Attributes:
        days: Since the phase began.
        goals: That ended in it.
        wrong_percent: Of these, at most so many may have ended wrong: failed, in doubt, or called wrong by a person.
        doubtful: Effects of which nobody can say whether they were carried out whole; at most.
        opinions: Goals of which somebody said whether they were useful.
    """

    days: int = 14
    goals: int = 20
    wrong_percent: int = 5
    doubtful: int = 0
    opinions: int = 5


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What the agent may do in one environment."""

    phase: Phase
    rules: tuple[Rule, ...] = ()
    approvals: tuple[ApprovalRule, ...] = ()
    slack_channel: str | None = None
    """Where approvals are posted, by its id; a click elsewhere does not count."""
    budget: Budget | None = None
    """None: nothing caps what steps cost."""
    phase_set_by: str = ""
    """Where a service's own file lowered the phase; empty where it is the deployment's."""
    roll_out: RollOut = field(default_factory=RollOut)
    """Read by `banksman rollout report` alone: no step is allowed by it."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A whole policy file, valid. Made by `hitl.policy.file.load_policy`."""

    source: str
    environments: Mapping[str, Environment]
    people: People = field(default_factory=People)
    digest: str = field(default="", compare=False)
    """Of the file's bytes; another file that says the same is the same policy all the same."""
    github: GitHubPolicy = field(default_factory=GitHubPolicy)
    """Who may have what begun from GitHub; nothing by itself."""
    tightened_by: Stricter | None = None
    """What a plan asked that this policy holds already (`hitl.policy.together`)."""


@dataclass(frozen=True, kw_only=True)
class Allow:
    """The step may run; `rule` is None where the phase alone decided."""

    phase: Phase
    rule: str | None
    explanation: str


@dataclass(frozen=True, kw_only=True)
class Deny:
    """The step may not run; `phase` is None where the environment is unknown."""

    reason: RefusalReason
    phase: Phase | None
    rule: str | None
    explanation: str


Verdict = Allow | Deny


def approval_rule(
    policy: Policy, environment: str, *, action: str, path: Path = Path.ORDINARY
) -> ApprovalRule | Refusal:
    """Who approves this action: the rule that names it most closely, whatever their order; without one, nobody can."""
    settings = policy.environments.get(environment)
    named = [rule for rule in (settings.approvals if settings else ()) if names_action(rule.action, action)]
    closest = [rule for rule in sorted(named, key=_closeness) if rule.path is path]
    # A break-glass path belongs to its rule: one of a wider rule is none of this action's.
    ordinary = min(named, key=_closeness, default=None)
    if closest and ordinary and closest[0].action == ordinary.action:
        return closest[0]
    add = f"- {{action: {action}, groups: [GROUP]}}" if path is Path.ORDINARY else "break_glass: {groups: [GROUP]}"
    return Refusal(
        reason=RefusalReason.NO_RULE,
        explanation=f"Nobody can approve {action!r} in {environment!r}: {policy.source} has no rule for it on the "
        f"{path} path; an operator can add `{add}` under `approvals`.",
    )


def _closeness(rule: ApprovalRule) -> int:
    """0 for a rule that names one action, 1 for a system, 2 for all."""
    return 2 if rule.action == "*" else 1 if rule.action.endswith(".*") else 0


def evaluate(policy: Policy, environment: str, *, action: str, effect: Effect, context: PolicyContext) -> Verdict:
    """Decide whether `action` may run in `environment`. Never raises; see the top of this module for the order."""
    settings = policy.environments.get(environment)
    if settings is None:
        return _unknown(policy, environment)
    if not settings.phase.permits(effect) and not tells(action, effect):
        return _above_phase(settings, environment, action=action, effect=effect)
    named = [rule for rule in settings.rules if rule.names(action)]
    matching = [rule for rule in named if rule.covers(context.of_action(action))]
    for rule in matching:
        if rule.verdict == "deny":
            return _forbidden(settings.phase, rule, action=action)
    for rule in matching:
        return Allow(phase=settings.phase, rule=str(rule), explanation=f"{action!r} is allowed by {rule}.")
    if allows := [rule for rule in named if rule.verdict == "allow"]:
        return _not_covered(settings.phase, allows, action=action)
    return _unnamed(settings.phase, environment, action=action, effect=effect)


def _unknown(policy: Policy, environment: str) -> Deny:
    known = ", ".join(map(repr, policy.environments)) or "none"
    return Deny(
        reason=RefusalReason.UNKNOWN_ENVIRONMENT,
        phase=None,
        rule=None,
        explanation=f"{policy.source} does not name the environment {environment!r}; it names {known}.",
    )


def _above_phase(settings: Environment, environment: str, *, action: str, effect: Effect) -> Deny:
    phase, lowered = settings.phase, settings.phase_set_by
    operator = "an operator can raise the phase in the policy file"
    way_out = "its owners can raise it there, as far as the deployment goes" if lowered else operator
    return Deny(
        reason=RefusalReason.PHASE,
        phase=phase,
        rule=lowered or f"environments.{environment}.phase",
        explanation=f"{action!r} is a {effect} step and {environment!r} is in phase {phase}"
        f"{f' by {lowered}' if lowered else ''}, which does not permit it; {way_out}.",
    )


def _forbidden(phase: Phase, rule: Rule, *, action: str) -> Deny:
    because = f": {rule.because}" if rule.because else ""
    return Deny(
        reason=RefusalReason.DENY_RULE,
        phase=phase,
        rule=str(rule),
        explanation=f"{action!r} is denied by {rule}{because}; {rule.way_out}.",
    )


def _not_covered(phase: Phase, allows: list[Rule], *, action: str) -> Deny:
    return Deny(
        reason=RefusalReason.NO_ALLOW_RULE,
        phase=phase,
        rule=str(allows[0]),
        explanation=f"{action!r} is allowed only where {_conditions(allows)}, and this step is not; "
        "an operator can add a rule to the policy file.",
    )


def _unnamed(phase: Phase, environment: str, *, action: str, effect: Effect) -> Verdict:
    match effect:
        case Effect.READ | Effect.WRITE:
            whom = "only tells people" if tells(action, effect) else f"is a {effect} step"
            explanation = f"{action!r} {whom}, and phase {phase} of {environment!r} permits it."
            return Allow(phase=phase, rule=None, explanation=explanation)
        case Effect.DESTRUCTIVE:
            return Deny(
                reason=RefusalReason.NO_ALLOW_RULE,
                phase=phase,
                rule=None,
                explanation=f"{action!r} is destructive and no rule of {environment!r} names it; "
                f"an operator can add `- allow: {action}` to the policy file.",
            )
        case _:
            assert_never(effect)


def _conditions(rules: list[Rule]) -> str:
    return ", or ".join(
        " and ".join(f"{name} is {pattern!r}" for name, pattern in rule.where.items()) + f" ({rule})" for rule in rules
    )
