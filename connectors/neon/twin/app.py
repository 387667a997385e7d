"""Neon's twin: an organisation with its projects, whose branches are real PostgreSQL clusters.

It keeps no history: a branch is made of what its parent is now, and a restore to an earlier moment is refused. What it
keeps lasts as long as its process.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from connectors.neon.twin.account import SeededProject, TwinConfig
from connectors.neon.twin.branches import Branches
from connectors.neon.twin.contents import Contents
from connectors.neon.twin.endpoints import Endpoints
from connectors.neon.twin.projects import Projects
from connectors.neon.twin.snapshots import Snapshots
from connectors.twins.clock import TwinClock

__all__ = ["NeonTwin", "SeededProject", "TwinConfig", "create_twin"]


class NeonTwin(Projects, Branches, Endpoints, Contents, Snapshots):
    """All of it."""


def create_twin(config: TwinConfig, *, clock: TwinClock | None = None) -> Starlette:
    """The twin as an application, with its faults in front. Its clusters end with it."""
    twin = NeonTwin(config, clock)
    app = twin.application()

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncGenerator[None]:
        yield
        await twin.close()

    app.router.lifespan_context = life
    return app
