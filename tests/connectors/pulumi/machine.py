"""The real Pulumi CLI on a stack of its own: a folder with its state, its program and the files that it makes.

No test here needs Docker or a server. The provider is ours (`deploy/pulumi/provider`), built once into the cache.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import yaml

PASSPHRASE: Final = "passphrase-of-a-test"
STACK: Final = "dev"
PROJECT: Final = "shop"
PROGRAM: Final = """
import pulumi


def file(name, content, path=None, **options):
    properties = {"path": path or f"{name}.txt", "content": content}
    return pulumi.CustomResource("banksman:files:File", name, properties, opts=pulumi.ResourceOptions(**options))


config = pulumi.Config()
first = file("first", config.get("first") or "1", path=config.get("path"))
second = file("second", config.get("second") or "1", depends_on=[first])
locked = file("locked", config.require_secret("password"))
pulumi.export("output", config.get("output") or "x")
"""
_EXPORTED: Final[dict[bytes, bytes]] = {}


@dataclass(frozen=True)
class Tools:
    """What was resolved.

    Attributes:
        path: A folder for PATH.
        home: Pulumi's, with the provider.
        python: The interpreter's environment.
        modules: Goes before that environment's own modules.
    """

    path: Path
    home: Path
    python: Path
    modules: Path


@dataclass(frozen=True)
class Ran:
    """One run of the CLI.

    Attributes:
        events: The event log, as the CLI wrote it; empty where it wrote none.
    """

    code: int
    text: str
    events: bytes

    def must(self) -> "Ran":
        assert self.code == 0, self.text
        return self


@dataclass(frozen=True)
class Stack:
    """One stack, in one folder."""

    folder: Path
    tools: Tools
    settings: Mapping[str, str]

    @classmethod
    def make(cls, folder: Path, tools: Tools, **settings: str) -> "Stack":
        made = cls(folder, tools, settings)
        for name in ("program", "state", "files"):
            (folder / name).mkdir(parents=True)
        options = {"runtime": {"name": "python", "options": {"virtualenv": str(tools.python)}}}
        (made.program / "Pulumi.yaml").write_text(json.dumps({"name": PROJECT, **options}))
        made.run("stack", "init", STACK).must()
        return made

    @property
    def program(self) -> Path:
        return self.folder / "program"

    @property
    def files(self) -> Path:
        return self.folder / "files"

    @property
    def plan(self) -> Path:
        return self.folder / "plan.json"

    def copy(self, folder: Path) -> "Stack":
        """The same stack once more, with what it has made so far."""
        shutil.copytree(self.folder, folder)
        return replace(self, folder=folder)

    def write(self, program: str) -> None:
        (self.program / "__main__.py").write_text(program)

    def configure(self, name: str, value: str, *, secret: bool = False) -> None:
        if secret:
            self.run("config", "set", "--secret", name, value).must()
            return
        path = self.program / f"Pulumi.{STACK}.yaml"
        settings = yaml.safe_load(path.read_text()) if path.exists() else {}
        settings["config"] = {**settings.get("config", {}), f"{PROJECT}:{name}": value}
        path.write_text(yaml.safe_dump(settings))

    def preview(self, *more: str) -> Ran:
        return self.logged("preview", f"--save-plan={self.plan}", *more)

    def up(self, *more: str) -> Ran:
        """With the plan that was saved."""
        return self.logged("up", "--yes", f"--plan={self.plan}", *more)

    def export(self) -> bytes:
        """The CLI is asked once for each state that there was: it prints nothing else than what its backend keeps."""
        state = (self.folder / f"state/.pulumi/stacks/{PROJECT}/{STACK}.json").read_bytes()
        if state not in _EXPORTED:
            _EXPORTED[state] = self.run("stack", "export").must().text.encode()
        return _EXPORTED[state]

    def logged(self, *words: str) -> Ran:
        log = self.folder / f"events-{time.monotonic_ns()}.ndjson"
        ran = self.run(*words, f"--event-log={log}")
        return replace(ran, events=log.read_bytes() if log.exists() else b"")

    def command(self, *words: str) -> Sequence[str]:
        return [str(self.tools.path / "pulumi"), *words, "--non-interactive", "--cwd", str(self.program)]

    def run(self, *words: str) -> Ran:
        done = subprocess.run(
            self.command(*words), env=self.environment(), capture_output=True, text=True, check=False, timeout=150
        )
        return Ran(done.returncode, done.stdout if done.returncode == 0 else done.stdout + done.stderr, b"")

    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.tools.path}:{os.defpath}",
            "HOME": str(self.folder),
            "PULUMI_HOME": str(self.tools.home),
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_STACK": STACK,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
            "PULUMI_DEBUG_COMMANDS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(self.tools.modules),
            "LOCAL_FILES": str(self.files),
            **self.settings,
        }
