"""How a process of ours ends: in the interpreter's order as far as that is safe, and no further."""

import atexit
import contextlib
import logging
import os
import sys
from collections.abc import Callable


def run_to_the_end(command: Callable[[], object]) -> None:
    """Run a command as the whole work of this process; the exit code is the command's."""
    status = 1
    leave_before_finalization(lambda: status)
    try:
        command()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise


def leave_before_finalization(status: Callable[[], int]) -> None:
    """End this process, when its time has come, with this exit code and without taking the interpreter apart.

    The Temporal SDK's own threads hand results to Python even after the last `await` of ours. One that does so while
    the interpreter is finalized ends the process with SIGSEGV or SIGABRT
    (https://github.com/temporalio/sdk-python/issues/300): a goal that succeeded would be told as failed, and a worker
    that ended cleanly as crashed. So the process leaves just before: the threads of Python have been joined then, and
    every exit handler registered after this call has run.
    """

    def leave() -> None:
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(status())

    atexit.register(leave)
