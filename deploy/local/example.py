"""Repositories to try things on behind the GitHub twin, made from examples of this project.

`acme/infra` is a program of Pulumi's; beside it lies a state to try `RestoreState` with, that of a stack which has
nothing. `acme/storefront` is a web service that is deployed for real, with a branch that changes its page; it and
`acme/shop-database` have migrations, with the driver that they need.
"""

import asyncio
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from connectors.artifacts import ArtifactStore
from connectors.github.git import GitError, git
from connectors.github.twin.seed import RepositoryUnusable
from connectors.pulumi.empty_state import EMPTY_STATE
from deploy.local.state import StackFolder

EXAMPLE_REPOSITORY: Final = "acme/infra"
SERVICE_REPOSITORY: Final = "acme/storefront"
MIGRATIONS_REPOSITORY: Final = "acme/shop-database"
FEATURE_BRANCH: Final = "feature/basket"
"""Of the service: what a pull request is open for."""
_DEPLOY: Final = Path(__file__).parent.parent
_PROGRAM: Final = _DEPLOY / "pulumi" / "examples" / "local-postgres"
_MIGRATIONS: Final = _DEPLOY / "neon" / "examples" / "shop-database"
_SERVICE: Final = _DEPLOY / "local" / "examples" / "storefront"
_FEATURE: Final = _DEPLOY / "local" / "examples" / "basket"
_DRIVER: Final = ("pg8000", "scramp", "asn1crypto", "python-dateutil", "six")
"""What the migrations import: of this environment's own packages, for they reach nothing to install from."""
_NO_CACHE: Final = shutil.ignore_patterns("__pycache__")
_WHO: Final = ("-c", "user.name=Banksman", "-c", "user.email=banksman@example.com")


async def prepare_examples(folder: StackFolder) -> Mapping[str, Path]:
    """The work trees that these repositories are brought in from, by their names.

    Made once: afterwards they are whoever's works on them.

    Raises:
        RepositoryUnusable: git is not here, or fails.
        Unavailable: The folder of the artifacts cannot be written.
    """
    await ArtifactStore(str(folder.artifacts)).put(EMPTY_STATE)
    return {name: await _prepared(folder.examples / name.partition("/")[2], one) for name, one in EXAMPLES.items()}


def copy_program(into: Path) -> None:
    """The program of Pulumi's."""
    shutil.copytree(_PROGRAM, into, ignore=_NO_CACHE)


def copy_service(into: Path) -> None:
    """The web service, with what runs its migrations."""
    shutil.copytree(_SERVICE, into, ignore=_NO_CACHE)
    shutil.copy2(_MIGRATIONS / "migrate.py", into)
    (into / ".banksman").mkdir()
    shutil.copy2(_SERVICE.with_name("storefront-config.yaml"), into / ".banksman" / "config.yaml")
    _copy_driver(into)


def copy_feature(into: Path) -> None:
    """What the feature of the web service changes."""
    shutil.copytree(_FEATURE, into, ignore=_NO_CACHE, dirs_exist_ok=True)


def copy_migrations(into: Path) -> None:
    """The migrations, with their driver in `vendor/`."""
    shutil.copytree(_MIGRATIONS, into, ignore=_NO_CACHE)
    _copy_driver(into)


def _copy_driver(into: Path) -> None:
    for name in _DRIVER:
        try:
            found = distribution(name)
        except PackageNotFoundError as error:
            raise RepositoryUnusable(
                f"the package {name!r}, which the example's migrations need, is missing"
            ) from error
        for file in found.files or ():
            if ".." in file.parts or "__pycache__" in file.parts:
                continue
            there = into / "vendor" / file
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(str(file.locate()), there)


@dataclass(frozen=True)
class _Commit:
    copy: Callable[[Path], None]
    message: str


@dataclass(frozen=True)
class _Example:
    """A first commit, and branches of one commit more."""

    first: _Commit
    branches: Mapping[str, _Commit]


EXAMPLES: Final[Mapping[str, _Example]] = {
    EXAMPLE_REPOSITORY: _Example(_Commit(copy_program, "A database and its role"), {}),
    SERVICE_REPOSITORY: _Example(
        _Commit(copy_service, "A page that shows what there is"),
        {FEATURE_BRANCH: _Commit(copy_feature, "Show the basket\n\nWith its total, on top of the page.")},
    ),
    MIGRATIONS_REPOSITORY: _Example(_Commit(copy_migrations, "Orders, and what they come to"), {}),
}


async def _prepared(tree: Path, example: _Example) -> Path:
    if (tree / ".git").exists():
        return tree
    draft = tree.with_suffix(".new")
    try:
        await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)
        await asyncio.to_thread(example.first.copy, draft)
        await git("init", "--quiet", "--initial-branch=main", at=draft)
        await _commit(draft, example.first.message)
        for branch, commit in example.branches.items():
            await git("checkout", "--quiet", "-b", branch, "main", at=draft)
            await asyncio.to_thread(commit.copy, draft)
            await _commit(draft, commit.message)
            await git("checkout", "--quiet", "main", at=draft)
    except GitError as error:
        raise RepositoryUnusable(f"the example repository cannot be made in {str(tree)!r}: {error}") from error
    return await asyncio.to_thread(draft.rename, tree)


async def _commit(draft: Path, message: str) -> None:
    """All that is there: a driver's files, too, which a person may have told git to ignore."""
    await git("add", "--all", "--force", at=draft)
    await git(*_WHO, "commit", "--quiet", "--message", message, at=draft)
