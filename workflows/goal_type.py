"""A goal, declared once: its name, input, result, effect and an example, apart from the workflow that carries it out.

    READ_FILE = GoalType(name="ReadFile", input=ReadFileInput, result=ReadFileResult, effect=Effect.READ, example=…)

    @goal(READ_FILE)
    class ReadFileWorkflow(Goal): ...

The declaration lies in a module called `goals`, and the workflow in one beside it: Temporal's sandbox loads the module
of a workflow anew for every run, and pydantic would build the models in it each time (decision 0019).
"""

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeVar, get_type_hints

from temporalio import workflow

from activities.queues import TaskQueue
from hitl.plan_language.catalogue import PRIVATE, Shape
from hitl.protocol import Effect
from workflows.contracts import GoalInput, GoalResult

_Workflow = TypeVar("_Workflow", bound=type)
_MARK: Final = "__banksman_goal__"


@dataclass(frozen=True, kw_only=True, eq=False)
class GoalType:
    """The declaration of one goal.

    Attributes:
        name: The workflow type, as it is typed.
        input: The model of its one argument.
        result: The model of its result.
        effect: The strongest effect any of its steps has.
        example: An input that works on the embedded environment.
        needs: The part of an environment without which it waits.
        rehearses: Of which providers a rehearsal copies the state: those, of these, that an input reaches. Without any,
            it cannot be rehearsed.
        data: Labels of what its result holds: which language models may be told of it. What nobody has thought of is
            private.
        shape: Where its result depends on its input.

    Raises:
        ValueError: The example is of another goal.
    """

    name: str
    input: type[GoalInput]
    result: type[GoalResult]
    effect: Effect
    example: GoalInput
    needs: Literal["sandbox", "stacks"] | None = None
    rehearses: frozenset[str] = frozenset()
    data: tuple[str, ...] = PRIVATE
    shape: Shape | None = None

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if type(self.example) is not self.input:
            raise ValueError(f"goal {self.name!r} takes {self.input.__name__}; its example is another model")

    @property
    def description(self) -> str:
        """What it does, in one sentence."""
        return (self.input.__doc__ or "").strip().splitlines()[0]

    @property
    def example_json(self) -> str:
        """The example, as it is typed on a command line."""
        return json.dumps(self.example.model_dump(mode="json", exclude_unset=True), separators=(",", ":"))

    def temporal_command(self, *, address: str | None = None, namespace: str | None = None) -> str:
        """The same, for the Temporal CLI: at this address and in this namespace, where they are told."""
        told = {"--address": address, "--namespace": namespace}
        where = "".join(f" {option} {shlex.quote(value)}" for option, value in told.items() if value is not None)
        return (
            f"temporal workflow execute{where} --type {self.name} --task-queue {TaskQueue.GOALS} "
            f"--workflow-id demo --input {shlex.quote(self.example_json)}"
        )


def goal(declared: GoalType) -> Callable[[_Workflow], _Workflow]:
    """Makes a class the workflow of a goal.

    Raises:
        TypeError: At import, when what it takes and gives is not what the goal declares.
    """

    def of(found: _Workflow) -> _Workflow:
        if not workflow.unsafe.in_sandbox():
            _require_same(declared, found)
        setattr(found, _MARK, declared)
        return workflow.defn(name=declared.name)(found)

    return of


def goal_of(found: type) -> GoalType | None:
    """The goal that a workflow carries out, or None where it is no goal's."""
    declared: object = vars(found).get(_MARK)
    return declared if isinstance(declared, GoalType) else None


def _require_same(declared: GoalType, found: type) -> None:
    run: object = getattr(found, "run", None)
    if not callable(run) or list(get_type_hints(run).values()) != [declared.input, declared.result]:
        raise TypeError(
            f"{found.__name__} must have a `run` that takes one {declared.input.__name__}, as goal {declared.name!r} "
            f"declares, and gives a {declared.result.__name__}"
        )
