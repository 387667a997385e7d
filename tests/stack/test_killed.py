"""`DeployNewFeature` while every process that carries it is killed once, by SIGKILL: it ends well, and nothing is left.

The feature and the service are those of the demonstration, deployed for real. What people look for afterwards is looked
for here: containers, branches, logins, tokens, places in lines, questions that nobody withdrew.
"""

import asyncio
import json
import os
import signal
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, cast

import hvac
import pytest
from hvac.exceptions import InvalidPath
from temporalio.client import Client

from activities.neon.migrations.contracts import MIGRATE_DATABASE
from activities.pulumi.contracts import PREVIEW_STACK, UPDATE_STACK
from deploy.local.demo.deployment import Deployment, Followed, Hook
from deploy.local.demo.environment import Environment
from deploy.local.demo.failing import is_under_way
from deploy.local.demo.features import next_feature
from deploy.local.demo.pull_requests import propose, withdraw
from deploy.local.demo.storefront import Storefront
from deploy.local.example import SERVICE_REPOSITORY
from deploy.local.state import StackFolder
from sandbox.docker.engine import Engine
from sandbox.docker.hardening import LABEL_DEPLOYMENT, LABEL_KIND
from sandbox.provisioning import EngineFound
from tests.stack.deploying import Shop, asked, services, until
from tests.stack.running import Running, eventually
from tests.stack.test_stacks import FIRST_TIME
from workflows.contracts import State
from workflows.pulumi.lock import StackLine

pytestmark = [pytest.mark.stack, pytest.mark.docker, pytest.mark.timeout(FIRST_TIME + 900)]

_STAYING: Final = {"proxy", "relay", "platform"}
"""Kinds of containers that are there between runs."""


@dataclass(frozen=True)
class Kill:
    """Who dies, and when: as soon as this step of Temporal's is under way, or at once where none is named."""

    children: Sequence[str]
    step: str | None = None


EACH_ONCE: Final = {
    "preview staging": Kill(["worker-sandbox"], PREVIEW_STACK.name),
    "rehearse staging": Kill(["worker-connectors"]),
    "approval": Kill(["worker-gateway", "vault", "twin-slack"]),
    "migrate staging": Kill(["worker-goals"], MIGRATE_DATABASE.name),
    "update staging": Kill(["temporal"], UPDATE_STACK.name),
    "verify staging": Kill(["twin-github"]),
}
IN_WHAT_DESTROYS: Final = {
    "migrate staging": Kill(["worker-destructive"], MIGRATE_DATABASE.name),
    "update staging": Kill(["worker-destructive"], UPDATE_STACK.name),
}


@dataclass
class Killing:
    """The kills of one run, each done once.

    Attributes:
        died: Process ids, by the step and the child that had them.
    """

    stack: Running
    client: Client
    plan: Mapping[str, Kill]
    died: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])

    @property
    def hooks(self) -> Mapping[str, Hook]:
        """For the deployment."""
        return {step: self._hook(step, kill) for step, kill in self.plan.items()}

    def _hook(self, at: str, kill: Kill) -> Hook:
        async def strike(goal: str) -> None:
            if kill.step is not None:
                await until(lambda: is_under_way(self.client, goal, str(kill.step)), what=f"{kill.step} begins")
            for child in kill.children:
                pid = await asyncio.to_thread(self.stack.pid, child)
                assert pid is not None, child
                os.kill(pid, signal.SIGKILL)
                self.died[at, child] = pid

        return strike

    def all_came_back(self) -> None:
        """Each that was killed runs again, as another process."""
        assert {at for at, _ in self.died} == set(self.plan)
        for (_, child), pid in self.died.items():
            eventually(lambda: self.stack.pid(child) not in {None, pid}, what=f"{child} started again", seconds=90)  # noqa: B023 - called here


@dataclass(frozen=True)
class Left:
    """What lies about, wherever somebody would look.

    Attributes:
        containers: Of the sandbox, by kind.
        branches: Of the service's database.
        logins: Leases on that database.
        waiting: Questions that wait for people.
        in_lines: Goals in the lines of the service and its stack.
    """

    containers: tuple[str, ...]
    branches: tuple[str, ...]
    logins: tuple[str, ...]
    waiting: tuple[str, ...]
    in_lines: tuple[str, ...]


async def left(stack: Running, environment: Environment) -> Left:
    """By now."""
    told = await asyncio.to_thread(stack.banksman, "approvals", "--json")
    return Left(
        containers=await containers(stack),
        branches=tuple(await Storefront(environment).branches()),
        logins=await asyncio.to_thread(logins, stack),
        waiting=tuple(one["goal"] for one in json.loads(told.stdout) if SERVICE_REPOSITORY in one["goal"]),
        in_lines=await in_lines(environment.client),
    )


async def containers(stack: Running) -> tuple[str, ...]:
    """Those of runs."""
    found = EngineFound.model_validate_json((stack.home / "engine.json").read_bytes())
    engine, deployment = Engine(found.host, threads=1), StackFolder(stack.home).deployment
    try:
        listed = await engine.call(engine.api.containers, all=True, filters={"label": LABEL_KIND})
    finally:
        await engine.close()
    labels = [cast("Mapping[str, str]", one["Labels"]) for one in listed]
    ours = [one[LABEL_KIND] for one in labels if one.get(LABEL_DEPLOYMENT, "").startswith(deployment)]
    return tuple(sorted(one for one in ours if one not in _STAYING))


@contextmanager
def vault(stack: Running) -> Generator[hvac.Client]:
    """As its owner."""
    kept = json.loads((stack.home / "vault" / "init.json").read_text())
    client = hvac.Client(url=stack.state["vault"]["address"], token=kept["root_token"])
    try:
        yield client
    finally:
        client.adapter.close()


def logins(stack: Running) -> tuple[str, ...]:
    """Leases of the database engine, by role."""
    with vault(stack) as root:
        try:
            roles = root.sys.list_leases("banksman-neon/creds")["data"]["keys"]
        except InvalidPath:
            return ()
        return tuple(sorted(roles))


async def in_lines(client: Client) -> tuple[str, ...]:
    """Who stands in a line."""
    found: list[str] = []
    async for one in client.list_workflows("WorkflowType = 'StackLock' AND ExecutionStatus = 'Running'"):
        line = await client.get_workflow_handle(one.id).query("line", result_type=StackLine)
        found += [f"{one.id}: {ticket.workflow_id}" for ticket in line.tickets]
    return tuple(found)


async def deployed(stack: Running, plan: Mapping[str, Kill]) -> tuple[Followed, Killing, bool, bool]:
    """A feature, with these kills: how it ended, whether it was merged, and whether all visitors see it."""
    shop = await Shop.of(stack)
    environment, storefront = shop.environment, shop.storefront
    before, had = await storefront.main(), await left(stack, environment)
    change = next_feature(await storefront.files())
    proposed = await propose(environment, SERVICE_REPOSITORY, change.title, change.files)
    killing = Killing(stack, shop.client, plan)
    try:
        followed = await Deployment(environment, asked(proposed), approve=True, hooks=killing.hooks).run()
        await asyncio.to_thread(killing.all_came_back)
        merged = await storefront.main() != before
        seen = await storefront.until_all_see(change.sees, seconds=90 if merged else 0)
    finally:
        await withdraw(environment, SERVICE_REPOSITORY, proposed)
    kept = {str(one.way_back) for one in followed.result.migrations if one.way_back}
    await nothing_left(stack, environment, had, kept)
    assert seen.well == seen.all
    return followed, killing, merged, seen.new == seen.all


async def nothing_left(stack: Running, environment: Environment, had: Left, kept: set[str]) -> None:
    """But what there was before, and the snapshot that the result names."""
    now = had

    async def as_before() -> bool:
        nonlocal now
        now = await left(stack, environment)
        return now == Left(
            containers=had.containers,
            branches=tuple(sorted({*had.branches, *kept})),
            logins=had.logins,
            waiting=(),
            in_lines=(),
        )

    try:
        await until(as_before, what="nothing is left")
    except AssertionError:
        raise AssertionError(f"had {had}, kept {kept}, and has {now}") from None


def test_each_process_is_killed_once_while_a_feature_is_deployed(stack: Running) -> None:
    with services(stack):
        followed, killing, merged, seen = asyncio.run(deployed(stack, EACH_ONCE))
    result = followed.result
    assert (result.outcome, followed.questions, merged, seen) == (State.COMPLETED, 1, True, True), result
    assert len(killing.died) == sum(len(one.children) for one in EACH_ONCE.values())
    assert {one.mark for one in result.steps} == {"done"}


def test_what_destroys_is_killed_in_the_middle_and_what_is_said_is_so(stack: Running) -> None:
    with services(stack):
        followed, _, merged, seen = asyncio.run(deployed(stack, IN_WHAT_DESTROYS))
    result = followed.result
    if result.outcome is State.COMPLETED:
        assert (followed.questions, merged, seen) == (1, True, True), result
    else:
        assert result.outcome in {State.UNDONE, State.PARTIALLY_APPLIED}, result
        assert not merged
        assert result.reason
        assert result.commands_left or result.outcome is State.UNDONE
