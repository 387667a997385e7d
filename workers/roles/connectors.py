"""The connectors worker: steps that read and write at providers."""

from temporalio.client import Client
from temporalio.worker import Worker

from connectors.vault import VaultSession
from workers.guarded import QUEUES, guarded_worker
from workers.process import Process, serve
from workers.settings import Role, Settings
from workers.steps.connectors import Means
from workers.steps.found import steps_of


async def run(process: Process) -> int:
    """See `workers.process.RoleModule`."""
    return await serve(connectors_worker(process.client, process.settings, process.vault), process=process)


def connectors_worker(client: Client, settings: Settings, vault: VaultSession) -> Worker:
    """Runs the steps that read and write, every one of them behind the guard."""
    role = Role.CONNECTORS
    steps = steps_of(role, Means(settings, vault), queues=QUEUES[role])
    return guarded_worker(client, settings, role, steps, book=vault)
