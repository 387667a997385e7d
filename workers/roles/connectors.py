"""The connectors worker: steps that read and write at providers."""

from temporalio.client import Client
from temporalio.worker import Worker

from activities.approval_rules import ApprovalRuleActivities
from activities.github import GitHubActivities
from activities.github_branches import BranchActivities
from activities.github_writes import GitHubWriteActivities
from activities.policy_source import PolicySource
from activities.stack_credentials import StackCredentials
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
    steps = [
        *(files.read_file, files.fetch_repository, branches.look_at_branch, rules.resolve_rule),
        *(writes.commit_files, writes.open_pull_request, writes.comment, writes.label, writes.check_run),
        stacks.seal_credentials,
    ]
    return guarded_worker(client, settings, Role.CONNECTORS, steps)
