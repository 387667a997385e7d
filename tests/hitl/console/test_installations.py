"""The console's page of installations, over the real server's list."""

import secrets
import uuid
from typing import Any

import pytest

from activities.queues import TaskQueue
from connectors.github.manifest import APP
from connectors.github.permissions import of_app
from hitl.github.events import LISTENED_TO, Actor, InstallationEvent, InstallationMention, RepositoryMention
from tests.hitl.console.visiting import Console
from tests.workflows.approval.approving import eventually
from tests.workflows.scripted import Steps, workers
from workflows.github.contracts import ReceivedDelivery
from workflows.github.installation_contracts import INSTALLATION_WORKFLOW, TOLD, InstallationState, installation_id

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def tell(console: Console, login: str, action: str = "created", **told: object) -> int:
    """GitHub told of an installation."""
    number = secrets.randbelow(10**9)
    given = {"id": number, "account": Actor(login=login, id=1), **told}
    event = InstallationEvent(
        action=action,
        installation=InstallationMention.model_validate(given),
        repositories=(RepositoryMention(full_name=f"{login}/shop", id=7),),
    )
    await console.house.client.start_workflow(
        INSTALLATION_WORKFLOW,
        InstallationState(number=number),
        id=installation_id(number),
        task_queue=TaskQueue.GOALS,
        start_signal=TOLD,
        start_signal_args=[ReceivedDelivery(delivery=str(uuid.uuid4()), event=event)],
    )
    return number


async def test_it_is_shown_what_each_covers_and_what_it_lacks(console: Console) -> None:
    whole: dict[str, Any] = {"permissions": of_app(APP), "events": sorted(LISTENED_TO)}
    some: dict[str, Any] = {"permissions": {**of_app(APP), "checks": "read"}, "events": ["push"]}
    async with workers(console.house.client, Steps()), console.visit("alice") as visit:
        await tell(console, "ready-inc", **whole)
        await tell(console, "lacking-inc", **some)
        await tell(console, "resting-inc", **whole, suspended_at="2026-11-30T08:00:00Z")
        await tell(console, "gone-inc", "deleted", **whole)

        async def shows(text: str, path: str = "/installations") -> bool:
            return text in (await visit.get(path)).text

        for name in ("ready-inc/shop", "lacking-inc/shop", "resting-inc/shop"):
            await eventually(lambda name=name: shows(name))
        page = (await visit.get("/installations")).text
        assert "<code>checks: write</code>" in page
        assert "<code>issue_comment</code>" in page
        assert "suspended" in page
        assert "gone-inc" not in page
        await eventually(lambda: shows("gone-inc", "/installations?gone=1"))


async def test_nobody_sees_them_who_is_not_signed_in(console: Console) -> None:
    async with console.visit() as visit:
        assert (await visit.get("/installations")).status_code == 303
