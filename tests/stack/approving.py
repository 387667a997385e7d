"""A goal that runs to its end while a person of Slack's twin says yes to whatever it asks, once to each question."""

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from deploy.local.seeded_person import SeededPerson
from tests.stack.running import Running

_POLL: Final = 0.2


def run_approved(running: Running, goal: str, text: str, *, goal_id: str) -> "subprocess.CompletedProcess[str]":
    """What `banksman run --wait --json` ended with.

    Args:
        goal: Its name.
        text: Its input.
        goal_id: Its workflow's id, which no other goal's begins with.
    """
    alice, clicked = SeededPerson(running.state["twins"]["slack"]["url"]), set[str]()
    words = ("run", goal, "--input", text, "--id", goal_id, "--wait", "--json")
    with ThreadPoolExecutor() as beside:
        ending = beside.submit(running.banksman, *words, seconds=200)
        while not ending.done():
            # A message keeps its buttons for a moment after the click, and loses them while one clicks again.
            for message in alice.offered(goal_id, "approve"):
                if message.ts not in clicked:
                    clicked.add(message.ts)
                    alice.click(message, "approve")
            time.sleep(_POLL)
        return ending.result()
