"""Where the bench of jobs runs: an embedded environment, a second gateway beside its own, and GitHub's line between.

The environment's own supervisor starts what is killed, as it does for people. GitHub's twin is told anew where its
webhook goes, and takes more in an hour than GitHub, for its own limit would end a run after some hundred jobs.
"""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from pydantic import SecretStr
from temporalio.client import Client
from temporalio.service import RPCError

from bench.jobs_wire import Line, listening
from bench.system import Site, embedded, free_port, until
from connectors.authorities import authorities
from connectors.github.twin.app import TwinConfig
from connectors.github.twin.limits import Limits
from connectors.github.twin.writes import Kept, kept_besides_git
from deploy.local.defaults import DEFAULT_POLICY
from deploy.local.example import SERVICE_REPOSITORY
from deploy.local.processes.child import ChildState
from deploy.local.processes.control import Ask, ask
from deploy.local.processes.parts import SANDBOX
from deploy.local.state import Part, PartState
from deploy.temporal.schedules import REDELIVERY_SCHEDULE
from hitl.github.events import WEBHOOKS
from workflows.plugin import banksman_plugin

REPOSITORY: Final = SERVICE_REPOSITORY
GATEWAY: Final = "worker-gateway"
SECOND: Final = "second gateway"
_TWIN: Final = "twin-github"
_LOOKS_SECONDS: Final = 1.0
_TWIN_SECONDS: Final = 180.0
"""Until a twin answers that begins only now."""
_NO_LIMIT: Final = 10**9
_RATES: Final = "\n  rates: {person: 10000, installation: 100000}\n"
_METHOD_NOT_ALLOWED: Final = 405


@dataclass
class Place:
    """Everything that runs.

    Attributes:
        client: Of the environment's Temporal.
        github: The twin.
        models: The twin of language models.
        gateways: Addresses of the first and the second.
        secret: What GitHub signs with.
        line: From GitHub to the gateways.
    """

    site: Site
    client: Client
    github: httpx.AsyncClient
    models: httpx.AsyncClient
    gateways: tuple[str, str]
    secret: SecretStr
    line: Line
    _second: Mapping[str, str]
    _starts: "itertools.count[int]" = field(default_factory=itertools.count)

    @property
    def books(self) -> Kept:
        """What GitHub's twin has of the repository, besides git."""
        return kept_besides_git(self.site.folder.root / "twins" / "github" / f"{REPOSITORY.replace('/', '.')}.json")

    async def act(self, act: str, person: str = "alice", **what: object) -> Mapping[str, Any]:
        """Somebody does something at GitHub."""
        given = {"repository": REPOSITORY, "person": person, "act": act, **what}
        return (await self.github.post("/_github/acts", json=given)).raise_for_status().json()

    async def fault(self, **fault: object) -> None:
        """Give GitHub a bad day."""
        (await self.github.post("/_twin/faults", json=fault)).raise_for_status()

    async def model_fault(self, **fault: object) -> None:
        """Have the next requests of planners refused so."""
        cue = {"when": {"system": "You plan work for Banksman"}, "times": 2, "fault": fault}
        (await self.models.post("/_twin/cues", content=json.dumps(cue))).raise_for_status()

    async def sweep(self) -> None:
        """Have the schedule of redelivery look now; a Temporal that is away is asked the next time."""
        with contextlib.suppress(RPCError):
            await self.client.get_schedule_handle(REDELIVERY_SCHEDULE).trigger()

    # Processes.

    async def end(self, child: str, how: signal.Signals) -> None:
        """End a process of the environment, until its supervisor has it back."""
        before = await self._pid(child)
        if before is None:
            raise RuntimeError(f"{child} is not there to be ended")
        os.kill(before, how)

        async def back() -> bool:
            return await self._pid(child) not in {None, before}

        await until(back, f"{child} started again")

    async def end_second(self, how: signal.Signals) -> None:
        """The same of the second gateway, which has no supervisor but the bench."""
        process = self.site.started.pop()
        process.send_signal(how)
        await asyncio.to_thread(process.wait)
        await self.start_second()

    async def start_second(self) -> None:
        """Start the second gateway, until it takes deliveries."""
        settings = self.site.settings(self.client.namespace, **self._second)
        self.site.start(f"gateway-{next(self._starts)}", ["workers", "worker", "gateway"], settings)
        await self.takes(self.gateways[1])

    async def roll(self) -> None:
        """A rolling restart, as an update does it: every process is told to end, one after another."""
        for child in ("worker-goals", "worker-connectors", "worker-models"):
            await self.end(child, signal.SIGTERM)
        await self.end(GATEWAY, signal.SIGTERM)
        await self.takes(self.gateways[0])
        await self.end_second(signal.SIGTERM)

    async def takes(self, gateway: str) -> None:
        """Until a gateway takes deliveries."""

        async def there() -> bool:
            try:
                answer = await self.line.balancer.hands.get(f"{gateway}{WEBHOOKS}")
            except httpx.TransportError:
                return False
            return answer.status_code == _METHOD_NOT_ALLOWED

        await until(there, f"the gateway at {gateway}")

    async def has_sandbox(self) -> None:
        """Until there is one; the first time its images are built.

        Raises:
            RuntimeError: There will be none.
        """
        while (part := self._part()).state is not PartState.READY:
            if part.state is PartState.MISSING:
                raise RuntimeError(f"there is no sandbox: {part.why}")
            await asyncio.sleep(_LOOKS_SECONDS)

    def _part(self) -> Part:
        state = self.site.folder.read()
        if state is None:
            raise RuntimeError("the environment has ended")
        return state.parts[SANDBOX]

    async def _pid(self, child: str) -> int | None:
        """Once it is ready."""
        reply = await ask(self.site.folder.root / "control.sock", Ask(op="status"))
        there = reply.children if reply else ()
        return next((one.pid for one in there if one.name == child and one.state is ChildState.READY), None)


@contextlib.asynccontextmanager
async def place(*, sandbox: bool = False) -> AsyncGenerator[Place]:
    """All of it, started and ended.

    Args:
        sandbox: With a container engine, for jobs that need one.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bm-")))
        policy = folder / "policy.yaml"
        policy.write_text(DEFAULT_POLICY.read_text().replace("\ngithub:\n", f"\ngithub:{_RATES}", 1))
        site = stack.enter_context(embedded(*([] if sandbox else ["--no-sandbox"]), "--policy", str(policy)))
        state = site.state
        if state.github is None:
            raise RuntimeError("the environment takes no webhooks")
        line_at = f"127.0.0.1:{free_port()}"
        first, second = state.github.webhook.removesuffix(WEBHOOKS), f"127.0.0.1:{free_port()}"
        line = await stack.enter_async_context(listening((first, f"http://{second}"), line_at))
        config = await asyncio.to_thread(_lead, site.folder.twins / "github.json", f"http://{line_at}{WEBHOOKS}")
        client = await Client.connect(state.temporal.address, namespace="default", plugins=[banksman_plugin()])
        urls = (state.twins["github"].url, state.twins["models"].url)
        hands = [httpx.AsyncClient(verify=authorities(), base_url=url, timeout=_TWIN_SECONDS) for url in urls]
        github, models = [await stack.enter_async_context(one) for one in hands]
        told = {
            "GITHUB_LISTEN": second,
            "GITHUB_URL": urls[0],
            "METRICS_ADDRESS": f"127.0.0.1:{free_port()}",
            "AUDIT_DIR": str(site.logs / "audit-second"),
        }
        if config.hook is None or config.hook.secret is None:
            raise RuntimeError("GitHub's twin has no webhook")
        here = Place(
            site, client, github, models, (first, f"http://{second}"), SecretStr(config.hook.secret), line, told
        )
        await here.end(_TWIN, signal.SIGTERM)  # it reads its configuration as it starts
        await here.start_second()
        await models.get("/_twin/cues")  # it begins when it is first asked
        if sandbox:
            await here.has_sandbox()
        yield here
        site.check()


def _lead(file: Path, url: str) -> TwinConfig:
    """Have the twin tell that address, and be asked as often as anybody likes."""
    config = TwinConfig.model_validate_json(file.read_bytes())
    if config.hook is None:
        raise RuntimeError("GitHub's twin has no webhook")
    limits = Limits(hourly=_NO_LIMIT, points=_NO_LIMIT, content_minute=_NO_LIMIT, content_hour=_NO_LIMIT)
    changed = config.model_copy(update={"limits": limits, "hook": config.hook.model_copy(update={"url": url})})
    file.write_text(changed.model_dump_json(indent=2))
    return changed
