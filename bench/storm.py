"""What very many approvals at once cost, and how soon each is shown and a click counts: `python -m bench.storm`.

Goals `DeleteBranch` are started as fast as the machine can, on the embedded Temporal and OpenBao. Goals worker and
gateway are the real processes, and Slack's twin is one with Slack's limits, or with some times faster ones by an
option. Played, in this process, are the people, who click at the twin, and the two steps on GitHub.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import psutil
from temporalio.client import Client

from activities.guard.policy_source import PolicySource
from activities.queues import TaskQueue
from bench.approvals_played import ENVIRONMENT_RULES, Played
from bench.moments import counted, step_asked_for
from bench.report import Machine, keep
from bench.storm_report import Answers, Clicked, Processor, Storm, show_storm
from bench.system import Site, embedded, free_port, make_namespace, start_twin, until
from connectors.authorities import authorities
from connectors.slack.twin.config import TwinConfig
from connectors.slack.twin.limits import Limits
from deploy.ending import run_to_the_end
from deploy.temporal import promote
from workers.temporal import DEPLOYMENT_NAME, build_id
from workflows.plugin import banksman_plugin
from workflows.repository.goals import DeleteBranchInput

STORM: Final = "bench-storm"
CHANNEL, CLICKER = "C0DEPLOYS", "U0ALICE"
GATEWAY: Final = "gateway"

_AT_ONCE: Final = 20
_IDLE_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 3.0
"""Seldom: the twin, which answers everything from one thread, then tells all messages."""
_STUCK_SECONDS: Final = 400.0
"""For so long there may be no new message, before the bench gives up."""
_TOO_MANY: Final = 429


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the run is about.

    Attributes:
        approvals: How many at once.
        per_second: New messages that the twin takes; its other limits are faster by the same factor.
        clicks: How many of the approvals are decided meanwhile.
    """

    approvals: int
    per_second: float
    clicks: int

    def limits(self) -> Limits:
        """Of the twin."""
        tiers = {tier: round(calls * self.per_second) for tier, calls in Limits().tiers.items()}
        return Limits.model_validate({"posts_per_second": self.per_second, "tiers": tiers})

    def settings(self) -> dict[str, str]:
        """Of the gateway."""
        calls = str(Limits().tiers[3] * self.per_second)
        return {"SLACK_POSTS_PER_SECOND": str(self.per_second), "SLACK_CALLS_PER_MINUTE": calls}


@dataclass
class Slack:
    """The twin, as the bench sees it."""

    web: httpx.AsyncClient

    async def told(self, what: str, **query: str) -> list[dict[str, Any]]:
        """A list of the twin's."""
        return (await self.web.get(f"/_twin/{what}", params=query)).raise_for_status().json()

    async def about(self) -> list[tuple[str, str]]:
        """Each message about an approval: the approval's id, and the message's name, which is its time."""
        said = [one for one in await self.told("messages", channel=CHANNEL) if one.get("metadata")]
        payloads = [(one["metadata"]["event_payload"], one["ts"]) for one in said]
        return [(payload["request_id"], ts) for payload, ts in payloads if "request_id" in payload]

    async def click(self, ts: str) -> float:
        """Approve, as a person does. When it was clicked, in seconds since 1970; what came of it, Temporal tells."""
        click = {"user": CLICKER, "channel": CHANNEL, "ts": ts, "action_id": "approve"}
        clicked = time.time()
        (await self.web.post("/_twin/click", json=click)).raise_for_status()
        return clicked

    async def methods(self) -> Mapping[str, Answers]:
        """What was asked of it."""
        calls = [one for one in await self.told("requests") if one["path"].startswith("/api/")]
        asked = Counter(one["path"].removeprefix("/api/") for one in calls)
        refused = Counter(one["path"].removeprefix("/api/") for one in calls if one["status"] == _TOO_MANY)
        return {name: Answers(asked=times, refused=refused[name]) for name, times in asked.items()}


@dataclass
class Running:
    """Everything that is running.

    Attributes:
        processes: Whose share of the processor is measured, by name.
        clicked: When each approval was decided on, by its id.
    """

    client: Client
    slack: Slack
    played: Played
    processes: Mapping[str, psutil.Process]
    clicked: dict[str, float] = field(default_factory=dict[str, float])

    def used(self) -> Mapping[str, float]:
        """Seconds of processor that each process has used so far."""
        times = {name: process.cpu_times() for name, process in self.processes.items()}
        return {name: one.user + one.system for name, one in times.items()}

    async def idle(self) -> float:
        """The gateway's share of a processor while nobody asks for anything."""
        before, began = self.used(), time.monotonic()
        await asyncio.sleep(_IDLE_SECONDS)
        return (self.used()[GATEWAY] - before[GATEWAY]) / (time.monotonic() - began)

    async def start(self, count: int) -> None:
        """Start so many goals."""
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(goal: str) -> None:
            async with turns:
                request = DeleteBranchInput(repository="acme/shop", branch=goal)
                await self.client.start_workflow("DeleteBranch", request, id=goal, task_queue=TaskQueue.GOALS)

        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(one(f"storm-{number}"))

    async def asked(self) -> tuple[float, float]:
        """When the first and the last approval were asked for, in seconds since 1970."""
        approvals = [one.start_time async for one in self.client.list_workflows("WorkflowType = 'Approval'")]
        return min(approvals).timestamp(), max(approvals).timestamp()

    async def all_shown(self, asked: Asked) -> Sequence[tuple[str, str]]:
        """Until each approval has a message; on the way, click evenly often. Every message there is."""
        chosen = random.Random(1)  # noqa: S311 - no secret: which ones are decided
        shown, since = 0, time.monotonic()
        while True:
            found = await self.slack.about()
            if len(found) > shown:
                shown, since = len(found), time.monotonic()
                say(f"  {shown} of {asked.approvals}")
            if len({approval for approval, _ in found}) == asked.approvals:
                return found
            if time.monotonic() - since > _STUCK_SECONDS:
                raise TimeoutError(f"after {shown} messages none came for {_STUCK_SECONDS:.0f} s")
            if len(self.clicked) < shown * asked.clicks // asked.approvals:
                approval, ts = chosen.choice([one for one in found if one[0] not in self.clicked])
                self.clicked[approval] = await self.slack.click(ts)
            await asyncio.sleep(min(_LOOK_SECONDS, asked.approvals / asked.per_second / (2 * asked.clicks)))

    async def outcome(self, approval: str, clicked: float) -> Clicked | None:
        """What came of a click, by Temporal's word; None where it did not count."""
        decided = await counted(self.client, approval)
        if decided is None:
            return None
        goal = (await self.client.get_workflow_handle(approval).describe()).parent_id
        if goal is None:
            raise RuntimeError(f"no goal asked for {approval!r}")
        await self.played.step_of(goal)
        return Clicked(counted=decided - clicked, asked=await step_asked_for(self.client, goal) - clicked)


@asynccontextmanager
async def running(asked: Asked) -> AsyncGenerator[Running]:
    """The embedded environment, and the bench's processes beside it."""
    async with AsyncExitStack() as stack:
        site = stack.enter_context(embedded("--no-sandbox"))
        client = await Client.connect(site.state.temporal.address, namespace=STORM, plugins=[banksman_plugin()])
        await make_namespace(client)
        policy = site.logs / "policy.yaml"
        policy.write_text(ENVIRONMENT_RULES, encoding="utf-8")
        played = Played(PolicySource(policy, environment=site.state.environment))
        for worker in played.github(client):
            await stack.enter_async_context(worker)
        url = await _start_slack(site, asked)
        web = httpx.AsyncClient(verify=authorities(), base_url=url, timeout=30)
        slack = Slack(await stack.enter_async_context(web))
        told = {"POLICY": str(policy), "SLACK_URL": url, "OTLP_ENDPOINT": site.state.traces.url, **asked.settings()}
        started = {role: _worker(site, role, told) for role in ("goals", GATEWAY)}
        processes = {"temporal": site.state.children["temporal"], **started}
        await promote(client, deployment=DEPLOYMENT_NAME, build_id=build_id())

        async def listens() -> bool:
            return bool(await slack.told("connections"))

        await until(listens, "the gateway")
        yield Running(client, slack, played, {name: psutil.Process(pid) for name, pid in processes.items()})
        site.check()


async def _start_slack(site: Site, asked: Asked) -> str:
    """The stack's twin over again, with its tokens and the limits of the run."""
    kept = json.loads((site.folder.twins / "slack.json").read_text(encoding="utf-8"))
    listen = f"127.0.0.1:{free_port()}"
    config = TwinConfig.model_validate({**kept, "listen": listen, "store": None, "limits": asked.limits()})
    return await start_twin(site, "slack", config, listen=listen)


def _worker(site: Site, role: str, told: Mapping[str, str]) -> int:
    settings = site.settings(STORM, METRICS_ADDRESS=f"127.0.0.1:{free_port()}", **told)
    return site.start(role, ["workers", "worker", role], settings)


async def bench(asked: Asked) -> Storm:
    """Start everything, measure, and end everything."""
    before = os.getloadavg()[0]
    say("starting the embedded environment, a goals worker, a gateway, and Slack's twin")
    async with running(asked) as here:
        idle = await here.idle()
        say(f"{asked.approvals} goals at once, until each approval is shown")
        before_it, began = here.used(), time.time()
        async with asyncio.TaskGroup() as group:
            group.create_task(here.start(asked.approvals))
            showing = group.create_task(here.all_shown(asked))
        seconds, after = time.time() - began, here.used()
        used = {name: spent - before_it[name] for name, spent in after.items()}
        methods, shown = await here.slack.methods(), showing.result()
        first, last = await here.asked()
        clicks = [await here.outcome(approval, at) for approval, at in here.clicked.items()]
    times = Counter(approval for approval, _ in shown)
    return Storm(
        machine=Machine(load_before=before, load_after=os.getloadavg()[0]),
        approvals=asked.approvals,
        per_second=asked.per_second,
        asked_after=first - began,
        asked_within=last - first,
        shown_within=max(float(ts) for _, ts in shown) - first,
        not_once=sum(count != 1 for count in times.values()),
        gateway=Processor.of(idle=idle, used=used.pop(GATEWAY), seconds=seconds, posts=asked.approvals),
        others={name: spent / seconds for name, spent in used.items()},
        methods=methods,
        clicks=[one for one in clicks if one is not None],
        not_counted=clicks.count(None),
    )


def say(line: str) -> None:
    """Tell how far it is."""
    print(f"» {line}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.storm", description="Measure many approvals at once.")
    parser.add_argument("--approvals", type=int, default=120, help="How many at once.")
    parser.add_argument("--per-second", type=float, default=1.0, help="Messages that Slack's twin takes.")
    parser.add_argument("--clicks", type=int, default=20, help="How many are decided meanwhile.")
    given = parser.parse_args()
    asked = Asked(approvals=given.approvals, per_second=given.per_second, clicks=given.clicks)
    report = asyncio.run(bench(asked))
    show_storm(report, keep(report, of="storm"))
    return 0 if report.held() else 1


if __name__ == "__main__":
    run_to_the_end(lambda: sys.exit(main()))
