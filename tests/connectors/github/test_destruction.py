"""The destructive step on the twin, as its worker wires it: the branch goes while somebody waits for that."""

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.github.branches import BranchDestruction
from activities.github.contracts import BranchDeleted
from activities.guard.current_attempt import NotCurrent
from activities.guard.granted import GrantedRequest
from activities.guard.withheld import DestructiveSecrets
from connectors.errors import NotFound
from connectors.github.client import GitHubApp
from tests.activities.guard.attempts import Records, Waited, admitted, times
from tests.connectors.github.recorded import Served
from tests.connectors.github.shop import Shop, git
from tests.hitl.approval.granting import Gateway, make_plan

PATIENCE = 20.0


class Vault:
    """Holds the App's key, and says which tokens it made."""

    def __init__(self, twin: Served) -> None:
        self._twin = twin
        self.made: list[str] = []

    @asynccontextmanager
    async def step(self, action: str, *, metadata: Mapping[str, str], ttl: timedelta) -> AsyncGenerator["Vault"]:
        del metadata, ttl
        self.made.append(action)
        yield self

    async def read(self, path: str) -> Mapping[str, SecretStr]:
        assert path == "github/destructive-app"
        known = self._twin.credentials
        return {"client_id": SecretStr(known.client_id), "private_key": known.private_key}

    def release_soon(self) -> object:
        return None


class Worker:
    """One destructive worker's step."""

    def __init__(self, twin: Served, granted: GrantedRequest) -> None:
        self.vault, self.records, self.granted = Vault(twin), Records(), granted
        secrets = DestructiveSecrets(self.vault)
        self._steps = BranchDestruction(GitHubApp(base_url=twin.address), secrets)
        self._times = times()

    async def delete(self, server: Waited, *, attempt: int = 1) -> BranchDeleted:
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(environment.info, attempt=attempt, **self._times)  # pyright: ignore[reportArgumentType] - any field
        return await environment.run(admitted(self._steps.delete_branch, self.records, server), self.granted)


@pytest.fixture
def head(shop: Shop) -> str:
    git("update-ref", "refs/heads/gone", shop.main, at=shop.bare)
    return shop.main


@pytest.fixture
def worker(twin: Served, head: str, tmp_path: Path) -> Worker:
    plan = make_plan(parameters={"repository": "acme/shop", "branch": "gone", "expected_head": head})
    return Worker(twin, GrantedRequest(plan=plan.text(), decisions=tuple(Gateway(tmp_path).grant("alice"))))


def stands(shop: Shop) -> str:
    return git("for-each-ref", "--format=%(objectname)", "refs/heads/gone", at=shop.bare)


async def test_a_branch_that_somebody_waits_to_see_gone_goes(worker: Worker, twin: Served, shop: Shop) -> None:
    server = Waited()
    assert (await worker.delete(server)).head == shop.main
    assert stands(shop) == ""
    assert server.asked == 2
    assert twin.live_tokens == 0


async def test_no_branch_goes_that_nobody_waits_for(worker: Worker, twin: Served, shop: Shop, head: str) -> None:
    with pytest.raises(NotCurrent):
        await worker.delete(Waited(until=0))
    assert (worker.vault.made, twin.recorder.lines()) == ([], [])
    with pytest.raises(NotCurrent):
        await worker.delete(Waited(until=1))
    # All but the request that deletes was sent. Of git's answer the client needs no end, so that it is noted later.
    async with asyncio.timeout(PATIENCE):
        while not any(one.path.endswith("/info/refs") for one in twin.recorder.exchanges):  # noqa: ASYNC110 - another thread notes it
            await asyncio.sleep(0.02)
    assert not any(one.path.endswith("/git-receive-pack") for one in twin.recorder.exchanges)
    assert stands(shop) == head
    assert twin.live_tokens == 0


async def test_the_attempt_after_it_deletes_what_still_stands(worker: Worker, shop: Shop) -> None:
    with pytest.raises(NotCurrent):
        await worker.delete(Waited(until=1))
    assert (await worker.delete(Waited(), attempt=2)).head == shop.main
    assert stands(shop) == ""
    assert (await worker.delete(Waited(), attempt=3)).head == shop.main, "its answer may have been lost"


async def test_a_branch_that_was_gone_before_is_named(worker: Worker, shop: Shop) -> None:
    git("update-ref", "-d", "refs/heads/gone", at=shop.bare)
    with pytest.raises(NotFound, match="somebody deleted it"):
        await worker.delete(Waited())
