"""The sandbox worker: other people's code."""

from temporalio.client import Client
from temporalio.worker import Worker

from activities.pulumi.sessions import StackSessions
from activities.sandbox.sessions import GoalsOnServer, HeldSessions
from connectors.artifacts import ArtifactStore
from connectors.vault import VaultSession
from workers.guarded import QUEUES, guarded_worker
from workers.process import CannotStart, Process, serve
from workers.sandbox import NoSandbox, Provision, provisioned
from workers.settings import Role, Settings
from workers.stack_engine import OwnEngine, load_stacks
from workers.stacks import Stacks
from workers.steps.found import steps_of
from workers.steps.sandbox import Means


async def run(process: Process) -> int:
    """Poll only once the sandbox passed its self-test: what is asked for before waits in Temporal."""
    stacks = await load_stacks(process.settings)
    try:
        async with provisioned(process.settings, stacks) as provision:
            worker = sandbox_worker(process.client, process.settings, process.vault, provision=provision, stacks=stacks)
            return await serve(worker, process=process)
    except NoSandbox as error:
        raise CannotStart(str(error)) from error


def sandbox_worker(
    client: Client, settings: Settings, vault: VaultSession, *, provision: Provision, stacks: Stacks | None
) -> Worker:
    """Runs other people's code; takes no more steps than it has room for, so that the others wait in Temporal."""
    sessions = StackSessions(stacks, OwnEngine(provision, settings), ArtifactStore(settings.artifacts))
    held = HeldSessions(GoalsOnServer(client), most=settings.sandbox_concurrency)
    role, means = Role.SANDBOX, Means(vault, provision, sessions, held, settings.sandbox_tools)
    steps = steps_of(role, means, queues=QUEUES[role])
    return guarded_worker(client, settings, role, steps, at_once=settings.sandbox_concurrency)
