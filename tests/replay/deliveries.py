"""Deliveries of GitHub's, and the sweep of those that failed: steps are played."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from temporalio import activity
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Worker

from activities.github.installations_contracts import (
    FIND_INSTALLATIONS,
    FindInstallationsRequest,
    InstallationFound,
    InstallationsFound,
)
from activities.github.redelivery_contracts import (
    FIND_FAILED_DELIVERIES,
    REDELIVER,
    FailedDeliveriesFound,
    FailedDelivery,
    FindFailedDeliveriesRequest,
    Redelivered,
    RedeliverRequest,
)
from activities.guard.error_types import ErrorType, application_error
from activities.queues import TaskQueue
from hitl.github.events import (
    Actor,
    AnyEvent,
    Comment,
    InstallationEvent,
    InstallationMention,
    IssueCommentEvent,
    IssueMention,
    PingEvent,
    PullRequestEvent,
    PullRequestMention,
    PushEvent,
    Repository,
    Side,
)
from tests.replay.decided_deliveries import Decided, at_work
from tests.workflows.scripted import Steps, workers
from workflows.github.contracts import (
    DELIVERY_WORKFLOW,
    FIND_UNRECEIVED,
    SWEEP_DELIVERIES,
    Done,
    FindUnreceivedRequest,
    ReceivedDelivery,
    UnreceivedFound,
    delivery_id,
)
from workflows.github.deciding_contracts import (
    CONFIG,
    ConfigMistake,
    DeliveryDecided,
    GoalBegun,
    ScheduleTold,
    TaskLeftOut,
)
from workflows.github.installation_contracts import (
    INSTALLATION_WORKFLOW,
    KEEP_INSTALLATION,
    TOLD,
    InstallationState,
    KeepInstallation,
    KeptInstallation,
    installation_id,
)
from workflows.implementations import WORKFLOWS
from workflows.runner import sandbox_runner

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
        decisions: What the gateway says of it, one after the other.
    """

    name: str
    event: AnyEvent
    decisions: tuple[DeliveryDecided, ...] = ()

    def recorded(self) -> set[tuple[str, str]]:
        """The history that is kept of it, by folder and name."""
        return {(DELIVERY_WORKFLOW, self.name)}

    async def run(self, client: Client) -> WorkflowHistory:
        """Run it to its end."""
        async with at_work(client, Decided(list(self.decisions))):
            handle = await client.start_workflow(
                DELIVERY_WORKFLOW,
                ReceivedDelivery(delivery=GUID, event=self.event),
                id=f"{delivery_id(GUID)}/{self.name}",
                task_queue=TaskQueue.GOALS,
            )
            await handle.result()
            return await handle.fetch_history()


@dataclass(frozen=True)
class Sweeping:
    """One sweep.

    Attributes:
        name: The file's name.
        failed: What GitHub could not deliver; None where it cannot be asked.
        installed: Where the App is, and nobody told of.
    """

    name: str
    failed: tuple[FailedDelivery, ...] | None
    installed: tuple[InstallationFound, ...] = ()

    def recorded(self) -> set[tuple[str, str]]:
        """The history that is kept of it, by folder and name."""
        return {(SWEEP_DELIVERIES, self.name)}

    async def run(self, client: Client) -> WorkflowHistory:
        """Run it to its end."""
        goals = Worker(client, task_queue=TaskQueue.GOALS, workflows=WORKFLOWS, workflow_runner=sandbox_runner())
        async with goals, self._steps(client):
            handle = await client.start_workflow(
                SWEEP_DELIVERIES, id=f"sweep-github-deliveries/{self.name}", task_queue=TaskQueue.GOALS
            )
            await handle.result()
            for one in self.installed:
                await client.get_workflow_handle(installation_id(one.number)).terminate()
            return await handle.fetch_history()

    @contextlib.asynccontextmanager
    async def _steps(self, client: Client) -> AsyncGenerator[None]:
        @activity.defn(name=FIND_FAILED_DELIVERIES.name)
        async def find(request: FindFailedDeliveriesRequest) -> FailedDeliveriesFound:
            del request
            if self.failed is None:
                raise application_error(ErrorType.AUTH_DENIED, "GitHub refuses the App's private key")
            return FailedDeliveriesFound(deliveries=self.failed)

        @activity.defn(name=REDELIVER.name)
        async def redeliver(request: RedeliverRequest) -> Redelivered:
            del request
            return Redelivered()

        @activity.defn(name=FIND_UNRECEIVED.name)
        async def unreceived(request: FindUnreceivedRequest) -> UnreceivedFound:
            return UnreceivedFound(deliveries=request.deliveries)

        @activity.defn(name=FIND_INSTALLATIONS.name)
        async def installations(request: FindInstallationsRequest) -> InstallationsFound:
            del request
            return InstallationsFound(installations=self.installed)

        connectors = Worker(client, task_queue=TaskQueue.CONNECTORS, activities=[find, redeliver, installations])
        async with connectors, Worker(client, task_queue=TaskQueue.HITL, activities=[unreceived]):
            yield


_FAILED: Final = FailedDelivery(guid=GUID, newest=1, failed_at=_AT, attempts=1)
_INSTALLED: Final = InstallationFound(number=8, login="acme", account=1, updated_at=_AT)
SWEEPINGS: Final = (
    Sweeping("redelivered", (_FAILED,)),
    Sweeping("nothing", ()),
    Sweeping("unseen", None),
    Sweeping("installations", (), (_INSTALLED,)),
)


@dataclass(frozen=True)
class Installing:
    """An installation from its first delivery to its last, and the first delivery itself.

    Attributes:
        name: The file's name.
    """

    name: str = "installed"

    def recorded(self) -> set[tuple[str, str]]:
        """The history that is kept of it, by folder and name."""
        return {(INSTALLATION_WORKFLOW, self.name)}

    async def run(self, client: Client) -> WorkflowHistory:
        """Run it to its end."""
        async with workers(client, Steps()):
            handle = await client.start_workflow(
                INSTALLATION_WORKFLOW,
                InstallationState(number=7),
                id=installation_id(7),
                task_queue=TaskQueue.GOALS,
                start_signal=TOLD,
                start_signal_args=[_of_installation("created")],
            )
            await handle.query("state")
            await handle.signal(TOLD, _of_installation("deleted"))
            await handle.result()
            return await handle.fetch_history()


@dataclass(frozen=True)
class Keeping:
    """A delivery about an installation: the gateway's step is played.

    Attributes:
        name: The file's name.
        gone: Whether the installation was deleted before.
    """

    name: str
    gone: bool

    def recorded(self) -> set[tuple[str, str]]:
        """The history that is kept of it, by folder and name."""
        return {(DELIVERY_WORKFLOW, self.name)}

    async def run(self, client: Client) -> WorkflowHistory:
        """Run it to its end."""

        @activity.defn(name=KEEP_INSTALLATION.name)
        async def keep(request: KeepInstallation) -> KeptInstallation:
            del request
            return KeptInstallation(workflow=installation_id(7), gone=self.gone)

        async with workers(client, Steps()), Worker(client, task_queue=TaskQueue.HITL, activities=[keep]):
            handle = await client.start_workflow(
                DELIVERY_WORKFLOW,
                _of_installation("created"),
                id=f"{delivery_id(GUID)}/{self.name}",
                task_queue=TaskQueue.GOALS,
            )
            await handle.result()
            return await handle.fetch_history()


def _of_installation(action: str) -> ReceivedDelivery:
    guid = GUID if action == "created" else GUID.replace("0b98", "1b98")
    told = InstallationMention(id=7, account=Actor(login="acme", id=1, type="Organization"), updated_at=_AT)
    return ReceivedDelivery(delivery=guid, event=InstallationEvent(action=action, installation=told))


INSTALLINGS: Final = (Installing(), Keeping("kept", gone=False), Keeping("kept-gone", gone=True))
_SAID: Final = _EDITED.model_copy(update={"action": "created"})
_ON_PULL: Final = _SAID.model_copy(update={"issue": IssueMention(number=1, is_pull=True)})
_LOOK: Final = DeliveryDecided(look="alice")
_BEGUN: Final = DeliveryDecided(
    done=Done.STARTED,
    why="Started: ReadFile",
    goals=(GoalBegun(workflow_id=f"github-job/{GUID}", run_id="r", name="ReadFile"),),
    reaction="rocket",
)
_REFUSED: Final = DeliveryDecided(done=Done.ANSWERED, why="No.", say="No.", reaction="-1")
_NOT_TOLD: Final = DeliveryDecided(done=Done.ANSWERED, why="No.", say="It is archived.", reaction="-1")
_PUSHED: Final = PushEvent(
    sender=_EDITED.sender,
    repository=_EDITED.repository,
    ref="refs/heads/main",
    before="0" * 40,
    after="1" * 40,
    paths=(CONFIG,),
)
_MISTAKES: Final = DeliveryDecided(
    done=Done.ANSWERED,
    why="It has a mistake.",
    mistakes=(ConfigMistake(line=2, column=12, where="commands[0]", message="`runs` is not known here"),),
)
_SCHEDULED: Final = DeliveryDecided(
    why="No trigger is about this.",
    schedules=(ScheduleTold(line="nightly: look at 0 3 * * *."), ScheduleTold(line="often: no.", refused=True)),
)
_SIDE: Final = Side(ref="main", sha="1" * 40, repo=_EDITED.repository)
_OPENED: Final = PullRequestEvent(
    action="opened",
    sender=_EDITED.sender,
    repository=_EDITED.repository,
    number=4,
    pull_request=PullRequestMention(number=4, head=_SIDE, base=_SIDE),
)
_FILES: Final = DeliveryDecided(look="alice", filters=(("services/cart/",),))
_LEFT_OUT: Final = DeliveryDecided(
    why="cart: no changed file matches 'services/cart/'.",
    left_out=(TaskLeftOut(task="cart", goal="ReadFile", why="no changed file matches 'services/cart/'"),),
)
DELIVERIES: Final = (
    Delivering("ignored", _EDITED),
    Delivering("ping", PingEvent(hook_id=1)),
    Delivering("started", _ON_PULL, (_LOOK, _BEGUN)),
    Delivering("refused", _SAID, (_LOOK, _REFUSED)),
    Delivering("refused_at_once", _SAID, (DeliveryDecided(why="A stranger.", reaction="confused"),)),
    Delivering("not_told", _SAID, (_LOOK, _NOT_TOLD)),
    Delivering("too_late", _SAID, (_LOOK,)),
    Delivering("mistakes", _PUSHED, (_LOOK, _MISTAKES)),
    Delivering("scheduled", _PUSHED, (_LOOK, _SCHEDULED)),
    Delivering("left_out", _OPENED, (_LOOK, _FILES, _LEFT_OUT)),
)
