"""All workers of the goal with many steps, as a process of its own that can be killed at any of them.

What it destroys is a line in a file. At the step whose name ends as it is told it acts, says so by another file, and
hears nothing more; where that file is there, it goes on. It reads a token of Vault's from standard input.
"""

import asyncio
import sys
from pathlib import Path

from pydantic import SecretStr
from temporalio.client import Client

sys.path.insert(0, str(Path(__file__).parents[3]))

from activities.guard.current_attempt import Use, current_attempt
from activities.guard.granted import GrantedRequest
from activities.guard.key_ring import KeyRing
from activities.step import implements
from connectors.vault import VaultSession
from connectors.vault.transport import Transport
from deploy.ending import run_to_the_end
from tests.hitl.approval.granting_steps import BASE, BRANCH
from tests.workflows.approval.approving_steps import STEPS, StepsHouse, TakenDown, Wrecker
from workflows.plugin import banksman_plugin


class Deadly(Wrecker):
    """Waits to be killed."""

    def __init__(self, folder: Path, *, holds_at: str, before: bool) -> None:
        super().__init__()
        self.holds_at, self._before = holds_at, before
        self._file, self._mark = folder / "done", folder / "held"

    @implements(STEPS[BRANCH])
    async def delete_branch(self, request: GrantedRequest) -> TakenDown:
        return await self._wreck(request)

    @implements(STEPS[BASE])
    async def delete_base(self, request: GrantedRequest) -> TakenDown:
        return await self._wreck(request)

    async def _wreck(self, request: GrantedRequest) -> TakenDown:
        name = str(request.approved().parameters["branch"])
        held = self._mark.exists() or not name.endswith(self.holds_at)
        if not held and self._before:
            await self._hold()
        done = self._file.read_text().splitlines() if self._file.exists() else []
        if current_attempt().use is Use.FIRST or name not in done:
            with self._file.open("a") as file:
                file.write(f"{name}\n")
        if not held:
            await self._hold()
        return TakenDown()

    async def _hold(self) -> None:
        self._mark.touch()
        await asyncio.Event().wait()


async def main(temporal: str, vault: str, folder: str, holds_at: str, before: str) -> None:
    """Run until nobody is there any more."""
    token = SecretStr((await asyncio.to_thread(sys.stdin.readline)).strip())
    session = VaultSession(Transport(vault), token, role="destructive", ttl=3600)
    client = await Client.connect(temporal, plugins=[banksman_plugin()])
    house = StepsHouse(client, Path(folder), session)
    house.keys = KeyRing(lambda: session.public_keys("approvals"))
    house.wrecker = Deadly(Path(folder), holds_at=holds_at, before=before == "before")
    async with house.workers():
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    run_to_the_end(lambda: asyncio.run(main(*sys.argv[1:])))
