"""A console for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from temporalio.client import Client

from tests.hitl.console.visiting import Console


@pytest_asyncio.fixture(loop_scope="session")
async def console(client: Client, tmp_path: Path) -> AsyncIterator[Console]:
    made = Console(client, tmp_path)
    yield made
    await made.end()
