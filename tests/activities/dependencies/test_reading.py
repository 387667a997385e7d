"""The step that reads manifests, run as Temporal runs it, against the twin over real git."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from activities.dependencies.contracts import READ_MANIFESTS, ManifestsRead, ReadManifestsRequest
from activities.dependencies.read import RepositoryManifests
from activities.dependencies.reading import ManifestActivities
from connectors.github.client import GitHubApp
from tests.activities.github.at_work import REPOSITORY, House, at_work
from tests.connectors.github.shop import git

FILES: Mapping[str, str] = {
    "pyproject.toml": '[project]\nname = "acme-shop"\ndependencies = ["requests>=2", "flask"]\n',
    "uv.lock": '[[package]]\nname = "requests"\nversion = "2.31.0"\nsdist = { upload-time = "2024-05-29T15:37:49Z" }\n',
    "requirements.txt": "-r deps/base.txt\n-r gone.txt\n",
    "deps/base.txt": "-r ../requirements.txt\nrich==13.0.0\n",
    "package.json": '{"dependencies": {"<img src=x>\\n": "1.0.0", "vite": "5.0.1"}}',
    "web/package.json": "no JSON",
    "huge/pyproject.toml": "#" * 600_000,
    "Dockerfile": "FROM python:3.11\n",
}


def branch(house: House, name: str, files: Mapping[str, str], folder: Path) -> None:
    """A branch with these files, and nothing else."""
    git("clone", "--quiet", str(house.shop.bare), str(folder), at=house.shop.bare.parent)
    git("checkout", "--quiet", "--orphan", name, at=folder)
    git("rm", "-rfq", ".", at=folder)
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    git("add", ".", at=folder)
    git("commit", "--quiet", "-m", "Files", at=folder)
    git("push", "--quiet", "origin", name, at=folder)


@pytest.fixture
def project(house: House, tmp_path: Path) -> str:
    branch(house, "banksman/project", FILES, tmp_path / "work")
    return "banksman/project"


async def read(house: House, **asked: str) -> tuple[ManifestsRead, RepositoryManifests]:
    steps = ManifestActivities(GitHubApp(base_url=house.twin.address), house, artifacts=house.artifacts)
    request = ReadManifestsRequest(repository=REPOSITORY, **asked)
    found = await at_work(READ_MANIFESTS.name).run(steps.read_manifests, request)
    return found, RepositoryManifests.model_validate_json(await house.artifacts.get(found.artifact))


async def test_manifests_are_read_at_one_commit_and_each_mistake_is_told(house: House, project: str) -> None:
    found, whole = await read(house, ref=project)
    assert found.commit == whole.commit == house.head(project)
    assert (found.files, found.direct, found.pinned, found.locked, found.aged) == (7, 5, 3, 1, 1)
    assert found.median_age_days is not None
    assert [(one.ecosystem, one.name) for one in whole.made] == [
        ("python", "acme-shop"),
        ("image", "ghcr.io/acme/shop"),
    ]
    assert sorted((one.path, one.what) for one in whole.mistakes) == [
        ("deps/base.txt", "takes itself in: deps/base.txt → requirements.txt → deps/base.txt"),
        ("huge/pyproject.toml", "has 600000 bytes, and at most 524288 of such a file are read"),
        ("package.json", "names '<img src=x>\\u000a', which is no name of a package; it is left out"),
        ("requirements.txt", "takes in 'gone.txt', which is not there or not read"),
        ("web/package.json", "is no JSON: Expecting value: line 1 column 1 (char 0)"),
    ]
    assert house.twin.live_tokens == 0


async def test_a_repository_without_manifests_names_nothing(house: House) -> None:
    found, whole = await read(house)
    assert (found.files, found.direct, whole.used, whole.mistakes) == (0, 0, (), ())
