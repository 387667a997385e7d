"""One supervised child, each time a real process."""

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from deploy.local.processes import child as process
from deploy.local.processes.child import Child, ChildFailed, ChildReport, ChildSpec, ChildState

_WAITS = "import signal, pathlib, sys; pathlib.Path(sys.argv[1]).touch(); signal.pause()"
_READS_ITS_SECRET = (
    "import os, pathlib, signal, sys;"
    "said = os.read(int(os.environ['BANKSMAN_VAULT_SECRET_ID_FD']), 100);"
    "mark = pathlib.Path(sys.argv[1]); mark.with_suffix('.part').write_bytes(said);"
    "mark.with_suffix('.part').rename(mark); signal.pause()"
)
_DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + _WAITS


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "mark"


def spec(mark: Path, code: str = _WAITS) -> ChildSpec:
    async def healthy() -> bool:
        return mark.exists()

    return ChildSpec(
        name="part",
        argv=[sys.executable, "-c", code, str(mark)],
        environment={"PATH": os.environ["PATH"]},
        log=mark.with_name("part.log"),
        healthy=healthy,
    )


@asynccontextmanager
async def kept(child: Child) -> AsyncGenerator[Child]:
    try:
        yield child
    finally:
        await child.stop()


async def until(holds: Callable[[], bool], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for is another process
            await asyncio.sleep(0.02)  # a poll, within the deadline


def ignore(report: ChildReport) -> None:
    del report


async def test_a_child_is_ready_when_its_probe_says_so_and_gone_after_stop(mark: Path) -> None:
    seen: list[ChildState] = []
    child = Child(spec(mark), lambda report: seen.append(report.state))
    async with kept(child):
        await child.start()
        pid = child.report.pid
        assert child.report.state is ChildState.READY
        assert pid is not None
        assert psutil.pid_exists(pid)
        assert os.getsid(pid) == pid, "Ctrl-C in the terminal would reach it before the supervisor does"
    assert not psutil.pid_exists(pid)
    assert child.report.pid is None
    assert list(dict.fromkeys(seen)) == [ChildState.STARTING, ChildState.READY, ChildState.STOPPED]


async def test_a_killed_child_comes_back_with_another_secret_and_its_last_lines_are_kept(mark: Path) -> None:
    made: list[str] = []

    async def secret() -> SecretStr:
        made.append(f"wrapped-{len(made)}")
        return SecretStr(made[-1])

    child = Child(replace(spec(mark, _READS_ITS_SECRET), secret=secret), ignore)
    async with kept(child):
        await child.start()
        assert mark.read_text() == "wrapped-0"
        pid = child.report.pid
        assert pid is not None
        environment = psutil.Process(pid).environ()
        assert "wrapped-0" not in str(environment)
        mark.unlink()
        child.spec.log.write_text("the last thing it said\n")
        os.kill(pid, signal.SIGKILL)
        await until(lambda: child.report.state is ChildState.READY and child.report.restarts == 1)
        assert mark.read_text() == "wrapped-1"
        assert child.report.pid not in {None, pid}
        assert child.report.last_lines == ("the last thing it said",)
        assert "signal SIGKILL; starting it again" in child.spec.log.read_text()


async def test_a_crash_loop_is_slowed_down(mark: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_FIRST_DELAY", 0.05)
    child = Child(spec(mark), ignore)
    async with kept(child):
        await child.start()
        first = child.report.pid
        assert first is not None
        # From now on it ends as soon as it starts: the pause before each new start doubles.
        child.spec = replace(child.spec, argv=[sys.executable, "-c", "raise SystemExit(7)"])
        mark.unlink()
        os.kill(first, signal.SIGKILL)
        await until(lambda: len(_said(child, "did not come back")) == 3)
        pauses = [float(re.findall(r" in (\S+) s", line)[0]) for line in _said(child, "again in")]
        assert pauses == [0.05, 0.1, 0.2, 0.4]
        assert "exit code 7" in child.spec.log.read_text()
        assert child.report.restarts >= 3


def _said(child: Child, words: str) -> list[str]:
    return [
        line for line in child.spec.log.read_text().splitlines() if line.startswith("[supervisor]") and words in line
    ]


async def test_a_child_that_ends_before_it_is_ready_tells_its_last_lines(mark: Path) -> None:
    code = "print('cannot find the thing'); raise SystemExit(3)"
    child = Child(spec(mark, code), ignore)
    async with kept(child):
        with pytest.raises(ChildFailed, match="part ended with exit code 3 before it was ready") as failed:
            await child.start()
    assert "cannot find the thing" in str(failed.value)
    assert str(child.spec.log) in str(failed.value)


async def test_a_child_that_never_becomes_healthy_is_ended(mark: Path) -> None:
    async def never() -> bool:
        raise ConnectionRefusedError

    child = Child(replace(spec(mark), healthy=never, patience=0.5), ignore)
    async with kept(child):
        with pytest.raises(ChildFailed, match=r"part was not ready after 0.5 s"):
            await child.start()
        assert child.report.pid is None


async def test_a_deaf_child_is_killed_after_its_grace(mark: Path) -> None:
    child = Child(replace(spec(mark, _DEAF), grace=0.3), ignore)
    async with kept(child):
        await child.start()
        pid = child.report.pid
        began = time.monotonic()
    assert time.monotonic() - began < 5
    assert pid is not None
    assert not psutil.pid_exists(pid)


async def test_a_childs_own_children_end_with_it(mark: Path) -> None:
    code = (
        "import subprocess, sys, pathlib;"
        "below = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()']);"
        "mark = pathlib.Path(sys.argv[1]); part = mark.with_suffix('.part');"
        "part.write_text(str(below.pid)); part.rename(mark); below.wait()"
    )
    child = Child(spec(mark, code), ignore)
    async with kept(child):
        await child.start()
        below = psutil.Process(int(mark.read_text()))
    await until(lambda: not below.is_running() or below.status() == psutil.STATUS_ZOMBIE)


async def test_a_child_stopped_while_it_is_being_started_again_stays_ended(
    mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_FIRST_DELAY", 30.0)
    child = Child(spec(mark), ignore)
    async with kept(child):
        await child.start()
        pid = child.report.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until(lambda: child.report.state is ChildState.RESTARTING)
    assert child.report.state is ChildState.STOPPED
    assert child.report.pid is None
