"""The models worker: requests to language models, and nothing else. It alone can read their keys."""

import asyncio
from datetime import timedelta
from typing import Final, Never

import structlog
from temporalio.client import Client
from temporalio.worker import Worker

from activities.guard.key_ring import KeyRing
from activities.guard.who_asked import Requesters
from activities.models.rules import ModelRules
from activities.models.transcripts import Transcripts
from connectors.errors import ConnectorError
from connectors.models.client import ModelClient
from connectors.models.file import ModelsError, load_models
from connectors.models.recorded import RecordingClient
from connectors.vault import VaultSession
from hitl.gateway.server import Server
from hitl.gateway.who_asked import WhoAsked
from workers.guarded import QUEUES, guarded_worker
from workers.process import APPROVAL_KEYS, CannotStart, Process, serve, together
from workers.settings import Role, Settings
from workers.steps.found import steps_of
from workers.steps.models import Means
from workers.steps.models.models import transcripts_of
from workers.temporal import cluster_id

_log: Final = structlog.get_logger("banksman.models")


async def run(process: Process) -> int:
    """See `workers.process.RoleModule`."""
    client = await asyncio.to_thread(client_of, process.settings)
    keys = KeyRing(lambda: process.vault.public_keys(APPROVAL_KEYS))
    server = Server(process.client, cluster=await cluster_id(process.client))
    requesters = Requesters(WhoAsked(server, keys.current).origin_of)
    worker = models_worker(process.client, process.settings, process.vault, client, requesters)
    sweeping = swept(transcripts_of(process.settings, process.vault))
    return await serve(worker, process=process, beside=together(keys.keep_fresh(), sweeping))


def client_of(settings: Settings) -> ModelClient:
    """What asks the backends of the deployment's file.

    Raises:
        CannotStart: There is no file, or it cannot be used, or answers are recorded where work is done: told at once,
            before any goal waits for it.
    """
    _require_no_recordings(settings)
    if settings.models is None:
        raise CannotStart("no language models are configured: set BANKSMAN_MODELS to a file, or leave this worker out")
    try:
        models = load_models(settings.models)
    except ModelsError as error:
        raise CannotStart(f"BANKSMAN_MODELS cannot be used:\n{error}") from error
    if settings.model_answers is None:
        return ModelClient(models)
    return RecordingClient(models, settings.model_answers, only=settings.model_answers_only)


def _require_no_recordings(settings: Settings) -> None:
    """Go on where answers are those of models, or where nothing real is done."""
    if settings.model_answers_only and settings.model_answers is None:
        raise CannotStart(
            "BANKSMAN_MODEL_ANSWERS_ONLY says to ask nobody: set BANKSMAN_MODEL_ANSWERS to the folder, too"
        )
    if settings.model_answers is not None and not (settings.development or settings.rehearsal):
        raise CannotStart(
            "BANKSMAN_MODEL_ANSWERS is for evaluations and rehearsals, and this environment is neither: remove it, for "
            "recorded answers know nothing of today"
        )


async def swept(transcripts: Transcripts, every: timedelta = timedelta(hours=1)) -> Never:
    """Delete what has had its last day, now and each hour: when this ends in between, the next start does it."""
    while True:
        try:
            if gone := await transcripts.sweep():
                _log.info("what was said to language models was deleted on its last day", entries=gone)
        except ConnectorError as error:
            _log.warning("what was said to language models is not deleted yet", why=str(error))
        await asyncio.sleep(every.total_seconds())


def models_worker(
    client: Client,
    settings: Settings,
    vault: VaultSession,
    models: ModelClient,
    requesters: Requesters,
) -> Worker:
    """Runs the steps that ask language models, every one of them behind the guard, which knows the file, too."""
    role = Role.MODELS
    steps = steps_of(role, Means(settings, vault, models), queues=QUEUES[role])
    return guarded_worker(client, settings, role, steps, own=ModelRules(models.models), requesters=requesters)
