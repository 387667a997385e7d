"""A command that was forked does what the installed one does."""

import subprocess

import pytest

from tests.stack.running import BIN, Running

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


@pytest.mark.parametrize("arguments", [("goals", "--json"), ("nope",)], ids=["a result", "a refusal"])
def test_it_prints_and_ends_as_the_installed_one(stack: Running, arguments: tuple[str, ...]) -> None:
    forked = stack.banksman(*arguments)
    line = [str(BIN / "banksman"), *arguments]
    installed = subprocess.run(
        line, env=stack.environment, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, check=False
    )
    for name in ("args", "returncode", "stdout", "stderr"):
        assert getattr(forked, name) == getattr(installed, name), name
