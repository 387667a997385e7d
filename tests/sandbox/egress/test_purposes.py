"""A purpose is for whose work the deployment says, and no goal's input gets another one's."""

import pytest

from activities.sandbox.contracts import RunCommandRequest, Source
from sandbox.docker.container import Containers, SandboxOptions
from sandbox.docker.engine import Engine
from sandbox.egress.network import Egress
from sandbox.egress.purposes import EgressSettings
from sandbox.errors import SpecRefused
from sandbox.spec import RunSpec, Work

IMAGE = "sha256:" + "a" * 64
SETTINGS = EgressSettings(
    purposes={"git": ("github.com",), "pulumi-stack": (), "packages-only": ("pypi.org",)},
    kept_for={"pulumi-stack": "stack", "packages-only": "packages"},
    proxy_image=IMAGE,
)


def spec(purpose: str, work: Work) -> RunSpec:
    return RunSpec(run_id="a", image=IMAGE, argv=("true",), purpose=purpose, work=work)


@pytest.mark.parametrize(
    ("purpose", "work", "says"),
    [
        ("pulumi-stack", "command", "'pulumi-stack' is for Pulumi's engine alone: the deployment has git$"),
        ("packages-only", "command", "'packages-only' is for a program's packages alone: the deployment has git$"),
        ("pulumi-stack", "packages", "Pulumi's engine alone: the deployment has git, packages-only"),
        ("everything", "command", "'everything' does not exist here: the deployment has git$"),
    ],
)
async def test_a_purpose_of_others_is_refused_before_anything_is_made(purpose: str, work: Work, says: str) -> None:
    engine = Engine("unix:///nonexistent/docker.sock")
    try:
        egress = Egress(Containers(engine, SandboxOptions()), SETTINGS)
        with pytest.raises(SpecRefused, match=says):
            async with egress.network(spec(purpose, work), purpose, 60):
                raise AssertionError("it was opened")
    finally:
        await engine.close()


def test_a_run_is_a_commands_unless_its_step_says_otherwise() -> None:
    assert RunSpec(run_id="a", image=IMAGE, argv=("true",)).work == "command"
    assert SETTINGS.names_for("stack") == ("git", "pulumi-stack")


def test_the_policy_sees_the_purpose() -> None:
    source = Source(repository="acme/shop", commit="a" * 40, pack="x")
    asked = RunCommandRequest(command=("true",), source=source, purpose="git", timeout_seconds=1)
    assert asked.policy_context().fields() == {
        "repository_owner": "acme",
        "repository_name": "shop",
        "purpose": "git",
    }
