"""The tools for updates as the image has them, and registries over HTTP."""

import dataclasses
import json
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import TypeVar

import pytest
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.sandbox.contracts import Source
from activities.sandbox.sessions import HeldSessions
from activities.sandbox.tools import SessionActivities
from activities.sandbox.updating import UpdateActivities, Ways
from connectors.artifacts import ArtifactStore
from deploy.images.build import build_images
from deploy.images.update_tools import update_tools
from deploy.local.tools import CACHE, ToolUnavailableError
from sandbox.docker.container import SandboxOptions
from sandbox.docker.engine import Engine
from sandbox.docker.provider import DockerSandbox
from sandbox.egress.purposes import EgressSettings
from sandbox.egress.registries import MirrorSettings
from sandbox.provisioning import Images
from sandbox.spec import MIB, Limits
from sandbox.tools.rules import ToolRules
from tests.sandbox.attacks.registry import certificate
from tests.sandbox.attacks.world import outside_on
from tests.sandbox.conftest import leftovers
from tests.sandbox.tools.working import Ended
from tests.sandbox.updates.modules import GO_AFTER, GO_BEFORE, VERIFIER, GoProxy
from tests.sandbox.updates.registries import FILES, GO, HOSTS, INDEX, NPM, Package, Registries, serving
from tests.sandbox.updates.working import (
    AFTER,
    BEFORE,
    NPM_AFTER,
    NPM_BEFORE,
    REPOSITORY,
    Here,
    committed,
    packed,
    uv_from,
)

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tools() -> Path:
    """The folder with their wheels; fetched once on a machine."""
    try:
        return await update_tools(CACHE / "tools", progress=print)
    except ToolUnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def uv(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return uv_from(tools / "wheels", tmp_path_factory.mktemp("tools") / "bin")


@pytest.fixture
def here(uv: Path, tmp_path: Path) -> Iterator[Here]:
    registries = Registries(python=[*BEFORE, *AFTER], go=GoProxy([*GO_BEFORE, *GO_AFTER]))
    with serving(registries):
        yield Here(tmp_path, uv, registries)


@dataclass(frozen=True)
class Contained:
    """The steps of a sandbox worker whose runs reach registries through the mirror.

    Attributes:
        steps: Of updates.
        sessions: Of sessions.
        store: Where what they keep lies.
        folder: For repositories.
    """

    steps: UpdateActivities
    sessions: SessionActivities
    held: HeldSessions
    store: ArtifactStore
    folder: Path

    async def source(self, **files: str) -> Source:
        """A commit of these files."""
        commit, pack = packed(committed(self.folder / uuid.uuid4().hex, files))
        return Source(repository=REPOSITORY, commit=commit, pack=await self.store.put(pack))

    async def run(self, step: Callable[[Asked], Awaitable[Answer]], request: Asked) -> Answer:
        """One step, as a worker runs it."""
        environment = ActivityEnvironment()
        info = {"activity_id": uuid.uuid4().hex[:8], "workflow_id": "a-job", "workflow_run_id": "a-run"}
        environment.info = dataclasses.replace(environment.info, **info)  # pyright: ignore[reportArgumentType] - texts
        return await environment.run(step, request)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def contained(
    engine_host: str, images: Images, tools: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Contained]:
    """One engine, one mirror and one registry for all tests here."""
    folder = tmp_path_factory.mktemp("updates")
    engine, store = Engine(engine_host), ArtifactStore(str(folder / "artifacts"))
    built = await build_images(engine, CACHE / "images.json", updates=tools)
    assert built.updates is not None
    options = SandboxOptions(deployment=f"test-{uuid.uuid4().hex[:12]}", concurrency=4)
    registries = Registries(
        python=[*BEFORE, *AFTER], npm=[*NPM_BEFORE, *NPM_AFTER], go=GoProxy([*GO_BEFORE, *GO_AFTER])
    )
    registries.python.append(Package("away", "1.0"))
    registries.moved[f"/{FILES}/away-1.0-py3-none-any.whl"] = "https://evil.example.com/away-1.0-py3-none-any.whl"
    secret, public = certificate(*HOSTS)
    environment = [f"CERTIFICATE={secret}", f"FILES={json.dumps(registries.files())}"]
    names = {name: ["{web}"] for name in (*HOSTS, "evil.example.com")}
    subnet = f"11.227.{random.randrange(256)}.0/24"  # noqa: S311 - no secret
    async with outside_on(engine, images.base.digest, subnet, names, environment) as outside:
        mirror = MirrorSettings(
            python_index=f"https://{INDEX}/simple/",
            npm_registry=f"https://{NPM}/",
            go_proxy=f"https://{GO}/",
            go_sums=VERIFIER,
            files=(FILES,),
            authorities=public,
            cache_bytes=32 * MIB,
        )
        egress = EgressSettings(
            mirrors={"package-registries": mirror},
            purposes={"package-advisories": (NPM, "api.osv.dev")},
            proxy_image=images.proxy.digest,
            outbound=outside.network,
            resolvers=(IPv4Address(outside.address),),
        )
        sandbox = DockerSandbox(engine, store, options, egress)
        held = HeldSessions(Ended(), most=8)
        rules = ToolRules(run=(("python3", "-m", "unittest", "..."), ("node", "test.js"), ("go", "test", "./...")))
        limits = Limits(memory_bytes=1024 * MIB, workspace_bytes=512 * MIB, tmp_bytes=128 * MIB)
        digest = built.updates.digest
        sessions = SessionActivities(
            sandbox, held, image=images.base.digest, limits=limits, rules=rules, updates=digest
        )
        yield Contained(UpdateActivities(sandbox, Ways(digest, egress)), sessions, held, store, folder)
        await held.close_all()
        await sandbox.close()
        assert await leftovers(engine, options.deployment) == []
    await engine.close()
