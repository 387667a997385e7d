"""Steps that delete on GitHub."""

from collections.abc import Sequence

from activities.github.branches import BranchDestruction
from connectors.github.client import GitHubApp
from connectors.github.manifest import GITHUB
from workers.steps.destructive import Means


def steps(means: Means) -> Sequence[object]:
    """See `workers.steps.found.Implementing`."""
    return (BranchDestruction(GitHubApp(base_url=means.settings.url_of(GITHUB)), means.secrets),)
