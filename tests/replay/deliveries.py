"""Deliveries of GitHub's."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from temporalio.client import Client, WorkflowHistory

from activities.queues import TaskQueue
from hitl.github.events import Actor, AnyEvent, Comment, IssueCommentEvent, IssueMention, PingEvent, Repository
from tests.workflows.scripted import Steps, workers
from workflows.github.contracts import DELIVERY_WORKFLOW, ReceivedDelivery, delivery_id

GUID: Final = "0b989ba4-242f-11e5-81e1-c7b6966d2516"
_AT: Final = datetime(2026, 11, 30, 8, tzinfo=UTC)
_EDITED: Final = IssueCommentEvent(
    action="edited",
    sender=Actor(login="alice", id=5),
    repository=Repository(full_name="acme/shop", id=7),
    comment=Comment(id=1, body="/banksman help", created_at=_AT, updated_at=_AT),
    issue=IssueMention(number=1),
)


@dataclass(frozen=True)
class Delivering:
    """One run.

    Attributes:
        name: The file's name.
        event: What GitHub tells of.
    """

    name: str
    event: AnyEvent

    def recorded(self) -> set[tuple[str, str]]:
        """The history that is kept of it, by folder and name."""
        return {(DELIVERY_WORKFLOW, self.name)}

    async def run(self, client: Client) -> WorkflowHistory:
        """Run it to its end."""
        async with workers(client, Steps()):
            handle = await client.start_workflow(
                DELIVERY_WORKFLOW,
                ReceivedDelivery(delivery=GUID, event=self.event),
                id=f"{delivery_id(GUID)}/{self.name}",
                task_queue=TaskQueue.GOALS,
            )
            await handle.result()
            return await handle.fetch_history()


DELIVERIES: Final = (Delivering("ignored", _EDITED), Delivering("ping", PingEvent(hook_id=1)))
