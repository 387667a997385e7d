"""The destructive worker: what cannot be undone, and the keys that its grants are verified with."""

import contextlib
from dataclasses import dataclass

from temporalio.client import Client
from temporalio.worker import Worker

from activities.guard.current_attempt import AttemptsOnServer
from activities.guard.grants import SignedGrants
from activities.guard.key_ring import KeyRing
from activities.guard.rules import GrantVerifier
from activities.guard.safeguards import Safeguards
from activities.guard.withheld import DestructiveSecrets, DestructiveTokens
from activities.pulumi.sessions import StackSessions
from connectors.artifacts import ArtifactStore
from connectors.vault import VaultSession
from workers.guarded import QUEUES, guarded_worker
from workers.process import APPROVAL_KEYS, Process, serve
from workers.settings import Role, Settings
from workers.stack_engine import FoundEngine, load_stacks
from workers.stacks import Stacks
from workers.steps.destructive import Means
from workers.steps.found import steps_of
from workers.temporal import cluster_id


async def run(process: Process) -> int:
    """See `workers.process.RoleModule`."""
    keys = KeyRing(lambda: process.vault.public_keys(APPROVAL_KEYS))
    grants = SignedGrants(keys, cluster=await cluster_id(process.client))
    stacks = await load_stacks(process.settings)
    async with contextlib.aclosing(FoundEngine(process.settings, stacks)) as engine:
        means = Destroying(grants, stacks, engine)
        worker = destructive_worker(process.client, process.settings, process.vault, means)
        return await serve(worker, process=process, beside=keys.keep_fresh())


@dataclass(frozen=True)
class Destroying:
    """What the destructive worker has beside its standing in Vault.

    Attributes:
        grants: Verifies, with keys that are kept fresh.
        stacks: What the deployment says of stacks; None: nothing.
        engine: Where steps on stacks run; looked for when the first one needs it.
    """

    grants: GrantVerifier
    stacks: Stacks | None
    engine: FoundEngine


def destructive_worker(client: Client, settings: Settings, vault: VaultSession, means: Destroying) -> Worker:
    """Runs what cannot be undone, each step by a grant that the guard verified, and nothing else.

    Args:
        client: Of Temporal.
        settings: Of this process.
        vault: Its own standing; its AppRole alone reaches credentials that destroy, and the record of used grants.
        means: What it has beside.
    """
    stacks = StackSessions(means.stacks, means.engine, ArtifactStore(settings.artifacts))
    role, of_steps = (
        Role.DESTRUCTIVE,
        Means(
            settings=settings,
            secrets=DestructiveSecrets(vault),
            tokens=DestructiveTokens(vault),
            records=vault,
            stacks=stacks,
            engine=means.engine,
        ),
    )
    safeguards = Safeguards(grants=means.grants, records=vault, attempts=AttemptsOnServer(client))
    steps = steps_of(role, of_steps, queues=QUEUES[role])
    return guarded_worker(client, settings, role, steps, safeguards=safeguards, book=vault)
