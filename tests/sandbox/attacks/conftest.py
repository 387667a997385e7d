"""Runs one attack, and judges by what it printed and by what it touched outside."""

from collections.abc import Mapping

import pytest
from pydantic import SecretBytes

from sandbox.result import RunResult
from sandbox.spec import Limits
from tests.sandbox.attacks.escapes import PRELUDE
from tests.sandbox.running import Attack, Run


def judge(result: RunResult) -> list[str]:
    """What the attack got; an attack that did not try anything proves nothing."""
    assert result.ended == "exit", (result.ended, result.stderr.text)
    assert result.exit_code == 0, result.stderr.text
    assert "tried" in result.stdout.text, result.stdout.text
    return [line for line in result.stdout.text.splitlines() if line.startswith("ESCAPED")]


@pytest.fixture
def attack(run: Run) -> Attack:
    async def call(program: str, secrets: Mapping[str, SecretBytes] | None = None) -> list[str]:
        file = {"path": "attack.py", "content": (PRELUDE + program).encode()}
        limits = Limits(wall_seconds=60, output_bytes=4_000_000)
        return judge(await run("python3", "attack.py", files=[file], limits=limits, secrets=secrets))

    return call
