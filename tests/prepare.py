"""`python -m tests.prepare` gets what the tests need and this machine lacks, before the time of any test runs.

Building from source takes minutes, and a test is ended after one. What cannot be had is told here; the tests that need
it are skipped, each with its reason.
"""

import asyncio
from collections.abc import Awaitable

from deploy.images.__main__ import build
from deploy.images.build import ImageBuildFailed
from deploy.local.docker import DockerSettings, DockerUnavailable
from deploy.local.tools import CACHE, Tool, ToolUnavailableError, resolve, tell
from sandbox.errors import SandboxError


async def told(getting: Awaitable[object]) -> None:
    """Wait for one part; where it cannot be had, say so and let the others go on."""
    try:
        await getting
    except (DockerUnavailable, ImageBuildFailed, SandboxError, ToolUnavailableError) as error:
        tell(f"{error}; the tests that need it will be skipped")


async def prepare() -> None:
    """Everything at once: packages are fetched while programs are built."""
    tools = (resolve(tool, progress=tell) for tool in (Tool.CHROMIUM, Tool.PROMTOOL, Tool.COMPOSE))
    images = build(DockerSettings(cache=CACHE), pulumi=True, providers=None)
    await asyncio.gather(*(told(getting) for getting in (images, *tools)))


if __name__ == "__main__":
    asyncio.run(prepare())
