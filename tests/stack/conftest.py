"""Three environments for all tests here, since each takes half a minute of two processors to start.

`stack` is left as it was found; what breaks a part of it waits until it is back. `encrypted` and `bare` are ended by
the last module that uses them.
"""

import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from connectors.provider import twins
from deploy.local.defaults import DEFAULT_POLICY
from deploy.local.state import StackFolder
from tests.stack.running import BIN, ROOT, Running, eventually

_LAST: Final = (
    "test_rehearsed_service",  # merges the sample's feature, which others deploy beside what is without it
    "test_front_door",  # merges tests into the sample
    *("test_encrypted", "test_secrets", "test_supervisor"),
    *("test_without_an_engine", "test_documented_commands", "test_demo", "test_demo_without_a_sandbox"),
)
"""The modules that use something up, most of them the environments that end, in their order."""
_USUAL_PORTS: Final = (7233, 8233, 8200, 8320, 8318, 8234, *(one.port for one in twins().values()))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those modules after all others; the hook is told of every test, and moves none but these."""
    last = [one for one in items if one.path.parent == Path(__file__).parent and one.path.stem in _LAST]
    items[:] = [
        *(one for one in items if one not in last),
        *sorted(last, key=lambda one: _LAST.index(one.path.stem)),
    ]


@pytest.fixture
def goal_id() -> str:
    return f"test-{uuid.uuid4()}"


def started(home: Path, *options: str) -> Running:
    """An environment that is up; one that does not come up in time is ended, for nobody else would end it."""
    running = Running(home)
    try:
        done = running.banksman("up", "--detach", *options, seconds=200)
        assert done.returncode == 0, done.stderr + done.stdout
    except (AssertionError, subprocess.TimeoutExpired):
        running.banksman("down", seconds=120)
        raise
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
    """One that encrypts histories, as outside development; it is in the foreground, with two more repositories."""
    folder = Path(tempfile.mkdtemp(prefix="bm-"))
    running = Running(folder / "e")
    repositories = {"acme/shop": ROOT, **{f"acme/{name}": _repository(folder / name) for name in ("one", "two")}}
    options = ["--encrypt", *(f"--repository={name}={path}" for name, path in repositories.items())]
    written = StackFolder(running.home)
    written.make()
    with (written.logs / "supervisor.log").open("wb") as output:
        terminal = subprocess.Popen(
            [str(BIN / "banksman"), "up", *options],
            env=running.environment,
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        eventually(lambda: running.ready, what="an environment that encrypts", seconds=120)
        yield running
    finally:
        ended = running.banksman("down", seconds=120).returncode
        terminal.wait(30)
    assert ended == 0
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def bare() -> Iterator[Running]:
    """One without a container engine, in a folder with a space in its name, whose usual ports somebody else has."""
    folder = Path(tempfile.mkdtemp(prefix="bm-"))
    with _usual_ports_taken():
        running = started(folder / "a b", "--no-sandbox")
    yield running
    assert running.banksman("down", seconds=120).returncode == 0
    shutil.rmtree(folder)


def _repository(at: Path) -> Path:
    """A git repository with one file, which holds the repository's name."""
    at.mkdir()
    (at / "note.txt").write_text(f"{at.name}\n")
    for words in (
        ["init"],
        ["add", "note.txt"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-m", "A note"],
    ):
        subprocess.run(["git", "-C", str(at), *words], check=True, capture_output=True)
    return at


@contextmanager
def _usual_ports_taken() -> Generator[None]:
    """By us, where nobody has them."""
    with ExitStack() as stack:
        for port in _USUAL_PORTS:
            one = stack.enter_context(socket.socket())
            try:
                one.bind(("127.0.0.1", port))
                one.listen()
            except OSError:
                continue  # taken, as it shall be
        yield


@pytest.fixture
def home() -> Iterator[Path]:
    """A short folder for an environment of a test's own, which is ended whatever happens."""
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
