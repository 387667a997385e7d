"""The whole house on twins of GitHub, Slack and Pulumi Cloud, with a stranger's text in each file that is read.

Goals, executor, binder, guard, signatures, messages, and the steps on GitHub are the real ones. People are played, and
so are the models, by puppets; Pulumi by `stack_cloud`.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr
from temporalio.client import Client, WorkflowHandle
from temporalio.plugin import SimplePlugin
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.agent.binding import PlanBinding
from activities.agent.planning import Planning
from activities.agent.reading import Reading
from activities.agent.running import PlanGrants, UnaskedPlans
from activities.approvals.rules import ApprovalRuleActivities
from activities.guard.audit import AuditLog
from activities.guard.interceptor import GuardInterceptor
from activities.guard.policy_source import PolicySource
from activities.queues import TaskQueue
from activities.step import implemented
from connectors.github.twin.app import TwinConfig, create_twin
from connectors.github.twin.limits import Limits
from connectors.models.raw import Use
from connectors.pulumi.approval import UP_ACTION
from hitl.gateway.goal_starter import GoalStarter
from hitl.gateway.server import Server
from hitl.slack.client import SlackMessages, SlackRates, web_client
from hitl.slack.messages import Links
from hitl.slack.steps import SlackSteps
from tests.activities.github import at_work
from tests.connectors.github.recorded import Served, served
from tests.connectors.github.shop import Shop, git
from tests.connectors.slack.workspace import Twin as Slack
from tests.hitl.gateway.running import workspace
from tests.workflows.agent.asking import AskingHouse, Say
from tests.workflows.agent.puppet.stack_cloud import StackCloud
from tests.workflows.agent.running import DELETE, RUN, exists
from workflows.agent.goals import AskForInput, AskForResult
from workflows.contracts import GoalStatus
from workflows.converter import data_converter

POLICY: Final = f"""\
people:
  alice: [slack:U0ALICE, github:alice]
  bob: [slack:U0BOB]
  erin: [slack:U0ERIN]
groups:
  release: [alice, bob]
environments:
  live:
    phase: production
    slack_channel: C0OPS
    actions:
      - allow: {DELETE}
      - allow: {RUN}
      - allow: {UP_ACTION}
    approvals:
      - {{action: {DELETE}, groups: [release], quorum: 1}}
      - {{action: {RUN}, groups: [release], quorum: 1}}
      - {{action: {UP_ACTION}, groups: [release], quorum: 1}}
"""
PATIENCE: Final = 300.0
"""Seconds for what others do meanwhile."""
_CLIENT_ID: Final = "Iv23liTestsOfPuppets"
_RATES: Final = SlackRates(posts_per_second=1e6, calls_per_minute=1e6)


@dataclass
class Twins:
    """What is outside.

    Attributes:
        github: Over real git.
        repositories: Where that lies.
        slack: The workspace.
        cloud: Pulumi's.
    """

    github: Served
    repositories: Path
    slack: Slack
    cloud: StackCloud

    def refs(self) -> dict[str, str]:
        """Where each branch of each repository stands, by git."""
        return {
            f"{folder.stem} {name}": head
            for folder in sorted(self.repositories.glob("acme/*.git"))
            for name, head in (
                line.split()
                for line in git("for-each-ref", "--format=%(refname) %(objectname)", at=folder).splitlines()
            )
        }


@contextlib.contextmanager
def twins(folder: Path, texts: Mapping[str, str]) -> Generator[Twins]:
    """All three; these texts are files of `acme/shop`, by their paths."""
    repositories = folder / "repositories"
    _make(folder, "shop", {"MOTTO.md": "Onwards\n", **texts}, "old", "wip")
    _make(folder, "site", {"README.md": "# Site\n"})
    infra = _make(folder, "infra", {"Pulumi.yaml": "name: infra\nruntime: python\n"})
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    config = TwinConfig(
        repositories=repositories,
        client_id=_CLIENT_ID,
        public_key=public.decode(),
        limits=Limits(hourly=10**7, points=10**7),
    )
    secret = SecretStr(pem.decode())
    with served(create_twin(config), client_id=_CLIENT_ID, private_key=secret) as github, workspace() as slack:
        yield Twins(github, repositories, slack, StackCloud("acme/infra", infra))


def _make(folder: Path, name: str, files: Mapping[str, str], *branches: str) -> str:
    """A repository with these files, and branches that stand beside; its commit."""
    work = folder / "work" / name
    work.mkdir(parents=True)
    git("init", "--quiet", "--initial-branch=main", at=work)
    for path, text in files.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(text)
    git("add", "--all", at=work)
    git("commit", "--quiet", "-m", "The beginning", at=work)
    for branch in branches:
        git("branch", branch, at=work)
    git("clone", "--quiet", "--bare", str(work), str(folder / "repositories" / "acme" / f"{name}.git"), at=folder)
    return git("rev-parse", "main", at=work)


async def in_one_go(client: Client) -> Client:
    """The same server, for workers that run workflows as they are: hundreds would spend most of their time in having
    each one's modules loaded apart, and the workflow sandbox holds no attacker."""
    plugin = SimplePlugin("puppets", data_converter=data_converter(None), workflow_runner=UnsandboxedWorkflowRunner())
    return await Client.connect(client.service_client.config.target_host, plugins=[plugin])


class Town(AskingHouse):
    """Every worker that the plans of `tasks` need, each behind a guard.

    Args:
        client: Of `in_one_go`.
        folder: Its own.
        twins: What is outside.
        plan: Plans.
        read: Reads.
    """

    def __init__(self, client: Client, folder: Path, twins: Twins, *, plan: Say, read: Say) -> None:
        super().__init__(client, folder, plan)
        self.model.says[Use.READ] = read
        self.path.write_text(POLICY)
        self.twins = twins
        self._github = at_work.House(twins.github, Shop(twins.repositories, "", "", ""), self.artifacts)

    async def ask_for(self, text: str, *, name: str = "", **more: Any) -> WorkflowHandle[Any, AskForResult]:
        """As ever, with time for many beside each other on a machine that has little to give."""
        return await self.client.start_workflow(
            "AskFor",
            AskForInput(text=text, **more),
            id=name or f"ask-for-{secrets.token_hex(4)}",
            task_queue=TaskQueue.GOALS,
            result_type=AskForResult,
        )

    async def until_asked(self, goal: WorkflowHandle[Any, Any]) -> None:
        """Wait until a goal has begun and waits for people, however much its plan does before it."""
        async with asyncio.timeout(PATIENCE):
            while not await _waits(goal):  # noqa: ASYNC110 - only the server knows
                await asyncio.sleep(0.2)

    @property
    def _policy(self) -> PolicySource:
        return PolicySource(self.path, environment="live")

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncGenerator[None]:
        """All of it."""
        await self.keys.refresh()
        await self.twins.cloud.build("dev")
        async with contextlib.AsyncExitStack() as stack:
            audit = stack.enter_context(contextlib.closing(AuditLog(self.folder / "ordinary.jsonl")))
            ordinary = GuardInterceptor(self._policy, audit, role="connectors")
            strict = await stack.enter_async_context(self.guard())
            await stack.enter_async_context(self.goals_worker())
            for queue, owners, guard in (
                (TaskQueue.CONNECTORS, self._connectors(), ordinary),
                (TaskQueue.SANDBOX, (self.twins.cloud,), ordinary),
                (TaskQueue.POSTS, (self._slack(),), ordinary),
                (TaskQueue.HITL, (self._slack(),), ordinary),
                (TaskQueue.DESTRUCTIVE, (self._github.destruction, PlanGrants(), self.twins.cloud), strict),
                (TaskQueue.MODELS, (self.model,), None),
            ):
                steps = implemented(*owners)
                worker = Worker(self.client, task_queue=queue, activities=steps, interceptors=[guard] if guard else [])
                await stack.enter_async_context(worker)
            yield

    def _connectors(self) -> tuple[object, ...]:
        return (
            self._github.reads,
            self._github.writes,
            self._github.branches,
            ApprovalRuleActivities(self._policy),
            PlanBinding(lambda: self.catalogue),
            UnaskedPlans(self._policy, lambda: self.catalogue),
            Planning(lambda: self.catalogue, self.artifacts),
            Reading(self.artifacts),
            self.twins.cloud,
        )

    def _slack(self) -> SlackSteps:
        async def unsigned(text: str) -> str:
            raise AssertionError(f"nobody starts a goal in Slack here: {text}")

        config = self.twins.slack.config
        web = web_client(SecretStr(config.app.bot_token), url=self.twins.slack.address)
        server = Server(self.client, cluster=self.cluster)
        return SlackSteps(
            SlackMessages(web, _RATES),
            server,
            self._policy,
            starts=GoalStarter(server, unsigned, self.keys.current),
            links=Links(temporal="http://temporal.example", namespace=self.client.namespace),
        )


async def _waits(goal: WorkflowHandle[Any, Any]) -> bool:
    return await exists(goal) and (await goal.query("status", result_type=GoalStatus)).state == "waiting"
