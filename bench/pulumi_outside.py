"""The other side of `bench.pulumi`: the same commands of the same CLI, as one runs them by hand beside the keys."""

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from sandbox.pulumi import steps
from sandbox.pulumi.inside.order import Step

PYTHON: Final = (3, 11)
"""Of the image: its wheels fit no other."""
_PROGRAMS: Final = ("pulumi", "pulumi-language-python", "pulumi-language-python-exec")


class BenchImpossible(Exception):
    """It cannot be measured here. The message says what to do."""


class Outside:
    """A folder with the CLI, the program's library, and a project.

    Args:
        folder: For all of it.
        settings: The environment variables that lead to the state and the database.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self._folder = folder
        self._settings = settings

    async def install(self, programs: Path, *, project: str, code: str) -> None:
        """Put everything in its place, from what the image was made of.

        Raises:
            BenchImpossible: This Python is another than the image's.
        """
        if sys.version_info[:2] != PYTHON:
            raise BenchImpossible(
                f"outside, the program runs with this Python, and the library is at hand for "
                f"{'.'.join(map(str, PYTHON))} alone: run the bench with that"
            )
        self._bin.mkdir(parents=True)
        for name in _PROGRAMS:
            shutil.copy(programs / name, self._bin / name)
        shutil.copytree(programs / "plugins", self._folder / "home" / "plugins")
        library = self._folder / "library"
        await must(sys.executable, "-m", "venv", str(library))
        wheels = [str(one) for one in sorted((programs / "wheels").glob("*.whl"))]
        await must(
            str(library / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", *wheels
        )
        self._project.mkdir()
        runtime = {"name": "python", "options": {"virtualenv": str(library)}}
        (self._project / "Pulumi.yaml").write_text(json.dumps({"name": project, "runtime": runtime}))
        (self._project / "__main__.py").write_text(code)

    async def timed(self, commands: Sequence[Step]) -> float:
        """Run an operation's commands, as the container is told them; answers in seconds."""
        begun = time.perf_counter()
        for step in commands:
            await self._run(step)
        return time.perf_counter() - begun

    async def _run(self, step: Step) -> None:
        argv = [one.replace(f"/workspace/{steps.PLAN}", str(self._folder / steps.PLAN)) for one in step["argv"]]
        if step["events"]:
            log = self._folder / f"{step['name']}.events"
            log.unlink(missing_ok=True)
            argv.append(f"--event-log={log}")
        await must(str(self._bin / "pulumi"), *argv, cwd=self._project, environment=self._environment())

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self._bin}:{os.defpath}",
            "HOME": str(self._folder),
            "LANG": "C.UTF-8",
            "PULUMI_HOME": str(self._folder / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
            "PULUMI_DEBUG_COMMANDS": "true",
            **self._settings,
        }

    @property
    def _bin(self) -> Path:
        return self._folder / "bin"

    @property
    def _project(self) -> Path:
        return self._folder / "project"


async def must(*argv: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> None:
    """Run a command that has to succeed."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        cwd=cwd,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, f"{argv[:3]}: {said.decode(errors='replace')[-2000:]}"
