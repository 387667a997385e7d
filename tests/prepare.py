"""`python -m tests.prepare` gets what the tests need and this machine lacks, before the time of any test runs.

Building from source takes minutes, and a test is ended after one. What cannot be had is told here; the tests that need
it are skipped, each with its reason. It tells how far it is, and while nothing ends, that it is still at work.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from deploy.images.__main__ import build
from deploy.images.build import ImageBuildFailed
from deploy.local.container_engine.found import DockerSettings, DockerUnavailable
from deploy.local.small_model.found import find_small_model
from deploy.local.tools import CACHE, Tool, ToolUnavailableError, resolve, tell
from sandbox.errors import SandboxError
from tests.connectors.models.ollama.description import find_description
from tests.connectors.models.ollama.program import find_ollama
from tests.observability.questions.grammars import find_grammars

_HEARTBEAT: Final = 20.0
_LOG: Final = "the container engine's log (docker/dockerd.log)"
_SMALL_MODEL: Final = "a small language model"
_OLLAMA_DESCRIPTION: Final = "Ollama's description"
_OLLAMA: Final = "Ollama's server"
_GRAMMARS: Final = "the grammars of queries"
_IMAGES: Final = "the container engine, and the sandbox's images with Pulumi"


class Told:
    """Gets parts side by side and tells how it goes.

    Args:
        parts: What is got, by the name that people read.
        say: Takes a line.
        heartbeat: Seconds after which it says that it is still at work.
    """

    def __init__(
        self, parts: Mapping[str, Awaitable[object]], *, say: Callable[[str], None], heartbeat: float = _HEARTBEAT
    ) -> None:
        self._parts = parts
        self._say = say
        self._heartbeat = heartbeat
        self._began = time.monotonic()
        self._done: list[str] = []

    async def run(self) -> None:
        """Wait for all; where one cannot be had, say so and let the others go on."""
        self._say(f"getting {len(self._parts)} parts that the tests need, side by side: {', '.join(self._parts)}")
        self._say(f"the first time this takes minutes, afterwards seconds; all is kept in {CACHE}, {_LOG} with it")
        waiting = {asyncio.ensure_future(self._one(name, getting)) for name, getting in self._parts.items()}
        try:
            while waiting:
                ended, waiting = await asyncio.wait(waiting, timeout=self._heartbeat)
                for one in ended:
                    one.result()
                if not ended:
                    self._say(f"{self._far()}: still at {', '.join(self._rest())}")
        finally:
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _one(self, name: str, getting: Awaitable[object]) -> None:
        problem = ""
        try:
            await getting
        except (DockerUnavailable, ImageBuildFailed, SandboxError, ToolUnavailableError) as error:
            problem = f": {error}; the tests that need it will be skipped"
        self._done.append(name)
        self._say(f"{self._far()}: " + (f"cannot be had: {name}{problem}" if problem else f"ready: {name}"))

    def _far(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        after = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
        return f"{len(self._done)} of {len(self._parts)} after {after}"

    def _rest(self) -> list[str]:
        return [name for name in self._parts if name not in self._done]


async def prepare() -> None:
    """Everything at once: packages are fetched while programs are built."""
    tools = (Tool.CHROMIUM, Tool.PROMTOOL, Tool.COMPOSE)
    images = build(DockerSettings(cache=CACHE), pulumi=True, providers=None)
    parts = {
        _IMAGES: images,
        _GRAMMARS: find_grammars(),
        _SMALL_MODEL: find_small_model(progress=tell),
        _OLLAMA_DESCRIPTION: find_description(),
        _OLLAMA: find_ollama(progress=tell),
        **{tool.value: resolve(tool, progress=tell) for tool in tools},
    }
    await Told(parts, say=tell).run()


if __name__ == "__main__":
    asyncio.run(prepare())
