"""What approvals that wait cost, and how soon a goal goes on once people said yes: `python -m bench.approvals`.

Ten thousand goals `DeleteBranch` wait on the embedded Temporal, a thousand with `--short`. The goals worker is the real
process, with its keys from OpenBao; clicks go the gateway's own way: described, signed by OpenBao, sent as an Update.
Played, in this process, are the people, the two steps on GitHub, and the messages.
"""

import argparse
import asyncio
import logging
import os
import random
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import psutil
import structlog
from temporalio.client import Client, WorkflowExecution, WorkflowHandle

from activities.guard.policy_source import PolicySource
from activities.queues import TaskQueue
from bench.approvals_played import ENVIRONMENT_RULES, Played, SignedAt, no_keys, vault_signature
from bench.approvals_report import Parts, Waiting, show_waiting
from bench.bare_workflow import QUEUE_UPDATES, BareWait
from bench.moments import step_asked_for
from bench.ratios import Ratio, pairwise, spread
from bench.report import Machine, keep
from bench.system import Site, bench_environment, embedded, free_port, make_namespace, until
from deploy.ending import run_to_the_end
from deploy.temporal import promote
from hitl.approval.decision import Surface, Verdict
from hitl.approval.plan import plan_digest
from hitl.gateway.decisions import Click, DecisionService, Kind
from hitl.gateway.goal_starter import GoalStarter
from hitl.gateway.server import Server
from workers.temporal import DEPLOYMENT_NAME, build_id, cluster_id
from workflows.plugin import banksman_plugin
from workflows.repository.goals import DeleteBranchInput

CROWD, IDLE, BARE = "bench-approvals", "bench-idle", "bench-updates"
"""The namespaces: goals that wait, a goals worker without work, and bare temporalio."""

_AT_ONCE: Final = 20
_SAMPLES: Final = 20
_PATIENCE: Final = 600.0
"""Seconds that one goal may take on its way to its approval, before the bench gives up."""


@dataclass(frozen=True)
class Crowd:
    """Everything that is running.

    Attributes:
        client: Of the namespace where goals wait.
        bare: Of bare temporalio.
        clicks: The gateway's way of a click.
        signed: When the last decision was signed.
        busy: Process id of the goals worker that has all of them.
        idle: Process id of one like it without work.
    """

    client: Client
    bare: Client
    server: Server
    clicks: DecisionService
    played: Played
    signed: SignedAt
    busy: int
    idle: int

    async def gather(self, count: int) -> list[WorkflowExecution]:
        """Start so many goals, and wait until each waits for its approval."""
        turns = asyncio.Semaphore(_AT_ONCE)
        goals = [f"waits-{number}" for number in range(count)]

        async def start(goal: str) -> None:
            async with turns:
                request = DeleteBranchInput(repository="acme/shop", branch=goal)
                await self.client.start_workflow("DeleteBranch", request, id=goal, task_queue=TaskQueue.GOALS)
                await asyncio.wait_for(self.played.shows(goal), timeout=_PATIENCE)
                if self.played.shown % (count // 10) == 0:
                    say(f"  {self.played.shown} of {count}")

        # A few at a time: a queue longer than ten seconds makes Temporal hand each task out twice.
        async with asyncio.TaskGroup() as group:
            for goal in goals:
                group.create_task(start(goal))
        waiting = "WorkflowType = 'Approval' AND BanksmanState = 'waiting' AND ExecutionStatus = 'Running'"

        async def all_wait() -> bool:
            return (await self.client.count_workflows(waiting)).count == count

        await until(all_wait, f"{count} approvals")
        return [one async for one in self.client.list_workflows(waiting)]

    async def resumed(self, approval: WorkflowExecution) -> Parts:
        """Seconds from a click to the first moment of the step that it was about, in its parts."""
        found = await self.server.approval(approval.id)
        click = Click(
            approval_id=approval.id,
            digest=plan_digest(found.request.plan),
            identity="slack:U0ALICE",
            verdict=Verdict.APPROVE,
            reason="",
            surface=Surface.SLACK,
            clicked_at=datetime.now(UTC),
        )
        clicked = time.time()
        outcome = await self.clicks.decide(click)
        if outcome.kind is not Kind.COUNTED:
            raise RuntimeError(f"a click was not counted: {outcome.words}")
        begun = await self.played.step_of(found.goal)
        asked = await step_asked_for(self.client, found.goal)
        return Parts(signed=self.signed.at - clicked, resumed=asked - self.signed.at, begun=begun - asked)

    async def updated(self, waiting: "WorkflowHandle[BareWait, str]") -> float:
        """Seconds that a bare Update takes to its answer."""
        begun = time.perf_counter()
        await waiting.execute_update(BareWait.say, "yes")
        return time.perf_counter() - begun

    async def in_turn(self, chosen: Sequence[WorkflowExecution]) -> tuple[list[Parts], list[float]]:
        """Seconds of both, one after the other; who begins changes."""
        ours: list[Parts] = []
        other: list[float] = []
        for round_, approval in enumerate(chosen):
            bare = await self.bare.start_workflow(BareWait.run, id=f"bare-{round_}", task_queue=QUEUE_UPDATES)
            await bare.describe()
            if round_ % 2:
                other.append(await self.updated(bare))
                ours.append(await self.resumed(approval))
            else:
                ours.append(await self.resumed(approval))
                other.append(await self.updated(bare))
        return ours, other


async def memory(crowd: Crowd) -> Ratio:
    """Resident memory of both workers, sampled in turn."""
    busy, idle = (psutil.Process(pid) for pid in (crowd.busy, crowd.idle))
    samples: list[tuple[float, float]] = []
    for _ in range(_SAMPLES):
        samples.append((busy.memory_info().rss / 2**20, idle.memory_info().rss / 2**20))
        await asyncio.sleep(0.25)
    ours, other = ([one[side] for one in samples] for side in (0, 1))
    ratio = spread(pairwise(ours, other))
    return Ratio(
        what="goals worker's memory", against="one without work", unit="MiB",
        pairs=_SAMPLES, ours=spread(ours), other=spread(other), ratio=ratio,
    )  # fmt: skip


@asynccontextmanager
async def running() -> AsyncGenerator[Crowd]:
    """The embedded environment, and the bench's processes beside it."""
    async with AsyncExitStack() as stack:
        site = stack.enter_context(embedded("--no-sandbox"))
        address = site.state.temporal.address
        clients = [await Client.connect(address, namespace=name, plugins=[banksman_plugin()]) for name in (CROWD, IDLE)]
        bare = await Client.connect(address, namespace=BARE)
        await asyncio.gather(*map(make_namespace, (*clients, bare)))
        client = clients[0]
        policy = site.logs / "policy.yaml"
        policy.write_text(ENVIRONMENT_RULES, encoding="utf-8")
        source = PolicySource(policy, environment=site.state.environment)
        played = Played(source)
        for worker in (*played.github(client), *played.messages(client)):
            await stack.enter_async_context(worker)
        busy, idle = (_goals_worker(site, name, str(policy)) for name in (CROWD, IDLE))
        arguments = ["--address", address, "--namespace", BARE]
        site.start("bare", ["bench.bare_update", *arguments], bench_environment({}))
        for one in clients:
            await promote(one, deployment=DEPLOYMENT_NAME, build_id=build_id())
        server = Server(client, cluster=await cluster_id(client))
        signed = SignedAt(await stack.enter_async_context(vault_signature(site)))
        clicks = DecisionService(server, source, sign=signed, starts=GoalStarter(server, signed, no_keys))
        yield Crowd(client, bare, server, clicks, played, signed, busy, idle)
        site.check()


def _goals_worker(site: Site, namespace: str, policy: str) -> int:
    told = {"POLICY": policy, "METRICS_ADDRESS": f"127.0.0.1:{free_port()}"}
    return site.start(f"goals-{namespace}", ["workers", "worker", "goals"], site.settings(namespace, **told))


async def bench(count: int, rounds: int) -> Waiting:
    """Start everything, measure, and end everything."""
    before = os.getloadavg()[0]
    say("starting the embedded environment, and two goals workers")
    async with running() as crowd:
        say(f"{count} goals until each waits for its approval")
        waiting = await crowd.gather(count)
        resident = await memory(crowd)
        say(f"{rounds} decisions, each beside a bare update")
        chosen = random.Random(1).sample(waiting, rounds + 5)  # noqa: S311 - no secret: which ones are decided
        await crowd.in_turn(chosen[rounds:])  # warming up
        ours, other = await crowd.in_turn(chosen[:rounds])
    machine = Machine(load_before=before, load_after=os.getloadavg()[0])
    return Waiting.of(machine, approvals=count, memory=resident, decided=ours, updated=other)


def say(line: str) -> None:
    """Tell how far it is."""
    print(f"» {line}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.approvals", description="Measure approvals that wait.")
    parser.add_argument("--short", action="store_true", help="A thousand of them, instead of ten thousand.")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))  # not a line per click
    report = asyncio.run(bench(1000, 60) if given.short else bench(10_000, 300))
    show_waiting(report, keep(report, of="approvals"))
    return 0


if __name__ == "__main__":
    run_to_the_end(lambda: sys.exit(main()))
