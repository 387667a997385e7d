"""What a command may use is all that it can use, and how it ended is told by facts."""

import pytest

from sandbox.spec import MIB, Limits
from tests.sandbox.running import Run

pytestmark = pytest.mark.docker

SMALL = Limits(memory_bytes=96 * MIB, workspace_bytes=16 * MIB, tmp_bytes=8 * MIB, shm_bytes=4 * MIB)
HOG = "x = bytearray(400 << 20)"
FORK = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n"


async def test_a_timeout_comes_to_the_second(run: Run) -> None:
    result = await run("sleep", "60", limits=Limits(wall_seconds=2))
    assert (result.exit_code, result.ended) == (143, "timeout")
    assert 2 <= result.usage.run_seconds < 3


async def test_a_command_within_its_time_is_not_hurried(run: Run) -> None:
    result = await run("sleep", "1", limits=Limits(wall_seconds=5))
    assert (result.exit_code, result.ended) == (0, "exit")


async def test_who_ignores_sigterm_is_killed_after_the_grace(run: Run) -> None:
    result = await run("sh", "-c", "trap '' TERM; while :; do sleep 1; done", limits=Limits(wall_seconds=1))
    assert (result.exit_code, result.ended) == (137, "timeout")
    assert 2 <= result.usage.run_seconds < 3


async def test_who_cleans_up_on_sigterm_may(run: Run) -> None:
    result = await run(
        "sh", "-c", "trap 'echo bye; exit 3' TERM; sleep 60 & wait", limits=Limits(wall_seconds=1, grace_seconds=3)
    )
    assert (result.exit_code, result.ended, result.stdout.text) == (3, "timeout", "bye\n")


async def test_a_stopped_process_does_not_outlive_its_time(run: Run) -> None:
    result = await run("sh", "-c", "kill -STOP $$", limits=Limits(wall_seconds=1, grace_seconds=0.5))
    assert (result.exit_code, result.ended) == (137, "timeout")


async def test_daemons_die_with_the_command(run: Run) -> None:
    code = "setsid sh -c 'trap \"\" TERM HUP; sleep 1; echo survived > survived' >/dev/null 2>&1 & echo off"
    result = await run("sh", "-c", code, artifacts=["survived"])
    assert result.stdout.text == "off\n"
    assert [(refused.path, refused.reason) for refused in result.refused] == [("survived", "missing")]


async def test_zombies_are_reaped_while_the_command_runs(run: Run) -> None:
    code = """
import os, pathlib
for _ in range(300):
    if os.fork() == 0:
        if os.fork() == 0: os._exit(0)
        os._exit(0)
    os.wait()
def state(p):
    try: return p.read_text().rsplit(')')[-1].split()[0]
    except (FileNotFoundError, ProcessLookupError): return ''
def states(): return [found for p in pathlib.Path('/proc').glob('[0-9]*/stat') if (found := state(p))]
# A grandchild that has not ended yet is no zombie yet: it is waited for, and the wall time is the bound.
while len(states()) > 2: pass
print(len(states()), 'Z' in states())
"""
    result = await run("python3", "-c", code, limits=Limits(pids=64, wall_seconds=20))
    assert (result.exit_code, result.stdout.text) == (0, "2 False\n"), result.stderr.text


async def test_a_memory_hog_is_killed_and_told_from_a_timeout(run: Run) -> None:
    result = await run("python3", "-c", HOG, limits=SMALL)
    assert (result.exit_code, result.ended, result.oom_seen) == (137, "out_of_memory", True)


async def test_a_child_that_dies_for_memory_is_seen_when_the_parent_goes_on(run: Run) -> None:
    result = await run("sh", "-c", f"python3 -c '{HOG}'; echo went on", limits=SMALL)
    assert (result.exit_code, result.ended, result.oom_seen) == (0, "exit", True)
    assert result.stdout.text == "went on\n"


async def test_a_kill_that_is_not_for_memory_is_not_taken_for_it(run: Run) -> None:
    result = await run("sh", "-c", "kill -9 $$", limits=SMALL)
    assert (result.ended, result.oom_seen) == ("killed", False)


MANY = "for n in $(seq 400); do sleep 60 & done; wait"
TINY = Limits(memory_bytes=48 * MIB, workspace_bytes=MIB, tmp_bytes=MIB, shm_bytes=MIB, pids=500, wall_seconds=4)


async def test_many_small_processes_die_for_memory_before_the_first_one_does(run: Run) -> None:
    """None of them is as large as the first process, which is spared all the same: there is a report."""
    result = await run("sh", "-c", MANY, limits=TINY)
    assert result.oom_seen
    assert result.exit_code is not None


# Once the first process has offered the command to the kernel, the command takes that back for itself and its children.
INSTEAD = (
    "while read score < /proc/$$/oom_score_adj && [ $score != 1000 ]; do :; done; echo 0 > /proc/$$/oom_score_adj; "
)


async def test_a_container_that_dies_as_a_whole_for_memory_is_told_so(run: Run) -> None:
    """A command may offer the first process instead of itself: it ends its own container, and that is its result."""
    result = await run("sh", "-c", INSTEAD + MANY, limits=TINY)
    assert (result.exit_code, result.ended, result.oom_seen) == (None, "out_of_memory", True)


async def test_memory_within_the_limit_is_had(run: Run) -> None:
    result = await run("python3", "-c", "x = bytearray(40 << 20); print(len(x))", limits=SMALL)
    assert result.exit_code == 0
    assert result.usage.peak_memory_bytes is not None
    assert 40 * MIB < result.usage.peak_memory_bytes < 96 * MIB


@pytest.mark.parametrize("folder", ["/workspace", "/tmp", "/dev/shm"])  # noqa: S108 - in the container
async def test_a_disk_filler_meets_the_end_of_the_disk(run: Run, folder: str) -> None:
    result = await run("sh", "-c", f"cat /dev/zero > {folder}/fill; echo $?; rm {folder}/fill; echo ok", limits=SMALL)
    assert result.stdout.text == "1\nok\n"
    assert "No space left" in result.stderr.text
    assert not result.oom_seen


@pytest.mark.parametrize("folder", ["/workspace", "/tmp"])  # noqa: S108 - in the container
async def test_an_inode_filler_meets_the_end_of_the_inodes(run: Run, folder: str) -> None:
    code = f"import os\nn = 0\nwhile n < 100000:\n  os.close(os.open(f'{folder}/{{n}}', os.O_CREAT)); n += 1"
    limits = SMALL.model_copy(update={"workspace_inodes": 1000, "tmp_inodes": 1000})
    result = await run("python3", "-c", code, limits=limits)
    assert result.exit_code == 1
    assert "No space left" in result.stderr.text


async def test_a_fork_bomb_ends_with_its_time_and_the_host_lives(run: Run) -> None:
    result = await run("python3", "-c", FORK, limits=SMALL.model_copy(update={"pids": 40, "wall_seconds": 1.0}))
    assert result.ended == "timeout"
    assert result.usage.run_seconds < 5
    assert (await run("true")).exit_code == 0


async def test_threads_count_as_processes(run: Run) -> None:
    code = "from threading import Event, Thread\nfor n in range(200): Thread(target=Event().wait, args=(2,)).start()"
    result = await run("python3", "-c", code, limits=SMALL.model_copy(update={"pids": 30}))
    assert result.exit_code == 1
    assert "can't start new thread" in result.stderr.text


async def test_processor_time_is_limited(run: Run) -> None:
    code = "import time\nend = time.monotonic() + 2\nwhile time.monotonic() < end: pass\nprint(time.process_time())"
    result = await run("python3", "-c", code, limits=SMALL.model_copy(update={"cpus": 0.25}))
    assert float(result.stdout.text) < 1.2


async def test_open_files_are_limited(run: Run) -> None:
    result = await run("sh", "-c", "ulimit -n; ulimit -c; ulimit -Hn")
    assert result.stdout.text == "4096\n0\n4096\n"
