"""Every step says where it is defined what it may do; a worker that holds one which does not refuses to start.

Light enough for workflow code, which names steps by these functions. What enforces the declarations at every
execution is `activities.guard`.

    class GitHubSteps:
        @step(name="github.read_file", effect=Effect.READ)
        async def read_file(self, request: ReadFile) -> FileContent: ...
"""

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import cache
from typing import Final, TypeVar, get_origin, get_type_hints

from temporalio import activity

from hitl.protocol import Effect

ORDINARY_EFFECTS: Final = frozenset({Effect.READ, Effect.WRITE})
"""What every worker but one may run."""

DESTRUCTIVE_EFFECTS: Final = frozenset({Effect.DESTRUCTIVE})
"""What the destructive worker may run, and nothing else."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_EFFECT_MARK: Final = "__banksman_effect__"

Step = TypeVar("Step", bound=Callable[..., Awaitable[object]])


class EffectError(Exception):
    """A worker was given steps that it must not run. The message lists every one."""


def step(*, name: str, effect: Effect) -> Callable[[Step], Step]:
    """Declare an async function or method as the step `name` with what it may do. Its type stays as it is.

    Args:
        name: `<system>.<verb>_<noun>`, unique among all steps; policy rules and the audit log use it.
        effect: What it may do at most.

    Raises:
        TypeError: At import, when the step is not async or takes more than one request.
        ValueError: At import, when the name is not of that form.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a step's name; write <system>.<verb>_<noun>, as in github.read_file")

    def declare(fn: Step) -> Step:
        if not inspect.iscoroutinefunction(fn):
            raise TypeError(f"step {name!r} must be an async function")
        # One request model and no defaults: the guard can then trust that what it looked at is what the step gets.
        parameters = [one for one in inspect.signature(fn).parameters.values() if one.name != "self"]
        if len(parameters) > 1 or any(one.default is not inspect.Parameter.empty for one in parameters):
            raise TypeError(f"step {name!r} must take one request, without a default, and nothing else")
        activity.defn(name=name)(fn)
        setattr(fn, _EFFECT_MARK, effect)
        return fn

    return declare


def declared_effect(fn: Callable[..., object]) -> Effect | None:
    """What the step declared, or None where it declared nothing."""
    effect: object = getattr(fn, _EFFECT_MARK, None)
    return effect if isinstance(effect, Effect) else None


def fits(fn: Callable[..., object], args: Sequence[object]) -> bool:
    """Whether a step is about to be called with the one request it declares.

    Temporal's SDK decodes arguments by their types only when their number is right, and hands over plain JSON
    otherwise: a policy that looked at such arguments would look at nothing.
    """
    expected = _request_types(inspect.unwrap(getattr(fn, "__func__", fn)))
    return len(args) == len(expected) and all(map(isinstance, args, expected))


@cache
def _request_types(fn: Callable[..., object]) -> tuple[type, ...]:
    """The class of each parameter but `self`; `object` for what is not a plain class."""
    try:
        hints = get_type_hints(fn)
    except NameError:  # a type that only the function's author can see, as in a test's local class
        hints = {}
    names = [name for name in inspect.signature(fn).parameters if name != "self"]
    classes = (hints.get(name) for name in names)
    return tuple(one if isinstance(one, type) and get_origin(one) is None else object for one in classes)


def require_declared(
    activities: Iterable[Callable[..., object]], *, role: str, effects: frozenset[Effect] = ORDINARY_EFFECTS
) -> None:
    """Refuse to start a worker that holds a step which declares no effect, or one that its role must not run.

    Args:
        activities: Everything the worker would register.
        role: The worker's role, for the message.
        effects: What that role may run: `ORDINARY_EFFECTS`, or `DESTRUCTIVE_EFFECTS` for the destructive worker.

    Raises:
        EffectError: Naming every such step.
    """
    problems: list[str] = []
    for fn in activities:
        effect = declared_effect(fn)
        if effect is None:
            problems.append(f"{_named(fn)!r} declares no effect; define it with @step(name=…, effect=…)")
        elif effect not in effects:
            problems.append(f"{_named(fn)!r} is {effect}; register it with the worker whose role runs such steps")
    if problems:
        listed = "".join(f"\n  - {problem}" for problem in problems)
        allowed = ", ".join(effect for effect in Effect if effect in effects)
        raise EffectError(f"the {role!r} worker runs {allowed} steps and cannot start with:{listed}")


def _named(fn: Callable[..., object]) -> str:
    """The name it is registered by, else the one in its source."""
    definition: object = getattr(fn, "__temporal_activity_definition", None)
    name: object = getattr(definition, "name", None) or getattr(fn, "__qualname__", None)
    return str(name or fn)
