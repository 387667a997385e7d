"""`python -m deploy.images` builds the images and prints their record.

python -m deploy.images --cache ~/.cache/banksman --docker-host unix:///var/run/docker.sock
"""

import argparse
import asyncio
import sys
from pathlib import Path

from deploy.images.build import ImageBuildFailed, build_images
from deploy.images.pulumi_programs import pulumi_programs
from deploy.images.pulumi_providers import read_providers
from deploy.images.update_tools import update_tools
from deploy.local.container_engine.found import DockerSettings, DockerUnavailable, docker_engine
from deploy.local.tools import CACHE, ToolUnavailableError, tell
from sandbox.docker.engine import Engine
from sandbox.errors import SandboxError


async def build(settings: DockerSettings, *, pulumi: bool, providers: Path | None, updates: bool = False) -> str:
    """Build on the engine that these settings find or start; the record as JSON.

    Args:
        settings: Where the engine and the cache are.
        pulumi: Whether the image with Pulumi is built, too.
        providers: The list of providers that it shall have; None: those that it had the last time.
        updates: Whether the image for updates of dependencies is built, too.

    Raises:
        DockerUnavailable: There is no engine.
        ImageBuildFailed: A build failed.
        SandboxError: The engine failed.
        ToolUnavailableError: Pulumi or a provider cannot be had, or the list is not valid.
    """
    listed = None if providers is None else read_providers(providers)
    programs = await pulumi_programs(settings.cache / "tools", progress=tell, providers=listed) if pulumi else None
    tools = await update_tools(settings.cache / "tools", progress=tell) if updates else None
    async with docker_engine(settings) as host:
        engine = Engine(host)
        try:
            images = await build_images(engine, settings.cache / "images.json", pulumi=programs, updates=tools)
        finally:
            await engine.close()
    return images.model_dump_json(indent=2)


def main() -> int:
    """Build, print, and answer with an exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.images", description="Build the sandbox's images.")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where the record is")
    parser.add_argument("--docker-host", default=None, help="unix:// and a socket; default: found or started")
    parser.add_argument("--no-pulumi", action="store_true", help="leave out the image with Pulumi")
    parser.add_argument("--updates", action="store_true", help="build the image for updates of dependencies, too")
    parser.add_argument("--providers", type=Path, default=None, help="YAML: the Pulumi providers that its image has")
    arguments = parser.parse_args()
    settings = DockerSettings(host=arguments.docker_host, cache=arguments.cache)
    building = build(settings, pulumi=not arguments.no_pulumi, providers=arguments.providers, updates=arguments.updates)
    try:
        record = asyncio.run(building)
    except (DockerUnavailable, ImageBuildFailed, SandboxError, ToolUnavailableError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(record + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
