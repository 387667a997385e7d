"""Steps that delete on GitHub."""

from collections.abc import Sequence

from activities.github.branches import BranchDestruction
from workers.github import github_to_destroy
from workers.steps.destructive import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    return (BranchDestruction(github_to_destroy(means.settings), means.secrets),)
