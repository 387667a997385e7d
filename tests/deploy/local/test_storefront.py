"""The example service as a repository: its manifest is valid, its tests pass on both branches, and it is made once."""

import subprocess
import sys
from pathlib import Path

import pytest

from connectors.github.git import git
from connectors.github.twin import seed
from connectors.github.twin.app import TwinConfig
from connectors.github.twin.writes import kept_besides_git
from connectors.neon.twin import seed as neon_seed
from connectors.neon.twin.account import TwinConfig as NeonConfig
from connectors.qdrant.twin import seed as qdrant_seed
from connectors.qdrant.twin.shapes import TwinConfig as QdrantConfig
from connectors.twins import TwinPlace
from deploy.local.example import FEATURE_BRANCH, SERVICE_REPOSITORY, prepare_examples
from deploy.local.state import StackFolder
from workflows.manifest.manifest import FILE_NAME
from workflows.manifest.reading import read_manifest


@pytest.fixture
def folder(tmp_path: Path) -> StackFolder:
    made = StackFolder(tmp_path / "s")
    made.make()
    return made


async def test_it_is_made_once_with_its_feature_on_a_branch_and_belongs_to_whoever_works_on_it(
    folder: StackFolder,
) -> None:
    tree = (await prepare_examples(folder))[SERVICE_REPOSITORY]
    changed = await git("diff", "--name-only", "main", FEATURE_BRANCH, at=tree)
    assert changed.decode().split() == ["app/window.py", "tests/test_window.py"]
    await git("branch", "--delete", "--force", FEATURE_BRANCH, at=tree)
    assert (await prepare_examples(folder))[SERVICE_REPOSITORY] == tree
    assert FEATURE_BRANCH not in (await git("branch", at=tree)).decode()


@pytest.mark.parametrize("branch", ["main", FEATURE_BRANCH])
async def test_its_manifest_is_one_and_its_tests_pass(folder: StackFolder, branch: str) -> None:
    tree = (await prepare_examples(folder))[SERVICE_REPOSITORY]
    await git("checkout", "--quiet", branch, at=tree)
    manifest = read_manifest((tree / FILE_NAME).read_bytes()).manifest
    assert manifest.test is not None
    assert manifest.pulumi is not None
    assert "live" in manifest.pulumi.stacks.values()
    assert manifest.verify is not None
    assert manifest.verify.output == "newestUrl"
    assert manifest.migrate is not None
    assert [name for _, _, _, name in manifest.needs.named()] == ["products", "storefront-cache", "storefront-search"]
    command = [sys.executable, *manifest.test.command[1:]]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=60, check=False)  # noqa: ASYNC221 - one moment of a test
    assert done.returncode == 0, done.stderr


async def test_what_it_needs_is_what_the_twins_begin_with(folder: StackFolder) -> None:
    """A database of its own, and a cluster as the goal has made it that is asked for one."""
    tree = (await prepare_examples(folder))[SERVICE_REPOSITORY]
    needs = read_manifest((tree / FILE_NAME).read_bytes()).manifest.needs
    place = TwinPlace(
        root=folder.root,
        listen="127.0.0.1:0",
        repositories={},
        keep=lambda file, content: folder.private(f"twins/{file}", content),
    )
    for _ in range(2):  # a second start finds what the first one wrote
        neon = await neon_seed.prepare(place)
        projects = NeonConfig.model_validate_json(neon.configuration.read_text()).projects
        assert [one.database for one in projects if one.id == needs.neon[0].project] == [needs.neon[0].database]
        qdrant = await qdrant_seed.prepare(place)
        databases = QdrantConfig.model_validate_json(qdrant.configuration.read_text()).databases
        [made] = [one for one in databases if one.name == needs.qdrant[0].name]
        assert made.goal == needs.qdrant[0].goal().business_key()
        [collection] = needs.qdrant[0].collections
        assert (made.alias, made.collection) == (collection.alias, collection.collection)


async def test_a_pull_request_of_the_feature_is_open_and_what_became_of_it_is_kept(folder: StackFolder) -> None:
    place = TwinPlace(
        root=folder.root,
        listen="127.0.0.1:0",
        repositories={SERVICE_REPOSITORY: (await prepare_examples(folder))[SERVICE_REPOSITORY]},
        keep=lambda file, content: folder.private(f"twins/{file}", content),
        proposed={SERVICE_REPOSITORY: FEATURE_BRANCH},
    )
    prepared = await seed.prepare(place)
    config = TwinConfig.model_validate_json(prepared.configuration.read_text())
    assert config.beside is not None
    file = config.beside / "acme.storefront.json"
    (pull,) = kept_besides_git(file).pulls
    assert (pull.number, pull.title, pull.head, pull.base, pull.state) == (
        1,
        "Show the basket",
        FEATURE_BRANCH,
        "main",
        "open",
    )
    file.write_text('{"pulls": []}')
    await seed.prepare(place)
    assert kept_besides_git(file).pulls == []
