"""A process ends with its own exit code, whatever the interpreter's end would do to it."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = ("bench", "deploy", "hitl", "observability", "tests", "workers")
FRAGILE = """
import atexit, os, sys, threading, time
from deploy.ending import run_to_the_end

class Fragile:
    "As a thread of native code that calls Python while the interpreter is taken apart."
    def __del__(self, abort=os.abort):
        abort()

fragile = Fragile()

def command():
    atexit.register(lambda: print("handlers have run"))
    threading.Thread(target=lambda: (time.sleep(0.3), print("threads were joined"))).start()
    print("worked", end="")
    print("said", end="", file=sys.stderr)
    {end}
    print()

run_to_the_end(command)
"""


def end(code: str) -> subprocess.CompletedProcess[str]:
    """A process that would abort if its interpreter were finalized."""
    script = FRAGILE.format(end=code)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("pass", 0),
        ("sys.exit()", 0),
        ("sys.exit(3)", 3),
        ("sys.exit('no stack')", 1),
        ("raise ValueError('a bug')", 1),
    ],
)
def test_the_exit_code_is_the_commands_and_nothing_is_lost(code: str, status: int) -> None:
    """Threads are joined, handlers run, streams are flushed; the interpreter is not taken apart."""
    done = end(code)
    assert done.returncode == status
    assert done.stdout.startswith("worked")
    assert done.stdout.endswith("threads were joined\nhandlers have run\n")
    assert done.stderr.startswith("said")


def test_an_error_nobody_caught_is_still_shown() -> None:
    """With its traceback, as ever; and a message given to `sys.exit` as well."""
    assert "ValueError: a bug" in end("raise ValueError('a bug')").stderr
    assert "no stack" in end("sys.exit('no stack')").stderr


def test_without_it_the_process_would_abort() -> None:
    """What the tests above rest on."""
    script = FRAGILE.replace("run_to_the_end(command)", "command()").format(end="pass")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode < 0


def _processes_with_the_sdk() -> list[Path]:
    """Every module of ours that is run as a process and loads Temporal's SDK itself."""
    found = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    texts = ((path, path.read_text(encoding="utf-8")) for path in found)
    return [path for path, text in texts if '\nif __name__ == "__main__":\n' in text and "\nfrom temporalio" in text]


def test_every_process_that_loads_the_sdk_ends_so() -> None:
    processes = _processes_with_the_sdk()
    assert ROOT / "deploy/local/demo/__main__.py" in processes
    for path in processes:
        _, _, end = path.read_text(encoding="utf-8").partition('\nif __name__ == "__main__":\n')
        assert end.startswith("    run_to_the_end("), path
