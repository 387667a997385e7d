"""`banksman container-engine`: the embedded environment's engine, found or started, and watched."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from deploy.images.build import ImageBuildFailed
from deploy.local.container_engine.found import DockerUnavailable
from deploy.local.container_engine.part import keep_engine
from sandbox.errors import SandboxError
from workers.commands.exits import Exit, fail
from workers.commands.processes import load_settings, telemetry_for


def container_engine(
    told: Annotated[Path, typer.Argument(help="Where to write which engine it is.")],
    deployment: Annotated[str, typer.Argument(help="What the environment is called on the engine.")],
) -> None:
    """Find or start a container engine for the embedded environment, and watch it."""
    settings = load_settings()
    telemetry = telemetry_for("container-engine", settings)
    try:
        chosen = settings.docker_host if "docker_host" in settings.model_fields_set else None
        asyncio.run(keep_engine(told, deployment=deployment, docker_host=chosen))
    except (DockerUnavailable, ImageBuildFailed, SandboxError) as error:
        fail(str(error), Exit.FAILED)
    finally:
        telemetry.shutdown()
