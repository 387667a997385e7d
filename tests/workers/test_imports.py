"""A command, and a process, holds only what it works with."""

import subprocess
import sys

import pytest

OURS = {"activities", "connectors", "deploy", "hitl", "observability", "sandbox", "workers", "workflows"}
LIBRARIES = {"docker", "dulwich", "github", "hvac", "slack_bolt", "starlette", "temporalio"}
"""Each takes a tenth of a second or more to import."""


def test_the_list_of_commands_imports_none_of_them() -> None:
    code = "import sys; from workers.cli import app; app(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)
    shown, _, imported = done.stdout.rpartition("\n\n")
    assert "Start a goal" in shown
    ours = {name for name in imported.split() if name.partition(".")[0] in OURS}
    assert ours == {"workers", "workers.cli", "workers.ending"}
    assert not {"pydantic", "importlib.metadata", *LIBRARIES} & {*imported.split()}


@pytest.mark.parametrize(
    ("modules", "needed"),
    [
        ("workers.cli", set[str]()),
        ("workers.commands.status workers.commands.policy workers.commands.audit workers.commands.up", set[str]()),
        ("workers.commands.goals workers.commands.approvals", {"temporalio"}),
        ("workers.commands.trace_store", {"starlette"}),
        ("workers.commands.twin connectors.slack.twin", {"starlette"}),
        ("workers.commands.worker workers.roles.goals", {"temporalio", "hvac"}),
        ("workers.commands.worker workers.roles.connectors", {"temporalio", "hvac", "github", "dulwich"}),
        ("workers.commands.worker workers.roles.sandbox", {"temporalio", "hvac", "docker"}),
        ("workers.commands.worker workers.roles.destructive", {"temporalio", "hvac", "docker", "github", "dulwich"}),
        ("workers.commands.worker workers.roles.gateway", {"temporalio", "hvac", "slack_bolt", "starlette"}),
    ],
)
def test_only_the_libraries_that_are_needed_are_imported(modules: str, needed: set[str]) -> None:
    code = f"import sys, {modules.replace(' ', ', ')}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)
    assert LIBRARIES & {*done.stdout.split()} == needed
