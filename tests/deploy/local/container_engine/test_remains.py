"""What an engine of ours left is ended, by its own folders; what looks like it and is another's lives on."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from deploy.local.container_engine import found as docker_module
from deploy.local.container_engine.remains import end_remains

ID = "a" * 64
SHIM = "containerd-shim-runc-v2"


class Pretended:
    """Processes that are called as an engine's are, each with a child."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.runtime = folder / "docker", folder / "banksman-docker-x"
        (self.folder / "data" / "containers" / ID).mkdir(parents=True)
        self.runtime.mkdir()
        self._ends = ExitStack()

    def start(self, *arguments: str) -> psutil.Process:
        """The name comes first, as in a process list; it is a shell that waits for its input."""
        argv = [arguments[0], "-c", "sleep 300 & echo there; read line", *arguments[1:]]
        process = subprocess.Popen(argv, executable="/bin/sh", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._ends.enter_context(process)
        self._ends.callback(process.kill)
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        found = psutil.Process(process.pid)
        for child in found.children():
            self._ends.callback(lambda child=child: child.kill() if child.is_running() else None)
        return found

    def close(self) -> None:
        self._ends.close()


@pytest.fixture
def pretended(tmp_path: Path) -> Iterator[Pretended]:
    pretended = Pretended(tmp_path)
    yield pretended
    pretended.close()


def ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_keepers_and_managers_of_ours_end_with_what_they_keep(pretended: Pretended) -> None:
    socket = f"{pretended.runtime}/containerd/containerd.sock"
    remapped = f"{pretended.runtime}.100000.100000/containerd/containerd.sock"
    ours = [
        pretended.start(SHIM, "-namespace", "moby", "-id", "b" * 64, "-address", socket),
        pretended.start(SHIM, "-namespace", "moby", "-id", "c" * 64, "-address", remapped),
        pretended.start(SHIM, "-namespace", "moby", "-id", ID, "-address", "/elsewhere.sock"),
        pretended.start("/usr/bin/containerd", "--config", f"{pretended.runtime}/containerd/containerd.toml"),
    ]
    children = [child for one in ours for child in one.children()]
    assert len(children) == len(ours)
    assert end_remains(pretended.folder, pretended.runtime)
    assert all(map(ended, (*ours, *children)))


def test_what_is_another_engines_lives_on(pretended: Pretended) -> None:
    beside = f"{pretended.runtime}x/containerd/containerd.sock"
    others = [
        pretended.start(SHIM, "-namespace", "moby", "-id", "b" * 64, "-address", "/run/containerd/containerd.sock"),
        pretended.start(SHIM, "-namespace", "moby", "-id", "b" * 64, "-address", beside),
        pretended.start("containerd", "--config", "/etc/containerd/config.toml"),
        pretended.start("dockerd", f"--data-root={pretended.folder}/data-of-another"),
        pretended.start("not-a-containerd-shim", "-id", ID),
    ]
    assert end_remains(pretended.folder, pretended.runtime)
    assert end_remains(pretended.folder, None)
    assert not any(map(ended, others))


def test_an_engine_that_lives_keeps_what_it_has(pretended: Pretended) -> None:
    keeper = pretended.start(SHIM, "-namespace", "moby", "-id", ID, "-address", "/elsewhere.sock")
    pretended.start("dockerd", f"--data-root={pretended.folder}/data")
    (pretended.folder / "runtime").write_text(str(pretended.runtime))
    assert not end_remains(pretended.folder, pretended.runtime)
    docker_module._end_remains(pretended.folder)
    assert not ended(keeper)
    assert pretended.runtime.is_dir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a process namespace")
def test_who_calls_itself_an_engine_in_a_container_keeps_nothing(pretended: Pretended) -> None:
    keeper = pretended.start(SHIM, "-namespace", "moby", "-id", ID, "-address", "/elsewhere.sock")
    liar = f"exec -a dockerd sh -c 'echo there; read line' --data-root={pretended.folder}/data"
    with subprocess.Popen(
        ["unshare", "--fork", "--pid", "--kill-child", "bash", "-c", liar],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        assert any("dockerd" in child.cmdline() for child in psutil.Process(process.pid).children())
        assert end_remains(pretended.folder, pretended.runtime)
        assert ended(keeper)
        process.kill()


async def test_ending_an_engine_ends_what_it_left(pretended: Pretended) -> None:
    keeper = pretended.start(SHIM, "-namespace", "moby", "-id", ID, "-address", "/elsewhere.sock")
    (pretended.folder / "runtime").write_text(str(pretended.runtime))
    await asyncio.to_thread(docker_module._stop, pretended.folder)
    assert ended(keeper)
    assert not pretended.runtime.exists()
