"""What somebody wants to know of the policy, read from the address of the page: nothing is done by asking."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from activities.catalogue import meant, steps
from activities.step import Step
from hitl.github.rules import Asked, named_by, refuse
from hitl.policy.explain import Weighed, explain, weigh
from hitl.policy.rules import Allow, Policy, evaluate
from hitl.policy.triggers import Permission, SlashCommand, Trigger, TriggerRule
from hitl.protocol import Effect, PolicyContext

FIELDS: Final = ("action", "repository", "account", "resource", "purpose", "labels", "requester", "cost")
"""Of a question about a step."""
GITHUB_FIELDS: Final = ("event", "command", "on", "permission", "goal")
"""Of a question about GitHub."""
_LONGEST: Final = 200


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What would happen to a step.

    Attributes:
        allowed: Whether the guard would let it run; a destructive one only with an approval.
        told: In words, as `banksman policy explain` says it.
        rules: Every rule, and what it has to do with that.
    """

    action: str
    effect: Effect
    allowed: bool
    told: str
    rules: tuple[Weighed, ...]


@dataclass(frozen=True, kw_only=True)
class Begun:
    """Whether something may be begun from GitHub.

    Attributes:
        refusal: Why not; None where it may.
        rules: Those that are about what happens, whoever caused it.
    """

    refusal: str | None
    rules: tuple[TriggerRule, ...]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What was typed.

    Attributes:
        given: By field.
        problems: What is wrong, by field.
    """

    given: Mapping[str, str]
    problems: Mapping[str, str] = field(default_factory=dict[str, str])
    answer: Answer | None = None
    begun: Begun | None = None


def ask(policy: Policy, environment: str, query: Mapping[str, str]) -> Question:
    """The answer to what an address asks, or what is wrong with it."""
    given = {name: query.get(name, "").strip()[:_LONGEST] for name in (*FIELDS, *GITHUB_FIELDS)}
    problems: dict[str, str] = {}
    answer = _of_step(policy, environment, given, problems) if given["action"] else None
    begun = _from_github(policy, given, problems) if given["event"] else None
    return Question(given=given, problems=problems, answer=answer, begun=begun)


def _of_step(policy: Policy, environment: str, given: Mapping[str, str], problems: dict[str, str]) -> Answer | None:
    step = steps().get(given["action"])
    if step is None:
        close = meant(given["action"])
        problems["action"] = f"No step is called {given['action']!r}" + (f"; did you mean {close!r}?" if close else ".")
        return None
    context = _context(given, problems)
    return _answer(policy, environment, step, context) if context is not None else None


def _context(given: Mapping[str, str], problems: dict[str, str]) -> PolicyContext | None:
    if given["cost"] and not (given["cost"].isascii() and given["cost"].isdecimal() and len(given["cost"]) < 10):  # noqa: PLR2004 - as many digits as a rule can have
        problems["cost"] = "Write whole US dollars a month, as in 20."
        return None
    said = {name: given[name] for name in ("account", "resource", "purpose", "labels", "requester") if given[name]}
    try:
        start = PolicyContext.of_repository(given["repository"]) if given["repository"] else PolicyContext()
    except ValueError as error:
        problems["repository"] = str(error)
        return None
    return start.model_copy(update=said | ({"cost": int(given["cost"])} if given["cost"] else {}))


def _answer(policy: Policy, environment: str, step: Step[Any, Any], context: PolicyContext) -> Answer:
    verdict = evaluate(policy, environment, action=step.name, effect=step.effect, context=context)
    return Answer(
        action=step.name,
        effect=step.effect,
        allowed=isinstance(verdict, Allow),
        told=explain(policy, environment, action=step.name, effect=step.effect, context=context),
        rules=weigh(policy, environment, action=step.name, effect=step.effect, context=context),
    )


def _from_github(policy: Policy, given: Mapping[str, str], problems: dict[str, str]) -> Begun | None:
    try:
        asked = Asked(
            trigger=Trigger(given["event"]),
            command=SlashCommand(given["command"]) if given["command"] else None,
            repository=given["on"],
            permission=Permission(given["permission"] or Permission.NONE),
            goal=given["goal"] or None,
        )
    except ValueError as error:
        problems["event"] = f"{error}; choose one of the list."
        return None
    if given["on"].count("/") != 1:
        problems["on"] = f"{given['on']!r} is not OWNER/NAME; write for example acme/shop"
        return None
    rules = named_by(policy, asked.trigger, asked.command, asked.repository)
    return Begun(refusal=refuse(asked, policy, None), rules=rules)
