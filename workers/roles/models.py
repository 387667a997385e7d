"""The models worker: requests to language models, and nothing else. It alone can read their keys."""

import asyncio

from temporalio.client import Client
from temporalio.worker import Worker

from activities.models.rules import ModelRules
from connectors.models.client import ModelClient
from connectors.models.file import ModelsError, load_models
from connectors.vault import VaultSession
from workers.guarded import QUEUES, guarded_worker
from workers.process import CannotStart, Process, serve
from workers.settings import Role, Settings
from workers.steps.found import steps_of
from workers.steps.models import Means


async def run(process: Process) -> int:
    """See `workers.process.RoleModule`."""
    client = await asyncio.to_thread(client_of, process.settings)
    return await serve(models_worker(process.client, process.settings, process.vault, client), process=process)


def client_of(settings: Settings) -> ModelClient:
    """What asks the backends of the deployment's file.

    Raises:
        CannotStart: There is no file, or it cannot be used: told at once, before any goal waits for it.
    """
    if settings.models is None:
        raise CannotStart("no language models are configured: set BANKSMAN_MODELS to a file, or leave this worker out")
    try:
        return ModelClient(load_models(settings.models))
    except ModelsError as error:
        raise CannotStart(f"BANKSMAN_MODELS cannot be used:\n{error}") from error


def models_worker(client: Client, settings: Settings, vault: VaultSession, models: ModelClient) -> Worker:
    """Runs the steps that ask language models, every one of them behind the guard, which knows the file, too."""
    role = Role.MODELS
    steps = steps_of(role, Means(settings, vault, models), queues=QUEUES[role])
    return guarded_worker(client, settings, role, steps, own=ModelRules(models.models))
