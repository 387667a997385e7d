"""A step, declared once: its name, request and response, what it may do, where it runs and how often it is tried.

Light enough for workflow code, which calls steps by these declarations and imports no implementation. What enforces
them at every execution is `activities.guard.interceptor`.

    READ_FILE = Step(name="github.read_file", request=ReadFileRequest, response=FileRead, effect=Effect.READ)

    class GitHubSteps:
        @implements(READ_FILE)
        async def read_file(self, request: ReadFileRequest) -> FileRead: ...
"""

import inspect
import re
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, get_type_hints

from pydantic import BaseModel
from temporalio import activity

from activities.presets import DESTROY, READ, WRITE, Preset
from activities.queues import PEOPLE_QUEUES, TaskQueue
from connectors.provider import Credential, Maker
from hitl.protocol import Effect, tells

Request = TypeVar("Request", bound=BaseModel)
Response = TypeVar("Response")
Owner = TypeVar("Owner")

ORDINARY_EFFECTS: Final = frozenset({Effect.READ, Effect.WRITE})
"""What every worker but one may run."""

DESTRUCTIVE_EFFECTS: Final = frozenset({Effect.DESTRUCTIVE})
"""What the destructive worker may run, and nothing else."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_MARK: Final = "__banksman_step__"
_QUEUES: Final = {
    Effect.READ: TaskQueue.CONNECTORS,
    Effect.WRITE: TaskQueue.CONNECTORS,
    Effect.DESTRUCTIVE: TaskQueue.DESTRUCTIVE,
}
_PRESETS: Final = {Effect.READ: READ, Effect.WRITE: WRITE, Effect.DESTRUCTIVE: DESTROY}


class StepError(Exception):
    """A worker was given steps that it must not run. The message lists every one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Step(Generic[Request, Response]):
    """The declaration of one step.

    Attributes:
        name: `<system>.<verb>_<noun>`, unique among all steps; policy rules and the audit log use it.
        request: The model of the one thing that it is given.
        response: What it answers.
        effect: What it may do at most.
        credential: What it is given; None where it needs none, or is given what another step sealed.
        on: The queue that takes it, where that is not its effect's.
        tried: How often and how long it is tried, where that is not as its effect says.
        gives_up: It only takes away what a grant allows: it needs the grant, and no rule of the policy.
        owned: Only a workflow may ask for it, as for every destructive step, and the audit log keeps digests of what
            was asked and answered, as of every step with an effect: somebody pays for it.

    Raises:
        ValueError: The name is not of that form, or queue or credential are not for that effect, or not for each other.
    """

    name: str
    request: type[Request]
    response: type[Response]
    effect: Effect
    credential: Credential | None = None
    on: TaskQueue | None = None
    tried: Preset | None = None
    gives_up: bool = False
    owned: bool = False

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"{self.name!r} is not a step's name; write <system>.<verb>_<noun>, as in github.read_file"
            )
        if (self.queue is TaskQueue.DESTRUCTIVE) is not (self.effect is Effect.DESTRUCTIVE):
            raise ValueError(f"step {self.name!r} is {self.effect} and cannot run on {self.queue}")
        if tells(self.name, self.effect) and self.queue not in PEOPLE_QUEUES:
            raise ValueError(f"step {self.name!r} is named like one that only tells people, and runs on {self.queue}")
        if self.credential is not None and self.credential.destroys is not (self.effect is Effect.DESTRUCTIVE):
            raise ValueError(f"step {self.name!r} is {self.effect} and cannot be given {self.credential.name!r}")
        if self.credential is not None and (self.credential.made_by is Maker.MODELS) is not (
            self.queue is TaskQueue.MODELS
        ):
            raise ValueError(f"step {self.name!r} runs on {self.queue}, where nobody makes {self.credential.name!r}")

    @property
    def queue(self) -> TaskQueue:
        """Where it is put."""
        return self.on or _QUEUES[self.effect]

    @property
    def preset(self) -> Preset:
        """Its timeouts and retries."""
        return self.tried or _PRESETS[self.effect]

    def fits(self, args: Sequence[object]) -> bool:
        """Whether these are the one request that it declares.

        Temporal's SDK decodes arguments by their types only when their number is right, and hands over plain JSON
        otherwise: a policy that looked at such arguments would look at nothing.
        """
        return len(args) == 1 and isinstance(args[0], self.request)


class implements(Generic[Request, Response]):  # noqa: N801 - a decorator
    """Makes an async method the implementation of a step. The method stays as it is.

    Raises:
        TypeError: At import, when its request and answer are not those of the step.
    """

    def __init__(self, step: Step[Request, Response]) -> None:
        self._step = step

    def __call__(
        self, method: Callable[[Owner, Request], Coroutine[Any, Any, Response]]
    ) -> Callable[[Owner, Request], Coroutine[Any, Any, Response]]:
        """Mark it."""
        step = self._step
        if not inspect.iscoroutinefunction(method):
            raise TypeError(f"step {step.name!r} must be an async method")
        # One request model and no defaults: the guard can then trust that what it looked at is what the step gets.
        parameters = list(inspect.signature(method).parameters.values())[1:]
        hints = get_type_hints(method)
        wanted = [step.request, step.response]
        found = [*(hints.get(one.name) for one in parameters), hints.get("return")]
        if found != wanted or any(one.default is not inspect.Parameter.empty for one in parameters):
            raise TypeError(
                f"step {step.name!r} must take one request, a {step.request.__name__} without a default, and answer a "
                f"{step.response.__name__}"
            )
        activity.defn(name=step.name)(method)
        setattr(method, _MARK, step)
        return method


def step_of(fn: Callable[..., object]) -> Step[Any, Any] | None:
    """The step that it implements, or None where it implements none."""
    step: object = getattr(fn, _MARK, None)
    return step if isinstance(step, Step) else None  # pyright: ignore[reportUnknownVariableType] - of any


def implemented(*owners: object) -> list[Callable[..., Any]]:
    """All steps that these objects implement, by the names of their methods. Nothing else of them is looked at."""
    return [
        getattr(owner, name)
        for owner in owners
        for name, found in inspect.getmembers_static(type(owner), callable)
        if step_of(found) is not None
    ]


def require_declared(
    activities: Iterable[Callable[..., object]],
    *,
    role: str,
    effects: frozenset[Effect] = ORDINARY_EFFECTS,
    queues: frozenset[TaskQueue] = frozenset(TaskQueue),
) -> None:
    """Refuse to start a worker that holds what implements no step, or a step that its role must not run.

    Args:
        activities: Everything the worker would register.
        role: The worker's role, for the message.
        effects: What that role may run: `ORDINARY_EFFECTS`, or `DESTRUCTIVE_EFFECTS` for the destructive worker.
        queues: That role's own.

    Raises:
        StepError: Naming every such step.
    """
    problems: list[str] = []
    for fn in activities:
        step = step_of(fn)
        if step is None:
            problems.append(f"{_named(fn)!r} implements no step; declare a Step and mark it with @implements(…)")
        elif step.effect not in effects:
            problems.append(f"{step.name!r} is {step.effect}; register it with the worker whose role runs such steps")
        elif step.queue not in queues:
            problems.append(f"{step.name!r} is put on {step.queue}; register it with the worker that takes that queue")
    if problems:
        listed = "".join(f"\n  - {problem}" for problem in problems)
        allowed = ", ".join(effect for effect in Effect if effect in effects)
        raise StepError(f"the {role!r} worker runs {allowed} steps and cannot start with:{listed}")


def _named(fn: Callable[..., object]) -> str:
    """The name it is registered by, else the one in its source."""
    definition: object = getattr(fn, "__temporal_activity_definition", None)
    name: object = getattr(definition, "name", None) or getattr(fn, "__qualname__", None)
    return str(name or fn)
