"""The connectors worker: steps that read and write at providers."""

from temporalio.client import Client
from temporalio.worker import Worker

from activities.approvals.rules import ApprovalRuleActivities
from activities.github.branches import BranchActivities
from activities.github.reading import GitHubActivities
from activities.github.writing import GitHubWriteActivities
from activities.guard.policy_source import PolicySource
from activities.pulumi.credentials import StackCredentials
from activities.step import implemented
from connectors.artifacts import ArtifactStore
from connectors.vault import VaultSession
from workers.github import github
from workers.guarded import guarded_worker
from workers.process import Process, serve
from workers.settings import Role, Settings


async def run(process: Process) -> int:
    """See `workers.process.RoleModule`."""
    return await serve(connectors_worker(process.client, process.settings, process.vault), process=process)


def connectors_worker(client: Client, settings: Settings, vault: VaultSession) -> Worker:
    """Runs the steps that read and write, every one of them behind the guard."""
    files = GitHubActivities(github(settings), vault, artifacts=ArtifactStore(settings.artifacts))
    rules = ApprovalRuleActivities(PolicySource(settings.policy, environment=settings.environment))
    branches = BranchActivities(github(settings), vault)
    writes = GitHubWriteActivities(github(settings), vault)
    stacks = StackCredentials(vault)
    return guarded_worker(client, settings, Role.CONNECTORS, implemented(files, rules, branches, writes, stacks))
