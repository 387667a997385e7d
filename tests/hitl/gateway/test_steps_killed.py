"""The process of all workers is killed at each step of one approval, before or after it acted, and another goes on."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from connectors.vault import VaultSession
from tests.connectors.vault.server import VaultServer
from tests.hitl.gateway.running import eventually
from tests.hitl.gateway.stepping import Steps, named

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


@contextlib.asynccontextmanager
async def workers(
    steps: Steps, vault_server: VaultServer, ledger: VaultSession, folder: Path, *how: str
) -> AsyncGenerator[asyncio.subprocess.Process]:
    script = str(Path(__file__).with_name("steps_worker.py"))
    temporal = steps.client.service_client.config.target_host
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        script,
        temporal,
        vault_server.address,
        str(folder),
        *how,
        stdin=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdin is not None
    process.stdin.write(f"{ledger._token.get_secret_value()}\n".encode())
    try:
        yield process
    finally:
        if process.returncode is None:
            process.stdin.close()
        await asyncio.wait_for(process.wait(), 30)


@pytest.mark.parametrize(("step", "when"), [("one", "after"), ("two", "before"), ("two", "after"), ("three", "after")])
async def test_whoever_comes_after_a_killed_process_does_each_step_once(
    steps: Steps, vault_server: VaultServer, ledger: VaultSession, tmp_path: Path, step: str, when: str
) -> None:
    folder = tmp_path / "worker"
    folder.mkdir()

    async def held() -> bool:
        return (folder / "held").exists()

    async with steps.gateway() as gateway:
        async with workers(steps, vault_server, ledger, folder, step, when) as process:
            goal, _, message = await steps.take_down(gateway)
            await steps.approve(message)
            await eventually(held)
            process.kill()
        async with workers(steps, vault_server, ledger, folder, step, when):
            result = await goal.result()
    assert result.done == 3
    assert (folder / "done").read_text().splitlines() == named(goal, "one", "two", "three")
