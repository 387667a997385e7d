"""A command, and a process, holds only what it works with."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

OURS = {"activities", "connectors", "deploy", "hitl", "observability", "sandbox", "workers", "workflows"}
LIBRARIES = {"docker", "dulwich", "github", "hvac", "slack_bolt", "starlette", "temporalio", "webauthn"}
"""Each takes a tenth of a second or more to import."""


def test_the_list_of_commands_imports_none_of_them() -> None:
    code = "import sys; from workers.cli import app; app(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)
    shown, _, imported = done.stdout.rpartition("\n\n")
    assert "Start a goal" in shown
    ours = {name for name in imported.split() if name.partition(".")[0] in OURS}
    assert ours == {"deploy", "deploy.ending", "workers", "workers.cli", "workers.withheld"}
    assert not {"pydantic", "importlib.metadata", *LIBRARIES} & {*imported.split()}


WORKERS = {"temporalio", "hvac", "webauthn"}
"""What every worker has: it reads the policy, in which people's keys are."""
ROOT = Path(__file__).parents[2]
DECLARES = "activities.step"


def of_role(role: str) -> str:
    """What a worker of this role loads."""
    steps = (ROOT / "workers/steps" / role).glob("[a-z]*.py")
    return " ".join(
        ["workers.commands.worker", f"workers.roles.{role}", *(f"workers.steps.{role}.{one.stem}" for one in steps)]
    )


def loaded(modules: str) -> set[str]:
    """All that is loaded by who imports these."""
    code = f"import sys, {modules.replace(' ', ', ')}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)
    return {*done.stdout.split()}


@pytest.mark.parametrize(
    ("modules", "needed"),
    [
        ("workers.cli", set[str]()),
        ("workers.commands.status workers.commands.up", set[str]()),
        ("workers.commands.policy workers.commands.audit", {"webauthn"}),
        ("workers.commands.manifest", {"temporalio", "webauthn"}),
        ("workers.commands.goals workers.commands.approvals", {"temporalio"}),
        ("workers.commands.trace_store", {"starlette"}),
        ("workers.commands.twin connectors.slack.twin.app observability.tracing", {"starlette"}),
        ("workers.commands.worker workers.roles.goals", WORKERS),
        (of_role("connectors"), {*WORKERS, "github", "dulwich"}),
        (of_role("sandbox"), {*WORKERS, "docker"}),
        (of_role("destructive"), {*WORKERS, "docker", "github", "dulwich"}),
        (of_role("models"), WORKERS),
        ("workers.commands.worker workers.roles.gateway", {*WORKERS, "slack_bolt", "starlette"}),
    ],
)
def test_only_the_libraries_that_are_needed_are_imported(modules: str, needed: set[str]) -> None:
    assert LIBRARIES & loaded(modules) == needed


PROVIDERS = {"anthropic", "boto3", "botocore", "google.genai", "openai"}


def test_who_asks_language_models_loads_the_libraries_of_those_that_are_configured_and_no_other_process_any() -> None:
    assert not PROVIDERS & loaded(of_role("models"))
    assert "pydantic_ai" in loaded(of_role("models"))
    of_bedrock = loaded(f"{of_role('models')} pydantic_ai.models.bedrock")
    assert PROVIDERS & of_bedrock <= {"boto3", "botocore"}
    for modules in (of_role("connectors"), "workflows.implementations", "activities.models.contracts"):
        assert not {*PROVIDERS, "pydantic_ai", "genai_prices", "httpx2"} & loaded(modules)


_STARTED = """
import sys
from workers.withheld import withhold
withhold(["worker", "models"])
import workers.commands.worker, workers.roles.models, workers.steps.models.models, observability.tracing
from activities.catalogue import steps_on
from workers.guarded import QUEUES
assert steps_on(QUEUES["models"])
print(*(name for name, module in sys.modules.items() if module is not None))
"""


def test_the_models_worker_loads_what_it_works_with_alone_also_once_it_has_looked_for_its_steps() -> None:
    done = subprocess.run([sys.executable, "-c", _STARTED], capture_output=True, text=True, timeout=50, check=True)
    loaded = {*done.stdout.split()}
    assert done.stderr == ""
    assert "activities.models.contracts" in loaded
    contracts = {name for name in loaded if name.startswith("activities.") and name.endswith(".contracts")}
    others = {f"activities.{one}.contracts" for one in ("coding", "estuary", "lambdalabs", "neon", "pulumi", "qdrant")}
    assert not others & contracts
    assert not {"charset_normalizer", "starlette", *PROVIDERS} & loaded


def implementing() -> set[str]:
    """Every module with the implementation of a step."""
    found = (one.relative_to(ROOT) for floor in ("activities", "hitl") for one in (ROOT / floor).rglob("*.py"))
    modules = {".".join(one.with_suffix("").parts): one for one in found}
    return {name for name, path in modules.items() if "@implements(" in (ROOT / path).read_text() and name != DECLARES}


def test_who_asks_for_goals_and_who_runs_them_loads_no_implementation_of_a_step() -> None:
    assert "activities.github.branches" in implementing()
    assert not implementing() & loaded("workers.commands.goals workers.commands.approvals")
    assert not implementing() & loaded("workflows.implementations")
    assert implementing() & loaded(of_role("connectors"))
