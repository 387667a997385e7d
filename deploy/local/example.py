"""A repository to try Pulumi on: `acme/infra` behind the GitHub twin, made from an example of this project.

Beside it a state to try `RestoreState` with: that of a stack which has nothing.
"""

import asyncio
import shutil
from pathlib import Path
from typing import Final

from connectors.artifacts import ArtifactStore
from connectors.github.git import GitError, git
from connectors.github.twin.seed import RepositoryUnusable
from connectors.pulumi.empty_state import EMPTY_STATE
from deploy.local.state import StackFolder

EXAMPLE_REPOSITORY: Final = "acme/infra"
_SOURCE: Final = Path(__file__).parent.parent / "pulumi" / "examples" / "local-postgres"
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
    try:
        return await _make(folder.examples / "infra.new", tree)
    except GitError as error:
        raise RepositoryUnusable(f"the example repository cannot be made in {str(tree)!r}: {error}") from error


async def _make(draft: Path, tree: Path) -> Path:
    await asyncio.to_thread(_copy, draft)
    await git("init", "--quiet", "--initial-branch=main", at=draft)
    await git("add", "--all", at=draft)
    await git(*_WHO, "commit", "--quiet", "--message", "A database and its role", at=draft)
    return await asyncio.to_thread(draft.rename, tree)


def _copy(into: Path) -> None:
    shutil.rmtree(into, ignore_errors=True)
    shutil.copytree(_SOURCE, into, ignore=shutil.ignore_patterns("__pycache__"))
