"""Declarations of steps, their implementations, and the refusal to start without them."""

import inspect

import pytest
from pydantic import BaseModel
from temporalio import activity

from activities.presets import DESTROY, NOTIFY, READ, WRITE
from activities.queues import TaskQueue
from activities.step import (
    DESTRUCTIVE_EFFECTS,
    ORDINARY_EFFECTS,
    Step,
    StepError,
    implemented,
    implements,
    require_declared,
    step_of,
)
from hitl.protocol import Effect


class Request(BaseModel):
    repository: str = "acme/shop"


GIVEN = Request()
READ_FILE = Step(name="github.read_file", request=Request, response=int, effect=Effect.READ)
OPEN = Step(name="github.open_pull_request", request=Request, response=int, effect=Effect.WRITE)
DELETE = Step(name="github.delete_branch", request=Request, response=int, effect=Effect.DESTRUCTIVE)


class Steps:
    @implements(READ_FILE)
    async def read(self, request: Request) -> int:
        return len(request.repository)

    @implements(OPEN)
    async def write(self, request: Request) -> int:
        return 1

    @implements(DELETE)
    async def delete(self, request: Request) -> int:
        return 2

    @activity.defn(name="github.sneak")
    async def sneak(self, request: Request) -> int:
        return 3


def plain() -> None: ...


@pytest.mark.parametrize("on", set(TaskQueue) - {TaskQueue.HITL, TaskQueue.POSTS, TaskQueue.DESTRUCTIVE})
def test_only_what_speaks_to_people_is_named_like_it(on: TaskQueue) -> None:
    with pytest.raises(ValueError, match="named like one that only tells people"):
        Step(name="hitl.tell_all", request=Request, response=int, effect=Effect.WRITE, on=on)


async def test_an_implementation_stays_the_method_it_was() -> None:
    assert await Steps().read(Request()) == 9
    assert list(inspect.signature(Steps.read).parameters) == ["self", "request"]


def test_the_step_is_read_from_functions_and_bound_methods() -> None:
    steps = Steps()
    assert [step_of(fn) for fn in (steps.read, steps.write, Steps.delete)] == [READ_FILE, OPEN, DELETE]
    assert step_of(steps.sneak) is None
    assert step_of(plain) is None


def test_nothing_else_of_an_object_is_looked_at() -> None:
    class Guarded(Steps):
        @property
        def secret(self) -> str:
            raise AssertionError("somebody looked")

    assert [step_of(one) for one in implemented(Guarded())] == [DELETE, READ_FILE, OPEN]


def test_what_an_object_implements_is_found() -> None:
    steps = Steps()
    assert implemented(steps) == [steps.delete, steps.read, steps.write]
    assert implemented(steps, object()) == implemented(steps)


def test_queue_and_preset_follow_from_the_effect() -> None:
    found = [(one.queue, one.preset) for one in (READ_FILE, OPEN, DELETE)]
    connectors, destructive = TaskQueue.CONNECTORS, TaskQueue.DESTRUCTIVE
    assert found == [(connectors, READ), (connectors, WRITE), (destructive, DESTROY)]


def test_queue_and_preset_may_be_others() -> None:
    step = Step(name="x.y", request=Request, response=int, effect=Effect.WRITE, on=TaskQueue.SANDBOX, tried=NOTIFY)
    assert (step.queue, step.preset) == (TaskQueue.SANDBOX, NOTIFY)


@pytest.mark.parametrize(
    ("effect", "queue"),
    [
        *((effect, TaskQueue.DESTRUCTIVE) for effect in ORDINARY_EFFECTS),
        *((Effect.DESTRUCTIVE, queue) for queue in TaskQueue if queue is not TaskQueue.DESTRUCTIVE),
    ],
)
def test_what_destroys_runs_on_the_destructive_queue_and_nothing_else_does(effect: Effect, queue: TaskQueue) -> None:
    with pytest.raises(ValueError, match=rf"'x\.y' is {effect} and cannot run on {queue}"):
        Step(name="x.y", request=Request, response=int, effect=effect, on=queue)


@pytest.mark.parametrize(
    "name", ["read_file", "github.", ".read", "GitHub.read", "github.read.file", "github read", ""]
)
def test_a_step_has_a_system_and_a_verb(name: str) -> None:
    with pytest.raises(ValueError, match="is not a step's name"):
        Step(name=name, request=Request, response=int, effect=Effect.READ)


def test_a_step_takes_its_one_request_answers_its_response_and_is_async() -> None:
    class Wrong:
        async def two(self, a: Request, b: Request) -> int: ...  # type: ignore[empty-body]

        async def default(self, a: Request = GIVEN) -> int: ...

        async def other_request(self, a: BaseModel) -> int: ...

        async def other_answer(self, a: Request) -> str: ...

        def sync(self, a: Request) -> int: ...

    for wrong in (Wrong.two, Wrong.default, Wrong.other_request, Wrong.other_answer):
        with pytest.raises(TypeError, match=r"'github\.read_file' must take one request, a Request without a default"):
            implements(READ_FILE)(wrong)  # pyright: ignore[reportArgumentType] - what is refused
    with pytest.raises(TypeError, match="must be an async method"):
        implements(READ_FILE)(Wrong.sync)  # pyright: ignore[reportArgumentType] - what is refused


def test_a_worker_with_declared_steps_starts() -> None:
    steps = Steps()
    require_declared([steps.read, steps.write], role="connectors", effects=ORDINARY_EFFECTS)
    require_declared([steps.delete], role="destructive", effects=DESTRUCTIVE_EFFECTS)


def test_every_undeclared_or_misplaced_step_is_named_at_once() -> None:
    steps = Steps()
    with pytest.raises(StepError) as caught:
        require_declared([steps.read, steps.sneak, plain, steps.delete], role="connectors")
    message = str(caught.value)
    assert "the 'connectors' worker runs read, write steps" in message
    assert "'github.sneak' implements no step" in message
    assert "'plain' implements no step" in message
    assert "'github.delete_branch' is destructive" in message
    assert "github.read_file" not in message


def test_the_destructive_worker_runs_nothing_else() -> None:
    steps = Steps()
    with pytest.raises(StepError) as caught:
        require_declared([steps.read, steps.write, steps.delete], role="destructive", effects=DESTRUCTIVE_EFFECTS)
    assert str(caught.value).count("\n  - ") == 2


def test_a_worker_runs_no_step_that_is_put_on_another_queue() -> None:
    steps, own = Steps(), frozenset({TaskQueue.CONNECTORS})
    require_declared([steps.read], role="connectors", queues=own)
    with pytest.raises(StepError, match=r"'github\.read_file' is put on banksman-connectors; register it with"):
        require_declared([steps.read], role="sandbox", queues=frozenset({TaskQueue.SANDBOX}))


def test_a_step_is_given_exactly_its_request() -> None:
    assert READ_FILE.fits([Request()])
    for wrong in ([], [Request(), Request()], [{"repository": "acme/shop"}], [None]):
        assert not READ_FILE.fits(wrong)
