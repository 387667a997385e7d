"""The file of language models while a chapter runs, and afterwards: as it was, whatever became of the chapter."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from deploy.local.demo import models_file
from deploy.local.demo.environment import Environment
from deploy.local.demo.models_file import ModelsFile
from deploy.local.demo.terminal import DemoFailed
from deploy.local.models import RelayAddress, asks_small_model, with_small_model, write_models
from deploy.local.processes.child import ChildReport, ChildState
from deploy.local.processes.control import Ask, Reply, serve
from deploy.local.state import StackFolder, StackState

WAITS = [sys.executable, "-c", "import time; time.sleep(600)"]
SERVER = "http://127.0.0.1:1234"


class Supervised:
    """A worker that is started again when it ends, and what it read of the file at each start."""

    def __init__(self, folder: StackFolder) -> None:
        self.folder = folder
        self.read: list[str] = []
        self.gone = False
        self._process: subprocess.Popen[bytes] | None = None

    async def answer(self, request: Ask) -> Reply:
        assert request.op == "status"
        pid = None if self.gone else self.started()
        state = ChildState.STARTING if self.gone else ChildState.READY
        return Reply(ready=True, children=(ChildReport(name="worker-models", state=state, pid=pid),))

    def started(self) -> int:
        """The process that runs; another where the last one has ended."""
        if self._process is None or self._process.poll() is not None:
            self.read.append(self.folder.models.read_text())
            self._process = subprocess.Popen(WAITS)
        return self._process.pid

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest_asyncio.fixture
async def worker(tmp_path: Path) -> AsyncGenerator[Supervised]:
    folder = StackFolder(tmp_path / "s")
    folder.make()
    write_models(folder, twin="http://127.0.0.1:8339", relay=RelayAddress(machines=1, askers=2, authority=""))
    supervised = Supervised(folder)
    async with serve(folder.socket, supervised.answer):
        supervised.started()
        yield supervised
    supervised.end()


def file_of(worker: Supervised, chosen: Path | None = None) -> ModelsFile:
    stack = StackState.model_construct(logs=str(worker.folder.logs), models=str(chosen or worker.folder.models))
    return ModelsFile(Environment(stack, cast("Any", None)))


async def test_the_worker_reads_the_small_model_while_the_block_runs_and_then_what_was(worker: Supervised) -> None:
    before = worker.folder.models.read_text()
    file = file_of(worker)
    assert file.why_not == ""
    async with file.asking(SERVER):
        assert worker.read == [before, with_small_model(before, SERVER)]
    assert worker.read[2:] == [before]
    assert worker.folder.models.read_text() == before
    assert sorted(one.name for one in worker.folder.root.glob("models.yaml*")) == ["models.yaml"]


async def test_it_is_as_it_was_where_the_chapter_fails_or_is_stopped(worker: Supervised) -> None:
    before = worker.folder.models.read_text()
    for error in (RuntimeError, asyncio.CancelledError):
        with pytest.raises(error):
            async with file_of(worker).asking(SERVER):
                raise error
        assert (worker.folder.models.read_text(), worker.read[-1]) == (before, before)


async def test_what_a_demonstration_left_that_was_killed_the_next_one_puts_back(worker: Supervised) -> None:
    before = worker.folder.models.read_text()
    killed = file_of(worker).asking(SERVER)
    await killed.__aenter__()
    await file_of(worker).put_back()
    assert (worker.folder.models.read_text(), worker.read[-1]) == (before, before)
    starts = len(worker.read)
    await file_of(worker).put_back()
    assert len(worker.read) == starts, "nothing is left, and nobody is started again"


async def test_an_environment_that_was_started_since_keeps_its_own_file(worker: Supervised) -> None:
    killed = file_of(worker).asking(SERVER)
    await killed.__aenter__()
    other = RelayAddress(machines=3, askers=4, authority="")
    write_models(worker.folder, twin="http://127.0.0.1:9999", relay=other)
    anew, starts = worker.folder.models.read_text(), len(worker.read)
    await file_of(worker).put_back()
    assert (worker.folder.models.read_text(), len(worker.read)) == (anew, starts)
    assert not asks_small_model(anew)


def test_a_file_that_somebody_chose_is_left_alone(tmp_path: Path) -> None:
    folder = StackFolder(tmp_path / "s")
    chosen = tmp_path / "mine.yaml"
    assert "somebody chose" in file_of(Supervised(folder), chosen).why_not
    none = StackState.model_construct(logs=str(folder.logs), models=None)
    assert "somebody chose" in ModelsFile(Environment(none, cast("Any", None))).why_not


async def test_a_worker_that_does_not_come_back_is_one_sentence_and_the_file_is_as_it_was(
    worker: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models_file, "_RESTARTED", 0.5)
    before = worker.folder.models.read_text()
    worker.gone = True
    with pytest.raises(DemoFailed, match="worker-models is not ready"):
        async with file_of(worker).asking(SERVER):
            pytest.fail("nobody reads the file")
    assert worker.folder.models.read_text() == before
