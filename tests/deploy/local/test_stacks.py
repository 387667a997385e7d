"""What the workers of the embedded environment are told of Pulumi stacks."""

import subprocess
from pathlib import Path

import pytest
from pydantic import SecretStr

from connectors.artifacts import ArtifactStore
from connectors.github.git import import_repository
from connectors.pulumi.empty_state import EMPTY_STATE, EMPTY_STATE_REFERENCE
from connectors.pulumi.files import read_file
from deploy.local.example import EXAMPLE_REPOSITORY, prepare_examples
from deploy.local.options import ProvidersWanted, StackOptions
from deploy.local.processes.children import Addresses, Children, Login
from deploy.local.stacks import PlatformPlace, write_stacks
from deploy.local.state import StackFolder
from deploy.temporal import development_server_options
from sandbox.egress.purposes import EgressSettings
from sandbox.provisioning import EngineFound
from sandbox.pulumi.request import PostgresState
from workers.stacks import StackEnvironment, Stacks

PLATFORM = PlatformPlace(port=8341, url="http://127.0.0.1:8340")
ENGINE = EngineFound(host="unix:///engine", images="/images.json")


@pytest.fixture
def folder(tmp_path: Path) -> StackFolder:
    made = StackFolder(tmp_path / "s")
    made.make()
    return made


@pytest.fixture
def children(folder: StackFolder) -> Children:
    options = StackOptions(
        repositories={},
        policy=folder.root / "policy.yaml",
        encrypt=False,
        traces=False,
        sandbox=True,
        environment={},
        deployment="none",
        build_id=lambda: "none",
    )
    return Children(folder=folder, options=options, ports=Addresses.choose())


async def _secret() -> SecretStr:
    return SecretStr("wrapped")


LOGIN = Login(role_id="role", secret=_secret)


def test_the_file_is_what_workers_read_and_only_its_owner_may(folder: StackFolder) -> None:
    path = write_stacks(folder, host="10.0.0.1", port=8432, platform=PLATFORM)
    said = read_file(path, StackEnvironment)
    assert said.state_of("a_role") == PostgresState(database="pulumi_local", role="a_role", tls="disable")
    opened = said.opened(EgressSettings(proxy_image=f"sha256:{'0' * 64}"))
    targets = [(name, one.host, one.port) for relays in opened.relays.values() for name, one in relays.items()]
    assert targets == [("state", "10.0.0.1", 8432), ("platform", "10.0.0.1", 8341)]
    assert path.stat().st_mode & 0o777 == 0o600


def test_both_workers_are_told_and_know_their_containers_apart_from_other_stacks(
    children: Children, folder: StackFolder
) -> None:
    write_stacks(folder, host="10.0.0.1", port=8432, platform=PLATFORM)
    for spec in (children.sandbox_worker(LOGIN, ENGINE), children.destructive_worker(LOGIN)):
        assert spec.environment["BANKSMAN_STACKS"] == str(folder.stacks)
        assert spec.environment["BANKSMAN_ENGINE_FILE"] == str(folder.engine)
        assert spec.environment["BANKSMAN_SANDBOX_DEPLOYMENT"] == folder.deployment


def test_without_a_state_database_they_are_told_of_no_stacks(children: Children) -> None:
    for spec in (children.sandbox_worker(LOGIN, ENGINE), children.destructive_worker(LOGIN)):
        assert "BANKSMAN_STACKS" not in spec.environment


async def test_the_state_of_the_example_that_puts_one_back_is_kept(folder: StackFolder) -> None:
    await prepare_examples(folder)
    assert await ArtifactStore(str(folder.artifacts)).get(EMPTY_STATE_REFERENCE) == EMPTY_STATE


async def test_the_example_is_a_repository_that_belongs_to_whoever_works_on_it(folder: StackFolder) -> None:
    tree = (await prepare_examples(folder))[EXAMPLE_REPOSITORY]
    assert {path.name for path in tree.iterdir()} == {
        *(".git", "Pulumi.yaml", "__main__.py", "banksman_local.py", "requirements.txt")
    }
    (tree / "Pulumi.dev.yaml").write_text("config: {}\n")
    git = ["git", "-C", str(tree), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "add", "--all"], check=True)  # noqa: ASYNC221 - one moment of a test
    subprocess.run([*git, "commit", "--quiet", "-m", "A setting"], check=True)  # noqa: ASYNC221 - the same
    assert (await prepare_examples(folder))[EXAMPLE_REPOSITORY] == tree
    await import_repository(tree, folder.repositories / "infra.git")
    listed = ["git", "-C", str(folder.repositories / "infra.git"), "log", "--format=%s", "main"]
    said = subprocess.run(listed, capture_output=True, text=True, check=True).stdout  # noqa: ASYNC221 - the same
    assert said.splitlines() == ["A setting", "A database and its role"]


def test_temporal_has_a_pace_of_its_own(children: Children) -> None:
    assert set(development_server_options()) <= set(children.temporal().argv)


def test_a_rehearsal_has_the_providers_of_its_deployment(folder: StackFolder) -> None:
    wanted = ProvidersWanted(packages=("aws", "banksman"), environment={"AWS_REGION": "eu-west-1"})
    path = write_stacks(folder, host="10.0.0.1", port=8432, platform=PLATFORM, providers=wanted)
    said = Stacks.load(path, environment="local", played=True)
    engine = said.engine(f"sha256:{'a' * 64}", "look")
    assert (engine.packages, engine.environment["AWS_REGION"], engine.played) == (
        ("aws", "banksman"),
        "eu-west-1",
        True,
    )
    assert engine.environment["PGUSER"] == "look"
