"""A models worker as a process of its own, for a test that kills it: at this address, by these settings."""

import asyncio
import sys
from typing import cast

from pydantic import SecretStr
from temporalio.client import Client

from activities.guard.who_asked import Requesters
from connectors.vault import VaultSession
from deploy.ending import run_to_the_end
from hitl.gateway.server import Server
from hitl.gateway.who_asked import WhoAsked
from tests.activities.models.at_work import KEY
from tests.activities.played_vault import PlayedVault
from workers.roles.models import client_of, models_worker
from workers.settings import Settings
from workflows.plugin import banksman_plugin


async def main(address: str, settings: Settings) -> None:
    client = await Client.connect(address, plugins=[banksman_plugin()])
    vault = cast("VaultSession", PlayedVault({"models/lab": {"key": SecretStr(KEY)}}))
    nobody = Requesters(WhoAsked(Server(client, cluster="the-cluster"), dict).origin_of)
    await models_worker(client, settings, vault, client_of(settings), nobody).run()


if __name__ == "__main__":
    run_to_the_end(lambda: asyncio.run(main(sys.argv[1], Settings.model_validate_json(sys.argv[2]))))
