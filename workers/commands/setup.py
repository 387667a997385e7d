"""`banksman setup`."""

import asyncio

from deploy.temporal import (
    NotPromoted,
    promote,
    register_search_attributes,
    schedule_holding,
    schedule_redelivery,
    schedule_sweep,
)
from workers.commands.connection import client_settings
from workers.commands.exits import fail, out
from workers.temporal import DEPLOYMENT_NAME, build_id, connect


def setup() -> None:
    """Prepare the Temporal namespace: search attributes, the sweep of leases, the current goals worker."""
    asyncio.run(_setup())


async def _setup() -> None:
    settings = client_settings()
    client = await connect(settings)
    for name in await register_search_attributes(client):
        out.print(f"registered search attribute {name}")
    if await schedule_sweep(client):
        out.print("leases are swept every ten minutes")
    if await schedule_redelivery(client):
        out.print("what GitHub could not deliver is sent again, looked for every ten minutes")
    if await schedule_holding(client):
        out.print("schedules of repositories are held against their files every six hours")
    release = build_id()
    try:
        changed = await promote(client, deployment=DEPLOYMENT_NAME, build_id=release)
    except NotPromoted as error:
        fail(str(error))
    out.print(f"{DEPLOYMENT_NAME} {release} {'is now' if changed else 'was already'} the current version")
