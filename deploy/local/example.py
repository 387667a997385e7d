"""Repositories to try things on, behind the GitHub twin, made from examples of this project.

`acme/infra` is for Pulumi stacks; beside it is a state to try `RestoreState` with, that of a stack which has nothing.
`acme/storefront` is a web service that is deployed for real, with a branch that changes its page.
"""

import asyncio
import contextlib
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Final

from connectors.artifacts import ArtifactStore
from connectors.github.git import GitError, git
from connectors.github.twin.seed import RepositoryUnusable
from connectors.pulumi.empty_state import EMPTY_STATE
from deploy.local.state import StackFolder

EXAMPLE_REPOSITORY: Final = "acme/infra"
SERVICE_REPOSITORY: Final = "acme/storefront"
FEATURE_BRANCH: Final = "feature/basket"
"""Of the service: what a pull request is open for."""
_SOURCE: Final = Path(__file__).parent.parent / "pulumi" / "examples" / "local-postgres"
_SERVICE: Final = Path(__file__).parent / "examples" / "storefront"
_FEATURE: Final = Path(__file__).parent / "examples" / "basket"
_IGNORED: Final = shutil.ignore_patterns("__pycache__")
_WHO: Final = ("-c", "user.name=Banksman", "-c", "user.email=banksman@example.com")


async def prepare_example(folder: StackFolder) -> Path:
    """The work tree that `acme/infra` is brought in from. Made once: afterwards it is whoever works on it.

    Raises:
        RepositoryUnusable: git is not here, or fails.
        Unavailable: The folder of the artifacts cannot be written.
    """
    await ArtifactStore(str(folder.artifacts)).put(EMPTY_STATE)
    tree = folder.examples / "infra"
    if (tree / ".git").exists():
        return tree
    draft = folder.examples / "infra.new"
    with _told(tree):
        await _begin(draft, _SOURCE, "A database and its role")
        return await asyncio.to_thread(draft.rename, tree)


async def prepare_service(folder: StackFolder) -> Path:
    """The work tree that `acme/storefront` is brought in from, with its feature on a branch. Made once, as the other.

    Raises:
        RepositoryUnusable: git is not here, or fails.
    """
    tree, draft = folder.examples / "storefront", folder.examples / "storefront.new"
    if (tree / ".git").exists():
        return tree
    with _told(tree):
        await _begin(draft, _SERVICE, "A page that shows what there is")
        await git("checkout", "--quiet", "-b", FEATURE_BRANCH, at=draft)
        await asyncio.to_thread(shutil.copytree, _FEATURE, draft, ignore=_IGNORED, dirs_exist_ok=True)
        message = "Show the basket\n\nWith its total, on top of the page."
        await git(*_WHO, "commit", "--quiet", "--all", "--message", message, at=draft)
        await git("checkout", "--quiet", "main", at=draft)
        return await asyncio.to_thread(draft.rename, tree)


@contextlib.contextmanager
def _told(tree: Path) -> Generator[None]:
    try:
        yield
    except GitError as error:
        raise RepositoryUnusable(f"the example repository cannot be made in {str(tree)!r}: {error}") from error


async def _begin(draft: Path, source: Path, message: str) -> None:
    """A repository with one commit: all of an example."""
    await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)
    await asyncio.to_thread(shutil.copytree, source, draft, ignore=_IGNORED)
    await git("init", "--quiet", "--initial-branch=main", at=draft)
    await git("add", "--all", at=draft)
    await git(*_WHO, "commit", "--quiet", "--message", message, at=draft)
