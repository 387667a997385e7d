"""The real CLI with our own provider, resolved once; and one stack that every test gets a copy of."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.images.pulumi_cli import CLI_VERSION
from deploy.images.pulumi_programs import pulumi_programs
from deploy.local.tools import DEFAULT_CACHE, ToolUnavailableError, tell
from tests.connectors.pulumi.machine import PROGRAM, Stack, Tools

PROVIDER = "plugins/resource-banksman-v0.1.0/pulumi-resource-banksman"
PROGRAMS = ("pulumi", "pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python")
SDK = ("pulumi==3.200.0", "pulumi-policy==1.18.1")

CopyStack = Callable[..., Stack]


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """Built or fetched where they are missing, which takes minutes once on a machine."""
    folder = tmp_path_factory.mktemp("pulumi")
    try:
        programs = asyncio.run(pulumi_programs(DEFAULT_CACHE, progress=tell))
    except ToolUnavailableError as reason:
        pytest.skip(f"Pulumi cannot be built: {reason}")
    if not (programs / PROVIDER).exists():
        pytest.skip("our own provider cannot be built: there is no Go")
    _place(programs, folder / "bin")
    provider = folder / "home" / PROVIDER
    provider.parent.mkdir(parents=True)
    shutil.copy(programs / PROVIDER, provider)
    return Tools(folder / "bin", folder / "home", _python(), _modules(folder / "modules"))


def _modules(folder: Path) -> Path:
    """A `pip` that lists nothing. The CLI asks it at every run for packages that bring a plugin, for half a second."""
    (folder / "pip").mkdir(parents=True)
    (folder / "pip/__init__.py").touch()
    (folder / "pip/__main__.py").write_text("print('[]')\n")
    return folder


def _place(programs: Path, into: Path) -> None:
    """The real files beside each other: the CLI looks for some of them where it lies itself."""
    into.mkdir()
    sources = [programs / name for name in PROGRAMS if (programs / name).exists()]
    modules = Path.home() / "go/pkg/mod/github.com/pulumi/pulumi/sdk"
    for name in ("pulumi-resource-pulumi-python", "pulumi-analyzer-policy-python"):
        sources += [path for path in sorted(modules.glob(f"v3@*/python/dist/{name}")) if not (programs / name).exists()]
    for source in sources:
        shutil.copyfile(source, into / source.name)
        (into / source.name).chmod(0o755)


def _python() -> Path:
    """A virtual environment with Pulumi's library in the version of the CLI."""
    folder = DEFAULT_CACHE / f"pulumi-sdk-{CLI_VERSION}-{sys.version_info.major}.{sys.version_info.minor}"
    if not (folder / "whole").exists():
        tell("fetching Pulumi's Python library")
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
        install = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", *SDK]
        subprocess.run(install, check=True, timeout=600)
        (folder / "whole").touch()
    return folder


@pytest.fixture(scope="session")
def deployed(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Two files and a secret one, deployed; not to be changed, but copied."""
    stack = Stack.make(tmp_path_factory.mktemp("stack") / "deployed", tools)
    stack.configure("password", "hunter2-canary", secret=True)
    stack.write(PROGRAM)
    stack.preview().must()
    stack.up().must()
    return stack


@pytest.fixture
def stack(deployed: Stack, tmp_path: Path) -> Stack:
    """A copy of it."""
    return deployed.copy(tmp_path / "stack")
