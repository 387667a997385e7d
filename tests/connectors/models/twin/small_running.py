"""The real, small model as a process, while a test needs it; skipped with its reason where it cannot be had."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from deploy.local.tools import ToolUnavailableError
from tests.connectors.models.twin import small_model


@contextmanager
def small_server() -> Generator[str]:
    """Where it listens."""
    try:
        found = asyncio.run(small_model.find_small_model())
    except ToolUnavailableError as reason:
        pytest.skip(str(reason))
    with small_model.small_server(found) as address:
        yield address
