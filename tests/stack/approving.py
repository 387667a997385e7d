"""A person of Slack's twin who says yes to whatever a goal asks, once to each question."""

import json
import subprocess
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from deploy.local.seeded_person import SeededPerson
from tests.stack.running import Running

_POLL: Final = 0.2


class Approver:
    """Alice.

    Args:
        running: The environment.
        goal_id: The goal's workflow, which no other goal's id begins with.
    """

    def __init__(self, running: Running, goal_id: str) -> None:
        self._alice = SeededPerson(str(running.state["twins"]["slack"]["url"]))
        self._goal_id = goal_id
        self._clicked: set[str] = set()

    @property
    def is_asked(self) -> bool:
        """Whether a question waits that she has not answered."""
        return any(one.ts not in self._clicked for one in self._alice.offered(self._goal_id, "approve"))

    def approve_until(self, ended: "Future[subprocess.CompletedProcess[str]]") -> "subprocess.CompletedProcess[str]":
        """Say yes until the goal has ended, and how it did."""
        while not ended.done():
            # A message keeps its buttons for a moment after the click, and loses them while one clicks again.
            for message in self._alice.offered(self._goal_id, "approve"):
                if message.ts not in self._clicked:
                    self._clicked.add(message.ts)
                    self._alice.click(message, "approve")
            time.sleep(_POLL)
        return ended.result()


def run_approved(
    running: Running, goal: str, given: object, *, goal_id: str, rehearsal: str | None = None, seconds: float = 200
) -> "subprocess.CompletedProcess[str]":
    """What `banksman run --wait --json` ended with.

    Args:
        goal: Its name.
        given: Its input.
        goal_id: Of its workflow.
        rehearsal: The file of one that it keeps to.
        seconds: In which it ends.
    """
    words = ("run", goal, "--input", json.dumps(given), "--id", goal_id, "--wait", "--json")
    kept = ("--rehearsal", rehearsal) if rehearsal is not None else ()
    with ThreadPoolExecutor() as beside:
        ending = beside.submit(running.banksman, *words, *kept, seconds=seconds)
        return Approver(running, goal_id).approve_until(ending)
