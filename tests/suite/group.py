"""`python -m tests.suite.group NAME ARGUMENTS` runs a group of tests: one pytest process, and its result in a file.

Under CI the tests that failed are tried once more, by a second process. That one shares nothing with the first: no
fixture of a wider scope that the failure left half broken, no event loop, no timer that has gone off already.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import BinaryIO, Final

from tests.suite.record import ONLY, RECORD
from tests.suite.results import RESULTS, Attempt, Group, Outcome, merge, read_attempt

MANY: Final = 10
"""More failures than this are no chance: none of them is tried again."""


@dataclass(frozen=True)
class Runner:
    """Runs the attempts of one group.

    Attributes:
        name: The group's.
        arguments: pytest's.
        log: Takes what pytest writes.
    """

    name: str
    arguments: Sequence[str]
    log: BinaryIO

    def run(self, *, again: bool) -> Group:
        """Both attempts; the second one only where it is wanted and can change anything."""
        began = time.monotonic()
        first = self._attempt("first", self.arguments)
        failed = [test.name for test in first.tests.values() if test.outcome is Outcome.FAILED]
        worth_it = again and 0 < len(failed) <= MANY and not first.problem
        second = self._once_more(failed) if worth_it else None
        return merge(self.name, time.monotonic() - began, first, second)

    def _once_more(self, names: Sequence[str]) -> Attempt:
        self.log.write(f"\n» once more: {', '.join(names)}\n".encode(errors="backslashreplace"))
        self.log.flush()
        only = RESULTS / f"{self.name}.only.json"
        only.write_text(json.dumps(names), encoding="utf-8")
        files = sorted({name.partition("::")[0] for name in names})
        return self._attempt("second", [ONLY, str(only), *files])

    def _attempt(self, which: str, arguments: Sequence[str]) -> Attempt:
        record = RESULTS / f"{self.name}.{which}.jsonl"
        record.unlink(missing_ok=True)
        command = [sys.executable, "-m", "pytest", "-p", "tests.suite.record", RECORD, str(record), *arguments]
        return read_attempt(record, _ended(command, self.log))


def _ended(command: Sequence[str], log: BinaryIO) -> int:
    """The exit code of a command that is left to end by itself; Ctrl-C at a terminal reaches it too.

    Raises:
        KeyboardInterrupt: This process was interrupted or told to end, and the command has ended.
    """
    stops: list[int] = []
    process: subprocess.Popen[bytes] | None = None

    def stop(number: int, _frame: FrameType | None) -> None:
        stops.append(number)
        if number == signal.SIGTERM and process is not None:  # which has reached this process alone
            process.send_signal(signal.SIGINT)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        if signal.SIGTERM in stops:
            process.send_signal(signal.SIGINT)
        exit_code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if stops:
        raise KeyboardInterrupt
    return exit_code


def main(name: str, *arguments: str) -> int:
    """Run a group and leave its result; the exit code tells whether it failed."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    result = RESULTS / f"{name}.json"
    result.unlink(missing_ok=True)
    with (RESULTS / f"{name}.log").open("wb") as log:
        group = Runner(name, arguments, log).run(again=os.environ.get("CI") == "true")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    group = group.model_copy(update={"processor": used.ru_utime + used.ru_stime})
    unfinished = Path(f"{result}.part")
    unfinished.write_text(group.model_dump_json(), encoding="utf-8")
    unfinished.rename(result)
    return int(group.failed)


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)  # so that make and the shell know why this process ended
