"""A models worker as a process of its own, for a test that kills it: at this address, by these settings."""

import asyncio
import sys
from typing import cast

from pydantic import SecretStr
from temporalio.client import Client

from connectors.vault import VaultSession
from tests.activities.models.at_work import KEY
from tests.activities.played_vault import PlayedVault
from workers.roles.models import client_of, models_worker
from workers.settings import Settings
from workflows.plugin import banksman_plugin


async def main(address: str, settings: Settings) -> None:
    client = await Client.connect(address, plugins=[banksman_plugin()])
    vault = cast("VaultSession", PlayedVault({"models/lab": {"key": SecretStr(KEY)}}))
    await models_worker(client, settings, vault, client_of(settings)).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Settings.model_validate_json(sys.argv[2])))
