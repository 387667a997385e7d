"""One twin for all tests of a module, with repositories that have a bit of everything."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.github.client import GitHubApp
from connectors.github.git import import_repository
from connectors.github.twin.app import TwinConfig
from tests.connectors.github.twin.server import (
    CLIENT_ID,
    Key,
    Twin,
    commit,
    git,
    make_repository,
    running_twin,
)

BIG = bytes(range(256)) * 8192


@pytest.fixture(scope="session")
def key() -> Key:
    return Key.make()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work tree behind `acme/shop`."""
    root = tmp_path_factory.mktemp("sources")
    library = make_repository(root / "library", {"lib.txt": "lib"})
    shop = make_repository(
        root / "shop",
        {
            "README.md": "# Shop\n",
            "empty": b"",
            "binary.png": bytes(range(256)),
            "big.bin": BIG,
            "docs/grüße/日本 語.txt": "unicode\n",
            "docs/#odd?name%20&.txt": "odd\n",
            "docs/[a]*.txt": "literal\n",
            "docs/ab.txt": "not this one\n",
            ":(top)magic": "no pathspec\n",
        },
    )
    (shop / "docs/to-readme").symlink_to("../README.md")
    (shop / "docs/to-outside").symlink_to("../../../etc/passwd")
    (shop / "docs/to-root").symlink_to("/etc/passwd")
    (shop / "docs/to-nowhere").symlink_to("gone.txt")
    (shop / "docs/to-link").symlink_to("to-readme")
    (shop / "docs/to-folder").symlink_to("grüße")
    git(shop, "submodule", "--quiet", "add", str(library), "vendor/library")
    commit(shop, {}, message="Links and a submodule")
    git(shop, "tag", "v1")
    git(shop, "tag", "-a", "v1-annotated", "-m", "First release")
    git(shop, "branch", "feature/deep/one")
    git(shop, "checkout", "--quiet", "-b", "next")
    commit(shop, {"README.md": "# Next\n"}, message="Next\n\nWith a body.")
    git(shop, "tag", "both", "main")
    git(shop, "branch", "both", "next")
    git(shop, "checkout", "--quiet", "main")
    return shop


@pytest.fixture(scope="module")
def module_twin(source: Path, key: Key, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:

    folder = tmp_path_factory.mktemp("repositories")

    async def bring() -> None:
        for name in ("acme/shop", "acme/hidden", "acme/.github", "Other/Case.Name"):
            await import_repository(source, folder / f"{name}.git")

    asyncio.run(bring())
    git(folder, "init", "--quiet", "--bare", "acme/empty.git")
    installed = frozenset({"acme/shop", "acme/empty", "acme/.github", "Other/Case.Name"})
    config = TwinConfig(repositories=folder, client_id=CLIENT_ID, public_key=key.public, installed=installed)
    with running_twin(config, key) as twin:
        yield twin


@pytest.fixture
def twin(module_twin: Twin) -> Twin:
    """The module's twin, without faults or tokens, at the real time."""
    module_twin.forget()
    return module_twin


@pytest.fixture
def github(twin: Twin) -> GitHubApp:
    return GitHubApp(base_url=twin.url, timeout=5)
