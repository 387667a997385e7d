"""Declarations, and the refusal to start without them."""

import inspect

import pytest
from pydantic import BaseModel
from temporalio import activity

from activities.effects import (
    DESTRUCTIVE_EFFECTS,
    ORDINARY_EFFECTS,
    EffectError,
    declared_effect,
    fits,
    require_declared,
    step,
)
from hitl.protocol import Effect


class Request(BaseModel):
    repository: str = "acme/shop"


class Steps:
    @step(name="github.read_file", effect=Effect.READ)
    async def read(self, request: Request) -> int:
        return len(request.repository)

    @step(name="github.open_pull_request", effect=Effect.WRITE)
    async def write(self, request: Request) -> int:
        return 1

    @step(name="github.delete_branch", effect=Effect.DESTRUCTIVE)
    async def delete(self, request: Request) -> int:
        return 2

    @activity.defn(name="github.sneak")
    async def sneak(self, request: Request) -> int:
        return 3


@step(name="clock.read", effect=Effect.READ)
async def no_request() -> int:
    return 0


def plain() -> None: ...


async def test_a_step_stays_the_function_it_was() -> None:
    assert await Steps().read(Request()) == 9
    assert list(inspect.signature(Steps.read).parameters) == ["self", "request"]


def test_the_effect_is_read_from_functions_and_bound_methods() -> None:
    steps = Steps()
    assert [declared_effect(fn) for fn in (steps.read, steps.write, Steps.delete)] == list(Effect)
    assert declared_effect(steps.sneak) is None
    assert declared_effect(plain) is None


@pytest.mark.parametrize(
    "name", ["read_file", "github.", ".read", "GitHub.read", "github.read.file", "github read", ""]
)
def test_a_step_has_a_system_and_a_verb(name: str) -> None:
    with pytest.raises(ValueError, match="is not a step's name"):
        step(name=name, effect=Effect.READ)


def test_a_step_takes_one_request_and_is_async() -> None:
    async def two(a: Request, b: Request) -> None: ...

    async def default(a: Request | None = None) -> None: ...

    def sync() -> None: ...

    for fn in (two, default):
        with pytest.raises(TypeError, match=r"'x\.y' must take one request"):
            step(name="x.y", effect=Effect.READ)(fn)
    with pytest.raises(TypeError, match="must be an async function"):
        step(name="x.y", effect=Effect.READ)(sync)  # pyright: ignore[reportArgumentType] - what is refused


def test_a_worker_with_declared_steps_starts() -> None:
    steps = Steps()
    require_declared([steps.read, steps.write, no_request], role="connectors", effects=ORDINARY_EFFECTS)
    require_declared([steps.delete], role="destructive", effects=DESTRUCTIVE_EFFECTS)


def test_every_undeclared_or_misplaced_step_is_named_at_once() -> None:
    steps = Steps()
    with pytest.raises(EffectError) as caught:
        require_declared([steps.read, steps.sneak, plain, steps.delete], role="connectors")
    message = str(caught.value)
    assert "the 'connectors' worker runs read, write steps" in message
    assert "'github.sneak' declares no effect" in message
    assert "'plain' declares no effect" in message
    assert "'github.delete_branch' is destructive" in message
    assert "github.read_file" not in message


def test_the_destructive_worker_runs_nothing_else() -> None:
    steps = Steps()
    with pytest.raises(EffectError) as caught:
        require_declared([steps.read, steps.write, steps.delete], role="destructive", effects=DESTRUCTIVE_EFFECTS)
    assert str(caught.value).count("\n  - ") == 2


def test_a_step_is_given_exactly_its_request() -> None:
    read = Steps().read
    assert fits(read, [Request()])
    for wrong in ([], [Request(), Request()], [{"repository": "acme/shop"}], [None]):
        assert not fits(read, wrong)
    assert fits(no_request, [])
    assert not fits(no_request, [Request()])
