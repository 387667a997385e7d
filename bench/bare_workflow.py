"""What ours is measured against: a goal as short as Temporal allows, one workflow around one activity."""

from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow

QUEUE_WORKFLOWS = "bench-bare-workflows"
QUEUE_ACTIVITIES = "bench-bare-activities"
QUEUE_BOTH = "bench-bare-both"
QUEUE_UPDATES = "bench-bare-updates"


@dataclass
class Wanted:
    """Which file, and on which queue the activity's worker listens."""

    repository: str
    path: str
    queue: str


@dataclass
class Found:
    """The file."""

    commit: str
    blob: str
    content: str


@workflow.defn(name="BareReadFile")
class BareReadFile:
    """Read one file."""

    @workflow.run
    async def run(self, wanted: Wanted) -> Found:
        """Take the one step."""
        return await workflow.execute_activity(
            "bare_read_file",
            wanted,
            result_type=Found,
            task_queue=wanted.queue,
            start_to_close_timeout=timedelta(seconds=60),
        )


@workflow.defn(name="BareWait")
class BareWait:
    """Wait for one update, as short as Temporal allows."""

    def __init__(self) -> None:
        self._said = ""

    @workflow.run
    async def run(self) -> str:
        """Until it came."""
        await workflow.wait_condition(lambda: bool(self._said))
        return self._said

    @workflow.update
    def say(self, word: str) -> str:
        """Count it."""
        self._said = word
        return word
