"""The container engine of the machine, and a platform on it that leaves nothing."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.platform.model import Wanted
from deploy.local.platform.platform import Platform
from sandbox.docker.container import Containers, SandboxOptions
from sandbox.docker.engine import Engine
from tests.sandbox.conftest import engine, engine_host, image, images, leftovers, options

__all__ = ["engine", "engine_host", "image", "images", "options"]  # fixtures, shared

SHOP = Path(__file__).parents[4] / "deploy" / "local" / "examples" / "storefront"
MakePlatform = Callable[[], Platform]


def shop(**changes: object) -> Wanted:
    """The example, with its page changed by `title`."""
    title = str(changes.pop("title", "The shop"))
    files = {f"app/{path.name}": path.read_text() for path in (SHOP / "app").glob("*.py")}
    files["app/window.py"] = files["app/window.py"].replace("The shop", title)
    given: dict[str, object] = {"name": "shop", "files": files, "command": ("python3", "-m", "app.main")}
    return Wanted.model_validate({**given, "health": "/healthz", **changes})


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where declared services are kept."""
    made = tmp_path / "services"
    made.mkdir()
    return made


@pytest_asyncio.fixture
async def platform(
    engine: Engine, image: str, options: SandboxOptions, folder: Path, clock: Clock
) -> AsyncIterator[Platform]:
    made = Platform(Containers(engine, options), image, folder, clock=clock)
    yield made
    await made.close()
    assert await leftovers(engine, options.deployment) == []
