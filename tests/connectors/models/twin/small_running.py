"""The real, small model as a process, while a test needs it; skipped with its reason where it cannot be had."""

import asyncio
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import pytest

from deploy.local.small_model.found import find_small_model
from deploy.local.tools import ToolUnavailableError, tell

_CONTEXT: Final = 2048


@contextmanager
def small_server() -> Generator[str]:
    """Where it listens, without `/v1`."""
    try:
        found = asyncio.run(find_small_model(progress=tell))
    except ToolUnavailableError as reason:
        pytest.skip(str(reason))
    with subprocess.Popen(
        found.command(context=_CONTEXT, most=_CONTEXT),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()
