"""Which operation of a provider is used by which steps, and by which test: declared, and recorded from a test run.

    python -m tests.docs.endpoints [PROVIDER…]

runs the tests of clients and steps, of all providers or of those that are named, and writes down who asked for what.
`docs/endpoints.md` is made of it, and a test says where an operation has come or gone since. GitHub, Slack and Pulumi
are reached by libraries of their own, which choose their requests themselves.
"""

import asyncio
import functools
import importlib
import json
import os
import subprocess
import sys
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any, Final

import pytest
from pydantic import BaseModel, TypeAdapter

from activities.step import step_of
from connectors.http.api import Answered, Session
from connectors.http.operation import Call, Operation
from connectors.twins.handlers import operation_of

ROOT: Final = Path(__file__).parents[2]
RECORD: Final = Path(__file__).with_suffix(".json")
_CONTRACTS: Final = ("redis",)
"""What several providers offer in one way, and one set of tests tries for all of them."""
_WRITES: Final = "BANKSMAN_RECORDED_ENDPOINTS"


class Use(BaseModel):
    """What was seen of one operation.

    Attributes:
        steps: Those that asked for it.
        test: One that asked for it: file and function.
    """

    steps: tuple[str, ...] = ()
    test: str = ""


Uses = Mapping[str, Mapping[str, Use]]
"""By provider and by the operation's name."""

_USES: Final = TypeAdapter[dict[str, dict[str, Use]]](dict[str, dict[str, Use]])


def declared() -> Mapping[str, Mapping[str, Operation[Any]]]:
    """Every operation that our clients ask for, by provider and name. A library asks for what else a twin answers."""
    found: dict[str, dict[str, Operation[Any]]] = {}
    for path in sorted((ROOT / "connectors").glob("*/operations.py")):
        operations = [one for one in vars(_module(path)).values() if isinstance(one, Operation)]
        # What is declared twice, since its answer is read in two ways, a twin answers as the first says.
        of_provider = {one.name: one for one in reversed(operations)}
        found.setdefault(path.parent.name, {}).update(of_provider)
    return {name: dict(sorted(operations.items())) for name, operations in found.items()}


def answered() -> frozenset[Operation[Any]]:
    """Every operation that a twin knows."""
    marked: set[Operation[Any] | None] = set()
    for path in sorted((ROOT / "connectors").glob("*/twin/*.py")):
        for owner in _classes(path):
            marked |= {operation_of(one) for one in vars(owner).values()}
    return frozenset(one for one in marked if one is not None)


def recorded() -> Uses:
    """What the last recording saw."""
    return _USES.validate_json(RECORD.read_bytes()) if RECORD.exists() else {}


class Recorder:
    """A plugin of pytest that notes each call, the test under way, and the step that it came from."""

    def __init__(self) -> None:
        self.test = ""
        self.seen: dict[tuple[str, str], tuple[set[str], set[str]]] = {}
        self._steps = dict(_implementations())
        self._begun = weakref.WeakKeyDictionary[asyncio.Task[Any], frozenset[frozenset[str]]]()

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Remember the test, without its parameters."""
        self.test = item.nodeid.partition("[")[0]

    def pytest_sessionfinish(self) -> None:
        """Write it down."""
        uses: dict[str, dict[str, Use]] = {}
        for (provider, operation), (found, tests) in sorted(self.seen.items()):
            uses.setdefault(provider, {})[operation] = Use(steps=tuple(sorted(found)), test=min(tests))
        Path(os.environ[_WRITES]).write_bytes(_USES.dump_json(uses))

    def note(self, provider: str, operation: str, frame: FrameType | None) -> None:
        """A call was made from here."""
        found, tests = self.seen.setdefault((provider, operation), (set(), set()))
        tests.add(self.test)
        for of_code in self._around(frame):
            # Providers with one contract share code, each for steps of its own.
            found |= {one for one in of_code if len(of_code) == 1 or one.startswith(f"{provider}.")}

    def begin(self, task: asyncio.Task[Any], frame: FrameType | None) -> None:
        """A task was begun from here: nothing in its own frames says so."""
        self._begun[task] = self._around(frame)

    def _around(self, frame: FrameType | None) -> frozenset[frozenset[str]]:
        """The steps that each piece of code around a frame carries out, and around the beginning of its task."""
        found: set[frozenset[str]] = set()
        while frame is not None:
            found.add(self._steps.get(frame.f_code, frozenset()))
            frame = frame.f_back
        task = asyncio.current_task()
        return frozenset(found) | (self._begun.get(task, frozenset()) if task is not None else frozenset())


def _implementations() -> Iterator[tuple[CodeType, frozenset[str]]]:
    """The steps that each piece of code carries out."""
    by_code: dict[CodeType, set[str]] = {}
    for path in sorted((ROOT / "activities").rglob("*.py")):
        for owner in _classes(path):
            for function in vars(owner).values():
                if callable(function) and (step := step_of(function)) is not None:
                    by_code.setdefault(function.__code__, set()).add(step.name)
    return ((code, frozenset(names)) for code, names in by_code.items())


def _classes(path: Path) -> list[type]:
    return [one for one in vars(_module(path)).values() if isinstance(one, type)]


def _module(path: Path) -> ModuleType:
    return importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


def _watched(recorder: Recorder) -> Callable[..., Awaitable[Answered[Any]]]:
    exchange = Session.exchange

    @functools.wraps(exchange)
    async def watched(self: Session, call: Call[Any]) -> Answered[Any]:
        recorder.note(self.provider, call.operation.name, sys._getframe(1))  # the coroutines that wait for this one
        return await exchange(self, call)

    return watched


def _beginning(recorder: Recorder) -> Callable[..., asyncio.Task[Any]]:
    create_task = asyncio.BaseEventLoop.create_task

    @functools.wraps(create_task)
    def beginning(self: asyncio.BaseEventLoop, coro: Coroutine[Any, Any, Any], **named: Any) -> asyncio.Task[Any]:
        task = create_task(self, coro, **named)
        if asyncio._get_running_loop() is not None:
            recorder.begin(task, sys._getframe(1))
        return task

    return beginning


def record(*providers: str) -> int:
    """Run the tests of these providers, in this process, and write down what they asked."""
    recorder = Recorder()
    Session.exchange = _watched(recorder)  # type: ignore[method-assign]
    asyncio.BaseEventLoop.create_task = _beginning(recorder)  # type: ignore[method-assign]
    folders = [f"tests/{part}/{name}" for name in providers for part in ("connectors", "activities")]
    there = [one for one in folders if (ROOT / one).is_dir()]
    # This module has loaded what pytest would have liked to rewrite; nobody reads its assertions here.
    quiet = ("-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")
    return pytest.main([*quiet, *there], plugins=[recorder])


def main() -> None:
    """Record anew, in a process of its own; what is known of providers that are not named stays."""
    every = (*declared(), *_CONTRACTS)
    named = tuple(sys.argv[1:]) or every
    if unknown := [one for one in named if one not in every]:
        raise SystemExit(f"no provider {', '.join(unknown)}; there are {', '.join(every)}")
    written = RECORD.with_suffix(".new")
    done = subprocess.run(
        [sys.executable, "-c", f"from tests.docs import endpoints; raise SystemExit(endpoints.record(*{named!r}))"],
        cwd=ROOT,
        env={**os.environ, _WRITES: str(written)},
        check=False,
    )
    if done.returncode != 0:
        written.unlink(missing_ok=True)
        raise SystemExit("the tests failed: nothing was recorded")
    kept = {} if named == every else json.loads(RECORD.read_bytes())
    uses = json.loads(written.read_bytes())
    RECORD.write_text(json.dumps(dict(sorted({**kept, **uses}.items())), indent=1) + "\n", encoding="utf-8")
    written.unlink()


if __name__ == "__main__":
    main()
