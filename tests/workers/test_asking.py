"""`banksman ask --plan-only`: the plan alone, as a file that a person edits and runs."""

import asyncio
import json
from pathlib import Path

import pytest
from temporalio.client import Client
from typer.testing import CliRunner

from tests.hitl.plan_language.planning import MOTTO, plan_of
from tests.workflows.agent.asking import READS, AskingHouse, answers, asks, planned
from workers.cli import app

pytestmark = pytest.mark.asyncio(loop_scope="session")

READ = plan_of(explore=[], act=[MOTTO])


async def ask(client: Client, *words: str) -> tuple[int, str]:
    """The command: its exit code, and what it writes to standard output."""
    address = client.service_client.config.target_host
    told = {"TEMPORAL_ADDRESS": address, "ENCRYPT_PAYLOADS": "false", "DEVELOPMENT": "true"}
    env = {f"BANKSMAN_{name}": value for name, value in told.items()}
    done = await asyncio.to_thread(CliRunner(env=env).invoke, app, ["ask", READS, "--plan-only", *words])
    return done.exit_code, done.stdout


async def test_the_plan_is_all_that_is_written_and_can_be_checked(client: Client, tmp_path: Path) -> None:
    house, file, lists = AskingHouse(client, tmp_path, answers(planned(READ))), tmp_path / "a.json", tmp_path / "b.json"
    async with house.workers(destructive=False):
        code, said = await ask(client, "--lists", str(lists))
    assert (code, json.loads(said), house.steps.calls) == (0, READ, [])
    assert json.loads(lists.read_text())["repository"] == ["acme/shop", "acme/site"]
    file.write_text(said)
    assert CliRunner().invoke(app, ["plan", "check", str(file), "--lists", str(lists)]).exit_code == 0


async def test_a_question_is_no_plan_and_the_exit_code_says_so(client: Client, tmp_path: Path) -> None:
    house = AskingHouse(client, tmp_path, answers(asks("Which file?")))
    async with house.workers(destructive=False):
        code, said = await ask(client)
    assert (code, json.loads(said)["says"]) == (6, "Which file?")
