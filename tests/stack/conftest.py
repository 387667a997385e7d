"""One stack for all tests here that leave it as it was; what breaks a part waits until it is back."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.defaults import DEFAULT_POLICY
from tests.stack.running import Running, eventually


@pytest.fixture
def goal_id() -> str:
    return f"test-{uuid.uuid4()}"


def started(home: Path, *options: str) -> Running:
    """A stack that is up."""
    running = Running(home)
    done = running.banksman("up", "--detach", *options, seconds=120)
    assert done.returncode == 0, done.stderr + done.stdout
    return running


@pytest.fixture(scope="session")
def stack() -> Iterator[Running]:
    folder = Path(tempfile.mkdtemp(prefix="bm-"))
    policy = folder / "policy.yaml"
    policy.write_text(DEFAULT_POLICY.read_text())
    running = started(folder / "s", "--policy", str(policy))
    yield running
    assert running.banksman("down", seconds=120).returncode == 0
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def encrypted() -> Iterator[Running]:
    """A stack that encrypts what stands in histories, as outside development."""
    folder = Path(tempfile.mkdtemp(prefix="bm-"))
    running = started(folder / "e", "--encrypt")
    yield running
    assert running.banksman("down", seconds=120).returncode == 0
    shutil.rmtree(folder)


@pytest.fixture
def home() -> Iterator[Path]:
    """A short folder for a stack of a test's own, which is ended whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix="bm-"))
    yield folder / "s"
    Running(folder / "s").banksman("down", seconds=120)
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def quiet_twin(stack: Running) -> Iterator[None]:
    """No test inherits another's bad day."""
    stack.forget_requests()
    yield
    stack.forget_requests()
    for child in ("vault", "temporal", "worker-goals", "worker-connectors", "twin-github"):
        eventually(lambda name=child: stack.pid(name) is not None, what=f"{child} back")
