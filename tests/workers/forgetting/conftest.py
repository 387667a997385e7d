"""A worker for what is to be forgotten, and the command as a person gives it, also days later."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker
from typer.testing import CliRunner, Result

from tests.workers.forgetting.pretending import QUEUE, PretendedWorkflow, Told
from tests.workflows.approval.approving import eventually
from workers.cli import app
from workers.commands import forget as command
from workers.forgetting import deleting

LATER = timedelta(days=5)


@dataclass(frozen=True)
class Place:
    """All of it.

    Attributes:
        owner: Of this test's repositories, in whose names nothing else is found.
        store: Where artifacts lie.
        asked: The ids that Temporal was asked to delete, in order. It deletes half a minute later what has just ended.
    """

    client: Client
    patched: pytest.MonkeyPatch
    owner: str
    store: Path
    asked: list[str] = field(default_factory=list[str])

    def of(self, kind: str, repository: str | None = "shop", **more: object) -> Told:
        """One that is told what it is of; its id begins with the owner."""
        name = str(more.pop("id", f"{self.owner}/{secrets.token_hex(4)}"))
        whose = f"{self.owner}/{repository}" if repository is not None else None
        return Told.model_validate({"type": kind, "id": name, "repository": whose, **more})

    async def begin(self, *those: Told) -> None:
        """Have them done, or waiting, and listed."""
        handles = [await self._start(one) for one in those]
        for handle, one in zip(handles, those, strict=True):
            if not one.waits:
                await handle.result()
        await self.listed(*_all(those))

    async def listed(self, *those: Told) -> None:
        """Wait until lists tell of them as they are."""

        async def told() -> bool:
            found = {one.id: one.status async for one in self.client.list_workflows(f"TaskQueue = '{QUEUE}'")}
            return all(
                one.id in found and (found[one.id] is WorkflowExecutionStatus.RUNNING) is one.waits for one in those
            )

        await eventually(told)

    async def _start(self, one: Told) -> WorkflowHandle[object, object]:
        return await self.client.start_workflow(
            one.type, one, id=one.id, task_queue=QUEUE, search_attributes=one.found_by()
        )

    async def is_there(self, one: Told) -> bool:
        try:
            await self.client.get_workflow_handle(one.id).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return True

    async def left(self, *those: Told) -> list[str]:
        """The ids of those that are there."""
        return [one.id for one in those if await self.is_there(one)]

    def environment(self) -> dict[str, str]:
        return {
            "BANKSMAN_TEMPORAL_ADDRESS": self.client.service_client.config.target_host,
            "BANKSMAN_TEMPORAL_NAMESPACE": self.client.namespace,
            "BANKSMAN_DEVELOPMENT": "true",
            "BANKSMAN_ENCRYPT_PAYLOADS": "false",
            "BANKSMAN_ARTIFACTS": str(self.store),
            "COLUMNS": "200",
        }

    async def given(self, *arguments: str, days: timedelta = LATER, **environment: str) -> Result:
        """The command as a person types it when everything here is old enough; `asked` is what it had deleted."""
        at = datetime.now(UTC) + days
        self.asked.clear()
        self.patched.setattr(command, "_now", lambda: at)
        run = partial(CliRunner().invoke, app, ["github", "forget", *arguments], env=self.environment() | environment)
        return await asyncio.to_thread(run)


def _all(those: Iterable[Told]) -> Iterable[Told]:
    for one in those:
        yield one
        yield from _all(one.begins)


@pytest_asyncio.fixture(loop_scope="session")
async def place(client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Place]:
    monkeypatch.setattr(command, "_PATIENCE", 0.0)
    store = tmp_path / "artifacts"
    store.mkdir()
    async with Worker(client, task_queue=QUEUE, workflows=[PretendedWorkflow]):
        made = Place(client, monkeypatch, f"o{secrets.token_hex(5)}", store)
        really = deleting._delete

        async def recorded(client: Client, one: WorkflowExecution) -> None:
            made.asked.append(one.id)
            await really(client, one)

        monkeypatch.setattr(deleting, "_delete", recorded)
        yield made
