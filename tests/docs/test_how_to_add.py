"""The pages on adding a goal and a provider, carried out: each file they show is new, and what they promise is so."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from temporalio.client import Client

from tests.docs.reference import ROOT
from workers.replayed import PACKAGES

pytestmark = pytest.mark.slow

PAGES: Final = ROOT / "docs/how-to"
_FILE: Final = re.compile(r"^```python (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PLAY: Final = """
import asyncio, sys
from temporalio.client import Client
from tests.workflows.played import scenarios
from deploy.ending import run_to_the_end
from workflows.plugin import banksman_plugin

async def main() -> None:
    client = await Client.connect(sys.argv[1], plugins=[banksman_plugin()])
    for one in scenarios():
        if one.goal.name == sys.argv[2]:
            print((await (await one.run(client)).result()).model_dump_json())

run_to_the_end(lambda: asyncio.run(main()))
"""
_LOOK: Final = """
import asyncio, contextlib, json, sys, threading
from pathlib import Path
import uvicorn
from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment
from activities.lamps.contracts import LOOK_AT_LAMP, LookAtLampRequest
from activities.step import step_of
from connectors.lamps.manifest import KEY, LAMPS, READ
from connectors.lamps.twin import app, seed
from connectors.twins import TwinPlace
from tests.connectors.serving import served_twin
from workers.guarded import QUEUES
from workers.settings import Role, Settings
from workers.steps.connectors import Means
from workers.steps.found import steps_of

class Vault:
    def __init__(self, secrets): self.secrets = secrets
    @contextlib.asynccontextmanager
    async def step(self, action, *, metadata, ttl):
        assert action == READ.name
        yield self
    async def read(self, path): return self.secrets[path]
    def release_soon(self): ...

def keep(name, content):
    path = Path(name)
    path.write_bytes(content)
    return path

async def main():
    place = TwinPlace(root=Path("."), listen="127.0.0.1:0", repositories={}, keep=keep)
    prepared = await seed.prepare(place)
    config = app.TwinConfig.model_validate_json(prepared.configuration.read_bytes())
    with served_twin(app.create_twin(config)) as twin:
        settings = Settings.model_validate({LAMPS.setting: twin.url, "environment": "staging"})
        found = steps_of(Role.CONNECTORS, Means(settings, Vault(prepared.secrets)), queues=QUEUES[Role.CONNECTORS])
        [look] = [one for one in found if step_of(one) is LOOK_AT_LAMP]
        seen = await ActivityEnvironment().run(look, LookAtLampRequest(lamp="porch"))
    print(seen.model_dump_json())

asyncio.run(main())
"""


class Copy:
    """All that is ours, to be added to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for package in (*PACKAGES, "tests"):
            left_out = shutil.ignore_patterns("__pycache__", "histories")
            shutil.copytree(ROOT / package, folder / package, ignore=left_out)

    def add(self, page: str) -> list[str]:
        """Every file that the page shows."""
        files = _FILE.findall((PAGES / page).read_text(encoding="utf-8"))
        for name, content in files:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        return [name for name, _ in files]

    def run(self, *arguments: str) -> str:
        """What Python says there."""
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(self.folder), "HOME": str(self.folder)}
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path / "copy")


@pytest.mark.parametrize("page", ["add-a-goal.md", "add-a-provider.md"])
def test_no_shared_file_is_edited(copy: Copy, page: str) -> None:
    names = copy.add(page)
    assert len(names) >= 4
    assert [name for name in names if (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", ["add-a-goal.md", "add-a-provider.md"])
def test_what_it_shows_is_as_all_of_our_code(copy: Copy, page: str) -> None:
    names = copy.add(page)
    shutil.copy(ROOT / "pyproject.toml", copy.folder)
    copy.run("-m", "ruff", "check", *names)
    copy.run("-m", "ruff", "format", "--check", *names)


@pytest.mark.asyncio(loop_scope="session")
async def test_a_goal_of_the_page_is_found_and_runs(copy: Copy, client: Client) -> None:
    copy.add("add-a-goal.md")
    assert "Tell how many lines" in copy.run("-m", "workers", "goals", "CountLines")
    server = client.service_client.config.target_host
    completed, denied = map(json.loads, copy.run("-c", _PLAY, server, "CountLines").splitlines())
    assert (completed["outcome"], completed["lines"]) == ("completed", 2)
    assert (denied["outcome"], denied["reason"]) == ("denied", "acme/shop is not to be read")


def test_a_provider_of_the_page_is_found_and_its_step_runs(copy: Copy) -> None:
    copy.add("add-a-provider.md")
    catalog: dict[str, list[dict[str, Any]]] = json.loads(copy.run("-m", "workers", "catalog", "--json"))
    [provider] = [one for one in catalog["providers"] if one["name"] == "lamps"]
    assert (provider["setting"], provider["twin"]) == ("BANKSMAN_LAMPS_URL", True)
    [step] = [one for one in catalog["steps"] if one["name"] == "lamps.look_at_lamp"]
    assert (step["queue"], step["credential"]) == ("banksman-connectors", "lamps-read")
    copy.run("-m", "deploy.vault.rights")
    policies = copy.folder / "deploy/vault/policies"
    assert 'path "banksman/data/lamps/key"' in (policies / "step-lamps-read.hcl").read_text()
    assert "lamps-read" in (policies / "connectors.hcl").read_text()
    assert "lamps" not in (policies / "destructive.hcl").read_text()
    assert json.loads(copy.run("-c", _LOOK)) == {"lit": True}
